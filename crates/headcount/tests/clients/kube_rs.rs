//! What programs do with kube-rs, beside reflectors and controllers (see `soak`).

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GetParams, ListParams, Patch, PatchParams,
    PostParams, Preconditions, ValidationDirective, VersionMatch, WatchEvent, WatchParams,
};
use kube::core::GroupVersionKind;
use kube::core::response::StatusSummary;
use kube::discovery::{Discovery, Scope, verbs};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{PATIENCE, Up};

fn made<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).expect("an object of the kind")
}

fn config_map(name: &str, colour: &str) -> ConfigMap {
    made(
        json!({ "metadata": { "name": name, "labels": { "colour": colour } }, "data": { "k": "v" } }),
    )
}

/// What was refused, as `CODE reason: message`.
#[track_caller]
fn refusal<T>(result: kube::Result<T>) -> String {
    match result {
        Err(kube::Error::Api(status)) => {
            format!("{} {}: {}", status.code, status.reason, status.message)
        }
        Err(other) => panic!("no answer of the API: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

fn names<K: kube::Resource>(objects: impl IntoIterator<Item = K>) -> Vec<String> {
    objects.into_iter().map(|object| object.name_any()).collect()
}

#[tokio::test]
async fn creating_and_patching() {
    let up = Up::ephemeral(&[]);
    let maps: Api<ConfigMap> = Api::default_namespaced(up.client().await);
    let dry = PostParams { dry_run: true, field_manager: Some("me".to_owned()) };
    let would = maps.create(&dry, &config_map("a", "red")).await.expect("a dry run");
    assert_eq!(would.managed_fields()[0].manager.as_deref(), Some("me"));
    assert!(maps.get_opt("a").await.expect("an answer").is_none());
    let named = PostParams { dry_run: false, ..dry };
    maps.create(&named, &config_map("a", "red")).await.expect("created");

    let me = PatchParams { field_manager: Some("me".to_owned()), ..PatchParams::default() };
    let merge = Patch::Merge(json!({ "data": { "k": null, "merged": "1" } }));
    maps.patch("a", &me, &merge).await.expect("a merge patch");
    let strategic = Patch::Strategic(json!({ "data": { "strategic": "1" } }));
    maps.patch("a", &me, &strategic).await.expect("a strategic merge patch");
    let operations = json!([{ "op": "add", "path": "/data/json", "value": "1" }]);
    let operations = Patch::Json::<()>(made(operations));
    let patched = maps.patch("a", &me, &operations).await.expect("a JSON patch");
    let data = patched.data.expect("data");
    assert_eq!(data.keys().collect::<Vec<_>>(), ["json", "merged", "strategic"]);

    let applied = |value: &str| {
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "merged": value } });
        Patch::Apply(map)
    };
    assert_eq!(
        refusal(maps.patch("a", &PatchParams::apply("you"), &applied("2")).await),
        "409 Conflict: Apply failed with 1 conflict: conflict with \"me\" using v1: .data.merged",
    );
    let forced = PatchParams::apply("you").force();
    let taken = maps.patch("a", &forced, &applied("2")).await.expect("by force");
    assert_eq!(taken.data.expect("data")["merged"], "2");
    let metadata = maps.patch_metadata("a", &forced, &applied("3")).await.expect("by force");
    assert_eq!(metadata.labels()["colour"], "red");

    let unknown = Patch::Merge(json!({ "date": {} }));
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let refused = refusal(maps.patch("a", &strict, &unknown).await);
    assert!(refused.contains("strict decoding error: unknown field \"date\""), "{refused}");
}

#[tokio::test]
async fn reading_in_every_form() {
    let up = Up::ephemeral(&[]);
    let maps: Api<ConfigMap> = Api::default_namespaced(up.client().await);
    for (name, colour) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        let post = PostParams::default();
        maps.create(&post, &config_map(name, colour)).await.expect("created");
    }
    let metadata = maps.get_metadata("a").await.expect("its metadata");
    assert_eq!(
        metadata.types.as_ref().map(|types| types.kind.as_str()),
        Some("PartialObjectMetadata")
    );
    assert!(maps.get_metadata_opt("none").await.expect("an answer").is_none());
    let red = ListParams::default().labels("colour=red");
    assert_eq!(names(maps.list_metadata(&red).await.expect("their metadata")), ["a", "c"]);
    let not_a = ListParams::default().fields("metadata.name!=a,metadata.namespace=default");
    assert_eq!(names(maps.list(&not_a).await.expect("a list")), ["b", "c"]);
    maps.get_with("a", &GetParams::any()).await.expect("any version will do");

    let first = maps.list(&ListParams::default().limit(2)).await.expect("a page");
    assert_eq!(first.metadata.remaining_item_count, Some(1));
    let revision = first.metadata.resource_version.clone().expect("a resourceVersion");
    let token = first.metadata.continue_.clone().expect("a token");
    let delete = DeleteParams::default();
    maps.delete("c", &delete).await.expect("deleted").map_left(drop).map_right(|status| {
        assert_eq!(status.status, Some(StatusSummary::Success));
    });
    let rest = ListParams::default().limit(2).continue_token(&token);
    assert_eq!(names(maps.list(&rest).await.expect("the rest")), ["c"], "as the first page saw it");
    let exact = ListParams::default().at(&revision).matching(VersionMatch::Exact);
    assert_eq!(names(maps.list(&exact).await.expect("a past state")), ["a", "b", "c"]);

    let events = maps.watch_metadata(&WatchParams::default(), &revision).await.expect("a watch");
    let event = std::pin::pin!(events).try_next().await.expect("an event").expect("an event");
    assert!(matches!(event, WatchEvent::Deleted(gone) if gone.name_any() == "c"));

    let answer = maps.delete_collection(&delete, &red).await.expect("deleted");
    assert_eq!(names(answer.left().expect("what was deleted")), ["a"]);
    assert_eq!(names(maps.list(&ListParams::default()).await.expect("a list")), ["b"]);
}

