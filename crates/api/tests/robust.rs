//! Nothing that a client sends makes the server panic, and racing clients lose nothing.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::OnceLock;

use api::ApiServer;
use common::{PODS, call, check, pod, server, service};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

fn shared() -> &'static (Runtime, ApiServer) {
    static SHARED: OnceLock<(Runtime, ApiServer)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let server = server().await;
            let services = "POST /api/v1/namespaces/default/services";
            check(&server, services, service("a"), 201, json!({})).await;
            check(&server, &format!("POST {PODS}"), pod("a"), 201, json!({})).await;
            server
        });
        (runtime, server)
    })
}

fn segment() -> impl Strategy<Value = String> {
    let words = [
        "api",
        "apis",
        "v1",
        "apps",
        "namespaces",
        "default",
        "pods",
        "services",
        "endpoints",
        "events",
        "statefulsets",
        "deployments",
        "nodes",
        "a",
        "status",
        "scale",
        "binding",
        "finalize",
        "log",
        "watch",
        "%2F",
        "..",
        "",
        "endpointslices",
        "discovery.k8s.io",
        "autoscaling",
    ];
    prop_oneof![
        9 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "[ -~]{0,12}".prop_map(|text| text.replace(['?', '#', ' ', '"', '<', '>', '`', '{', '}', '\\', '^', '|'], "%")),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let names = [
        "limit",
        "continue",
        "resourceVersion",
        "resourceVersionMatch",
        "labelSelector",
        "fieldSelector",
        "dryRun",
        "fieldValidation",
        "propagationPolicy",
        "gracePeriodSeconds",
        "includeObject",
        "timeoutSeconds",
        "force",
    ];
    let values = [
        "",
        "0",
        "1",
        "-1",
        "All",
        "Strict",
        "a=b",
        "metadata.name%3Da",
        "Exact",
        "eyJ2IjoxfQ",
        "%",
        "99999999999999999999",
    ];
    let pair =
        (proptest::sample::select(names.to_vec()), proptest::sample::select(values.to_vec()))
            .prop_map(|(name, value)| format!("{name}={value}"));
    proptest::collection::vec(pair, 0..3).prop_map(|pairs| pairs.join("&"))
}

/// JSON that looks like an object of Kubernetes here and there.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        proptest::sample::select(vec![
            "a",
            "None",
            "v1",
            "NodePort",
            "ExternalName",
            "10.96.0.7",
            "IPv6",
            ""
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let names = [
            "metadata", "spec", "status", "name", "namespace", "labels", "finalizers", "ports", "port", "nodePort",
            "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "type", "selector", "replicas", "target", "kind",
            "apiVersion", "uid", "resourceVersion", "op", "path", "value", "$patch", "conditions", "generateName",
        ];
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => proptest::collection::btree_map(proptest::sample::select(names.to_vec()).prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => json_value().prop_map(|value| value.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..64),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_is_answered(
        method in proptest::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        segments in proptest::collection::vec(segment(), 0..7),
        query in query(),
        content in proptest::sample::select(vec![
            "application/json", "application/merge-patch+json", "application/json-patch+json",
            "application/strategic-merge-patch+json",
        ]),
        body in body(),
    ) {
        let (runtime, server) = shared();
        let path = format!("/{}?{query}", segments.join("/"));
        prop_assume!(path.parse::<http::Uri>().is_ok());
        let content = format!("Content-Type: {content}");
        let answer = runtime.block_on(call(server, &format!("{method} {path}"), &[&content], body));
        prop_assert!((200..=599).contains(&answer.code) && answer.code != 500, "{method} {path}: {}", answer.body);
    }

    #[test]
    fn any_body_is_answered(
        head in proptest::sample::select(vec![
            "POST /api/v1/namespaces/default/services",
            "PUT /api/v1/namespaces/default/services/a",
            "PATCH /api/v1/namespaces/default/services/a",
            "PATCH /api/v1/namespaces/default/services/a/status",
            "POST /api/v1/namespaces/default/pods",
            "PATCH /api/v1/namespaces/default/pods/a",
            "POST /api/v1/namespaces/default/pods/a/binding",
            "POST /api/v1/namespaces",
            "PUT /api/v1/namespaces/default/finalize",
            "POST /apis/apps/v1/namespaces/default/statefulsets",
            "DELETE /api/v1/namespaces/default/pods/none",
        ]),
        value in json_value(),
        spec in json_value(),
    ) {
        let (runtime, server) = shared();
        let mut value = value;
        if let Some(object) = value.as_object_mut() {
            object.insert("spec".to_owned(), spec);
            object.entry("metadata").or_insert_with(|| json!({ "generateName": "x" }));
        }
        let content = if head.starts_with("PATCH") { "application/merge-patch+json" } else { "application/json" };
        let answer = runtime.block_on(call(server, head, &[&format!("Content-Type: {content}")], value.to_string()));
        prop_assert!(answer.code != 500, "{head}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_patches_all_arrive() {
    let server = server().await;
    check(&server, &format!("POST {PODS}"), pod("p"), 201, json!({})).await;
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let server = server.clone();
            tokio::spawn(async move {
                for round in 0..8 {
                    let label = format!("w{writer}-{round}");
                    let patch = json!({ "metadata": { "labels": { label: "x" } } });
                    check(&server, &format!("PATCH {PODS}/p"), patch, 200, json!({})).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let pod = call(&server, &format!("GET {PODS}/p"), &[], "").await.body;
    assert_eq!(pod["metadata"]["labels"].as_object().unwrap().len(), 16 * 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_creates_have_one_winner() {
    let server = server().await;
    let creators: Vec<_> = (0..16)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move {
                let mut body = service("one");
                body["spec"]["clusterIP"] = "10.96.0.50".into();
                let head = "POST /api/v1/namespaces/default/services";
                call(&server, head, &[], body.to_string()).await.code
            })
        })
        .collect();
    let mut codes = Vec::new();
    for creator in creators {
        codes.push(creator.await.unwrap());
    }
    assert_eq!(codes.iter().filter(|code| **code == 201).count(), 1, "{codes:?}");
    // The losers gave nothing back that the winner holds.
    let mut body = service("two");
    body["spec"]["clusterIP"] = "10.96.0.50".into();
    let head = "POST /api/v1/namespaces/default/services";
    assert_eq!(call(&server, head, &[], body.to_string()).await.code, 422);
}

#[tokio::test]
async fn a_write_whose_client_goes_away_holds_what_it_wrote() {
    let server = server().await;
    for round in 0..32 {
        let ip = format!("10.96.0.{}", 60 + round);
        let mut body = service(&format!("s{round}"));
        body["spec"]["clusterIP"] = ip.as_str().into();
        let head = "POST /api/v1/namespaces/default/services";
        // Polled a few times at most, then dropped.
        let request = call(&server, head, &[], body.to_string());
        let patience = async {
            for _ in 0..round % 4 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { biased; _ = request => {} () = patience => {} }
        tokio::task::yield_now().await;
        let made =
            call(&server, &format!("GET /api/v1/namespaces/default/services/s{round}"), &[], "")
                .await;
        let mut other = service(&format!("t{round}"));
        other["spec"]["clusterIP"] = ip.as_str().into();
        let code = call(&server, head, &[], other.to_string()).await.code;
        assert_eq!(code, if made.code == 200 { 422 } else { 201 }, "{round}");
    }
}
