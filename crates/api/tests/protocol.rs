//! What Kubernetes' API concepts promise for every kind: options and their errors, dry runs, preconditions, finalizers,
//! generated names, warnings, reviews.

#![allow(clippy::unwrap_used)]

mod common;

use api::ApiServer;
use common::{PODS, SERVICES, SETS, call, check, check_answer, message, pod, server, service, set};
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

/// Sends a body in a format of its own.
async fn send(
    server: &ApiServer,
    head: &str,
    media_type: &str,
    body: &str,
    code: u16,
    part: Value,
) -> Value {
    let header = format!("Content-Type: application/{media_type}");
    let answer = call(server, head, &[&header], body.to_owned()).await;
    check_answer(head, answer, code, &part)
}

#[tokio::test]
async fn options_are_checked_as_kubernetes_does() {
    let server = &server().await;
    check(server, &format!("POST {SERVICES}"), service("a"), 201, json!({})).await;
    let long = "m".repeat(129);
    let post = |query: &str| (format!("POST {SERVICES}?{query}"), service("b"));
    let put = |query: &str| (format!("PUT {SERVICES}/a?{query}"), service("a"));
    let patch = |query: &str| (format!("PATCH {SERVICES}/a?{query}"), json!({}));
    let delete = |query: &str| (format!("DELETE {SERVICES}/a?{query}"), Value::Null);
    let values = "supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"";
    for ((head, body), options, text) in [
        (post("dryRun=Some"), "Create", "dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"".to_owned()),
        (put("dryRun=All&dryRun=x"), "Update", "dryRun: Unsupported value: [\"All\",\"x\"]: supported values: \"All\"".to_owned()),
        (patch("fieldValidation=No"), "Patch", format!("fieldValidation: Unsupported value: \"No\": {values}")),
        (post(&format!("fieldManager={long}")), "Create", "fieldManager: Too long: may not be more than 128 bytes".to_owned()),
        (
            put("fieldManager=a%0A&fieldValidation=No"),
            "Update",
            format!(
                "[fieldManager: Invalid value: \"a\\n\": invalid character U+000A (at position 1), fieldValidation: \
                 Unsupported value: \"No\": {values}]"
            ),
        ),
        (patch("force=true"), "Patch", "force: Forbidden: may not be specified for non-apply patch".to_owned()),
        (delete("dryRun=x"), "Delete", "dryRun: Unsupported value: [\"x\"]: supported values: \"All\"".to_owned()),
        (
            delete("propagationPolicy=Sideways"),
            "Delete",
            "propagationPolicy: Unsupported value: \"Sideways\": supported values: \"Foreground\", \"Background\", \
             \"Orphan\", \"nil\"".to_owned(),
        ),
        (
            delete("propagationPolicy=Orphan&orphanDependents=true"),
            "Delete",
            "propagationPolicy: Invalid value: \"Orphan\": orphanDependents and deletionPropagation cannot be both set".to_owned(),
        ),
    ] {
        let mut invalid = message(&format!("{options}Options.meta.k8s.io \"\" is invalid: {text}"));
        invalid["details"] = json!({ "group": "meta.k8s.io", "kind": format!("{options}Options") });
        check(server, &head, body, 422, invalid).await;
    }
    let text =
        "\"data.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    check(server, &format!("GET {MAPS}?fieldSelector=data.x%3Dy"), Value::Null, 400, message(text))
        .await;
}

#[tokio::test]
async fn a_dry_run_of_any_verb_leaves_no_trace() {
    let server = &server().await;
    let node_port =
        |port: u16| json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": port }] });
    let mut body = service("a");
    body["spec"] = node_port(30001);
    let made = check(server, &format!("POST {SERVICES}"), body.clone(), 201, json!({})).await;
    check(server, &format!("POST {SETS}"), set("db"), 201, json!({})).await;
    check(server, &format!("POST {PODS}"), pod("p"), 201, json!({})).await;
    check(
        server,
        "POST /api/v1/namespaces",
        json!({ "metadata": { "name": "n" } }),
        201,
        json!({}),
    )
    .await;
    let everything = async || {
        let mut lists = Vec::new();
        for url in [SERVICES, SETS, PODS, "/api/v1/namespaces"] {
            lists.push(call(server, &format!("GET {url}"), &[], "").await.body);
        }
        lists
    };
    let before = everything().await;

    let mut other = service("a");
    other["spec"] = node_port(30002);
    let mut external = made.clone();
    external["spec"]["type"] = "ExternalName".into();
    external["spec"]["externalName"] = "db.example.com".into();
    let label = json!({ "metadata": { "labels": { "x": "y" } } });
    let generated =
        json!({ "metadata": { "generateName": "g-" }, "spec": { "ports": [{ "port": 80 }] } });
    for (head, body, code, part) in [
        (format!("POST {SERVICES}"), generated, 201, json!({ "kind": "Service" })),
        (
            format!("PUT {SERVICES}/a"),
            other,
            200,
            json!({ "spec": { "ports": [{ "nodePort": 30002 }] } }),
        ),
        (format!("PUT {SERVICES}/a"), external, 200, json!({ "spec": { "type": "ExternalName" } })),
        (format!("PATCH {SERVICES}/a"), label.clone(), 200, label.clone()),
        (
            format!("PATCH {SETS}/db/status"),
            json!({ "status": { "replicas": 4 } }),
            200,
            json!({ "status": { "replicas": 4 } }),
        ),
        (
            format!("PATCH {SETS}/db/scale"),
            json!({ "spec": { "replicas": 4 } }),
            200,
            json!({ "spec": { "replicas": 4 } }),
        ),
        (
            format!("POST {PODS}/p/binding"),
            json!({ "target": { "name": "node-1" } }),
            201,
            json!({ "status": "Success" }),
        ),
        (format!("DELETE {SERVICES}/a"), Value::Null, 200, json!({ "kind": "Service" })),
        (
            format!("DELETE {SETS}"),
            Value::Null,
            200,
            json!({ "items": [{ "metadata": { "name": "db" } }] }),
        ),
        (
            "DELETE /api/v1/namespaces/n".to_owned(),
            Value::Null,
            200,
            json!({ "status": { "phase": "Terminating" } }),
        ),
        (
            "PUT /api/v1/namespaces/n/finalize".to_owned(),
            json!({ "metadata": { "name": "n" }, "spec": {} }),
            200,
            json!({ "kind": "Namespace" }),
        ),
    ] {
        check(server, &format!("{head}?dryRun=All"), body, code, part).await;
        assert_eq!(everything().await, before, "{head}");
    }
    let foreground = json!({ "dryRun": ["All"], "propagationPolicy": "Foreground" });
    let held = json!({ "metadata": { "finalizers": ["foregroundDeletion"] } });
    check(server, &format!("DELETE {SETS}/db"), foreground, 200, held).await;
    let ports = r#"[{"op": "replace", "path": "/spec/ports/0/nodePort", "value": 30003}]"#;
    let head = format!("PATCH {SERVICES}/a?dryRun=All");
    send(server, &head, "json-patch+json", ports, 200, json!({})).await;
    let strategic = r#"{"spec": {"ports": [{"port": 80, "nodePort": 30003}]}}"#;
    send(server, &head, "strategic-merge-patch+json", strategic, 200, json!({})).await;
    let applied =
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "labels": { "x": "y" } } });
    let head = format!("{head}&fieldManager=m");
    send(server, &head, "apply-patch+yaml", &applied.to_string(), 200, label).await;
    assert_eq!(everything().await, before);

    // What a dry run would have taken is free, and what it would have given up is held.
    for (name, spec, code) in [
        ("b", node_port(30002), 201),
        ("c", node_port(30003), 201),
        ("d", node_port(30001), 422),
        ("e", json!({ "clusterIP": made["spec"]["clusterIP"], "ports": [{ "port": 80 }] }), 422),
    ] {
        let body = json!({ "metadata": { "name": name }, "spec": spec });
        check(server, &format!("POST {SERVICES}"), body, code, json!({})).await;
    }
}

