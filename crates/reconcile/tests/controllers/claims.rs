//! The PersistentVolumeClaims of StatefulSets.

use manifest::Object;
use reconcile::{Action, Propagation};
use serde_json::{Value, json};

use crate::model::{Model, reference};
use crate::slices::merge;
use crate::stateful_sets::{headless, redis};

fn claiming(when_deleted: &str, when_scaled: &str, replicas: i32) -> Value {
    redis(json!({"spec": {
        "replicas": replicas,
        "volumeClaimTemplates": [{"metadata": {"name": "data", "labels": {"disk": "fast"}},
                                  "spec": {"accessModes": ["ReadWriteOnce"]}}],
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": when_deleted, "whenScaled": when_scaled},
    }}))
}

fn started(when_deleted: &str, when_scaled: &str) -> Model {
    let mut model = Model::new();
    model.apply(headless());
    model.apply(claiming(when_deleted, when_scaled, 3));
    model.settle();
    model
}

const ALL: [&str; 3] = ["data-redis-0", "data-redis-1", "data-redis-2"];

#[test]
fn a_claim_is_made_before_its_pod() {
    let model = started("Retain", "Retain");
    assert_eq!(model.names("PersistentVolumeClaim"), ALL);
    let claim = model.value("PersistentVolumeClaim", "data-redis-1");
    assert_eq!(claim["metadata"]["labels"], json!({"disk": "fast", "app": "redis"}));
    assert_eq!(claim["spec"], json!({"accessModes": ["ReadWriteOnce"]}));
    assert!(claim["metadata"]["ownerReferences"].is_null());
    let made: Vec<(&str, &str)> = model
        .log
        .iter()
        .filter_map(|action| match action {
            Action::Create(object @ (Object::Pod(_) | Object::Stored(_))) => {
                Some((object.kind(), object.metadata().name.as_deref()?))
            }
            _ => None,
        })
        .filter(|(kind, _)| *kind != "ServiceAccount")
        .collect();
    assert_eq!(made[..2], [("PersistentVolumeClaim", "data-redis-0"), ("Pod", "redis-0")]);
    assert_eq!(made.len(), 6);
    let told = model.told_by("statefulset-controller");
    assert_eq!(
        told[0],
        (
            "SuccessfulCreate",
            "create Claim data-redis-0 Pod redis-0 in StatefulSet redis success".into()
        )
    );
}

/// Which claims are left after the set is scaled to one pod, scaled back to three, and deleted.
#[track_caller]
fn check(when_deleted: &str, when_scaled: &str, scaled: &[&str], deleted: &[&str]) {
    let mut model = started(when_deleted, when_scaled);
    let uids = |model: &Model| -> Vec<Value> {
        ALL.iter()
            .map(|name| model.value("PersistentVolumeClaim", name)["metadata"]["uid"].clone())
            .collect()
    };
    let before = uids(&model);
    model.apply(claiming(when_deleted, when_scaled, 1));
    model.settle();
    assert_eq!(model.names("PersistentVolumeClaim"), scaled, "scaled");
    model.apply(claiming(when_deleted, when_scaled, 3));
    model.settle();
    assert_eq!(model.names("PersistentVolumeClaim"), ALL);
    let same: Vec<&str> = ALL
        .into_iter()
        .zip(before.iter().zip(uids(&model)))
        .filter(|(_, (a, b))| **a == *b)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(same, scaled, "used again");
    model.delete(&reference("StatefulSet", "redis"), Propagation::Background);
    model.settle();
    assert_eq!(model.names("PersistentVolumeClaim"), deleted, "deleted");
}

#[test]
fn claims_stay_or_go_as_the_retention_policy_says() {
    check("Retain", "Retain", &ALL, &ALL);
    check("Delete", "Retain", &ALL, &[]);
    check("Retain", "Delete", &ALL[..1], &ALL);
    check("Delete", "Delete", &ALL[..1], &[]);
}

#[test]
fn the_owner_follows_the_policy() {
    let mut model = started("Delete", "Retain");
    let owners = |model: &Model| -> Vec<String> {
        let owners =
            model.value("PersistentVolumeClaim", "data-redis-2")["metadata"]["ownerReferences"]
                .clone();
        owners
            .as_array()
            .into_iter()
            .flatten()
            .map(|owner| format!("{}/{}", owner["kind"], owner["name"]))
            .collect()
    };
    assert_eq!(owners(&model), ["\"StatefulSet\"/\"redis\""]);
    model.apply(claiming("Retain", "Retain", 3));
    model.settle();
    assert_eq!(owners(&model), [""; 0]);
    // Other owners are nobody's business; one that controls it keeps the set away.
    let own = |model: &mut Model, controller: bool| {
        let uid = model.objects[&reference("Service", "redis-headless")].metadata().uid.clone();
        model.change(&reference("PersistentVolumeClaim", "data-redis-2"), |claim| {
            let owner = json!([{"apiVersion": "v1", "kind": "Service", "name": "redis-headless", "uid": uid, "controller": controller}]);
            claim.metadata_mut().owner_references = serde_json::from_value(owner).unwrap();
        });
    };
    for (controller, wanted) in [(false, 2), (true, 1)] {
        own(&mut model, controller);
        model.apply(claiming("Delete", "Retain", 3));
        model.settle();
        assert_eq!(owners(&model).len(), wanted, "{:?}", owners(&model));
    }
}

#[test]
fn a_pod_waits_until_the_claim_of_its_predecessor_is_gone() {
    let mut model = started("Retain", "Retain");
    let claim = reference("PersistentVolumeClaim", "data-redis-2");
    model.change(&claim, |claim| {
        claim.metadata_mut().finalizers = Some(vec!["example.com/hold".into()])
    });
    model.delete(&claim, Propagation::Background);
    model.delete(&reference("Pod", "redis-2"), Propagation::Background);
    model.settle();
    assert_eq!(model.names("Pod"), ["redis-0", "redis-1"]);
    model.change(&claim, |claim| claim.metadata_mut().finalizers = None);
    model.settle();
    assert_eq!(model.names("Pod"), ["redis-0", "redis-1", "redis-2"]);
    assert_eq!(model.names("PersistentVolumeClaim"), ALL);
}

#[test]
fn names_with_dashes_find_their_set() {
    let mut set = claiming("Retain", "Retain", 1);
    merge(
        &mut set,
        json!({"metadata": {"name": "my-db"}, "spec": {"volumeClaimTemplates": [{"metadata": {"name": "my-data"}, "spec": {}}]}}),
    );
    let mut model = Model::new();
    model.apply(set);
    model.settle();
    assert_eq!(model.names("PersistentVolumeClaim"), ["my-data-my-db-0"]);
    let claim = reference("PersistentVolumeClaim", "my-data-my-db-0");
    let work = model.world.remove(&claim, None);
    let key = reconcile::Key::new("default", "my-db");
    assert!(work.contains(&reconcile::Work::StatefulSet(key)), "{work:?}");
}
