use std::collections::BTreeSet;

use manifest::schema::{REFERENCE, definitions};
use serde_json::Map;

use super::*;

/// How many places of an object merge in a strategic merge patch, which of those by `$retainKeys`, and which are
/// replaced; and how many are keyed lists, sets, and atomic objects where they are applied.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    merge: usize,
    retain_keys: usize,
    replace: usize,
    keyed: usize,
    set: usize,
    atomic: usize,
}

impl Counts {
    fn add(&mut self, place: Place) {
        match place.patch() {
            Patch::Usual => {}
            Patch::Keyed(_) | Patch::Set => self.merge += 1,
            Patch::KeyedRetainKeys(_) => {
                self.merge += 1;
                self.retain_keys += 1;
            }
            Patch::RetainKeys => self.retain_keys += 1,
            Patch::Replace => self.replace += 1,
        }
        match place.rule.apply {
            Some(Apply::Keyed(_)) => self.keyed += 1,
            Some(Apply::Set) => self.set += 1,
            Some(Apply::Fields | Apply::Atomic) | None => {}
        }
    }

    /// Counts what is below a place.
    fn walk(&mut self, place: Place, definitions: &Map<String, Value>) {
        let Some(index) = place.of else { return };
        let (_, schema) = definitions.iter().nth(index).unwrap();
        for (field, schema) in properties(schema) {
            let place = place.field(field);
            self.add(place);
            let is_list = schema["type"] == "array";
            let value = if is_list { place.item() } else { place };
            self.atomic += usize::from(value.apply() == Apply::Atomic);
            self.walk(place, definitions);
        }
    }
}

/// The counts are those of Kubernetes' own OpenAPI of 1.36, taken from its extensions by other means than this code.
#[test]
fn the_places_of_each_kind() {
    let expected = [
        ("v1 Namespace", [3, 0, 0, 2, 1, 1]),
        ("v1 Node", [5, 0, 0, 3, 2, 1]),
        ("v1 Pod", [35, 3, 0, 43, 6, 46]),
        ("v1 Service", [4, 0, 0, 3, 1, 2]),
        ("v1 Endpoints", [2, 0, 0, 1, 1, 6]),
        ("v1 Event", [2, 0, 0, 1, 1, 3]),
        ("discovery.k8s.io/v1 EndpointSlice", [2, 0, 0, 1, 2, 3]),
        ("apps/v1 StatefulSet", [31, 2, 0, 31, 7, 51]),
        ("apps/v1 Deployment", [28, 3, 0, 29, 6, 48]),
        ("apps/v1 ReplicaSet", [28, 2, 0, 29, 6, 48]),
        ("v1 ConfigMap", [2, 0, 0, 1, 1, 1]),
        ("v1 Secret", [2, 0, 0, 1, 1, 1]),
        ("v1 ServiceAccount", [3, 0, 0, 2, 1, 3]),
        ("v1 PersistentVolumeClaim", [3, 0, 0, 2, 1, 3]),
        ("v1 PersistentVolume", [2, 0, 0, 1, 1, 15]),
        ("v1 ResourceQuota", [2, 0, 0, 1, 1, 2]),
        ("v1 LimitRange", [2, 0, 0, 1, 1, 1]),
        ("apps/v1 ControllerRevision", [2, 0, 0, 1, 1, 1]),
        ("apps/v1 DaemonSet", [28, 2, 0, 29, 6, 48]),
        ("autoscaling/v2 HorizontalPodAutoscaler", [3, 0, 0, 2, 1, 7]),
        ("batch/v1 Job", [28, 2, 0, 28, 9, 48]),
        ("batch/v1 CronJob", [29, 2, 0, 29, 8, 50]),
        ("coordination.k8s.io/v1 Lease", [2, 0, 0, 1, 1, 1]),
        ("events.k8s.io/v1 Event", [2, 0, 0, 1, 1, 3]),
        ("networking.k8s.io/v1 NetworkPolicy", [2, 0, 0, 1, 1, 6]),
        ("networking.k8s.io/v1 Ingress", [2, 0, 0, 1, 1, 5]),
        ("networking.k8s.io/v1 IngressClass", [2, 0, 0, 1, 1, 1]),
        ("policy/v1 PodDisruptionBudget", [3, 0, 1, 2, 1, 2]),
        ("rbac.authorization.k8s.io/v1 Role", [2, 0, 0, 1, 1, 1]),
        ("rbac.authorization.k8s.io/v1 RoleBinding", [2, 0, 0, 1, 1, 3]),
        ("rbac.authorization.k8s.io/v1 ClusterRole", [2, 0, 0, 1, 1, 2]),
        ("rbac.authorization.k8s.io/v1 ClusterRoleBinding", [2, 0, 0, 1, 1, 3]),
        // Of no rule but those of its metadata.
        ("multicluster.x-k8s.io/v1alpha1 ServiceImport", [2, 0, 0, 1, 1, 1]),
        // By their definitions, as far as they are served.
        ("gateway.networking.k8s.io/v1 GatewayClass", [2, 0, 0, 2, 1, 1]),
        ("gateway.networking.k8s.io/v1 Gateway", [2, 0, 0, 5, 1, 2]),
        ("gateway.networking.k8s.io/v1 HTTPRoute", [2, 0, 0, 12, 1, 1]),
        ("gateway.networking.k8s.io/v1beta1 ReferenceGrant", [2, 0, 0, 1, 1, 1]),
        ("scheduling.k8s.io/v1 PriorityClass", [2, 0, 0, 1, 1, 1]),
        ("storage.k8s.io/v1 StorageClass", [2, 0, 0, 1, 1, 2]),
    ];
    let definitions = definitions();
    for kind in Kind::all() {
        let name = format!("{} {}", kind.api_version(), kind.kind);
        let (_, expected) = expected.iter().find(|(kind, _)| *kind == name).expect(&name);
        let mut counts = Counts::default();
        counts.walk(Place::of(kind), &definitions);
        let Counts { merge, retain_keys, replace, keyed, set, atomic } = counts;
        assert_eq!([merge, retain_keys, replace, keyed, set, atomic], *expected, "{name}");
    }
}

