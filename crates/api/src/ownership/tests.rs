use manifest::kind::{KindId, Stored};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn writer(manager: Option<&str>) -> Writer<'_> {
    Writer {
        manager,
        subresource: "",
        kind: Kind::of(KindId::Service),
        time: "2026-01-01T00:00:00Z",
    }
}

fn service() -> Place {
    Place::of(Kind::of(KindId::Service))
}

#[test]
fn fields_of_values() {
    let check = |kind: KindId, value: Value, expected: Value| {
        let set = fields(Place::of(Kind::of(kind)), &value);
        assert_eq!(set.to_value(), expected, "{value}");
    };
    check(
        KindId::Service,
        json!({ "apiVersion": "v1", "kind": "K", "metadata": { "name": "n" } }),
        json!({}),
    );
    let config_map = KindId::Stored(Stored::ConfigMap);
    check(config_map, json!({ "data": { "a": "b" } }), json!({ "f:data": { "f:a": {} } }));
    check(config_map, json!({ "data": {} }), json!({ "f:data": {} }));
    check(
        KindId::Service,
        json!({ "spec": { "selector": { "a": "b" } } }),
        json!({ "f:spec": { "f:selector": {} } }),
    );
    // A selector that is a LabelSelector is atomic for its type.
    check(
        KindId::Stored(Stored::NetworkPolicy),
        json!({ "spec": { "podSelector": { "matchLabels": { "a": "b" } } } }),
        json!({ "f:spec": { "f:podSelector": {} } }),
    );
    check(
        KindId::Pod,
        json!({ "metadata": { "finalizers": ["a/b"], "ownerReferences": [{ "uid": "u", "name": "n" }] } }),
        json!({ "f:metadata": {
            "f:finalizers": { "v:\"a/b\"": {} },
            "f:ownerReferences": { "k:{\"uid\":\"u\"}": {} },
        } }),
    );
    let env = json!([{ "name": "A", "valueFrom": { "fieldRef": { "fieldPath": "x" } } }]);
    let template = json!({
        "metadata": { "name": "t" },
        "spec": { "containers": [{ "name": "c", "env": env }], "imagePullSecrets": [{ "name": "s" }] },
    });
    check(
        KindId::StatefulSet,
        json!({ "spec": { "template": template } }),
        json!({ "f:spec": { "f:template": {
            // Only an object's own name is the server's.
            "f:metadata": { "f:name": {} },
            "f:spec": {
                "f:containers": { "k:{\"name\":\"c\"}": {
                    ".": {},
                    "f:name": {},
                    "f:env": { "k:{\"name\":\"A\"}": {
                        ".": {},
                        "f:name": {},
                        "f:valueFrom": { "f:fieldRef": {} },
                    } },
                } },
                "f:imagePullSecrets": { "k:{\"name\":\"s\"}": {} },
            },
        } } }),
    );
    // A Job's conditions are applied as a whole; other kinds' are told apart by their types.
    let conditions = json!({ "status": { "conditions": [{ "type": "A" }] } });
    check(
        KindId::Stored(Stored::Job),
        conditions.clone(),
        json!({ "f:status": { "f:conditions": {} } }),
    );
    check(
        KindId::Deployment,
        conditions,
        json!({ "f:status": { "f:conditions": { "k:{\"type\":\"A\"}": { ".": {}, "f:type": {} } } } }),
    );
}

#[test]
fn updaters_are_bounded() {
    let mut managed = Value::Null;
    let mut old = json!({ "data": {} });
    for index in 0..40 {
        let mut new = old.clone();
        new["data"][format!("k{index}")] = "v".into();
        managed = update(&managed, &old, &new, writer(Some(&format!("m{index}"))));
        old = new;
    }
    let managers: Vec<&str> = managed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["manager"].as_str().unwrap())
        .collect();
    assert!(managers.len() <= UPDATERS_MAX && managers.contains(&ANCIENT), "{managers:?}");
    let mut all = FieldSet::default();
    parse(&managed).unwrap().iter().for_each(|entry| all.add(&entry.fields));
    assert_eq!(all.paths().len(), 40);
}

