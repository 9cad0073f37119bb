use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Writes messages: a field of bytes, and one that is a number.
fn bytes(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut field = varint(u64::from(number) << 3 | 2);
    field.extend(varint(content.len() as u64));
    field.extend(content);
    field
}

fn number(field: u8, value: i64) -> Vec<u8> {
    [varint(u64::from(field) << 3), varint(value.cast_unsigned())].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

fn body(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let named = [bytes(1, api_version), bytes(2, kind)].concat();
    [b"k8s\0".to_vec(), bytes(1, named), bytes(2, message), bytes(3, ""), bytes(4, "")].concat()
}

#[test]
fn messages_become_the_json_they_stand_for() {
    let check = |kind: (&str, &str), message: Vec<Vec<u8>>, expected: Value| {
        let mut object = json!({ "apiVersion": kind.0, "kind": kind.1 });
        object.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        let decoded = decode(&body(kind.0, kind.1, &message.concat()), ("", ""));
        assert_eq!(decoded, Ok(object), "{kind:?}");
    };
    let name = || bytes(1, [bytes(1, "n"), bytes(2, ""), number(7, 0), bytes(8, "")].concat());
    // What is zero is absent; an empty message is there.
    check(
        ("v1", "Namespace"),
        vec![name(), bytes(2, ""), bytes(3, bytes(1, ""))],
        json!({ "metadata": { "name": "n" }, "spec": {}, "status": {} }),
    );
    // Maps, bytes, pointers to false.
    let entry = |key: &str, value: &str| [bytes(1, key), bytes(2, value)].concat();
    check(
        ("v1", "Secret"),
        vec![
            name(),
            bytes(2, entry("k", "v")),
            bytes(3, "Opaque"),
            bytes(4, entry("e", "")),
            number(5, 0),
        ],
        json!({
            "metadata": { "name": "n" },
            "data": { "k": "dg==" },
            "type": "Opaque",
            "stringData": { "e": "" },
            "immutable": false,
        }),
    );
    // IntOrString of both kinds, lists of messages.
    let port = |target: Vec<u8>| {
        [bytes(1, "p"), bytes(2, "TCP"), number(3, 80), bytes(4, target), number(5, 0)].concat()
    };
    let ports = [
        bytes(1, port([number(1, 0), number(2, 8080), bytes(3, "")].concat())),
        bytes(1, port([number(1, 1), number(2, 0), bytes(3, "web")].concat())),
    ];
    check(
        ("v1", "Service"),
        vec![name(), bytes(2, [ports.concat(), bytes(3, "None"), number(13, 1)].concat())],
        json!({
            "metadata": { "name": "n" },
            "spec": {
                "ports": [
                    { "name": "p", "protocol": "TCP", "port": 80, "targetPort": 8080 },
                    { "name": "p", "protocol": "TCP", "port": 80, "targetPort": "web" },
                ],
                "clusterIP": "None",
                "publishNotReadyAddresses": true,
            },
        }),
    );
    // Quantities in maps, inline messages, lists of numbers (plain and packed), messages in parts.
    let limits = bytes(1, [bytes(1, "cpu"), bytes(2, bytes(1, "100m"))].concat());
    let container = [bytes(1, "c"), bytes(8, limits)].concat();
    let volume = [bytes(1, "v"), bytes(2, bytes(2, ""))].concat();
    let context = [number(4, 5), bytes(4, [6, 7])].concat();
    check(
        ("v1", "Pod"),
        vec![
            bytes(2, [bytes(1, volume), bytes(2, container)].concat()),
            bytes(2, [number(4, 0), bytes(14, context)].concat()),
        ],
        json!({ "spec": {
            "volumes": [{ "name": "v", "emptyDir": {} }],
            "containers": [{ "name": "c", "resources": { "limits": { "cpu": "100m" } } }],
            "terminationGracePeriodSeconds": 0,
            "securityContext": { "supplementalGroups": [5, 6, 7] },
        } }),
    );
    // Times to the second and to the microsecond; raw JSON; what the table does not know.
    let times = [number(1, 1_700_000_000), number(2, 1_500)].concat();
    check(
        ("v1", "Event"),
        vec![bytes(6, &times), bytes(10, &times), bytes(99, "new"), number(8, -1)],
        json!({
            "firstTimestamp": "2023-11-14T22:13:20Z",
            "eventTime": "2023-11-14T22:13:20.000001Z",
            "count": -1,
        }),
    );
    check(
        ("apps/v1", "DeleteOptions"),
        vec![number(1, 0), bytes(4, "Background"), bytes(5, "All")],
        json!({ "gracePeriodSeconds": 0, "propagationPolicy": "Background", "dryRun": ["All"] }),
    );
}

#[test]
fn what_is_no_such_body() {
    let check = |body: &[u8], text: &str| {
        let error = decode(body, ("v1", "Pod")).unwrap_err();
        assert_eq!(error.to_string(), text, "{body:?}");
    };
    check(b"", "it does not begin with the four bytes of Kubernetes' protobuf form");
    check(b"{}", "it does not begin with the four bytes of Kubernetes' protobuf form");
    check(b"k8s\0\x0a", "it ends in the middle of a field");
    check(&body("v1", "Foo", b""), "no kind \"Foo\" is registered for version \"v1\"");
    let message = bytes(2, bytes(1, bytes(4, number(2, 1))));
    check(&body("v1", "Service", &bytes(1, [0xff])), "metadata: it ends in the middle of a field");
    let wrong = bytes(2, bytes(1, number(1, 7)));
    check(
        &body("v1", "Service", &wrong),
        "spec.ports.name: a field has another wire type than its declaration",
    );
    let text = bytes(1, bytes(1, [0xff]));
    check(&body("v1", "Service", &text), "metadata.name: a text is not UTF-8");
    let raw = bytes(2, bytes(1, "{"));
    check(&body("apps/v1", "ControllerRevision", &raw), "data: raw data is not JSON");
    let deep = bytes(2, bytes(1, "[".repeat(100) + &"]".repeat(100)));
    check(&body("apps/v1", "ControllerRevision", &deep), "data: raw data is nested too deep");
    let time = bytes(1, bytes(8, number(1, i64::MAX)));
    check(&body("v1", "Pod", &time), "metadata.creationTimestamp: a time is out of range");
    let many = bytes(2, bytes(1, "").repeat(500_001));
    check(&body("v1", "Service", &many), "it holds more than 500000 values");
    assert!(decode(&body("v1", "Service", &message), ("", "")).is_ok());
}

#[test]
fn a_body_without_type_is_what_is_expected() {
    let body = [b"k8s\0".to_vec(), bytes(2, bytes(1, bytes(1, "n")))].concat();
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "n" } });
    assert_eq!(decode(&body, ("v1", "Pod")), Ok(pod));
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_at_worst(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&noise, ("v1", "Pod"));
        for (api_version, kind) in [("v1", "Pod"), ("v1", "Service"), ("apps/v1", "Deployment")] {
            let _ = decode(&body(api_version, kind, &noise), ("", ""));
        }
    }

    /// Noise in the shape of nested fields gets deeper than plain noise.
    #[test]
    fn nested_noise_is_an_error_at_worst(
        numbers in prop::collection::vec(1_u8..16, 1..12),
        noise in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let message = numbers.iter().fold(noise, |inner, number| bytes(*number, inner));
        for kind in ["Pod", "Service", "Event", "PersistentVolume"] {
            let _ = decode(&body("v1", kind, &message), ("", ""));
        }
    }
}
