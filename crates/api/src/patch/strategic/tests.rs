use super::*;
use manifest::kind::{KindId, Stored};
use proptest::prelude::*;
use serde_json::json;

fn patched(kind: KindId, current: &Value, patch: &Value) -> Result<Value, PatchError> {
    apply(Kind::of(kind), current.clone(), patch)
}

#[track_caller]
fn check(kind: KindId, current: Value, patch: Value, result: Value) {
    assert_eq!(patched(kind, &current, &patch), Ok(result));
}

/// Checks a pod's spec.
#[track_caller]
fn check_pod(current: Value, patch: Value, result: Value) {
    check(KindId::Pod, json!({"spec": current}), json!({"spec": patch}), json!({"spec": result}));
}

#[track_caller]
fn check_finalizers(current: Value, patch: Value, result: Value) {
    check(
        KindId::Service,
        json!({"metadata": {"finalizers": current}}),
        json!({"metadata": patch}),
        json!({"metadata": {"finalizers": result}}),
    );
}

#[track_caller]
fn check_error(kind: KindId, current: Value, patch: Value, text: &str) {
    let error = PatchError::Malformed(format!("strategic merge patch: {text}"));
    assert_eq!(patched(kind, &current, &patch), Err(error));
}

#[test]
fn objects_merge_and_null_removes() {
    check(
        KindId::Service,
        json!({"metadata": {"labels": {"app": "db", "tier": "data"}}, "spec": {"type": "ClusterIP"}}),
        json!({"metadata": {"labels": {"tier": null, "zone": "a"}, "annotations": {"x": "y", "z": null}}}),
        json!({"metadata": {"labels": {"app": "db", "zone": "a"}, "annotations": {"x": "y"}}, "spec": {"type": "ClusterIP"}}),
    );
}

#[test]
fn a_container_is_added_beside_the_one_that_is_there() {
    check_pod(
        json!({"containers": [{"name": "web", "image": "web:1"}]}),
        json!({"containers": [{"name": "cache", "image": "redis:7", "tty": null}]}),
        json!({"containers": [{"name": "cache", "image": "redis:7"}, {"name": "web", "image": "web:1"}]}),
    );
}

#[test]
fn a_container_is_changed_by_its_name_and_in_its_place() {
    check_pod(
        json!({"containers": [
            {"name": "a", "image": "a:1"},
            {"name": "b", "image": "b:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
            {"name": "c", "image": "c:1"},
        ]}),
        json!({"containers": [{"name": "b", "env": [{"name": "Y", "value": "3"}]}]}),
        json!({"containers": [
            {"name": "a", "image": "a:1"},
            {"name": "b", "image": "b:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "3"}]},
            {"name": "c", "image": "c:1"},
        ]}),
    );
}

#[test]
fn lists_without_a_merge_key_are_replaced() {
    check_pod(
        json!({"tolerations": [{"key": "a"}, {"key": "b"}], "containers": [{"name": "a", "args": ["1", "2"]}]}),
        json!({"tolerations": [{"key": "c", "value": null}], "containers": [{"name": "a", "args": ["3"]}]}),
        json!({"tolerations": [{"key": "c"}], "containers": [{"name": "a", "args": ["3"]}]}),
    );
    check(
        KindId::Endpoints,
        json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}),
        json!({"subsets": [{"addresses": [{"ip": "10.0.0.2"}]}]}),
        json!({"subsets": [{"addresses": [{"ip": "10.0.0.2"}]}]}),
    );
    check(
        KindId::Node,
        json!({"spec": {"taints": [{"key": "a"}], "podCIDRs": ["10.244.0.0/24"]}}),
        json!({"spec": {"taints": [{"key": "b"}], "podCIDRs": ["fd00::/64"]}}),
        json!({"spec": {"taints": [{"key": "b"}], "podCIDRs": ["fd00::/64", "10.244.0.0/24"]}}),
    );
}