/// Clients may set as many as they like; the next write puts them together.
#[test]
fn very_many_updaters_are_put_together_in_one_go() {
    const MANAGERS: usize = 20_000;
    let entry = |index: usize| {
        json!({
            "manager": format!("m{index}"),
            "operation": "Update",
            "apiVersion": "v1",
            "subresource": if index.is_multiple_of(2) { "" } else { "status" },
            "time": format!("2026-01-01T{:02}:{:02}:{:02}Z", index / 3600, index / 60 % 60, index % 60),
            "fieldsV1": { "f:data": { format!("f:k{index}"): {} } },
        })
    };
    let given = (0..MANAGERS).rev().map(entry).collect();
    let config_map = Kind::of(KindId::Stored(Stored::ConfigMap));
    let by = Writer { kind: config_map, ..writer(None) };
    let managed = update(&given, &json!({}), &json!({ "data": { "k": "v" } }), by);
    let count = |entry: &Entry| (entry.manager.clone(), entry.fields.len());
    let mut counts: Vec<_> = parse(&managed).unwrap().iter().map(count).collect();
    let last = counts.split_off(2);
    let half = (MANAGERS - 8) / 2;
    assert_eq!(counts, [(ANCIENT.to_owned(), half), (ANCIENT.to_owned(), half)]);
    let newest = |index| (format!("m{index}"), 1);
    assert_eq!(last, (MANAGERS - 8..MANAGERS).map(newest).collect::<Vec<_>>());
}

#[test]
fn what_clients_may_set() {
    let check = |managed: Value, expected: Option<Value>| {
        assert_eq!(accepted(&managed), expected, "{managed}");
    };
    check(Value::Null, None);
    check(json!([]), None);
    check(json!([{}]), Some(Value::Null));
    check(json!([{ "manager": "m" }]), None);
    let entry = json!([{
        "manager": "m",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": { "f:data": { ".": {}, "f:a": {} } },
    }]);
    check(entry.clone(), Some(entry));
    check(json!([{ "operation": "Apply", "fieldsV1": { "data": {} } }]), None);
}

fn object() -> impl Strategy<Value = Value> {
    let port = (1..4_u8, prop::option::of("[ab]")).prop_map(|(port, name)| match name {
        Some(name) => json!({ "port": port, "protocol": "TCP", "name": name }),
        None => json!({ "port": port, "protocol": "TCP" }),
    });
    let ports = prop::collection::vec(port, 0..4).prop_map(|mut ports| {
        ports.sort_by_key(|port| port["port"].as_u64());
        ports.dedup_by_key(|port| port["port"].as_u64());
        ports
    });
    (prop::collection::btree_map("[abc]", "[xy]", 0..3), ports).prop_map(
        |(labels, ports)| json!({ "metadata": { "labels": labels }, "spec": { "ports": ports } }),
    )
}

proptest! {
    /// What was just applied is in the object, is owned, and applies again without change or conflict.
    #[test]
    fn applying_twice_is_applying_once(live in object(), first in object(), second in object()) {
        let put = |applied: Applied| {
            let Applied { mut object, managed } = applied;
            if !managed.is_null() {
                object["metadata"]["managedFields"] = managed;
            }
            object
        };
        let mut live = live;
        let managed = update(&Value::Null, &Value::Null, &live, writer(Some("someone")));
        if !managed.is_null() {
            live["metadata"]["managedFields"] = managed;
        }
        let one = put(apply(&live, &first, "me", writer(Some("me")), true).unwrap());
        let two = put(apply(&one, &second, "me", writer(Some("me")), true).unwrap());
        let wanted = fields(service(), &second);
        let there = fields(service(), &two);
        for path in wanted.paths() {
            let emptied = path.ends_with(".ports") || path.ends_with(".labels");
            prop_assert!(emptied || there.paths().contains(&path), "{path} {two:#}");
        }
        let again = put(apply(&two, &second, "me", writer(Some("me")), false).unwrap());
        prop_assert_eq!(again, two);
    }
}
