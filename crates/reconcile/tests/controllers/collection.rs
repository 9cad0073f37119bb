//! Garbage collection and the deletion of namespaces.

use manifest::ObjectRef;
use reconcile::{Action, Propagation, Work};
use serde_json::{Value, json};

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
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "no-such-uid-either"},
        {"apiVersion": "example.com/v1", "kind": "Certificate", "name": "unknown", "uid": "who-knows"},
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
    model.log.clear();
    let namespace = |name: &str| ObjectRef {
        kind: "Namespace",
        namespace: String::new(),
        name: name.to_owned(),
    };
    model.delete(&namespace("default"), Propagation::Background);
    model.settle();
    let left: Vec<_> = model.objects.keys().filter(|held| held.kind != "Node").collect();
    let account = ObjectRef {
        kind: "ServiceAccount",
        namespace: "other".to_owned(),
        name: "default".to_owned(),
    };
    assert_eq!(left, [&namespace("other"), &account]);
    let created = model.log.iter().any(|action| matches!(action, Action::Create(_)));
    assert!(!created, "made something in a namespace that goes");
    let events = Action::DeleteAll { kind: "Event", namespace: "default".into() };
    assert!(model.log.contains(&events));
}

#[test]
fn a_namespace_waits_for_content_that_waits_itself() {
    let mut model = started();
    model.apply(json!({"kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}));
    model.apply(json!({"kind": "Secret", "metadata": {"name": "free"}}));
    model.settle();
    let namespace =
        ObjectRef { kind: "Namespace", namespace: String::new(), name: "default".to_owned() };
    model.delete(&namespace, Propagation::Background);
    model.settle();
    let held = reference("ConfigMap", "held");
    let left: Vec<_> = model.objects.keys().filter(|held| held.kind != "Node").collect();
    assert_eq!(left, [&held, &namespace]);
    model.change(&held, |object| object.metadata_mut().finalizers = None);
    model.settle();
    assert!(model.objects.keys().all(|held| held.kind == "Node"));
}

#[test]
fn every_namespace_has_a_default_service_account() {
    let mut model = started();
    let account = reference("ServiceAccount", "default");
    let first = model.objects[&account].metadata().uid.clone();
    model.delete(&account, Propagation::Background);
    model.settle();
    assert!(model.objects[&account].metadata().uid != first);
}

/// An owner of a stored kind with two dependents, deleted with this policy: what is left of them, and who went first.
#[track_caller]
fn check_stored(propagation: Propagation, left: &[&'static str], owner_goes_first: bool) {
    let mut model = Model::new();
    model.apply(json!({"kind": "ConfigMap", "metadata": {"name": "owner"}}));
    let owner = reference("ConfigMap", "owner");
    let uid = model.objects[&owner].metadata().uid.clone();
    let references = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "blockOwnerDeletion": true}]);
    model.apply(json!({"kind": "Pod", "metadata": {"name": "owned", "ownerReferences": references}, "spec": {"containers": []}}));
    model.apply(json!({"kind": "Job", "metadata": {"name": "owned", "labels": {"a": "b"}, "ownerReferences": references}}));
    model.settle();
    model.delete(&owner, propagation);
    let mut first = None;
    while model.step() {
        let dependents = model.objects.keys().filter(|held| held.name == "owned").count();
        let owner_is_there = model.objects.contains_key(&owner);
        if !owner_is_there || dependents < 2 {
            first.get_or_insert(!owner_is_there);
        }
    }
    assert_eq!(first, Some(owner_goes_first));
    let names: Vec<&str> =
        model.objects.keys().filter(|held| held.name == "owned").map(|held| held.kind).collect();
    assert_eq!(names, left);
    for kind in left {
        let metadata = model.objects[&reference(kind, "owned")].metadata();
        assert!(metadata.owner_references.iter().flatten().next().is_none(), "{metadata:?}");
        assert_eq!(metadata.labels.is_some(), *kind == "Job", "what is not known stays");
    }
}

#[test]
fn stored_kinds_own_and_are_owned() {
    check_stored(Propagation::Background, &[], true);
    check_stored(Propagation::Foreground, &[], false);
    check_stored(Propagation::Orphan, &["Job", "Pod"], true);
}

#[test]
fn an_owner_in_a_namespace_cannot_own_what_is_in_none() {
    let mut model = Model::new();
    model.apply(json!({"kind": "PersistentVolume", "metadata": {"name": "v", "ownerReferences":
        [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "no-such-uid"}]}}));
    model.settle();
    assert_eq!(model.names("PersistentVolume"), ["v"]);
}

/// ConfigMaps, each owned by the ones named (blocking), of which some are deleted in the foreground: what is left, in the
/// order in which nothing else may come, and in any other.
#[track_caller]
fn check_circle(owners: &[(&str, &[&str])], deleted: &[&str], left: &[&str]) {
    for seed in 0..20 {
        let mut model = if seed == 0 { Model::new() } else { Model::shuffled(seed) };
        for (name, _) in owners {
            model.apply(json!({"kind": "ConfigMap", "metadata": {"name": name}}));
        }
        for (name, of) in owners {
            let reference_to = |owner: &&str| {
                let uid = &model.value("ConfigMap", owner)["metadata"]["uid"];
                json!({"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": true})
            };
            let references: Vec<Value> = of.iter().map(reference_to).collect();
            model.change(&reference("ConfigMap", name), |object| {
                object.metadata_mut().owner_references =
                    Some(serde_json::from_value(references.into()).unwrap());
            });
        }
        model.settle();
        for name in deleted {
            model.delete(&reference("ConfigMap", name), Propagation::Foreground);
        }
        model.settle();
        assert_eq!(model.names("ConfigMap"), left, "{owners:?} without {deleted:?}");
    }
}

#[test]
fn owners_in_a_circle_do_not_wait_for_one_another() {
    check_circle(&[("a", &["b"]), ("b", &["a"])], &["a"], &[]);
    // Both at once, as one command deletes them.
    check_circle(&[("a", &["b"]), ("b", &["a"])], &["a", "b"], &[]);
    check_circle(&[("a", &["a"])], &["a"], &[]);
    check_circle(&[("a", &["c"]), ("b", &["a"]), ("c", &["b"])], &["b"], &[]);
    // What hangs below a circle, and one that two others hold.
    let below: &[(&str, &[&str])] =
        &[("a", &["b"]), ("b", &["a"]), ("c", &["b"]), ("d", &["c", "a"])];
    check_circle(below, &["a"], &[]);
    check_circle(below, &["c"], &["a", "b", "d"]);
    // One that another owner holds stays, and the circle is none any more.
    check_circle(&[("a", &["b"]), ("b", &["a", "s"]), ("s", &[])], &["a"], &["b", "s"]);
}

#[test]
fn a_chain_of_owners_goes_from_its_end() {
    let mut model = Model::new();
    let mut owners = json!([]);
    let names = ["a", "b", "c", "d"];
    for name in names {
        model.apply(
            json!({"kind": "ConfigMap", "metadata": {"name": name, "ownerReferences": owners}}),
        );
        let uid = &model.value("ConfigMap", name)["metadata"]["uid"];
        owners = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": true}]);
    }
    model.settle();
    model.delete(&reference("ConfigMap", "a"), Propagation::Foreground);
    while model.step() {
        let left = model.names("ConfigMap");
        assert_eq!(left, names[..left.len()]);
    }
    assert_eq!(model.names("ConfigMap"), [""; 0]);
}