#[tokio::test]
async fn entries_leases_and_preconditions() {
    let up = Up::ephemeral(&[]);
    let client = up.client().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let post = PostParams::default();
    let mut entry = maps.entry("a").await.expect("an entry").or_insert(ConfigMap::default);
    entry.commit(&post).await.expect("created");
    entry.get_mut().data.get_or_insert_default().insert("k".to_owned(), "v".to_owned());
    let other = maps.entry("a").await.expect("an entry").and_modify(|map| map.data = None);
    entry.commit(&post).await.expect("replaced");
    let kube::api::entry::Entry::Occupied(mut other) = other else { panic!("it is there") };
    let stale = other.commit(&post).await.expect_err("a stale entry");
    assert!(stale.to_string().contains("the object has been modified"), "{stale}");

    // Two candidates for one Lease: who read an older one loses.
    let leases: Api<Lease> = Api::default_namespaced(client.clone());
    let held_by = |mut lease: Lease, who: &str| {
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(who.to_owned());
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        lease
    };
    let free = leases.create(&post, &made(json!({ "metadata": { "name": "l" } }))).await;
    let free = free.expect("created");
    leases.replace("l", &post, &held_by(free.clone(), "one")).await.expect("taken");
    let refused = refusal(leases.replace("l", &post, &held_by(free, "two")).await);
    assert_eq!(
        refused,
        "409 Conflict: Operation cannot be fulfilled on leases.coordination.k8s.io \"l\": the object has been modified; \
         please apply your changes to the latest version and try again"
    );

    let uid = |uid: &str| {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        DeleteParams::default().preconditions(preconditions)
    };
    let refused = refusal(maps.delete("a", &uid("another")).await);
    assert!(refused.starts_with("409 Conflict:"), "{refused}");
    let there = maps.get("a").await.expect("still there").uid().expect("a uid");
    maps.delete("a", &DeleteParams::default().dry_run()).await.expect("a dry run");
    maps.delete("a", &uid(&there)).await.expect("deleted");
    assert!(maps.get_opt("a").await.expect("an answer").is_none());
}

#[tokio::test]
async fn workloads() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let client = up.client().await;
    let sets: Api<StatefulSet> = Api::default_namespaced(client.clone());
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let scale = sets.get_scale("redis").await.expect("its scale");
    assert_eq!(scale.spec.and_then(|spec| spec.replicas), Some(3));
    let five = Patch::Merge(json!({ "spec": { "replicas": 5 } }));
    let scale = sets.patch_scale("redis", &PatchParams::default(), &five).await.expect("scaled");
    assert_eq!(scale.spec.and_then(|spec| spec.replicas), Some(5));
    let applied =
        json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "spec": { "replicas": 5 } });
    let applied = Patch::Apply(applied);
    sets.patch_scale("redis", &PatchParams::apply("hpa"), &applied).await.expect("shared");

    let running = await_condition(pods.clone(), "redis-4", conditions::is_pod_running());
    let pod = tokio::time::timeout(PATIENCE, running).await.expect("in time").expect("a watch");
    let uid = pod.and_then(|pod| pod.uid()).expect("a pod");
    let condition =
        json!({ "status": { "conditions": [{ "type": "example.com/seen", "status": "True" }] } });
    let condition = Patch::Strategic(condition);
    let patched = pods.patch_status("redis-4", &PatchParams::default(), &condition).await;
    let conditions = patched.expect("patched").status.and_then(|status| status.conditions);
    let types: Vec<String> = conditions.into_iter().flatten().map(|one| one.type_).collect();
    assert!(
        types.contains(&"Ready".to_owned()) && types.contains(&"example.com/seen".to_owned()),
        "{types:?}"
    );

    let gone = await_condition(pods.clone(), "redis-4", conditions::is_deleted(&uid));
    let four = Patch::Merge(json!({ "spec": { "replicas": 4 } }));
    let me = PatchParams { field_manager: Some("me".to_owned()), ..PatchParams::default() };
    sets.patch_scale("redis", &me, &four).await.expect("scaled");
    let refused = refusal(sets.patch_scale("redis", &PatchParams::apply("hpa"), &applied).await);
    assert!(refused.starts_with("409 Conflict: Apply failed with 1 conflict"), "{refused}");
    tokio::time::timeout(PATIENCE, gone).await.expect("in time").expect("a watch");
}

