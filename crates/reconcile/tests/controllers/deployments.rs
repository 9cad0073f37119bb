//! Deployments and their ReplicaSets.

use manifest::Object;
use reconcile::Action;
use serde_json::{Value, json};

use crate::model::Model;
use crate::slices::merge;

pub(crate) fn web(change: Value) -> Value {
    let mut deployment = json!({
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 4,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    });
    merge(&mut deployment, change);
    deployment
}

fn image(image: &str) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
}

fn started(change: Value) -> Model {
    let mut model = Model::new();
    model.apply(web(change));
    model.settle();
    model
}

/// Revision and size of every ReplicaSet, by revision.
fn sets(model: &Model) -> Vec<(i64, i32)> {
    let mut sets: Vec<_> = model
        .objects
        .values()
        .filter_map(|object| match object {
            Object::ReplicaSet(set) => Some((
                set.metadata.annotations.as_ref().unwrap()["deployment.kubernetes.io/revision"]
                    .parse()
                    .unwrap(),
                set.spec.as_ref().unwrap().replicas.unwrap(),
            )),
            _ => None,
        })
        .collect();
    sets.sort_unstable();
    sets
}

fn condition(model: &Model, kind: &str) -> (String, String) {
    let status = model.value("Deployment", "web")["status"].clone();
    let conditions = status["conditions"].as_array().unwrap();
    let condition = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
    (condition["status"].as_str().unwrap().into(), condition["reason"].as_str().unwrap().into())
}

fn events(model: &Model) -> Vec<&str> {
    let message = |action: &'_ Action| match action {
        Action::Record { message, component: "deployment-controller", .. } => Some(message.clone()),
        _ => None,
    };
    let messages: Vec<String> = model.log.iter().filter_map(message).collect();
    messages.into_iter().map(|message| -> &str { message.leak() }).collect()
}

#[test]
fn a_deployment_makes_a_replica_set_makes_pods() {
    let model = started(json!({}));
    let [set] = model.names("ReplicaSet")[..] else { panic!() };
    let hash = set.strip_prefix("web-").unwrap().to_owned();
    let value = model.value("ReplicaSet", set);
    assert_eq!(
        value["spec"]["selector"],
        json!({"matchLabels": {"app": "web", "pod-template-hash": hash}})
    );
    assert_eq!(value["metadata"]["labels"], json!({"app": "web", "pod-template-hash": hash}));
    assert_eq!(
        value["metadata"]["annotations"],
        json!({"deployment.kubernetes.io/revision": "1", "deployment.kubernetes.io/desired-replicas": "4",
               "deployment.kubernetes.io/max-replicas": "5"})
    );
    assert_eq!(
        value["status"],
        json!({"replicas": 4, "readyReplicas": 4, "availableReplicas": 4, "fullyLabeledReplicas": 4,
               "observedGeneration": 1})
    );
    assert_eq!(model.pods().len(), 4);
    for pod in model.pods() {
        let name = pod.metadata.name.as_ref().unwrap();
        assert_eq!(
            name.strip_prefix(set).and_then(|rest| rest.strip_prefix('-')).map(str::len),
            Some(5),
            "{name}"
        );
    }
    let mut status = model.value("Deployment", "web")["status"].clone();
    status.as_object_mut().unwrap().remove("conditions");
    assert_eq!(
        status,
        json!({"replicas": 4, "readyReplicas": 4, "availableReplicas": 4, "updatedReplicas": 4, "observedGeneration": 1})
    );
    assert_eq!(condition(&model, "Available"), ("True".into(), "MinimumReplicasAvailable".into()));
    assert_eq!(condition(&model, "Progressing"), ("True".into(), "NewReplicaSetAvailable".into()));
    assert_eq!(
        model.value("Deployment", "web")["metadata"]["annotations"],
        json!({"deployment.kubernetes.io/revision": "1"})
    );
    assert_eq!(events(&model), [format!("Scaled up replica set {set} from 0 to 4")]);
}

