//! Whatever the order of events, the end is the same, and StatefulSets keep their order on the way.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use manifest::Object;
use proptest::prelude::*;
use reconcile::{Action, Propagation, world};
use serde_json::{Value, json};

use crate::model::{Model, reference, told_of};
use crate::slices::told;
use crate::stateful_sets::{headless, redis};

/// What people do.
#[derive(Clone, Debug)]
enum Deed {
    Scale(u8),
    Image(u8),
    Partition(u8),
    Retain(bool),
    Ready(u8, bool),
    Kill(u8),
    Bare(u8),
    BareGone(u8),
    Relabel(u8, bool),
    Publish(bool),
    Wait(u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0u8..6).prop_map(Deed::Scale),
        (0u8..3).prop_map(Deed::Image),
        (0u8..4).prop_map(Deed::Partition),
        any::<bool>().prop_map(Deed::Retain),
        (0u8..6, any::<bool>()).prop_map(|(pod, ready)| Deed::Ready(pod, ready)),
        (0u8..6).prop_map(Deed::Kill),
        (0u8..8).prop_map(Deed::Bare),
        (0u8..8).prop_map(Deed::BareGone),
        (0u8..8, any::<bool>()).prop_map(|(pod, app)| Deed::Relabel(pod, app)),
        any::<bool>().prop_map(Deed::Publish),
        (0u8..40).prop_map(Deed::Wait),
    ]
}

#[derive(Default)]
struct Wish {
    replicas: u8,
    image: u8,
    partition: u8,
    retained: bool,
    published: bool,
}

