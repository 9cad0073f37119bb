//! The revisions of a StatefulSet: ControllerRevisions, and which pods are made from which.

use manifest::Object;
use reconcile::{Action, Propagation};
use serde_json::{Value, json};

use crate::model::{Model, reference};
use crate::slices::merge;
use crate::stateful_sets::{headless, redis};

fn image(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "redis", "image": image}]}}}})
}

fn with(mut change: Value, more: Value) -> Value {
    merge(&mut change, more);
    change
}

fn applied(model: &mut Model, change: Value) {
    model.apply(redis(change));
    model.settle();
}

fn started() -> Model {
    let mut model = Model::new();
    model.apply(headless());
    applied(&mut model, image("redis:1"));
    model
}

/// Number and image of every revision, by number.
fn revisions(model: &Model) -> Vec<(i64, String)> {
    let mut revisions: Vec<_> = model
        .names("ControllerRevision")
        .into_iter()
        .map(|name| {
            let value = model.value("ControllerRevision", name);
            let image = &value["data"]["spec"]["template"]["spec"]["containers"][0]["image"];
            (value["revision"].as_i64().unwrap(), image.as_str().unwrap().to_owned())
        })
        .collect();
    revisions.sort();
    revisions
}

#[track_caller]
fn check(model: &Model, wanted: &[(i64, &str)]) {
    let held = revisions(model);
    let held: Vec<_> = held.iter().map(|(number, image)| (*number, image.as_str())).collect();
    assert_eq!(held, wanted);
}

fn images(model: &Model) -> Vec<String> {
    let image = |pod: &&k8s_openapi::api::core::v1::Pod| {
        pod.spec.as_ref().unwrap().containers[0].image.clone().unwrap()
    };
    model.pods().iter().map(image).collect()
}

#[test]
fn a_revision_is_a_patch_that_brings_its_template_back() {
    let mut model = Model::new();
    model.apply(redis(
        json!({"metadata": {"annotations": {"kubernetes.io/change-cause": "first"}}}),
    ));
    model.settle();
    let [name] = model.names("ControllerRevision")[..] else { panic!() };
    let revision = model.value("ControllerRevision", name);
    let set = model.value("StatefulSet", "redis");
    let hash = name.strip_prefix("redis-").unwrap();
    assert_eq!(
        revision["metadata"]["labels"],
        json!({"app": "redis", "controller.kubernetes.io/hash": hash})
    );
    assert_eq!(revision["metadata"]["annotations"], json!({"kubernetes.io/change-cause": "first"}));
    assert_eq!(
        revision["metadata"]["ownerReferences"],
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "redis", "uid": set["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true}])
    );
    let mut template = set["spec"]["template"].clone();
    template["$patch"] = "replace".into();
    assert_eq!(revision["data"], json!({"spec": {"template": template}}));
    assert_eq!(set["status"]["currentRevision"], name);
    assert_eq!(set["status"]["updateRevision"], name);
    for pod in model.pods() {
        assert_eq!(pod.metadata.labels.as_ref().unwrap()["controller-revision-hash"], name);
    }
}

#[test]
fn going_back_raises_the_number_of_the_revision_that_is_there() {
    let mut model = started();
    applied(&mut model, image("redis:2"));
    check(&model, &[(1, "redis:1"), (2, "redis:2")]);
    applied(&mut model, image("redis:1"));
    check(&model, &[(2, "redis:2"), (3, "redis:1")]);
    assert_eq!(images(&model), ["redis:1", "redis:1", "redis:1"]);
    // A change beside the template is none of the template.
    applied(&mut model, with(image("redis:1"), json!({"spec": {"replicas": 1}})));
    check(&model, &[(2, "redis:2"), (3, "redis:1")]);
}

#[test]
fn history_is_cut_to_the_limit_and_what_pods_use_stays() {
    let mut model = started();
    let limited = |number: i32, partition: i32| {
        with(
            image(&format!("redis:{number}")),
            json!({"spec": {"revisionHistoryLimit": 1, "updateStrategy": {"rollingUpdate": {"partition": partition}}}}),
        )
    };
    for number in 2..=4 {
        applied(&mut model, limited(number, 0));
    }
    check(&model, &[(3, "redis:3"), (4, "redis:4")]);
    // Two pods stay at the fourth, whatever comes.
    for number in 5..=7 {
        applied(&mut model, limited(number, 2));
    }
    check(&model, &[(4, "redis:4"), (6, "redis:6"), (7, "redis:7")]);
}

#[test]
fn below_the_partition_pods_are_made_from_the_current_revision() {
    let mut model = started();
    let partition = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}});
    applied(&mut model, with(image("redis:2"), partition.clone()));
    assert_eq!(images(&model), ["redis:1", "redis:1", "redis:2"]);
    for pod in ["redis-0", "redis-1", "redis-2"] {
        model.delete(&reference("Pod", pod), Propagation::Background);
        model.settle();
        assert_eq!(images(&model), ["redis:1", "redis:1", "redis:2"], "{pod} made again");
    }
    let status = model.value("StatefulSet", "redis")["status"].clone();
    let label = |pod: &str| {
        model.value("Pod", pod)["metadata"]["labels"]["controller-revision-hash"].clone()
    };
    assert_eq!(label("redis-1"), status["currentRevision"]);
    assert_eq!(label("redis-2"), status["updateRevision"]);
    assert_eq!((&status["currentReplicas"], &status["updatedReplicas"]), (&json!(2), &json!(1)));
    // More pods: above the partition of the new one.
    applied(&mut model, with(image("redis:2"), with(partition, json!({"spec": {"replicas": 4}}))));
    assert_eq!(images(&model), ["redis:1", "redis:1", "redis:2", "redis:2"]);
    applied(&mut model, with(image("redis:2"), json!({"spec": {"replicas": 4}})));
    assert_eq!(images(&model), ["redis:2"; 4]);
}

