//! StatefulSets, with their headless Service where it matters.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use manifest::Object;
use reconcile::{Action, Propagation};
use serde_json::{Value, json};

use crate::model::{Model, reference};
use crate::slices::{merge, told};

pub(crate) fn redis(change: Value) -> Value {
    let mut set = json!({
        "kind": "StatefulSet",
        "metadata": {"name": "redis"},
        "spec": {
            "replicas": 3,
            "serviceName": "redis-headless",
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "selector": {"matchLabels": {"app": "redis"}},
            "template": {
                "metadata": {"labels": {"app": "redis"}},
                "spec": {"containers": [{"name": "redis", "image": "redis:7", "ports": [{"containerPort": 6379}]}]},
            },
        },
    });
    merge(&mut set, change);
    set
}

pub(crate) fn headless() -> Value {
    json!({
        "kind": "Service",
        "metadata": {"name": "redis-headless"},
        "spec": {"clusterIP": "None", "ipFamilies": ["IPv4"], "selector": {"app": "redis"},
                 "ports": [{"name": "redis", "port": 6379, "targetPort": 6379}]},
    })
}

fn started(change: Value) -> Model {
    let mut model = Model::new();
    model.apply(headless());
    model.apply(redis(change));
    model.settle();
    model
}

fn status(model: &Model) -> Value {
    let mut status = model.value("StatefulSet", "redis")["status"].clone();
    let fields = status.as_object_mut().unwrap();
    let same = fields["currentRevision"] == fields["updateRevision"];
    fields.remove("currentRevision");
    fields.remove("updateRevision");
    fields.insert("updated".into(), same.into());
    status
}

/// What happened to pods, in order: `+redis-0`, `-redis-2`.
fn steps(model: &Model) -> Vec<String> {
    let step = |action: &Action| match action {
        Action::Create(Object::Pod(pod)) => {
            Some(format!("+{}", pod.metadata.name.as_ref().unwrap()))
        }
        Action::Delete { target, .. } if target.kind == "Pod" => Some(format!("-{}", target.name)),
        _ => None,
    };
    model.log.iter().filter_map(step).collect()
}

#[test]
fn three_pods_one_slice_three_hostnames() {
    let model = started(json!({}));
    assert_eq!(steps(&model), ["+redis-0", "+redis-1", "+redis-2"]);
    assert_eq!(
        told(&model, "redis-headless"),
        [
            "IPv4 redis:6379/TCP: redis-0 RS",
            "IPv4 redis:6379/TCP: redis-1 RS",
            "IPv4 redis:6379/TCP: redis-2 RS",
        ]
    );
    assert_eq!(model.slices().len(), 1);
    assert_eq!(
        status(&model),
        json!({"replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3,
               "observedGeneration": 1, "collisionCount": 0, "updated": true})
    );
}

#[test]
fn a_pod_has_its_identity() {
    let claims =
        json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]}});
    let model = started(claims);
    let set = model.value("StatefulSet", "redis");
    let pod = model.value("Pod", "redis-1");
    assert_eq!(
        pod["metadata"]["labels"],
        json!({"app": "redis", "statefulset.kubernetes.io/pod-name": "redis-1", "apps.kubernetes.io/pod-index": "1",
               "controller-revision-hash": set["status"]["updateRevision"]})
    );
    assert_eq!(pod["spec"]["hostname"], "redis-1");
    assert_eq!(pod["spec"]["subdomain"], "redis-headless");
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-redis-1"}}])
    );
    assert_eq!(
        pod["metadata"]["ownerReferences"],
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "redis", "uid": set["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true}])
    );
    let revision = set["status"]["updateRevision"].as_str().unwrap();
    assert!(revision.starts_with("redis-") && revision.len() > 10, "{revision}");
}

#[test]
fn events_tell_what_was_done() {
    let model = started(json!({"spec": {"replicas": 1}}));
    assert_eq!(
        model.told_by("statefulset-controller"),
        [("SuccessfulCreate", "create Pod redis-0 in StatefulSet redis successful".to_owned())]
    );
}

/// A set as started, then changed: the steps of the change.
#[track_caller]
fn check(before: Value, after: Value, wanted: &[&str]) {
    let mut model = started(before);
    model.log.clear();
    model.apply(redis(after));
    model.settle();
    assert_eq!(steps(&model), wanted);
}

#[test]
fn scales_at_the_high_end() {
    check(
        json!({"spec": {"replicas": 5}}),
        json!({"spec": {"replicas": 2}}),
        &["-redis-4", "-redis-3", "-redis-2"],
    );
    check(
        json!({"spec": {"replicas": 1}}),
        json!({"spec": {"replicas": 3}}),
        &["+redis-1", "+redis-2"],
    );
    check(json!({}), json!({"spec": {"replicas": 0}}), &["-redis-2", "-redis-1", "-redis-0"]);
}