#[tokio::test]
async fn every_patch_is_recorded_and_refused_in_its_words() {
    let server = &server().await;
    check(server, &format!("POST {SERVICES}"), service("a"), 201, json!({})).await;
    let head = |query: &str| format!("PATCH {SERVICES}/a?{query}");
    let labels = |name: &str| json!({ "metadata": { "labels": { name: "1" } } }).to_string();
    let json_patch = r#"[{"op": "add", "path": "/metadata/labels/json", "value": "1"}]"#;
    for (media_type, body) in [
        ("merge-patch+json", labels("merge")),
        ("strategic-merge-patch+json", labels("strategic")),
        ("json-patch+json", json_patch.to_owned()),
    ] {
        let name = media_type.split(['-', '+']).next().unwrap();
        let patched =
            send(server, &head(&format!("fieldManager={name}")), media_type, &body, 200, json!({}))
                .await;
        let managed = patched["metadata"]["managedFields"].as_array().unwrap();
        let entry = managed.iter().find(|entry| entry["manager"] == name).unwrap();
        let owned = format!("f:{name}");
        let fields = json!({ "f:metadata": { "f:labels": { owned: {} } } });
        assert!(
            entry["operation"] == "Update" && common::contains(&entry["fieldsV1"], &fields),
            "{entry}"
        );
    }

    let invalid = |patch: &str, why: &str| {
        let patch = serde_json::from_str::<Value>(patch).unwrap().to_string();
        let mut invalid =
            message(&format!(" \"\" is invalid: patch: Invalid value: {patch:?}: {why}"));
        invalid["reason"] = "Invalid".into();
        invalid["details"] =
            json!({ "causes": [{ "reason": "FieldValueInvalid", "field": "patch" }] });
        invalid
    };
    let unknown = r#"{"spec": {"x": 1}}"#;
    let why = "strict decoding error: unknown field \"spec.x\"";
    let strict = head("fieldValidation=Strict");
    for media_type in ["merge-patch+json", "strategic-merge-patch+json"] {
        send(server, &strict, media_type, unknown, 422, invalid(unknown, why)).await;
    }
    let odd = r#"{"spec": {"ports": "x"}}"#;
    let why = "Service in version \"v1\" cannot be handled as a Service: spec.ports: expected a list, got the string \"x\"";
    send(server, &head(""), "merge-patch+json", odd, 422, invalid(odd, why)).await;
    let types = "the body of the request was in an unknown format - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
                 application/apply-patch+yaml (got \"application/json\")";
    send(server, &head(""), "json", "{}", 415, message(types)).await;
}

#[tokio::test]
async fn preconditions_name_both_sides() {
    let server = &server().await;
    let made = check(server, &format!("POST {SETS}"), set("db"), 201, json!({})).await;
    let (uid, version) = (&made["metadata"]["uid"], &made["metadata"]["resourceVersion"]);
    let (uid, version) = (uid.as_str().unwrap(), version.as_str().unwrap());
    for (precondition, why) in [
        (
            json!({ "uid": "other" }),
            format!(
                "the UID in the precondition (other) does not match the UID in record ({uid}). The object might have been \
                 deleted and then recreated"
            ),
        ),
        (
            json!({ "uid": uid, "resourceVersion": "1" }),
            format!(
                "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({version}). The \
                 object might have been modified"
            ),
        ),
    ] {
        let mut conflict =
            message(&format!("Operation cannot be fulfilled on StatefulSet.apps \"db\": {why}"));
        conflict["reason"] = "Conflict".into();
        conflict["details"] = json!({ "name": "db", "group": "apps", "kind": "StatefulSet" });
        let body = json!({ "preconditions": precondition });
        check(server, &format!("DELETE {SETS}/db"), body, 409, conflict).await;
    }
    let both = json!({ "preconditions": { "uid": uid, "resourceVersion": version } });
    check(server, &format!("DELETE {SETS}/db"), both, 200, json!({ "status": "Success" })).await;
}

#[tokio::test]
async fn a_lease_is_replaced_only_by_who_has_seen_it() {
    let server = &server().await;
    let body = json!({ "metadata": { "name": "l" }, "spec": { "holderIdentity": "a" } });
    let mut made = check(server, &format!("POST {LEASES}"), body.clone(), 201, json!({})).await;
    let text = "leases.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified \
                for an update";
    check(server, &format!("PUT {LEASES}/l"), body, 422, message(text)).await;
    made["spec"]["holderIdentity"] = "b".into();
    check(server, &format!("PUT {LEASES}/l"), made.clone(), 200, json!({})).await;
    check(server, &format!("PUT {LEASES}/l"), made, 409, json!({ "reason": "Conflict" })).await;
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_is_gone() {
    let server = &server().await;
    let mut body = service("a");
    body["metadata"]["finalizers"] = json!(["a.io/x", "b.io/y"]);
    check(server, &format!("POST {SERVICES}"), body, 201, json!({})).await;
    let url = format!("{SERVICES}/a");
    let held = json!({ "metadata": { "finalizers": ["a.io/x", "b.io/y"] } });
    let first = check(server, &format!("DELETE {url}"), Value::Null, 200, held.clone()).await;
    assert!(first["metadata"]["deletionTimestamp"].is_string());
    // Deleting again changes nothing; neither does an update that would take the timestamp away.
    let again = check(server, &format!("DELETE {url}"), Value::Null, 200, held).await;
    assert_eq!(again, first);
    let mut alive = first.clone();
    alive["metadata"]["deletionTimestamp"] = Value::Null;
    let kept =
        json!({ "metadata": { "deletionTimestamp": first["metadata"]["deletionTimestamp"] } });
    check(server, &format!("PUT {url}"), alive, 200, kept).await;
    let one = json!({ "metadata": { "finalizers": ["b.io/y"] } });
    check(server, &format!("PATCH {url}"), one.clone(), 200, one).await;
    let nobody = json!({ "metadata": { "finalizers": [] } });
    check(server, &format!("PATCH {url}"), nobody, 200, json!({ "kind": "Service" })).await;
    check(server, &format!("GET {url}"), Value::Null, 404, json!({})).await;

    // A whole collection: what has finalizers stays, marked.
    for (name, finalizers) in [("a", json!([])), ("b", json!(["a.io/x"])), ("kept", json!([]))] {
        let labels = json!({ "go": name != "kept" });
        let labels = json!({ "go": labels["go"].to_string() });
        let body =
            json!({ "metadata": { "name": name, "labels": labels, "finalizers": finalizers } });
        check(server, &format!("POST {MAPS}"), body, 201, json!({})).await;
    }
    let head = format!("DELETE {MAPS}?labelSelector=go%3Dtrue&fieldSelector=metadata.name!%3Dx");
    let gone =
        json!({ "items": [{ "metadata": { "name": "a" } }, { "metadata": { "name": "b" } }] });
    check(server, &head, Value::Null, 200, gone).await;
    let left = check(server, &format!("GET {MAPS}"), Value::Null, 200, json!({})).await;
    let state = |item: &Value| {
        let deleted = item["metadata"]["deletionTimestamp"].is_string();
        (item["metadata"]["name"].as_str().unwrap().to_owned(), deleted)
    };
    let left: Vec<_> = left["items"].as_array().unwrap().iter().map(state).collect();
    assert_eq!(left, [("b".to_owned(), true), ("kept".to_owned(), false)]);
}

#[tokio::test]
async fn orphan_dependents_is_understood() {
    let server = &server().await;
    for (query, body, finalizers) in [
        ("?orphanDependents=true", Value::Null, json!(["orphan"])),
        ("", json!({ "orphanDependents": true }), json!(["orphan"])),
        ("?propagationPolicy=Foreground", Value::Null, json!(["foregroundDeletion"])),
    ] {
        check(server, &format!("POST {SETS}"), set("db"), 201, json!({})).await;
        let held = json!({ "metadata": { "finalizers": finalizers } });
        check(server, &format!("DELETE {SETS}/db{query}"), body, 200, held).await;
        let now = json!({ "orphanDependents": false, "gracePeriodSeconds": -1 });
        check(server, &format!("DELETE {SETS}/db"), now, 200, json!({ "status": "Success" })).await;
    }
}

#[tokio::test]
async fn names_are_required_or_generated() {
    let server = &server().await;
    let text = "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required";
    check(server, &format!("POST {MAPS}"), json!({}), 422, message(text)).await;
    let generated = json!({ "metadata": { "generateName": "Bad_" } });
    check(server, &format!("POST {MAPS}"), generated, 422, json!({ "reason": "Invalid" })).await;
    let generated = json!({ "metadata": { "generateName": "a-" } });
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let made = check(server, &format!("POST {MAPS}"), generated.clone(), 201, json!({})).await;
        assert_eq!(made["metadata"]["generateName"], "a-");
        assert!(names.insert(made["metadata"]["name"].as_str().unwrap().to_owned()));
    }
}

#[tokio::test]
async fn deprecation_is_said_on_every_request() {
    let server = &server().await;
    let url = "/api/v1/namespaces/default/endpoints";
    let body = json!({ "metadata": { "name": "e" } }).to_string();
    let label = json!({ "metadata": { "labels": { "a": "b" } } }).to_string();
    let warning =
        "299 - \"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\"";
    for (head, media_type, body) in [
        (format!("POST {url}"), "json", body.clone()),
        (format!("GET {url}/e"), "json", String::new()),
        (format!("GET {url}"), "json", String::new()),
        (format!("PUT {url}/e"), "json", body),
        (format!("PATCH {url}/e"), "merge-patch+json", label),
        (format!("DELETE {url}/e"), "json", String::new()),
    ] {
        let header = format!("Content-Type: application/{media_type}");
        let answer = call(server, &head, &[&header], body).await;
        assert!(answer.code < 300, "{head}: {}", answer.body);
        assert_eq!(answer.warnings, [warning], "{head}");
    }
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    let answer = call(server, &format!("GET {slices}"), &[], "").await;
    assert!(answer.warnings.is_empty());
}

#[tokio::test]
async fn what_is_ignored_or_deprecated_is_a_warning() {
    let server = &server().await;
    let warning = ["299 - \"spec.SessionAffinity is ignored for headless services\""];
    let mut body = service("a");
    body["spec"]["clusterIP"] = "None".into();
    body["spec"]["sessionAffinity"] = "ClientIP".into();
    let answer = call(server, &format!("POST {SERVICES}"), &[], body.to_string()).await;
    assert_eq!((answer.code, &*answer.warnings), (201, &warning.map(str::to_owned)[..]));
    body["metadata"]["labels"] = json!({ "a": "b" });
    let answer = call(server, &format!("PUT {SERVICES}/a"), &[], body.to_string()).await;
    assert_eq!((answer.code, &*answer.warnings), (200, &warning.map(str::to_owned)[..]));
    let answer = call(server, &format!("PUT {SERVICES}/a/status"), &[], body.to_string()).await;
    assert_eq!((answer.code, answer.warnings.len()), (200, 0));
    let pod = pod("a.b").to_string();
    let answer = call(server, &format!("POST {PODS}"), &[], pod).await;
    assert!(answer.warnings[0].ends_with("a DNS label is recommended: [must not contain dots]\""));
}

#[tokio::test]
async fn reviews() {
    let server = &server().await;
    let access = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let attributes = json!({ "verb": "create", "resource": "services", "namespace": "default" });
    let allowed = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": attributes },
        "status": { "allowed": true },
    });
    let body = json!({ "spec": { "resourceAttributes": attributes } });
    check(server, access, body, 201, allowed).await;
    let body =
        json!({ "spec": { "nonResourceAttributes": { "path": "/healthz", "verb": "get" } } });
    check(server, access, body, 201, json!({ "status": { "allowed": true } })).await;
    let text = "SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: \
                exactly one of nonResourceAttributes or resourceAttributes must be specified";
    check(server, access, json!({ "spec": {} }), 422, message(text)).await;
    let both = json!({ "spec": { "resourceAttributes": {}, "nonResourceAttributes": {} } });
    let text = "SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.nonResourceAttributes: Invalid value: {}: \
                cannot be specified in combination with resourceAttributes";
    check(server, access, both, 422, message(text)).await;

    let rules = "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let all = json!({ "status": {
        "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
        "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }],
        "incomplete": false,
    } });
    check(server, rules, json!({ "spec": { "namespace": "default" } }), 201, all).await;
    check(server, rules, json!({ "spec": {} }), 400, message("no namespace on request")).await;

    let identity = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews";
    let groups = json!(["system:masters", "system:authenticated"]);
    let me = json!({ "status": { "userInfo": { "username": "headcount", "groups": groups } } });
    check(server, identity, json!({}), 201, me).await;
    let wrong = json!({ "apiVersion": "v1", "kind": "Pod" });
    check(server, identity, wrong, 400, json!({ "reason": "BadRequest" })).await;
    check(server, &identity.replace("POST", "GET"), Value::Null, 405, json!({})).await;
}

#[tokio::test]
async fn objects_may_be_written_in_yaml() {
    let server = &server().await;
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  port: '5432'\n";
    let made = json!({ "kind": "ConfigMap", "data": { "port": "5432" } });
    send(server, &format!("POST {MAPS}"), "yaml", yaml, 201, made).await;
    let changed = yaml.replace("5432", "5433");
    let part = json!({ "data": { "port": "5433" } });
    send(server, &format!("PUT {MAPS}/a"), "yaml", &changed, 200, part).await;
    for bad in ["", "a: [", "- a", "a: b\n---\na: b\n"] {
        let part = json!({ "reason": "BadRequest" });
        send(server, &format!("POST {MAPS}"), "yaml", bad, 400, part).await;
    }
}
