//! Bodies in protobuf as kubectl sends them, and the reviews that it asks in them.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Answer, call, check, check_answer, message, server};
use serde_json::json;

fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 128);
    [&[number << 3 | 2, length], content].concat()
}

fn body(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let named = [field(1, api_version), field(2, kind)].concat();
    [b"k8s\0".to_vec(), field(1, named), field(2, message), field(3, ""), field(4, "")].concat()
}

async fn send(server: &api::ApiServer, head: &str, body: Vec<u8>) -> Answer {
    call(server, head, &["Content-Type: application/vnd.kubernetes.protobuf"], body).await
}

#[tokio::test]
async fn objects_in_protobuf() {
    let server = &server().await;
    let name = field(1, field(1, "dev"));
    let head = "POST /api/v1/namespaces";
    let answer = send(server, head, body("v1", "Namespace", &name)).await;
    let active = json!({ "metadata": { "name": "dev" }, "status": { "phase": "Active" } });
    check_answer(head, answer, 201, &active);

    let port = field(1, [field(1, "80-80"), field(2, "TCP"), vec![3 << 3, 80]].concat());
    let entry = field(2, [field(1, "app"), field(2, "web")].concat());
    let spec = field(2, [port, entry, field(4, "ClusterIP")].concat());
    let service = [field(1, [field(1, "web"), field(3, "")].concat()), spec, field(3, "")].concat();
    let head = "POST /api/v1/namespaces/dev/services";
    let answer = send(server, head, body("v1", "Service", &service)).await;
    let spec = json!({ "spec": {
        "ports": [{ "name": "80-80", "protocol": "TCP", "port": 80, "targetPort": 80 }],
        "selector": { "app": "web" },
    } });
    check_answer(head, answer, 201, &spec);

    // Another kind than the path's, no protobuf, a kind that nobody knows.
    let answer = send(server, head, body("v1", "Pod", &name)).await;
    let text = "Pod in version \"v1\" cannot be handled as a Service";
    check_answer(head, answer, 400, &message(text));
    for bad in [b"{}".to_vec(), body("v1", "Service", &[0xff]), body("v1", "Nothing", &[])] {
        let answer = send(server, head, bad).await;
        check_answer(head, answer, 400, &json!({ "reason": "BadRequest" }));
    }
    let head = "DELETE /api/v1/namespaces/dev/services/web";
    let options = field(2, field(1, "not-its-uid"));
    let answer = send(server, head, body("v1", "DeleteOptions", &options)).await;
    check_answer(head, answer, 409, &json!({ "reason": "Conflict" }));
    let answer = send(server, head, body("v1", "DeleteOptions", &[])).await;
    check_answer(head, answer, 200, &json!({ "metadata": { "name": "web" } }));
}

#[tokio::test]
async fn reviews() {
    let server = &server().await;
    let access = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let attributes = field(1, [field(2, "create"), field(5, "pods")].concat());
    let asked = body("authorization.k8s.io/v1", "SelfSubjectAccessReview", &field(2, attributes));
    let yes = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "verb": "create", "resource": "pods" } },
        "status": { "allowed": true },
    });
    check_answer(access, send(server, access, asked).await, 201, &yes);
    let text = "SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: \
        exactly one of nonResourceAttributes or resourceAttributes must be specified";
    check(server, access, json!({ "spec": {} }), 422, message(text)).await;
    let both = json!({ "spec": { "resourceAttributes": {}, "nonResourceAttributes": {} } });
    check(server, access, both, 422, json!({ "reason": "Invalid" })).await;

    let rules = "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let all = json!({ "status": {
        "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
        "incomplete": false,
    } });
    check(server, rules, json!({ "spec": { "namespace": "default" } }), 201, all).await;
    check(server, rules, json!({ "spec": {} }), 400, message("no namespace on request")).await;

    let identity = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews";
    let user =
        json!({ "username": "headcount", "groups": ["system:masters", "system:authenticated"] });
    check(server, identity, json!({}), 201, json!({ "status": { "userInfo": user } })).await;
    let other = json!({ "kind": "Pod", "apiVersion": "v1" });
    check(server, identity, other, 400, json!({ "reason": "BadRequest" })).await;
    let read = identity.replace("POST", "GET");
    check(server, &read, json!(null), 405, json!({ "reason": "MethodNotAllowed" })).await;
}