#[tokio::test]
async fn watchers_with_selectors() {
    let up = Up::ephemeral(&[]);
    let maps: Api<ConfigMap> = Api::default_namespaced(up.client().await);
    let post = PostParams::default();
    let colour =
        |colour: &str| Patch::Merge(json!({ "metadata": { "labels": { "colour": colour } } }));
    for configuration in [watcher::Config::default(), watcher::Config::default().streaming_lists()]
    {
        maps.create(&post, &config_map("early", "red")).await.expect("created");
        let red = watcher(maps.clone(), configuration.clone().labels("colour=red"));
        let mut red = red.boxed();
        let named = watcher(maps.clone(), configuration.fields("metadata.name=late"));
        let mut named = named.applied_objects().boxed();
        let mut seen = Vec::new();
        while let Some(event) = red.next().await {
            match event.expect("an event") {
                watcher::Event::InitApply(map) => seen.push(format!("init {}", map.name_any())),
                watcher::Event::InitDone => {
                    maps.create(&post, &config_map("late", "blue")).await.expect("created");
                    let parameters = PatchParams::default();
                    maps.patch("late", &parameters, &colour("red")).await.expect("patched");
                    maps.patch("early", &parameters, &colour("blue")).await.expect("patched");
                    maps.delete("late", &DeleteParams::default()).await.expect("deleted");
                }
                watcher::Event::Apply(map) => seen.push(format!("apply {}", map.name_any())),
                watcher::Event::Delete(map) => seen.push(format!("delete {}", map.name_any())),
                watcher::Event::Init => {}
            }
            if seen.len() == 4 {
                break;
            }
        }
        assert_eq!(seen, ["init early", "apply late", "delete early", "delete late"]);
        maps.create(&post, &config_map("late", "green")).await.expect("created");
        let late = named.try_next().await.expect("an event").expect("an object");
        assert_eq!(late.labels()["colour"], "green");
        maps.delete_collection(&DeleteParams::default(), &ListParams::default())
            .await
            .expect("deleted");
    }
}

#[tokio::test]
async fn discovery_and_dynamic_objects() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let client = up.client().await;
    let plain = Discovery::new(client.clone()).run().await.expect("discovery");
    let aggregated = Discovery::new(client.clone()).run_aggregated().await.expect("discovery");
    assert_eq!(kinds(&plain), kinds(&aggregated));
    let everything = everything(&client, &plain).await;
    for one in [
        "Service redis-headless",
        "StatefulSet redis",
        "Pod redis-0",
        "Node node-1",
        "Namespace default",
    ] {
        assert!(everything.contains(&one.to_owned()), "{one} is not among {everything:?}");
    }

    let kind = GroupVersionKind::gvk("", "v1", "Service");
    let (resource, capabilities) = aggregated.resolve_gvk(&kind).expect("Services");
    assert_eq!((resource.plural.as_str(), capabilities.scope), ("services", Scope::Namespaced));
    let services: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    let service = json!({ "spec": { "type": "ExternalName", "externalName": "db.example.com" } });
    let service = DynamicObject::new("db", &resource).data(service);
    let made = services.create(&PostParams::default(), &service).await.expect("created");
    assert_eq!(made.data["spec"]["sessionAffinity"], "None");
    assert_eq!(made.types.map(|types| types.kind), Some("Service".to_owned()));
    let typed: Api<Service> = Api::default_namespaced(client.clone());
    let spec = typed.get("db").await.expect("the same").spec.expect("a spec");
    assert_eq!(spec.external_name.as_deref(), Some("db.example.com"));

    let unknown = ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Widget"));
    let widgets: Api<DynamicObject> = Api::all_with(client, &unknown);
    let refused = refusal(widgets.list(&ListParams::default()).await);
    assert!(
        refused.starts_with("404 NotFound: the server could not find the requested resource"),
        "{refused}"
    );
}

/// `GROUP/VERSION KIND` of all that is served, sorted.
fn kinds(discovery: &Discovery) -> Vec<String> {
    let groups = discovery.groups().flat_map(|group| group.recommended_resources());
    let mut kinds: Vec<_> = groups
        .map(|(resource, capabilities)| {
            let mut parts: Vec<_> =
                capabilities.subresources.iter().map(|(part, _)| part.plural.as_str()).collect();
            parts.sort_unstable();
            format!("{} {} {parts:?}", resource.api_version, resource.kind)
        })
        .collect();
    kinds.sort();
    kinds
}

/// `KIND NAME` of every object that can be listed.
async fn everything(client: &Client, discovery: &Discovery) -> Vec<String> {
    let mut found = Vec::new();
    for (resource, capabilities) in
        discovery.groups().flat_map(|group| group.recommended_resources())
    {
        if capabilities.supports_operation(verbs::LIST) {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let list = api.list(&ListParams::default()).await.expect(&resource.kind);
            found.extend(names(list).into_iter().map(|name| format!("{} {name}", resource.kind)));
        }
    }
    found
}
