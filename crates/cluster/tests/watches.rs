//! The watches against a scripted API: what subscribers are told of lists, events, expiry and failures.

#![allow(clippy::unwrap_used)] // its fixtures, as the tests, may panic

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::{Change, Subscription, Watches};
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use manifest::{KindId, Stored};
use serde_json::{Value, json};

/// Answers about Pods in order: what each request must ask for, the code, and the body. A watch after the last one
/// stays open.
type Script = Vec<(&'static str, u16, String)>;

fn pod(name: &str, uid: &str, version: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "default", "uid": uid, "resourceVersion": version.to_string(),
            "managedFields": [{"manager": "kubectl"}],
        },
    })
}

fn list(version: u64, next: Option<&str>, items: &[Value]) -> String {
    json!({"metadata": {"resourceVersion": version.to_string(), "continue": next}, "items": items})
        .to_string()
}

/// The lines of a watch, with the type first as API servers write them.
fn events(events: &[(&str, Value)]) -> String {
    let line =
        |(kind, object): &(&str, Value)| format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n");
    events.iter().map(line).collect()
}

fn refusal(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "", "reason": ""})
}

fn client(script: Script) -> Client {
    let script = Arc::new(Mutex::new(VecDeque::from(script)));
    let service = tower::service_fn(move |request: Request<Body>| {
        let next = script.lock().unwrap().pop_front();
        async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let Some((expected, code, body)) = next else {
                assert!(query.contains("watch=true"), "unexpected {query}");
                return std::future::pending::<Result<Response<Body>, Infallible>>().await;
            };
            assert!(query.contains(expected), "{query} instead of {expected}");
            Ok(Response::builder().status(code).body(Body::from(body.into_bytes())).unwrap())
        }
    });
    Client::new(service, "default")
}

/// The next things that a subscriber is told, as text.
async fn told(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < count {
        let delivery = subscription.next().await.expect("the watches run");
        told.push(match delivery.change {
            Change::Applied(object) => {
                let metadata = object.metadata();
                assert!(metadata.managed_fields.is_none(), "objects are trimmed");
                let (uid, version) =
                    (metadata.uid.as_deref(), metadata.resource_version.as_deref());
                format!("{} {} {}", object.reference().name, uid.unwrap(), version.unwrap())
            }
            Change::Gone { target, uid } => format!("gone {} {uid}", target.name),
            Change::Listed { kind, revision } => format!("listed {kind:?} {revision}"),
        });
    }
    told
}

async fn check(script: Script, expected: &[&str]) {
    check_of(KindId::Pod, script, expected).await;
}

async fn check_of(kind: KindId, script: Script, expected: &[&str]) {
    let mut watches = Watches::new(client(script));
    let mut first = watches.subscribe(&[kind]);
    let mut second = watches.subscribe(&[kind]);
    let running = watches.start();
    let all =
        async { tokio::join!(told(&mut first, expected.len()), told(&mut second, expected.len())) };
    // The clock is paused: an hour passes at once when nothing else happens.
    let (seen, again) =
        tokio::time::timeout(Duration::from_secs(3600), all).await.expect("more is told");
    assert_eq!(seen, expected);
    assert_eq!(again, expected, "all subscribers are told the same");
    running.idle().await;
    assert!(first.try_next().is_none(), "and no more");
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages_and_watches_go_on_from_them() {
    check(
        vec![
            ("limit=500", 200, list(5, Some("more"), &[pod("a", "ua", 1)])),
            ("continue=more", 200, list(5, None, &[pod("b", "ub", 4)])),
            (
                "resourceVersion=5",
                200,
                events(&[
                    ("ADDED", pod("c", "uc", 6)),
                    ("MODIFIED", pod("a", "ua", 7)),
                    ("DELETED", pod("b", "ub", 8)),
                    ("DELETED", pod("unknown", "u", 9)),
                    ("BOOKMARK", json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"resourceVersion": "12"}})),
                ]),
            ),
            ("resourceVersion=12", 200, events(&[("ADDED", pod("d", "ud", 13))])),
        ],
        &["a ua 1", "b ub 4", "listed Pod 5", "c uc 6", "a ua 7", "gone b ub", "d ud 13"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_watch_tells_the_difference_to_the_new_list() {
    let before = || {
        ("limit", 200, list(5, None, &[pod("a", "ua", 1), pod("b", "ub", 2), pod("c", "uc", 3)]))
    };
    let after = || {
        ("limit", 200, list(9, None, &[pod("a", "ua", 1), pod("b", "ub2", 8), pod("d", "ud", 9)]))
    };
    let expected = [
        "a ua 1",
        "b ub 2",
        "c uc 3",
        "listed Pod 5",
        "gone b ub",
        "b ub2 8",
        "d ud 9",
        "gone c uc",
        "listed Pod 9",
    ];
    let gone = ("resourceVersion=5", 410, refusal(410).to_string());
    check(vec![before(), gone, after()], &expected).await;
    let gone = ("resourceVersion=5", 200, events(&[("ERROR", refusal(410))]));
    check(vec![before(), gone, after()], &expected).await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again() {
    check(
        vec![
            ("limit", 500, refusal(500).to_string()),
            ("limit", 200, "not JSON".to_owned()),
            ("limit", 200, list(5, None, &[])),
            ("resourceVersion=5", 503, refusal(503).to_string()),
            ("resourceVersion=5", 200, events(&[("ERROR", refusal(500))])),
            ("resourceVersion=5", 200, events(&[("ADDED", pod("a", "ua", 6))])),
        ],
        &["listed Pod 5", "a ua 6"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_object_does_not_hide_the_rest() {
    let bad = json!({"metadata": {"name": "bad"}, "spec": "no spec"});
    check(
        vec![
            ("limit", 200, list(5, None, &[bad.clone(), pod("a", "ua", 1)])),
            ("resourceVersion=5", 200, events(&[("ADDED", bad), ("ADDED", pod("b", "ub", 6))])),
        ],
        &["a ua 1", "listed Pod 5", "b ub 6"],
    )
    .await;
}

/// Without its definition, ServiceImports are none, and nobody waits for them: until it is there, and when it goes.
#[tokio::test(start_paused = true)]
async fn a_kind_that_the_api_does_not_have_has_no_objects() {
    let import = |name: &str, uid: &str, version: u64| {
        let mut import = pod(name, uid, version);
        import["apiVersion"] = "multicluster.x-k8s.io/v1alpha1".into();
        import["kind"] = "ServiceImport".into();
        import["spec"] = json!({"type": "Headless", "ports": []});
        import
    };
    let absent = || ("limit", 404, refusal(404).to_string());
    check_of(
        KindId::Stored(Stored::ServiceImport),
        vec![
            absent(),
            absent(),
            absent(),
            ("limit", 200, list(5, None, &[import("a", "ua", 1)])),
            ("resourceVersion=5", 404, refusal(404).to_string()),
            absent(),
            absent(),
            ("limit", 200, list(9, None, &[import("b", "ub", 8)])),
        ],
        &[
            "listed Stored(ServiceImport) 0",
            "a ua 1",
            "listed Stored(ServiceImport) 5",
            "gone a ua",
            "listed Stored(ServiceImport) 0",
            "b ub 8",
            "listed Stored(ServiceImport) 9",
        ],
    )
    .await;
    // Of Kubernetes' own kinds, this is a failure like any other.
    check(
        vec![
            ("limit", 404, refusal(404).to_string()),
            ("limit", 200, list(5, None, &[pod("a", "ua", 1)])),
        ],
        &["a ua 1", "listed Pod 5"],
    )
    .await;
}