#[test]
fn on_delete_renews_what_people_delete() {
    let mut model = started();
    let on_delete =
        json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}});
    applied(&mut model, with(image("redis:2"), on_delete));
    model.delete(&reference("Pod", "redis-1"), Propagation::Background);
    model.settle();
    assert_eq!(images(&model), ["redis:1", "redis:2", "redis:1"]);
    let status = model.value("StatefulSet", "redis")["status"].clone();
    assert_eq!((&status["currentReplicas"], &status["updatedReplicas"]), (&json!(2), &json!(1)));
    assert!(status["currentRevision"] != status["updateRevision"]);
}

#[test]
fn a_name_that_another_revision_has_is_not_taken() {
    let mut probe = started();
    let name = probe.names("ControllerRevision")[0].to_owned();
    let mut model = Model::new();
    model.apply(json!({"kind": "ControllerRevision", "metadata": {"name": name}, "revision": 7, "data": {"other": true}}));
    model.apply(headless());
    applied(&mut model, image("redis:1"));
    assert_eq!(model.names("ControllerRevision").len(), 2);
    let status = model.value("StatefulSet", "redis")["status"].clone();
    assert_eq!(status["collisionCount"], 1);
    assert!(status["updateRevision"] != *name);
    // The set goes, and its revision with it.
    let set = reference("StatefulSet", "redis");
    for model in [&mut model, &mut probe] {
        model.delete(&set, Propagation::Background);
        model.settle();
    }
    assert_eq!(model.names("ControllerRevision"), [name]);
    assert_eq!(probe.names("ControllerRevision"), [""; 0]);
}

#[test]
fn orphaned_revisions_are_adopted() {
    let mut model = started();
    applied(&mut model, image("redis:2"));
    model.delete(&reference("StatefulSet", "redis"), Propagation::Orphan);
    model.settle();
    check(&model, &[(1, "redis:1"), (2, "redis:2")]);
    model.log.clear();
    applied(&mut model, image("redis:2"));
    check(&model, &[(1, "redis:1"), (2, "redis:2")]);
    let uid = model.value("StatefulSet", "redis")["metadata"]["uid"].clone();
    for name in model.names("ControllerRevision") {
        let owners = model.value("ControllerRevision", name)["metadata"]["ownerReferences"].clone();
        assert_eq!(owners[0]["uid"], uid);
    }
    let made = |action: &Action| matches!(action, Action::Create(Object::Pod(_)));
    assert!(!model.log.iter().any(made), "its pods are adopted as they are");
}