#[test]
fn ordinals_start_where_told() {
    let model = started(json!({"spec": {"ordinals": {"start": 5}}}));
    assert_eq!(model.names("Pod"), ["redis-5", "redis-6", "redis-7"]);
    check(
        json!({}),
        json!({"spec": {"ordinals": {"start": 2}}}),
        &["+redis-3", "+redis-4", "-redis-1", "-redis-0"],
    );
}

fn image(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "redis", "image": image}]}}}})
}

#[test]
fn rolls_from_the_highest_down_to_the_partition() {
    check(
        json!({}),
        image("redis:8"),
        &["-redis-2", "+redis-2", "-redis-1", "+redis-1", "-redis-0", "+redis-0"],
    );
    let mut partitioned = image("redis:8");
    merge(
        &mut partitioned,
        json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}}),
    );
    check(json!({}), partitioned.clone(), &["-redis-2", "+redis-2"]);
    let mut on_delete = image("redis:8");
    merge(
        &mut on_delete,
        json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}),
    );
    check(json!({}), on_delete, &[]);

    let mut model = started(json!({}));
    model.apply(redis(partitioned));
    model.settle();
    assert_eq!(
        status(&model),
        json!({"replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "currentReplicas": 2, "updatedReplicas": 1,
               "observedGeneration": 2, "collisionCount": 0, "updated": false})
    );
}

#[test]
fn a_rolling_update_waits_for_health() {
    let mut model = started(json!({}));
    let mut broken = image("redis:broken");
    merge(
        &mut broken,
        json!({"spec": {"template": {"metadata": {"annotations": {"headcount.dev/ready": "false"}}}}}),
    );
    model.log.clear();
    model.apply(redis(broken));
    model.settle();
    assert_eq!(steps(&model), ["-redis-2", "+redis-2"]);
    assert_eq!(told(&model, "redis-headless")[2], "IPv4 redis:6379/TCP: redis-2 ");
    model.set_ready("redis-2", true);
    model.settle();
    assert_eq!(steps(&model), ["-redis-2", "+redis-2", "-redis-1", "+redis-1"]);
}

#[test]
fn ordered_waits_and_parallel_does_not() {
    let unready = json!({"spec": {"template": {"metadata": {"annotations": {"headcount.dev/ready": "false"}}}}});
    let model = started(unready.clone());
    assert_eq!(model.names("Pod"), ["redis-0"]);
    let mut parallel = unready;
    merge(&mut parallel, json!({"spec": {"podManagementPolicy": "Parallel"}}));
    let model = started(parallel);
    assert_eq!(model.names("Pod"), ["redis-0", "redis-1", "redis-2"]);
}

#[test]
fn min_ready_seconds_pass_between_pods() {
    let model = started(json!({"spec": {"minReadySeconds": 10}}));
    let born: Vec<String> = model
        .pods()
        .iter()
        .map(|pod| pod.metadata.creation_timestamp.as_ref().unwrap().0.to_string())
        .collect();
    assert_eq!(born, ["2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z", "2026-01-01T00:00:20Z"]);
    assert_eq!(status(&model)["availableReplicas"], 3);
}

#[test]
fn a_pod_that_went_or_ended_comes_back_under_its_name() {
    let mut model = started(json!({}));
    let identity = |model: &Model| {
        let pod = model.value("Pod", "redis-1");
        (pod["metadata"]["uid"].clone(), pod["status"]["podIP"].clone())
    };
    let first = identity(&model);
    model.delete(&reference("Pod", "redis-1"), Propagation::Background);
    model.settle();
    let second = identity(&model);
    assert!(first.0 != second.0 && first.1 != second.1, "{first:?} {second:?}");
    model.change(&reference("Pod", "redis-1"), |object| {
        let Object::Pod(Pod { status, .. }) = object else { panic!() };
        status.as_mut().unwrap().phase = Some("Failed".into());
    });
    model.settle();
    assert!(identity(&model).0 != second.0);
    assert_eq!(told(&model, "redis-headless").len(), 3);
}

#[test]
fn orphans_are_adopted_and_strangers_released() {
    let mut model = started(json!({}));
    model.change(&reference("Pod", "redis-2"), |object| {
        object.metadata_mut().owner_references = None
    });
    model.settle();
    assert_eq!(
        model.value("Pod", "redis-2")["metadata"]["ownerReferences"][0]["kind"],
        "StatefulSet"
    );
    model.change(&reference("Pod", "redis-2"), |object| {
        object.metadata_mut().labels = Some(BTreeMap::from([("app".into(), "other".into())]));
    });
    for _ in 0..50 {
        model.step();
    }
    let owners = model.value("Pod", "redis-2")["metadata"]["ownerReferences"].clone();
    assert!(owners.is_null() || owners == json!([]), "{owners}");
}

#[test]
fn absurd_wishes_are_carried_out_in_bounded_steps() {
    for (policy, first) in [("OrderedReady", 1), ("Parallel", 500)] {
        let mut model = Model::new();
        model.apply(redis(json!({"spec": {"replicas": i32::MAX, "podManagementPolicy": policy}})));
        while steps(&model).is_empty() {
            assert!(model.step());
        }
        assert_eq!(steps(&model).len(), first);
    }
}