/// No rule is about nothing: its type and field exist, are of the right shape, and have the keys.
#[test]
fn rules_fit_the_types() {
    let definitions = definitions();
    let schema_of = |name: &str| &definitions[&format!("io.k8s.{name}")];
    for (name, fields) in rules::FIELDS {
        for (field, rule) in *fields {
            let at = format!("{name}.{field}");
            let schema = &schema_of(name)["properties"][field];
            let is_list = schema["type"] == "array";
            let item = schema["items"]["$ref"].as_str().and_then(|r| r.strip_prefix(REFERENCE));
            let has = |key: &str| !definitions[item.unwrap()]["properties"][key].is_null();
            match rule.apply {
                Some(Apply::Keyed(keys)) => assert!(keys.iter().all(|key| has(key)), "{at}"),
                Some(Apply::Set) => assert!(is_list && item.is_none(), "{at}"),
                Some(Apply::Fields) => assert!(!schema.is_null() && !is_list, "{at}"),
                Some(Apply::Atomic) | None => assert!(!schema.is_null(), "{at}"),
            }
            match rule.patch {
                Patch::Keyed(key) | Patch::KeyedRetainKeys(key) => assert!(has(key), "{at}"),
                Patch::Set => assert!(is_list && item.is_none(), "{at}"),
                Patch::RetainKeys | Patch::Replace => assert!(schema["$ref"].is_string(), "{at}"),
                Patch::Usual => {}
            }
        }
    }
    let distinct: BTreeSet<_> = rules::FIELDS.iter().map(|(name, _)| name).collect();
    assert_eq!(distinct.len(), rules::FIELDS.len());
    for name in rules::ATOMIC_TYPES {
        assert!(schema_of(name)["properties"].is_object(), "{name}");
    }
}

/// See [`reference`].
#[test]
fn the_values_of_maps_have_no_rules() {
    let definitions = definitions();
    for (name, schema) in &definitions {
        for (field, schema) in properties(schema) {
            if let Some(value) = schema["additionalProperties"]["$ref"].as_str() {
                let value = &definitions[value.strip_prefix(REFERENCE).unwrap()];
                assert!(value["properties"].is_null(), "{name}.{field}");
            }
        }
    }
}