/// The most and the fewest available pods while `change` is carried out.
fn roll(model: &mut Model, change: Value) -> (usize, usize) {
    let (mut most, mut fewest) = (0, usize::MAX);
    model.apply(web(change));
    for _ in 0..10_000 {
        if !model.step() {
            return (most, fewest);
        }
        let pods = model.pods();
        most = most.max(pods.len());
        let ready = pods.iter().filter(|pod| {
            let conditions = pod.status.as_ref().unwrap().conditions.iter().flatten();
            conditions.into_iter().any(|condition| condition.status == "True")
        });
        fewest = fewest.min(ready.count());
    }
    panic!("still rolling: {:?}", sets(model));
}

#[test]
fn rolling_updates_keep_within_surge_and_availability() {
    let mut model = started(json!({}));
    assert_eq!(roll(&mut model, image("web:2")), (5, 3));
    assert_eq!(sets(&model), [(1, 0), (2, 4)]);
    assert_eq!(condition(&model, "Progressing"), ("True".into(), "NewReplicaSetAvailable".into()));
    // Back again: the first set is used again under a new revision.
    let (most, fewest) = roll(&mut model, json!({}));
    assert!(most <= 5 && fewest >= 3, "{most} {fewest} {:#?}", events(&model));
    assert_eq!(sets(&model), [(2, 0), (3, 4)]);
}

#[test]
fn recreate_waits_until_all_old_pods_are_gone() {
    let recreate = || json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}});
    let mut model = started(recreate());
    let mut change = recreate();
    merge(&mut change, image("web:2"));
    let (most, fewest) = roll(&mut model, change);
    assert_eq!((most, fewest), (4, 0));
    assert_eq!(sets(&model), [(1, 0), (2, 4)]);
}

#[test]
fn scales_and_keeps_the_history_short() {
    let mut model = started(json!({}));
    model.apply(web(json!({"spec": {"replicas": 1}})));
    model.settle();
    assert_eq!((sets(&model), model.pods().len()), (vec![(1, 1)], 1));
    for number in 2..=6 {
        let mut change = image(&format!("web:{number}"));
        merge(&mut change, json!({"spec": {"replicas": 2, "revisionHistoryLimit": 2}}));
        model.apply(web(change));
        model.settle();
    }
    assert_eq!(sets(&model), [(4, 0), (5, 0), (6, 2)]);
    let mut paused = image("web:7");
    merge(&mut paused, json!({"spec": {"replicas": 3, "revisionHistoryLimit": 2, "paused": true}}));
    model.apply(web(paused));
    model.settle();
    assert_eq!(sets(&model), [(4, 0), (5, 0), (6, 3)]);
}

#[test]
fn scaling_during_a_rollout_is_in_proportion() {
    let mut model = started(json!({"spec": {"replicas": 10}}));
    let stuck = |replicas: i32| {
        let mut change = image("web:broken");
        merge(
            &mut change,
            json!({"spec": {"replicas": replicas,
                   "template": {"metadata": {"annotations": {"headcount.dev/ready": "false"}}}}}),
        );
        change
    };
    roll(&mut model, stuck(10));
    assert_eq!(sets(&model), [(1, 8), (2, 5)]);
    roll(&mut model, stuck(20));
    assert_eq!(sets(&model).iter().map(|(_, size)| size).sum::<i32>(), 25);
    assert!(sets(&model)[0].1 >= 15, "{:?}", sets(&model));
}

#[test]
fn no_progress_is_told_after_the_deadline() {
    let model = started(
        json!({"spec": {"template": {"metadata": {"annotations": {"headcount.dev/ready": "false"}}}}}),
    );
    assert_eq!(
        condition(&model, "Available"),
        ("False".into(), "MinimumReplicasUnavailable".into())
    );
    assert_eq!(
        condition(&model, "Progressing"),
        ("False".into(), "ProgressDeadlineExceeded".into())
    );
}

