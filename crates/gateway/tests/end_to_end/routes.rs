//! Which program answers.

use std::sync::Arc;

use serde_json::json;

use crate::backend::{echo, hang_up};
use crate::fixture::{Cluster, gateway, ingress, route, service};

#[tokio::test]
async fn the_ingress_of_a_cluster_ip_service() {
    let cluster = Cluster::start(&[]).await;
    cluster.serve("my-backend", 1, echo("my-backend", Arc::default()).await).await;
    let backend = json!({"service": {"name": "my-backend", "port": {"number": 80}}});
    let rule = json!({"host": "api.example.com",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}});
    cluster.apply(&[ingress("my-ingress", json!({"rules": [rule]}))]).await;
    cluster
        .check("api.example.com/v1/items?all=1", &[], 200, "my-backend GET /v1/items?all=1 0 bytes")
        .await;
    cluster.check("API.example.com:80/", &[], 200, "my-backend GET / ").await;
    cluster
        .check(
            "www.example.com/",
            &[],
            404,
            "no route for www.example.com, path /; routed are:\n  host api.example.com, prefix / (Ingress default/my-ingress)\n",
        )
        .await;
    let status =
        cluster.get("networking.k8s.io/v1", "Ingress", "my-ingress").await["status"].clone();
    assert_eq!(status, json!({"loadBalancer": {"ingress": [{"ip": "10.96.255.1"}]}}));
}

#[tokio::test]
async fn who_does_not_answer_is_named() {
    let cluster = Cluster::start(&[]).await;
    let path = |name: &str| {
        json!({"path": format!("/{name}"), "pathType": "Prefix",
            "backend": {"service": {"name": name, "port": {"number": 80}}}})
    };
    let paths: Vec<_> = ["unready", "refused", "rude", "missing"].map(path).into();
    cluster.apply(&[ingress("a", json!({"rules": [{"http": {"paths": paths}}]}))]).await;
    cluster.apply(&service("unready", "10.96.1.8", false)).await;
    cluster.apply(&service("refused", "10.96.1.9", true)).await;
    cluster.serve("rude", 10, hang_up().await).await;
    let check = |name: &str, code: u16, text: &str| {
        let (url, text) = (format!("x.example.com/{name}"), text.to_owned());
        let cluster = &cluster;
        async move { cluster.check(&url, &[], code, &text).await }
    };
    check(
        "unready",
        503,
        "Service default/unready port 80 cannot answer: its one endpoint is not ready\n",
    )
    .await;
    check("refused", 502, "Service default/refused port 80 could not be reached at 10.96.1.9:80: connection refused\n").await;
    check("rude", 502, "Service default/rude port 80 at 10.96.1.10:80 did not answer: ").await;
    check("missing", 503, "Service default/missing port 80 cannot answer: there is no Service missing in namespace default\n").await;
    // It comes, and answers.
    cluster.serve("missing", 11, echo("missing", Arc::default()).await).await;
    check("missing", 200, "missing GET /missing 0 bytes").await;
}

#[tokio::test]
async fn http_routes_by_header_weight_redirect_and_rewrite() {
    let cluster =
        Cluster::start(&[gateway(json!([{"name": "http", "port": 80, "protocol": "HTTP"}]))]).await;
    for (name, last) in [("one", 1), ("two", 2)] {
        cluster.serve(name, last, echo(name, Arc::default()).await).await;
    }
    let backend = |name: &str, weight: u32| json!({"name": name, "port": 80, "weight": weight});
    let prefix = |text: &str| json!({"path": {"type": "PathPrefix", "value": text}});
    cluster
        .apply(&[route(
            "r",
            json!([
                {"matches": [{"headers": [{"name": "Version", "value": "two"}]}], "backendRefs": [backend("two", 1)]},
                {"matches": [prefix("/both")], "backendRefs": [backend("one", 1), backend("two", 1)]},
                {"matches": [prefix("/old")], "filters": [{"type": "RequestRedirect", "requestRedirect": {
                    "scheme": "https", "statusCode": 301,
                    "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}}]},
                {"matches": [prefix("/api")], "backendRefs": [backend("one", 1)], "filters": [
                    {"type": "URLRewrite", "urlRewrite": {"hostname": "internal.example.com",
                        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2"}}},
                    {"type": "RequestHeaderModifier", "requestHeaderModifier": {
                        "set": [{"name": "X-Set", "value": "set"}], "add": [{"name": "X-Add", "value": "added"}],
                        "remove": ["X-Secret"]}},
                    {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["X-Backend"]}}]},
                {"matches": [prefix("/")], "backendRefs": [backend("one", 1)]},
            ]),
        )])
        .await;
    cluster.check("x.example.com/", &[], 200, "one GET / ").await;
    cluster.check("x.example.com/", &[("version", "two")], 200, "two GET / ").await;

    let (redirect, _) = cluster.get_url("x.example.com/old/page?q=1", &[]).await;
    assert_eq!(redirect.status(), 301);
    assert_eq!(redirect.headers()["location"], "https://x.example.com/new/page?q=1");

    let headers = [("x-set", "was"), ("x-add", "first"), ("x-secret", "s")];
    let (rewritten, text) = cluster.get_url("x.example.com/api/items?q=1", &headers).await;
    assert!(text.starts_with("one GET /v2/items?q=1 0 bytes"), "{text}");
    for line in [
        "host: internal.example.com",
        "x-set: set",
        "x-add: first",
        "x-add: added",
        "x-forwarded-host: x.example.com",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is missing in {text}");
    }
    assert!(!text.contains("x-secret"), "{text}");
    assert!(!rewritten.headers().contains_key("x-backend"));

    let mut seen = std::collections::BTreeSet::new();
    // That of 200 requests all go to one of two is as likely as 199 tosses of a coin that fall alike.
    for _ in 0..200 {
        let (answer, _) = cluster.get_url("x.example.com/both", &[]).await;
        seen.insert(answer.headers()["x-backend"].to_str().unwrap().to_owned());
        if seen.len() == 2 {
            break;
        }
    }
    assert_eq!(seen.len(), 2);
}

/// Routes and ports follow the objects.
#[tokio::test]
async fn ports_of_gateways_come_and_go() {
    let listener = |port: u16| json!([{"name": "http", "port": port, "protocol": "HTTP"}]);
    let cluster = Cluster::start(&[gateway(listener(8080))]).await;
    cluster.connect(8080).await;
    let request = http::Request::get("/")
        .header("host", "x")
        .body(http_body_util::Empty::<bytes::Bytes>::new());
    let answer = cluster.send(8080, request.unwrap()).await;
    assert_eq!(answer.status(), 404);
    cluster.apply(&[gateway(listener(9090))]).await;
    cluster.connect(9090).await;
}
