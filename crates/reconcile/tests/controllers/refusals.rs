//! What people are told when the API takes no new pod, claim or ReplicaSet.

use serde_json::{Value, json};

use crate::deployments::web;
use crate::model::Model;
use crate::stateful_sets::redis;

/// Applies while a kind is refused; what one component tells after a second try, the same again aside.
#[track_caller]
fn check(kind: &'static str, object: Value, by: &str, wanted: &[(&'static str, &str)]) -> Model {
    let mut model = Model::new();
    model.settle();
    model.refuses = Some((kind, "no room"));
    model.apply(object);
    model.settle_once();
    let mut told = Vec::new();
    for (reason, message) in model.told_by(by) {
        if !told.contains(&(reason, message.clone())) {
            told.push((reason, message));
        }
    }
    let told: Vec<_> = told.iter().map(|(reason, message)| (*reason, message.as_str())).collect();
    assert_eq!(told, wanted);
    model
}

#[test]
fn a_stateful_set_tells_what_failed() {
    let set = || {
        redis(
            json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]}}),
        )
    };
    let by = "statefulset-controller";
    check(
        "Pod",
        set(),
        by,
        &[("FailedCreate", "create Pod redis-0 in StatefulSet redis failed error: no room")],
    );
    let mut model = check(
        "PersistentVolumeClaim",
        set(),
        by,
        &[
            (
                "FailedCreate",
                "create Claim data-redis-0 for Pod redis-0 in StatefulSet redis failed error: no room",
            ),
            (
                "FailedCreate",
                "create Pod redis-0 in StatefulSet redis failed error: failed to create PVC data-redis-0: no room",
            ),
        ],
    );
    model.refuses = None;
    model.settle();
    assert_eq!(model.pods().len(), 3);
    // Over and done with: what comes later does not tell it again.
    model.log.clear();
    model.set_ready("redis-0", false);
    model.settle();
    assert_eq!(model.told_by(by), []);
}

fn conditions(model: &Model, kind: &'static str) -> Vec<String> {
    let name = model.names(kind)[0].to_owned();
    let conditions = model.value(kind, &name)["status"]["conditions"].clone();
    let text = |condition: &Value| {
        let field = |field: &str| condition[field].as_str().unwrap().to_owned();
        format!("{} {} {}: {}", field("type"), field("status"), field("reason"), field("message"))
    };
    conditions.as_array().into_iter().flatten().map(text).collect()
}

#[test]
fn a_replica_set_has_a_condition_and_its_deployment_too() {
    let by = "replicaset-controller";
    let mut model =
        check("Pod", web(json!({})), by, &[("FailedCreate", "Error creating: no room")]);
    let failure = "ReplicaFailure True FailedCreate: no room";
    assert_eq!(conditions(&model, "ReplicaSet"), [failure]);
    assert!(conditions(&model, "Deployment").contains(&failure.to_owned()));
    model.refuses = None;
    model.settle();
    assert_eq!(conditions(&model, "ReplicaSet"), [""; 0]);
    let left = conditions(&model, "Deployment");
    assert!(left.iter().all(|condition| !condition.contains("Failure")), "{left:?}");
}

#[test]
fn a_deployment_without_replica_set_does_not_progress() {
    let mut model = Model::new();
    model.refuses = Some(("ReplicaSet", "no room"));
    model.apply(web(json!({})));
    model.settle_once();
    let told = model.told_by("deployment-controller");
    let (reason, message) = &told[0];
    assert_eq!(*reason, "ReplicaSetCreateError");
    assert!(message.starts_with("Failed to create new replica set \"web-"), "{message}");
    assert!(message.ends_with("\": no room"), "{message}");
    let condition = format!("Progressing False ReplicaSetCreateError: {message}");
    assert_eq!(conditions(&model, "Deployment"), [condition]);
    model.refuses = None;
    model.settle();
    let conditions = conditions(&model, "Deployment");
    assert!(conditions[1].starts_with("Progressing True NewReplicaSetAvailable"), "{conditions:?}");
}
