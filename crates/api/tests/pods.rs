//! Pods' subresources that reach behind the object: logs, evictions, and connections, which are refused.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use api::store::{
    Change, Entry, Expect, Key, Listing, Memory, Revision, Store, TooOld, Watch, Writing,
};
use api::{
    ApiServer, Config, Container, Duplex, Kubelet, LogOptions, LogStream, NoLog, Pod, Refusal,
    StreamOptions, Streams,
};
use common::{PODS, call, check, check_answer, message, pod, send, server};
use futures::future::BoxFuture;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

/// Logs what it is asked.
struct Echo;

impl Kubelet for Echo {
    fn log(&self, container: &Container, options: &LogOptions) -> Result<LogStream, NoLog> {
        if options.previous {
            return Err(NoLog::NoPrevious);
        }
        let Container { namespace, pod, uid, name } = container;
        assert!(!uid.is_empty());
        let text = format!("{namespace}/{pod} {name} {:?}\n", options.tail_lines);
        Ok(Box::pin(futures::stream::iter([text.into()])))
    }

    fn reachable(&self, pod: &Pod) -> Result<(), Refusal> {
        assert_eq!((pod.namespace.as_str(), pod.uid.is_empty()), ("default", false));
        Err(Refusal::Simulated)
    }

    fn exec<'a>(
        &'a self,
        _: &'a Container,
        _: &'a [String],
        _: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>> {
        unreachable!("the pod is not reachable")
    }

    fn attach<'a>(
        &'a self,
        _: &'a Container,
        _: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>> {
        unreachable!("the pod is not reachable")
    }

    fn port_forward<'a>(
        &'a self,
        _: &'a Pod,
        _: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Duplex>, Refusal>> {
        unreachable!("the pod is not reachable")
    }
}

async fn server_over(store: impl Store) -> ApiServer {
    let mut config = Config::new(
        vec!["10.96.0.0/12".parse().unwrap()],
        SocketAddr::from(([192, 0, 2, 1], 6443)),
    );
    config.kubelet = Some(Arc::new(Echo));
    let server = ApiServer::new(Arc::new(store), config).unwrap();
    server.bootstrap().await.unwrap();
    server
}

async fn with_kubelet() -> ApiServer {
    let server = server_over(Memory::new()).await;
    check(&server, &format!("POST {PODS}"), pod("p"), 201, json!({})).await;
    server
}

#[tokio::test]
async fn logs_come_from_the_node() {
    let server = with_kubelet().await;
    let get = Request::get(format!("{PODS}/p/log?tailLines=3")).body(Full::default()).unwrap();
    let response = send(&server, get).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/plain".parse().unwrap())
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "default/p c Some(3)\n");

    let refused = async |query: &str, code: u16, text: &str| {
        check(&server, &format!("GET {PODS}/{query}"), Value::Null, code, message(text)).await;
    };
    refused("x/log", 404, "pods \"x\" not found").await;
    refused("p/log?container=x", 400, "container x is not valid for pod p").await;
    refused(
        "p/log?previous=true",
        400,
        "previous terminated container \"c\" in pod \"p\" not found",
    )
    .await;
    refused(
        "p/log?tailLines=-1",
        422,
        "PodLogOptions \"p\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
    )
    .await;
    check(&server, &format!("POST {PODS}/p/log"), Value::Null, 405, json!({})).await;
}

#[tokio::test]
async fn connections_are_refused_in_one_sentence() {
    let server = with_kubelet().await;
    let refused = async |head: &str, code: u16, text: &str| {
        check(&server, head, Value::Null, code, message(text)).await;
    };
    let process = "pods of headcount are simulated: there is no process to run a command in, as there is with headcount up \
                   --pods process; kubectl logs p -n default tells what the simulated node did";
    refused(&format!("POST {PODS}/p/exec?command=ls&container=c"), 501, process).await;
    refused(&format!("GET {PODS}/p/exec?command=ls"), 501, process).await;
    refused(&format!("GET {PODS}/x/exec?command=ls"), 404, "pods \"x\" not found").await;
    refused(
        &format!("POST {PODS}/p/attach?container=x"),
        400,
        "container x is not valid for pod p",
    )
    .await;
    for (path, code) in [
        ("pods/p/attach", 501),
        ("pods/p/portforward", 501),
        ("pods/x/portforward", 404),
        ("pods/p/proxy", 501),
        ("pods/http:p:80/proxy/a/b", 501),
        ("pods/http:x:80/proxy/a/b", 404),
        ("pods/p/ephemeralcontainers", 501),
        ("pods/x/ephemeralcontainers", 404),
        ("services/https:kubernetes:443/proxy/", 501),
        ("services/x/proxy", 404),
        ("services/x/exec", 404),
        ("pods/p/nothing", 404),
    ] {
        let head = format!("GET /api/v1/namespaces/default/{path}");
        check(&server, &head, Value::Null, code, json!({ "kind": "Status", "code": code })).await;
    }
    check(&server, "GET /api/v1/nodes/n/proxy/metrics", Value::Null, 404, json!({})).await;
    check(&server, &format!("DELETE {PODS}/p/exec"), Value::Null, 405, json!({})).await;
}

fn eviction(name: &str) -> Value {
    json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name } })
}