#[test]
fn service_ports_merge_by_port() {
    check(
        KindId::Service,
        json!({"spec": {"ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 443}]}}),
        json!({"spec": {"ports": [{"port": 80, "name": "http"}]}}),
        json!({"spec": {"ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP", "name": "http"}, {"port": 443}]}}),
    );
}

#[test]
fn conditions_merge_by_type() {
    for kind in [KindId::Pod, KindId::Node, KindId::Service, KindId::Namespace, KindId::Deployment]
    {
        check(
            kind,
            json!({"status": {"conditions": [{"type": "A", "status": "True"}, {"type": "Ready", "status": "False"}]}}),
            json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            json!({"status": {"conditions": [{"type": "A", "status": "True"}, {"type": "Ready", "status": "True"}]}}),
        );
    }
}

#[test]
fn the_selector_of_a_disruption_budget_is_replaced() {
    check(
        KindId::Stored(Stored::PodDisruptionBudget),
        json!({"spec": {"selector": {"matchLabels": {"app": "db"}}}}),
        json!({"spec": {"selector": {"matchLabels": {"tier": "data", "x": null}}}}),
        json!({"spec": {"selector": {"matchLabels": {"tier": "data"}}}}),
    );
    // That of others merges.
    check(
        KindId::Deployment,
        json!({"spec": {"selector": {"matchLabels": {"app": "db"}}}}),
        json!({"spec": {"selector": {"matchLabels": {"tier": "data"}}}}),
        json!({"spec": {"selector": {"matchLabels": {"app": "db", "tier": "data"}}}}),
    );
}

#[test]
fn patch_delete_and_replace() {
    check_pod(
        json!({"containers": [{"name": "a"}, {"name": "b"}], "volumes": [{"name": "v"}], "securityContext": {"runAsUser": 1}}),
        json!({
            "containers": [{"name": "a", "$patch": "delete"}, {"name": "absent", "$patch": "delete"}],
            "volumes": [{"$patch": "replace"}, {"name": "w", "emptyDir": {}}],
            "securityContext": {"$patch": "replace", "runAsGroup": 2},
        }),
        json!({
            "containers": [{"name": "b"}],
            "volumes": [{"name": "w", "emptyDir": {}}],
            "securityContext": {"runAsGroup": 2},
        }),
    );
    check_pod(
        json!({"securityContext": {"runAsUser": 1}, "nodeSelector": {"a": "b"}}),
        json!({"securityContext": {"$patch": "delete"}, "nodeSelector": {"$patch": "merge", "c": "d"}}),
        json!({"securityContext": {}, "nodeSelector": {"a": "b", "c": "d"}}),
    );
}

#[test]
fn directives_leave_no_trace_where_there_was_nothing() {
    check_pod(
        json!({}),
        json!({
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "image": null, "$retainKeys": ["name"]}, {"name": "b", "$patch": "delete"}],
            "tolerations": [{"$patch": "replace"}, {"key": "x", "effect": null}],
            "$setElementOrder/volumes": [{"name": "v"}],
            "securityContext": {"$patch": "replace", "runAsUser": 1},
        }),
        json!({"containers": [{"name": "a"}], "tolerations": [{"key": "x"}], "securityContext": {"runAsUser": 1}}),
    );
}

#[test]
fn retain_keys_drops_the_rest() {
    check(
        KindId::Deployment,
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        json!({"spec": {"strategy": {"type": "Recreate"}}}),
    );
    check_pod(
        json!({"volumes": [{"name": "data", "emptyDir": {}}]}),
        json!({"volumes": [{"name": "data", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}),
        json!({"volumes": [{"name": "data", "hostPath": {"path": "/x"}}]}),
    );
}

#[test]
fn sets_of_primitives_merge() {
    check_finalizers(json!(["a"]), json!({"finalizers": ["b"]}), json!(["b", "a"]));
    check_finalizers(json!(["a", "b"]), json!({"finalizers": ["b"]}), json!(["a", "b"]));
    check_finalizers(
        json!(["a", "b", "c"]),
        json!({"$deleteFromPrimitiveList/finalizers": ["b", "x"]}),
        json!(["a", "c"]),
    );
    check_finalizers(
        json!(["a", "b"]),
        json!({
            "$deleteFromPrimitiveList/finalizers": ["b"],
            "$setElementOrder/finalizers": ["c", "a"],
            "finalizers": ["c"],
        }),
        json!(["c", "a"]),
    );
}

#[test]
fn order_is_kept_as_kubernetes_keeps_it() {
    let named =
        |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name})).collect() };
    let check = |current: &[&str], order: Option<&[&str]>, patch: &[&str], result: &[&str]| {
        let mut spec = json!({"containers": named(patch)});
        if let Some(order) = order {
            spec["$setElementOrder/containers"] = named(order);
        }
        check_pod(
            json!({"containers": named(current)}),
            spec,
            json!({"containers": named(result)}),
        );
    };
    check(&["a", "b", "c"], None, &["c", "a"], &["b", "c", "a"]);
    check(&["a", "b", "c"], Some(&["c", "b", "a"]), &[], &["c", "b", "a"]);
    // `server` was added by somebody else and stays before what it stood before.
    check(&["a", "server", "b"], Some(&["a", "b"]), &["b"], &["a", "server", "b"]);
    check(&["a", "server", "b"], Some(&["b", "a"]), &["b"], &["server", "b", "a"]);
    check(&["a", "b"], Some(&["a", "new", "b"]), &["new"], &["a", "new", "b"]);
    check(&["server"], Some(&["new"]), &["new"], &["new", "server"]);
}

#[test]
fn the_patch_of_kubectl_apply() {
    check(
        KindId::Deployment,
        json!({
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "old"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
                {"name": "old", "image": "old:1"},
                {"name": "injected", "image": "proxy:1"},
            ]}}},
        }),
        json!({
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "new"}},
            "spec": {"template": {"spec": {
                "$setElementOrder/containers": [{"name": "extra"}, {"name": "web"}],
                "containers": [
                    {"name": "extra", "image": "extra:1"},
                    {
                        "name": "web",
                        "image": "web:2",
                        "$setElementOrder/ports": [{"containerPort": 8080}],
                        "ports": [{"containerPort": 8080}, {"containerPort": 80, "$patch": "delete"}],
                    },
                    {"name": "old", "$patch": "delete"},
                ],
            }}},
        }),
        json!({
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "new"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "extra", "image": "extra:1"},
                {"name": "web", "image": "web:2", "ports": [{"containerPort": 8080}]},
                {"name": "injected", "image": "proxy:1"},
            ]}}},
        }),
    );
}