#[test]
fn a_replica_set_remembers_its_revisions_and_why() {
    let mut model =
        started(json!({"metadata": {"annotations": {"kubernetes.io/change-cause": "one"}}}));
    let annotations = |model: &Model, revision: &str| {
        let sets =
            model.names("ReplicaSet").into_iter().map(|name| model.value("ReplicaSet", name));
        let mut annotations = sets.map(|set| set["metadata"]["annotations"].clone());
        annotations.find(|held| held["deployment.kubernetes.io/revision"] == revision).unwrap()
    };
    assert_eq!(annotations(&model, "1")["kubernetes.io/change-cause"], "one");
    // Told after the change, as `kubectl annotate` does.
    model.apply(web(image("web:2")));
    model.settle();
    let mut caused = image("web:2");
    merge(&mut caused, json!({"metadata": {"annotations": {"kubernetes.io/change-cause": "two"}}}));
    model.apply(web(caused));
    model.settle();
    assert_eq!(annotations(&model, "2")["kubernetes.io/change-cause"], "two");
    for change in [json!({}), image("web:2"), json!({})] {
        model.apply(web(change));
        model.settle();
    }
    assert_eq!(annotations(&model, "5")["deployment.kubernetes.io/revision-history"], "1,3");
    assert_eq!(annotations(&model, "4")["deployment.kubernetes.io/revision-history"], "2");
    assert_eq!(
        model.value("Deployment", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "5"
    );
}

#[test]
fn a_pause_is_told_and_does_not_count() {
    let paused = |is: bool| {
        let mut change = image("web:2");
        merge(&mut change, json!({"spec": {"paused": is, "minReadySeconds": 5}}));
        web(change)
    };
    let mut model = started(json!({}));
    model.apply(paused(true));
    model.settle();
    assert_eq!(condition(&model, "Progressing"), ("Unknown".into(), "DeploymentPaused".into()));
    assert_eq!(sets(&model), [(1, 4)]);
    model.log.clear();
    model.now += jiff::SignedDuration::from_hours(1);
    model.apply(paused(false));
    model.settle();
    let reasons: Vec<String> = model
        .log
        .iter()
        .filter_map(|action| match action {
            Action::UpdateStatus(Object::Deployment(deployment)) => {
                let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
                conditions.iter().find(|condition| condition.type_ == "Progressing")?.reason.clone()
            }
            _ => None,
        })
        .collect();
    assert_eq!(reasons[..2], ["DeploymentResumed", "NewReplicaSetCreated"]);
    assert!(!reasons.contains(&"ProgressDeadlineExceeded".to_owned()), "{reasons:?}");
    assert_eq!(condition(&model, "Progressing"), ("True".into(), "NewReplicaSetAvailable".into()));
}

#[test]
fn the_unready_go_first() {
    let mut model = started(json!({}));
    let spared: Vec<String> =
        model.pods().iter().skip(1).map(|pod| pod.metadata.name.clone().unwrap()).collect();
    let first = model.pods()[0].metadata.name.clone().unwrap();
    model.set_ready(&first, false);
    model.settle();
    model.apply(web(json!({"spec": {"replicas": 3}})));
    model.settle();
    assert_eq!(model.names("Pod"), spared);
}

#[test]
fn absurd_wishes_are_carried_out_in_bounded_steps() {
    let mut model = Model::new();
    model.apply(web(json!({"spec": {"replicas": i32::MAX}})));
    while model.pods().is_empty() {
        assert!(model.step());
    }
    assert_eq!(model.pods().len(), 500);
    // A change of mind, of size and template.
    let mut change = image("web:2");
    merge(
        &mut change,
        json!({"spec": {"replicas": i32::MAX - 1, "strategy": {"rollingUpdate": {"maxSurge": i32::MAX}}}}),
    );
    model.apply(web(change));
    for _ in 0..40 {
        model.step();
    }
    assert!(!sets(&model).is_empty());
}