impl Wish {
    fn set(&self) -> Value {
        let policy = if self.retained { "Retain" } else { "Delete" };
        redis(json!({"spec": {
            "replicas": self.replicas,
            "updateStrategy": {"rollingUpdate": {"partition": self.partition}},
            "template": {"spec": {"containers": [{"name": "redis", "image": format!("redis:{}", self.image)}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy, "whenScaled": policy},
        }}))
    }
}

fn service(published: bool) -> Value {
    let mut service = headless();
    service["spec"]["publishNotReadyAddresses"] = json!(published);
    service
}

fn perform(model: &mut Model, wish: &mut Wish, deed: &Deed) {
    let has = |model: &Model, name: &str| model.objects.contains_key(&reference("Pod", name));
    match *deed {
        Deed::Scale(replicas) => wish.replicas = replicas,
        Deed::Image(image) => wish.image = image,
        Deed::Partition(partition) => wish.partition = partition,
        Deed::Retain(retained) => wish.retained = retained,
        Deed::Ready(pod, ready) => {
            let name = format!("redis-{pod}");
            if has(model, &name) {
                model.set_ready(&name, ready);
            }
        }
        Deed::Kill(pod) => {
            model.delete(&reference("Pod", &format!("redis-{pod}")), Propagation::Background)
        }
        Deed::Bare(pod) => {
            let name = format!("bare-{pod}");
            if !has(model, &name) {
                model.apply(
                    json!({"kind": "Pod", "metadata": {"name": name, "labels": {"app": "redis"}},
                    "spec": {"containers": [{"name": "c"}]}}),
                );
            }
        }
        Deed::BareGone(pod) => {
            model.delete(&reference("Pod", &format!("bare-{pod}")), Propagation::Background);
        }
        Deed::Relabel(pod, app) => {
            let name = format!("bare-{pod}");
            if has(model, &name) {
                model.change(&reference("Pod", &name), |object| {
                    let label = if app { "redis" } else { "other" };
                    object.metadata_mut().labels =
                        Some(BTreeMap::from([("app".into(), label.into())]));
                });
            }
        }
        Deed::Publish(published) => {
            wish.published = published;
            model.apply(service(published));
        }
        Deed::Wait(steps) => {
            for _ in 0..steps {
                let before = model.log.len();
                model.step();
                assert_ordered(model, &model.log[before..]);
            }
        }
    }
    if matches!(deed, Deed::Scale(_) | Deed::Image(_) | Deed::Partition(_) | Deed::Retain(_)) {
        model.apply(wish.set());
    }
}

fn ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// OrderedReady: whoever is made has all its predecessors, ready, as far as the controllers know; and one at a time.
fn assert_ordered(model: &Model, done: &[Action]) {
    let made: Vec<i64> = done
        .iter()
        .filter_map(|action| match action {
            Action::Create(Object::Pod(pod)) => {
                pod.metadata.name.as_ref()?.strip_prefix("redis-")?.parse().ok()
            }
            _ => None,
        })
        .collect();
    let [ordinal] = made[..] else {
        assert_eq!(made, [0; 0], "several at once");
        return;
    };
    for lower in 0..ordinal {
        let lower = format!("redis-{lower}");
        let ready =
            model.world.get::<world::Pod>("default", &lower).is_some_and(|pod| pod.is_ready());
        assert!(ready, "redis-{ordinal} was made before {lower} was ready");
    }
}

/// What the slices should say, from the pods alone.
fn from_scratch(model: &Model, published: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for pod in model.pods() {
        if pod.metadata.labels.as_ref().unwrap()["app"] != "redis" {
            continue;
        }
        let spec = pod.spec.as_ref().unwrap();
        let name = pod.metadata.name.as_ref().unwrap();
        let name = if spec.hostname.is_some() { name.clone() } else { format!("({name})") };
        let serving = ready(pod);
        let flags = [(published || serving, "R"), (serving, "S")];
        let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag).collect();
        lines.push(format!("IPv4 redis:6379/TCP: {name} {flags}"));
    }
    if lines.is_empty() {
        lines.push("IPv4 : none".to_owned());
    }
    lines.sort();
    lines
}

/// Each pod has its claim, owned as the policy says.
fn assert_claimed(model: &Model, wish: &Wish) {
    for pod in model.names("Pod").into_iter().filter(|name| name.starts_with("redis-")) {
        let claim = model.value("PersistentVolumeClaim", &format!("data-{pod}"));
        let owners = claim["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        let ordinal: u8 = pod.strip_prefix("redis-").unwrap().parse().unwrap();
        let wanted = match (wish.retained, ordinal < wish.replicas) {
            (true, _) => None,
            (false, true) => Some("StatefulSet"),
            (false, false) => Some("Pod"),
        };
        let kinds: Vec<_> = owners.iter().map(|owner| owner["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, Vec::from_iter(wanted), "{pod}");
    }
}

/// The newest revision has the set's template; each template has one, and each pod names one.
fn assert_revisions(model: &Model, wish: &Wish) {
    let names = model.names("ControllerRevision");
    let mut held: Vec<_> = names
        .iter()
        .map(|name| {
            let value = model.value("ControllerRevision", name);
            let image = value["data"]["spec"]["template"]["spec"]["containers"][0]["image"].clone();
            (value["revision"].as_i64().unwrap(), *name, image)
        })
        .collect();
    held.sort_by_key(|(number, ..)| *number);
    let status = model.value("StatefulSet", "redis")["status"].clone();
    let (_, newest, image) = held.last().unwrap();
    assert_eq!(*image, format!("redis:{}", wish.image));
    assert_eq!(status["updateRevision"], *newest);
    assert!(names.contains(&status["currentRevision"].as_str().unwrap()));
    let images: BTreeSet<_> = held.iter().map(|(_, _, image)| image.to_string()).collect();
    let numbers: BTreeSet<_> = held.iter().map(|(number, ..)| number).collect();
    assert_eq!((images.len(), numbers.len()), (held.len(), held.len()), "{held:?}");
    for pod in model.pods() {
        let labels = pod.metadata.labels.as_ref().unwrap();
        let Some(revision) = labels.get("controller-revision-hash") else { continue };
        let (_, _, image) = held.iter().find(|(_, name, _)| name == revision).unwrap();
        let made_of = pod.spec.as_ref().unwrap().containers[0].image.clone();
        assert_eq!(image.as_str(), made_of.as_deref());
    }
}

fn run(seed: u64, deeds: &[Deed]) {
    let mut model = Model::shuffled(seed);
    let mut wish = Wish { replicas: 3, ..Wish::default() };
    model.apply(service(false));
    model.apply(wish.set());
    for deed in deeds {
        perform(&mut model, &mut wish, deed);
    }
    model.settle_watched(assert_ordered);
    assert_eq!(told(&model, "redis-headless"), from_scratch(&model, wish.published));

    // The world has caught up with the API.
    for (target, object) in &model.objects {
        let expected = match told_of(object) {
            Object::Pod(pod) => world::Pod::from(pod).into(),
            other => other,
        };
        assert_eq!(model.world.object(target), Some(expected));
    }
    assert_claimed(&model, &wish);
    assert_revisions(&model, &wish);
    // Everybody well again and no partition: the set is complete and up to date.
    wish.partition = 0;
    model.apply(wish.set());
    let names: Vec<String> = model.names("Pod").into_iter().map(str::to_owned).collect();
    for name in names.iter().filter(|name| name.starts_with("redis-")) {
        model.set_ready(name, true);
    }
    model.settle_watched(assert_ordered);
    let pods: Vec<(&str, &str)> = model
        .objects
        .values()
        .filter_map(|object| match object {
            Object::Pod(pod) => Some((
                pod.metadata.name.as_deref()?,
                pod.spec.as_ref()?.containers[0].image.as_deref()?,
            )),
            _ => None,
        })
        .collect();
    let image = format!("redis:{}", wish.image);
    let wanted: Vec<String> =
        (0..wish.replicas).map(|ordinal| format!("redis-{ordinal}")).collect();
    assert_eq!(pods, wanted.iter().map(|name| (name.as_str(), image.as_str())).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_order_ends_the_same(seed in any::<u64>(), deeds in prop::collection::vec(deed(), 0..25)) {
        run(seed, &deeds);
    }
}
