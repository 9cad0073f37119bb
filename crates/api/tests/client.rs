//! The API as a `kube::Client` sees it, in one process.

#![allow(clippy::unwrap_used)]

mod common;

use common::server;
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

fn service(name: &str) -> Service {
    serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": { "selector": { "app": name }, "ports": [{ "port": 80 }] },
    }))
    .unwrap()
}

#[tokio::test]
async fn the_life_of_a_service() {
    let client = Client::new(server().await, "default");
    let services: Api<Service> = Api::default_namespaced(client.clone());

    let made = services.create(&PostParams::default(), &service("db")).await.unwrap();
    assert_eq!(made.spec.as_ref().unwrap().ip_families, Some(vec!["IPv4".to_owned()]));
    let address = made.spec.clone().unwrap().cluster_ip.unwrap();
    assert!(address.starts_with("10."), "{address}");

    let again = services.create(&PostParams::default(), &service("db")).await.unwrap_err();
    let kube::Error::Api(status) = again else { panic!("{again}") };
    assert_eq!((status.code, status.message.as_str()), (409, "services \"db\" already exists"));

    let patch = Patch::Merge(json!({ "metadata": { "labels": { "tier": "data" } } }));
    let patched = services.patch("db", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.labels()["tier"], "data");
    assert_eq!(patched.spec.as_ref().unwrap().cluster_ip, Some(address.clone()));

    let mut stale = made.clone();
    stale.labels_mut().insert("x".to_owned(), "y".to_owned());
    let conflict = services.replace("db", &PostParams::default(), &stale).await.unwrap_err();
    let kube::Error::Api(status) = conflict else { panic!("{conflict}") };
    assert_eq!(
        status.message,
        "Operation cannot be fulfilled on services \"db\": the object has been modified; please apply your changes to \
         the latest version and try again"
    );

    // What an update leaves out of the allocated, it keeps.
    let replaced = services.replace("db", &PostParams::default(), &service("db")).await.unwrap();
    assert_eq!(replaced.spec.unwrap().cluster_ip, Some(address));

    let listed = services.list(&ListParams::default().fields("metadata.name=db")).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    services.delete("db", &DeleteParams::default()).await.unwrap();
    assert!(services.get_opt("db").await.unwrap().is_none());
}

#[tokio::test]
async fn watches_resume_and_follow_selectors() {
    let client = Client::new(server().await, "default");
    let services: Api<Service> = Api::default_namespaced(client);
    let start =
        services.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let labelled = |name: &str, tier: &str| {
        let mut service = service(name);
        service.labels_mut().insert("tier".to_owned(), tier.to_owned());
        service
    };
    services.create(&PostParams::default(), &labelled("a", "data")).await.unwrap();
    services.create(&PostParams::default(), &labelled("b", "web")).await.unwrap();
    services.replace("a", &PostParams::default(), &labelled("a", "web")).await.unwrap();
    services.replace("b", &PostParams::default(), &labelled("b", "data")).await.unwrap();
    services.delete("b", &DeleteParams::default()).await.unwrap();

    let parameters = WatchParams::default().labels("tier=data");
    let events = services.watch(&parameters, &start).await.unwrap();
    let mut seen = Vec::new();
    let mut events = std::pin::pin!(events);
    while seen.len() < 4 {
        seen.push(match events.try_next().await.unwrap().unwrap() {
            WatchEvent::Added(object) => format!("+{}", object.name_any()),
            WatchEvent::Modified(object) => format!("~{}", object.name_any()),
            WatchEvent::Deleted(object) => format!("-{}", object.name_any()),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(seen, ["+a", "-a", "+b", "-b"]);
}

#[tokio::test]
async fn watchers_list_and_stream() {
    for configuration in [watcher::Config::default(), watcher::Config::default().streaming_lists()]
    {
        let client = Client::new(server().await, "default");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let mut events = std::pin::pin!(watcher(namespaces.clone(), configuration));
        let mut names = Vec::new();
        while let Some(event) = events.try_next().await.unwrap() {
            match event {
                watcher::Event::InitApply(namespace) => names.push(namespace.name_any()),
                watcher::Event::InitDone => break,
                watcher::Event::Init | watcher::Event::Apply(_) | watcher::Event::Delete(_) => {}
            }
        }
        assert_eq!(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);

        let prod = serde_json::from_value(json!({ "metadata": { "name": "prod" } })).unwrap();
        namespaces.create(&PostParams::default(), &prod).await.unwrap();
        let event = events.try_next().await.unwrap().unwrap();
        assert!(matches!(event, watcher::Event::Apply(made) if made.name_any() == "prod"));
    }
}
