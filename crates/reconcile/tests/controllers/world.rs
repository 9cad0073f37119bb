//! What the world takes in, and which work that calls for.

use reconcile::{Key, Work, World};
use serde_json::{Value, json};

use crate::model::{object, reference};
use crate::slices::merge;

fn pod(change: Value) -> Value {
    let mut pod = json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "default", "uid": "u",
        "resourceVersion": "10", "labels": {"app": "a"}}});
    merge(&mut pod, change);
    pod
}

fn service(name: &str, app: &str) -> Value {
    json!({"kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": {"selector": {"app": app}}})
}

fn slices(names: &[&str]) -> Vec<Work> {
    names.iter().map(|name| Work::EndpointSlices(Key::new("default", *name))).collect()
}

/// The EndpointSlices work that a change of the pod calls for, with Services `a` and `b` for these labels.
#[track_caller]
fn check(old: Option<Value>, new: Option<Value>, wanted: &[&str]) {
    let mut world = World::new();
    world.apply(object(service("a", "a")));
    world.apply(object(service("b", "b")));
    if let Some(old) = old {
        world.apply(object(pod(old)));
    }
    let work = match new {
        Some(new) => world.apply(object(pod(new))),
        None => world.remove(&reference("Pod", "p"), Some("u")),
    };
    let work: Vec<Work> =
        work.into_iter().filter(|work| matches!(work, Work::EndpointSlices(_))).collect();
    assert_eq!(work, slices(wanted));
}

#[test]
fn a_pods_change_calls_for_the_services_it_was_and_is_in() {
    let at = |version: &str| json!({"metadata": {"resourceVersion": version}});
    let with = |change: Value| {
        let mut base = at("11");
        merge(&mut base, change);
        base
    };
    check(None, Some(json!({})), &["a"]);
    check(Some(json!({})), None, &["a"]);
    check(Some(json!({})), Some(with(json!({"metadata": {"labels": {"app": "b"}}}))), &["a", "b"]);
    check(
        Some(json!({})),
        Some(json!({"metadata": {"resourceVersion": "11", "labels": null}})),
        &["a"],
    );
    check(Some(json!({})), Some(with(json!({"status": {"podIPs": [{"ip": "10.0.0.1"}]}}))), &["a"]);
    // What endpoints do not depend on calls for nothing.
    check(Some(json!({})), Some(with(json!({"metadata": {"annotations": {"x": "y"}}}))), &[]);
    // Late echoes: the same, an older one, one after the removal.
    check(Some(json!({})), Some(json!({"status": {"podIPs": [{"ip": "10.0.0.1"}]}})), &[]);
    check(Some(json!({})), Some(at("9")), &[]);
    // Versions are numbers, not text.
    check(
        Some(json!({})),
        Some(json!({"metadata": {"resourceVersion": "9", "labels": {"app": "b"}}})),
        &[],
    );
}

#[test]
fn what_is_gone_stays_gone() {
    let mut world = World::new();
    world.apply(object(pod(json!({}))));
    world.remove(&reference("Pod", "p"), Some("u"));
    // The echo of its creation.
    assert_eq!(world.apply(object(pod(json!({"metadata": {"resourceVersion": "11"}})))), []);
    assert!(world.object(&reference("Pod", "p")).is_none());
    // Its successor, and then the late news of its own end.
    world.apply(object(pod(json!({"metadata": {"uid": "u2", "resourceVersion": "13"}}))));
    world.remove(&reference("Pod", "p"), Some("u"));
    assert_eq!(world.metadata(&reference("Pod", "p")).unwrap().uid.as_deref(), Some("u2"));
}

#[test]
fn a_thousand_services_cost_no_more_each_than_ten() {
    // One Service a pod: a pod's change must find its Service, and a Service its pod, without walking the others.
    let mut world = World::new();
    for number in 0..1000 {
        let name = format!("s-{number}");
        let mut value = service(&name, &name);
        value["spec"]["selector"]["tier"] = json!("shared");
        world.apply(object(value));
        let labels = json!({"app": name, "tier": "shared"});
        world
            .apply(object(pod(json!({"metadata": {"name": name, "uid": name, "labels": labels}}))));
    }
    let labels =
        [("app".to_owned(), "s-7".to_owned()), ("tier".to_owned(), "shared".to_owned())].into();
    let services: Vec<_> = world.services_selecting("default", &labels).collect();
    assert_eq!(services.len(), 1);
    assert_eq!(world.pods_with("default", &labels).count(), 1);
}