#[test]
fn patches_that_are_wrong_say_where() {
    let pod = |spec: Value| json!({"spec": spec});
    let check = |spec: Value, text: &str| {
        let current = pod(json!({"containers": [{"name": "a"}]}));
        check_error(KindId::Pod, current, pod(spec), text);
    };
    check(
        json!({"containers": [{"name": "a"}, {"image": "x"}]}),
        "spec.containers[1]: has no \"name\", the merge key of this list",
    );
    check(
        json!({"containers": [{"$patch": "delete"}]}),
        "spec.containers[0]: has no \"name\", the merge key of this list",
    );
    check(json!({"containers": ["a"]}), "spec.containers[0]: must be an object, not a string");
    check(
        json!({"containers": [{"name": "a", "$patch": "drop"}]}),
        "spec.containers[0]: $patch must be \"delete\", \"merge\" or \"replace\", not \"drop\"",
    );
    check(json!({"$unknown": 1}), "spec: unknown directive \"$unknown\"");
    check(
        json!({"securityContext": {"$retainKeys": ["a"], "b": 1}}),
        "spec.securityContext: sets \"b\", which its $retainKeys does not name",
    );
    check(
        json!({"securityContext": {"$retainKeys": "a"}}),
        "spec.securityContext.$retainKeys: must be a list, not a string",
    );
    check(
        json!({"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}),
        "spec.containers: the order of its elements differs from its $setElementOrder, or that lacks \"b\"",
    );
    check(
        json!({"$setElementOrder/containers": ["a"]}),
        "spec.$setElementOrder/containers[0]: must be an object, not a string",
    );
    check(
        json!({"$setElementOrder/containers": [{"name": "a"}], "containers": {}}),
        "spec.containers: has a $setElementOrder and must be a list, not an object",
    );
    check_error(
        KindId::Pod,
        json!({}),
        json!({"metadata": {"finalizers": [["a"]]}}),
        "metadata.finalizers: must hold primitives, not a list",
    );
    check_error(
        KindId::Pod,
        json!({}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}}),
        "metadata.$deleteFromPrimitiveList/finalizers: must be a list, not a string",
    );
    check_error(
        KindId::Pod,
        json!({}),
        json!({"$patch": 1}),
        "the patch: $patch must be \"delete\", \"merge\" or \"replace\", not 1",
    );
}

/// A pod's spec with containers, their environment, and a list that is atomic.
fn spec() -> impl Strategy<Value = Value> {
    let env =
        prop::collection::btree_map("[X-Z]", prop::option::of("[12]"), 0..3).prop_map(|env| {
            env.into_iter()
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect::<Value>()
        });
    let containers = prop::collection::btree_map("[a-d]", ("[12]", env), 0..4)
        .prop_map(|containers| {
            let container =
                |(name, (image, env))| json!({"name": name, "image": image, "env": env});
            containers.into_iter().map(container).collect::<Vec<Value>>()
        })
        .prop_shuffle();
    (containers, prop::collection::vec("[k-m]", 0..3)).prop_map(|(containers, keys)| {
        let tolerations: Vec<Value> = keys.into_iter().map(|key| json!({"key": key})).collect();
        json!({"spec": {"containers": containers, "tolerations": tolerations}})
    })
}

fn names(pod: &Value) -> Vec<&str> {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    containers.iter().map(|container| container["name"].as_str().unwrap()).collect()
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(current in spec(), patch in spec()) {
        let once = patched(KindId::Pod, &current, &patch).unwrap();
        prop_assert_eq!(patched(KindId::Pod, &once, &patch), Ok(once));
    }

    #[test]
    fn every_element_stays_and_the_patch_sets_the_order(current in spec(), patch in spec()) {
        let result = patched(KindId::Pod, &current, &patch).unwrap();
        let (old, new, all) = (names(&current), names(&patch), names(&result));
        let of_patch: Vec<&str> = all.iter().copied().filter(|name| new.contains(name)).collect();
        prop_assert_eq!(of_patch, new.clone());
        let others: Vec<&str> = all.iter().copied().filter(|name| !new.contains(name)).collect();
        let kept: Vec<&str> = old.iter().copied().filter(|name| !new.contains(name)).collect();
        prop_assert_eq!(others, kept);
        prop_assert_eq!(&result["spec"]["tolerations"], &patch["spec"]["tolerations"]);
    }

    #[test]
    fn deleting_what_is_there_leaves_nothing(current in spec()) {
        let deletions: Vec<Value> =
            names(&current).iter().map(|name| json!({"name": name, "$patch": "delete"})).collect();
        let result = patched(KindId::Pod, &current, &json!({"spec": {"containers": deletions}})).unwrap();
        prop_assert_eq!(&result["spec"]["containers"], &json!([]));
    }
}