#[tokio::test]
async fn evictions_delete() {
    let server = &server().await;
    check(server, &format!("POST {PODS}"), pod("p"), 201, json!({})).await;
    let evict = |name| format!("POST {PODS}/{name}/eviction");
    check(server, &evict("x"), eviction("x"), 404, message("pods \"x\" not found")).await;
    let text = "name in URL does not match name in Eviction object";
    check(server, &evict("p"), eviction("x"), 400, message(text)).await;
    let mut dry = eviction("p");
    dry["deleteOptions"] = json!({ "dryRun": ["All"] });
    check(server, &evict("p"), dry, 201, json!({ "status": "Success" })).await;
    check(server, &format!("GET {PODS}/p"), Value::Null, 200, json!({})).await;
    let mut older = eviction("p");
    older["apiVersion"] = "policy/v1beta1".into();
    check(server, &evict("p"), older, 201, json!({ "status": "Success" })).await;
    check(server, &format!("GET {PODS}/p"), Value::Null, 404, json!({})).await;
}

/// Makes a budget that wants one of the pods `p` and `q`.
async fn make_budget(server: &ApiServer, name: &str) {
    let budget = json!({ "metadata": { "name": name },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "a" } } } });
    let budgets = "POST /apis/policy/v1/namespaces/default/poddisruptionbudgets";
    check(server, budgets, budget, 201, json!({})).await;
}

/// The pods `p` and `q`, which are ready, and a budget that wants one of them.
async fn with_budget(server: &ApiServer) {
    make_budget(server, "b").await;
    for name in ["p", "q"] {
        let mut pod = pod(name);
        pod["metadata"]["labels"] = json!({ "app": "a" });
        check(server, &format!("POST {PODS}"), pod, 201, json!({})).await;
        let ready = json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
        check(server, &format!("PATCH {PODS}/{name}/status"), ready, 200, json!({})).await;
    }
}

/// A store whose writes take a while, in which others go on.
struct Late(Memory);

impl Store for Late {
    fn revision(&self) -> Revision {
        self.0.revision()
    }

    fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.0.get(key)
    }

    fn list(&self, resource: &'static str, namespace: Option<&str>) -> Listing {
        self.0.list(resource, namespace)
    }

    fn write(&self, key: Key, expect: Expect, change: Change) -> Writing<'_> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.write(key, expect, change).await
        })
    }

    fn tidy(&self) {
        self.0.tidy();
    }

    fn watch(&self, resource: &'static str, from: Revision) -> Result<Box<dyn Watch>, TooOld> {
        self.0.watch(resource, from)
    }
}

#[tokio::test]
async fn evictions_at_once_heed_a_budget_together() {
    let server = server_over(Late(Memory::new())).await;
    with_budget(&server).await;
    let evict = async |name: &str| {
        let head = format!("POST {PODS}/{name}/eviction");
        call(&server, &head, &[], eviction(name).to_string()).await.code
    };
    let (one, other) = futures::join!(evict("p"), evict("q"));
    assert_eq!([one.min(other), one.max(other)], [201, 429]);
}

#[tokio::test]
async fn evictions_heed_budgets() {
    let server = &server().await;
    with_budget(server).await;
    let evict = |name| format!("POST {PODS}/{name}/eviction");
    check(server, &evict("p"), eviction("p"), 201, json!({ "status": "Success" })).await;
    check(
        server,
        &evict("q"),
        eviction("q"),
        429,
        json!({
            "reason": "TooManyRequests",
            "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "details": { "causes": [{ "reason": "DisruptionBudget",
                "message": "The disruption budget b needs 1 healthy pods and has 1 currently" }] },
        }),
    )
    .await;
    make_budget(server, "c").await;
    let text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    check(server, &evict("q"), eviction("q"), 500, message(text)).await;
    // A pod that does not run disrupts nothing by going.
    check(
        server,
        &format!("PATCH {PODS}/q/status"),
        json!({ "status": { "phase": "Failed" } }),
        200,
        json!({}),
    )
    .await;
    check(server, &evict("q"), eviction("q"), 201, json!({})).await;
}

#[tokio::test]
async fn without_nodes_there_are_no_logs() {
    let server = &server().await;
    check(server, &format!("POST {PODS}"), pod("p"), 201, json!({})).await;
    let answer = call(server, &format!("GET {PODS}/p/log"), &[], "").await;
    check_answer("log", answer, 501, &message("this API server has no nodes to ask for a log"));
}

#[tokio::test]
async fn there_is_one_token_and_one_user() {
    let server = with_kubelet().await;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = json!({ "metadata": { "name": "a" } });
    check(&server, &format!("POST {accounts}"), account, 201, json!({})).await;
    let text = "headcount has one token, that of its kubeconfig: ServiceAccounts have none";
    let request = format!("POST {accounts}/a/token");
    check(&server, &request, json!({}), 501, message(text)).await;
    check(&server, &format!("POST {accounts}/b/token"), json!({}), 404, json!({})).await;

    let request = Request::get(format!("{PODS}/p")).header("Impersonate-User", "bob");
    let response = send(&server, request.body(Full::default()).unwrap()).await;
    assert_eq!(response.status().as_u16(), 403);
}
