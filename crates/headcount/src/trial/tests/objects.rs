//! The objects of a live cluster against those of a design.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use kube::Client;
use serde_json::json;

use super::live::Running;
use super::plans;
use crate::trial::live::{Cluster, compare};
use crate::trial::{Outcome, objects};

/// What a name answers now may be right by chance; what was designed is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_as_designed_is_told_of() {
    let mut good = plans::stateful();
    good.manifests.push_str(
        "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db}, spec: {podSelector: {}}}\n---\n",
    );
    let alias = plans::external_name().with("namespace: shop", "namespace: prod");
    good.manifests.push_str(alias.manifests.trim());
    let running = Running::start(&good).await;
    let found = async |what: &str, by: &str| {
        let designed = good.clone().with(what, by);
        let found = designed
            .plan(async |plan| objects::compare(&running.cluster.client, plan, "now").await)
            .await
            .expect("an answer");
        assert_eq!(found.hidden, [""; 0]);
        found.checks
    };
    let check = async |what: &str, by: &str, told: &str| {
        let failures = found(what, by).await.into_iter().filter(|check| !check.ok);
        let lines: Vec<String> = failures.map(|check| check.line()).collect();
        assert_eq!(lines, [format!("  FAILED  {told}")], "{by}");
    };
    check(
        "  publishNotReadyAddresses: true\n",
        "",
        "publishNotReadyAddresses of Service db-peers: expected false; answered true",
    )
    .await;
    check(
        "  clusterIP: None\n",
        "",
        "clusterIP of Service db-peers: expected an address of the cluster's; answered None",
    )
    .await;
    check(
        "selector: {app: db}\n  ports: [{name: client",
        "selector: {app: db, tier: data}\n  ports: [{name: client",
        "selector of Service db: expected app=db, tier=data; answered app=db",
    )
    .await;
    check(
        "{name: client, port: 2379, t",
        "{name: client, port: 2378, t",
        "ports of Service db: expected client 2378/TCP; answered client 2379/TCP",
    )
    .await;
    check(
        "clusterIP: None\n",
        "clusterIP: None\n  sessionAffinity: ClientIP\n",
        "sessionAffinity of Service db-peers: expected ClientIP; answered None",
    )
    .await;
    check(
        "externalName: billing.example.com",
        "externalName: billing.example.org",
        "externalName of Service billing: expected billing.example.org; answered billing.example.com",
    )
    .await;
    check(
        "selector: {app: db}\n  ports: [{name: client",
        "type: NodePort\n  selector: {app: db}\n  ports: [{name: client",
        "type of Service db: expected NodePort; answered ClusterIP",
    )
    .await;
    check(
        "serviceName: db-peers",
        "serviceName: db",
        "serviceName of StatefulSet db: expected db; answered db-peers",
    )
    .await;
    check(
        "podManagementPolicy: Parallel",
        "podManagementPolicy: OrderedReady",
        "podManagementPolicy of StatefulSet db: expected OrderedReady; answered Parallel",
    )
    .await;
    check(
        "kind: NetworkPolicy, metadata: {name: db}",
        "kind: NetworkPolicy, metadata: {name: db-clients, namespace: shop}",
        "NetworkPolicy db-clients of namespace shop: expected there; answered not there",
    )
    .await;
    // A port's name and its number are one target, and a dot at the end of a host says nothing.
    for (what, by) in [
        ("targetPort: client", "targetPort: 2379"),
        ("externalName: billing.example.com", "externalName: billing.example.com."),
    ] {
        let checks = found(what, by).await;
        assert_eq!(checks.len(), 5);
        assert!(checks.iter().all(|check| check.ok), "{by}: {checks:#?}");
        let set = checks.iter().find(|check| check.asked == "StatefulSet db");
        assert_eq!(
            set.expect("it was compared").answered,
            ["there, as designed in serviceName, podManagementPolicy"]
        );
    }
}

/// What the cluster's user may not look at is not verified, and nothing is wrong with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_looked_at_is_told_of() {
    let case = plans::stateful();
    let running = Running::start(&case).await;
    let api = running.cluster.api.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let forbidden = request.uri().path().contains("/statefulsets/");
        let api = api.clone();
        async move {
            if !forbidden {
                return tower::ServiceExt::oneshot(api, request).await;
            }
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "statefulsets.apps \"db\" is forbidden", "reason": "Forbidden", "code": 403});
            let body = Full::from(status.to_string().into_bytes()).boxed_unsync();
            Ok(http::Response::builder().status(403).body(body).expect("a response"))
        }
    });
    let client = Client::new(service, "default");
    let cluster = Cluster { client, dns: Some(running.cluster.dns_listen()), domain: None };
    let report = case
        .plan(async |plan| compare(plan, &cluster, Duration::ZERO).await.expect("a report"))
        .await;
    assert_eq!(report.outcome, Outcome::Incomplete);
    assert_eq!(
        report.notes.last().map(String::as_str),
        Some("StatefulSet db was not looked at: statefulsets.apps \"db\" is forbidden")
    );
}
