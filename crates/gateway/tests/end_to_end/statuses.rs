//! What is written of the objects, and that it is written once.

use serde_json::{Value, json};

use crate::fixture::{Cluster, gateway, ingress, route, service};

const GATEWAY: &str = "gateway.networking.k8s.io/v1";

/// `Accepted=True Accepted`, in the order of the list.
fn conditions(status: &Value) -> Vec<String> {
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap().to_owned();
    let conditions = status["conditions"].as_array().unwrap().iter();
    conditions
        .map(|condition| {
            let [kind, status, reason] =
                ["type", "status", "reason"].map(|field| text(condition, field));
            format!("{kind}={status} {reason}")
        })
        .collect()
}

#[tokio::test]
async fn gateways_and_routes_are_told_what_became_of_them() {
    let cluster = Cluster::start(&[
        gateway(json!([
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "taken", "port": 6666, "protocol": "HTTP"},
        ])),
        route("r", json!([{"backendRefs": [{"name": "s", "port": 80}]}])),
    ])
    .await;
    let class = cluster.get(GATEWAY, "GatewayClass", "headcount").await;
    assert_eq!(conditions(&class["status"]), ["Accepted=True Accepted"]);

    let web = cluster.get(GATEWAY, "Gateway", "web").await;
    let status = &web["status"];
    assert_eq!(
        conditions(status),
        ["Accepted=True ListenersNotValid", "Programmed=True Programmed"]
    );
    assert_eq!(status["addresses"], json!([{"type": "IPAddress", "value": "10.96.255.1"}]));
    assert_eq!(status["listeners"][0]["attachedRoutes"], 1);
    assert_eq!(
        status["listeners"][0]["supportedKinds"],
        json!([{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}])
    );
    let taken = &status["listeners"][1];
    assert_eq!(
        conditions(taken),
        [
            "Accepted=True Accepted",
            "Conflicted=False NoConflicts",
            "ResolvedRefs=True ResolvedRefs",
            "Programmed=False Invalid",
        ]
    );
    assert_eq!(
        taken["conditions"][3]["message"],
        "cannot listen at 10.96.255.1 port 6666: address in use"
    );

    let before = cluster.get(GATEWAY, "HTTPRoute", "r").await;
    let parent = &before["status"]["parents"][0];
    assert_eq!(parent["controllerName"], "headcount.dev/gateway");
    assert_eq!(
        conditions(parent),
        ["Accepted=True Accepted", "ResolvedRefs=False BackendNotFound"]
    );
    assert_eq!(parent["conditions"][1]["message"], "there is no Service s in namespace default");

    // The Service comes; what is not about it keeps its time, and the Gateway is not written again.
    cluster.apply(&service("s", "10.96.1.7", true)).await;
    let after = cluster.get(GATEWAY, "HTTPRoute", "r").await;
    let now = &after["status"]["parents"][0];
    assert_eq!(conditions(now), ["Accepted=True Accepted", "ResolvedRefs=True ResolvedRefs"]);
    assert_eq!(now["conditions"][0], parent["conditions"][0]);
    let again = cluster.get(GATEWAY, "Gateway", "web").await;
    assert_eq!(again["metadata"]["resourceVersion"], web["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn an_ingress_of_another_class_is_left_alone() {
    let cluster = Cluster::start(&[]).await;
    let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
    let of =
        |class: &str| ingress("i", json!({"ingressClassName": class, "defaultBackend": backend}));
    let status = async || {
        cluster.get("networking.k8s.io/v1", "Ingress", "i").await["status"]["loadBalancer"].clone()
    };
    cluster.apply(&[of("nginx")]).await;
    assert_eq!(status().await, json!({}));
    cluster.apply(&[of("headcount")]).await;
    assert_eq!(status().await, json!({"ingress": [{"ip": "10.96.255.1"}]}));
    cluster.apply(&[of("nginx")]).await;
    assert_eq!(status().await, json!({}));
}
