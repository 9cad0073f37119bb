use serde_json::json;

use super::reader::is_quantity;
use super::*;
use crate::kind::KindId;

/// Normalizes a Service with this `spec` and compares the spec, the unknown fields, or the errors.
#[track_caller]
fn check(kind: KindId, spec: Value, expected: Result<(Value, &[&str]), &[&str]>) {
    let kind = Kind::of(kind);
    let object = json!({
        "apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {"name": "x", "creationTimestamp": null}, "spec": spec,
    });
    match (normalize(kind, object), expected) {
        (Ok(normalized), Ok((spec, unknown))) => {
            assert_eq!(normalized.value["spec"], spec);
            assert_eq!(normalized.unknown, unknown);
            assert!(normalized.nearest.keys().all(|path| normalized.unknown.contains(path)));
            assert_eq!(normalized.value["metadata"], json!({"name": "x"}));
        }
        (Err(errors), Err(expected)) => {
            let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(texts, expected);
        }
        (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
    }
}

#[test]
fn known_fields_pass_and_unknown_ones_are_listed() {
    check(
        KindId::Service,
        json!({"clusterIP": "None", "selektor": {"a": "b"}, "ports": [{"port": 80, "prot": "TCP"}]}),
        Ok((
            json!({"clusterIP": "None", "ports": [{"port": 80}]}),
            &["spec.ports[0].prot", "spec.selektor"],
        )),
    );
}

#[test]
fn what_is_empty_is_absent() {
    check(
        KindId::Service,
        json!({"clusterIP": "", "selector": {}, "ports": [], "externalName": null, "sessionAffinityConfig": {}}),
        Ok((json!({"sessionAffinityConfig": {}}), &[])),
    );
    check(
        KindId::StatefulSet,
        json!({"selector": {"matchLabels": {}}, "template": null, "serviceName": "x"}),
        Ok((json!({"selector": {}, "serviceName": "x", "template": {}}), &[])),
    );
}

#[test]
fn numbers_stand_for_quantities_and_for_port_names() {
    check(
        KindId::Pod,
        json!({"containers": [{"name": "c", "resources": {"limits": {"cpu": 1, "memory": "1Gi", "x": 0.5}},
            "readinessProbe": {"httpGet": {"port": "http"}}, "livenessProbe": {"tcpSocket": {"port": 80}}}]}),
        Ok((
            json!({"containers": [{"name": "c", "resources": {"limits": {"cpu": "1", "memory": "1Gi", "x": "0.5"}},
            "readinessProbe": {"httpGet": {"port": "http"}}, "livenessProbe": {"tcpSocket": {"port": 80}}}]}),
            &[],
        )),
    );
    check(
        KindId::Pod,
        json!({"containers": [{"name": "c", "resources": {"limits": {"cpu": "lots"}}}]}),
        Err(&[
            "spec.containers[0].resources.limits[cpu]: expected a quantity such as 500m, 2 or 1Gi, \
               got the string \"lots\"",
        ]),
    );
}

#[test]
fn every_wrong_type_is_reported() {
    check(
        KindId::Service,
        json!({"ports": [{"port": "http", "name": 1}, {"port": 80, "targetPort": true}, 7],
            "selector": {"a": 1}, "publishNotReadyAddresses": "yes", "externalIPs": "10.0.0.1"}),
        Err(&[
            "spec.externalIPs: expected a list, got the string \"10.0.0.1\"",
            "spec.ports[0].name: expected a string, got the number 1",
            "spec.ports[0].port: expected an integer, got the string \"http\"",
            "spec.ports[2]: expected an object, got the number 7",
            "spec.publishNotReadyAddresses: expected true or false, got the string \"yes\"",
            "spec.selector[a]: expected a string, got the number 1",
            "spec.ports[1].targetPort: expected an integer or a string, got the boolean true",
        ]),
    );
    check(
        KindId::StatefulSet,
        json!({"replicas": 3_000_000_000_u64, "template": {"spec": {"containers": [
            {"name": "c", "env": [{"name": "A", "value": 1}]}]}}}),
        Err(&[
            "spec.replicas: expected an integer between -2147483648 and 2147483647, got the number 3000000000",
            "spec.template.spec.containers[0].env[0].value: expected a string, got the number 1",
        ]),
    );
}

#[test]
fn times_and_whole_objects_are_checked() {
    let pod = |value| normalize(Kind::of(KindId::Pod), value);
    let text = |value| pod(value).unwrap_err()[0].to_string();
    assert_eq!(
        text(json!({"metadata": {"creationTimestamp": "yesterday"}})),
        "metadata.creationTimestamp: expected a time such as 2026-01-31T08:30:00Z, got the string \"yesterday\""
    );
    assert_eq!(text(json!([])), "expected an object, got a list");
    assert_eq!(
        pod(json!({"metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"}})).unwrap().value,
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"}})
    );
}

#[test]
fn quantities() {
    for text in ["1", "0.5", ".5", "5.", "+1", "-1", "100m", "1Ki", "1e3", "1E-3", "12E"] {
        assert!(is_quantity(text), "{text}");
    }
    for text in ["", "m", ".", "1.2.3", "1 Gi", "1KiB", "1e", "--1", "lots"] {
        assert!(!is_quantity(text), "{text}");
    }
}
