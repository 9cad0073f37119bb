//! Garbage collection and the deletion of namespaces.

use manifest::ObjectRef;
use reconcile::{Action, Propagation, Work};
use serde_json::json;

use crate::model::{Model, object, reference};
use crate::stateful_sets::{headless, redis};

fn started() -> Model {
    let mut model = Model::new();
    model.apply(headless());
    model.apply(redis(json!({})));
    model.settle();
    model.log.clear();
    model
}

/// A redis set deleted with this policy: which pods stay, and whether the set is gone when the first pod goes.
#[track_caller]
fn check(propagation: Propagation, pods: &[&str], set_goes_first: bool) {
    let mut model = started();
    let set = reference("StatefulSet", "redis");
    model.delete(&set, propagation);
    let mut first = None;
    for _ in 0..10_000 {
        if !model.step() {
            break;
        }
        if model.pods().len() < 3 {
            first.get_or_insert(!model.objects.contains_key(&set));
        }
    }
    assert_eq!(model.names("Pod"), pods);
    assert!(!model.objects.contains_key(&set));
    if pods.is_empty() {
        assert_eq!(first, Some(set_goes_first));
    }
    for pod in model.pods() {
        let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
        assert!(owners.is_empty(), "{owners:?}");
    }
}

#[test]
fn dependents_go_as_the_policy_says() {
    check(Propagation::Background, &[], true);
    check(Propagation::Foreground, &[], false);
    check(Propagation::Orphan, &["redis-0", "redis-1", "redis-2"], true);
}

#[test]
fn an_owner_that_is_not_seen_yet_is_not_gone() {
    let mut world = reconcile::World::new();
    let pod = json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "default", "uid": "u", "resourceVersion": "2",
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": "us"}]}});
    let garbage = Work::Garbage(reference("Pod", "p"));
    assert_eq!(world.apply(object(pod)), vec![garbage.clone()]);
    let decide = |world: &reconcile::World| {
        let mut random = || 0;
        let mut context =
            reconcile::Context { now: jiff::Timestamp::UNIX_EPOCH, random: &mut random };
        reconcile::reconcile(world, &garbage, &mut context).actions
    };
    assert_eq!(decide(&world), []);
    assert_eq!(world.set_synced("StatefulSet"), vec![garbage.clone()]);
    let owner = reconcile::Owner { target: reference("StatefulSet", "s"), uid: "us".into() };
    assert_eq!(
        decide(&world),
        [Action::Collect {
            target: reference("Pod", "p"),
            uid: "u".into(),
            propagation: Propagation::Background,
            absent: vec![owner],
        }]
    );
    let set = |uid: &str| {
        object(
            json!({"kind": "StatefulSet", "metadata": {"name": "s", "namespace": "default", "uid": uid}}),
        )
    };
    world.apply(set("us"));
    assert_eq!(decide(&world), []);
    // Another of the same name is another owner.
    assert!(world.apply(set("us-2")).contains(&garbage));
    assert!(matches!(&decide(&world)[..], [Action::Collect { .. }]));
}

#[test]
fn one_living_owner_is_enough() {
    let mut model = started();
    let uid = |model: &Model, kind: &'static str, name: &str| {
        model.value(kind, name)["metadata"]["uid"].clone()
    };
    let owners = json!([
        {"apiVersion": "v1", "kind": "Service", "name": "redis-headless", "uid": uid(&model, "Service", "redis-headless")},
        {"apiVersion": "v1", "kind": "Service", "name": "gone", "uid": "no-such-uid"},
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "unknown", "uid": "who-knows"},
    ]);
    model.apply(json!({"kind": "Pod", "metadata": {"name": "kept", "ownerReferences": owners}, "spec": {"containers": []}}));
    model.settle();
    let left = model.value("Pod", "kept")["metadata"]["ownerReferences"].clone();
    let names: Vec<&str> =
        left.as_array().unwrap().iter().map(|owner| owner["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["redis-headless", "unknown"]);
}

#[test]
fn a_namespace_goes_with_its_content() {
    let mut model = started();
    model.apply(json!({"kind": "Namespace", "metadata": {"name": "other"}, "spec": {"finalizers": ["kubernetes"]}}));
    model.settle();
    let namespace = |name: &str| ObjectRef {
        kind: "Namespace",
        namespace: String::new(),
        name: name.to_owned(),
    };
    model.delete(&namespace("default"), Propagation::Background);
    model.settle();
    let left: Vec<_> = model.objects.keys().filter(|held| held.kind != "Node").collect();
    assert_eq!(left, [&namespace("other")]);
    let created = model.log.iter().any(|action| matches!(action, Action::Create(_)));
    assert!(!created, "made something in a namespace that goes");
    for kind in ["Event", "ConfigMap", "PersistentVolumeClaim", "Ingress"] {
        let all = Action::DeleteAll { kind, namespace: "default".into() };
        assert!(model.log.contains(&all), "{kind}");
    }
    let cluster_wide =
        |action: &Action| matches!(action, Action::DeleteAll { kind: "ClusterRole", .. });
    assert!(!model.log.iter().any(cluster_wide));
}
