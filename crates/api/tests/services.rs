//! Services: cluster IPs, node ports and families, and the transitions between types.

#![allow(clippy::unwrap_used)]

mod common;

use api::ApiServer;
use common::{SERVICES, check, message, server, server_with};
use serde_json::{Value, json};

async fn create(server: &ApiServer, name: &str, spec: Value, code: u16, part: Value) -> Value {
    let body = json!({ "metadata": { "name": name }, "spec": spec });
    check(server, &format!("POST {SERVICES}"), body, code, part).await
}

async fn put(server: &ApiServer, name: &str, spec: Value, code: u16, part: Value) -> Value {
    let body = json!({ "metadata": { "name": name }, "spec": spec });
    check(server, &format!("PUT {SERVICES}/{name}"), body, code, part).await
}

fn invalid(name: &str, text: &str) -> Value {
    let mut part = message(&format!("Service \"{name}\" is invalid: {text}"));
    part["reason"] = "Invalid".into();
    part
}

#[tokio::test]
async fn addresses_are_held_once() {
    let server = &server().await;
    let at = |ip: &str| json!({ "clusterIP": ip, "ports": [{ "port": 80 }] });
    let spec = json!({ "clusterIP": "10.96.0.20", "clusterIPs": ["10.96.0.20"] });
    create(server, "a", at("10.96.0.20"), 201, json!({ "spec": spec })).await;
    let taken = "spec.clusterIPs: Invalid value: [\"10.96.0.20\"]: failed to allocate IP 10.96.0.20: provided IP is already \
                 allocated";
    create(server, "b", at("10.96.0.20"), 422, invalid("b", taken)).await;
    let outside = create(server, "b", at("10.1.1.1"), 422, json!({ "reason": "Invalid" })).await;
    let text = outside["message"].as_str().unwrap();
    assert!(
        text.contains("failed to allocate IP 10.1.1.1") && text.contains("10.96.0.0/12"),
        "{text}"
    );
    // A refused or a dry create holds nothing; a deleted Service gives back what it held.
    let head = format!("POST {SERVICES}?dryRun=All");
    let body = json!({ "metadata": { "name": "dry" }, "spec": at("10.96.0.21") });
    check(server, &head, body, 201, json!({})).await;
    create(server, "b", at("10.96.0.21"), 201, json!({})).await;
    check(server, &format!("DELETE {SERVICES}/a"), Value::Null, 200, json!({})).await;
    create(server, "c", at("10.96.0.20"), 201, json!({})).await;

    let changed = put(server, "c", at("10.96.0.22"), 422, json!({ "reason": "Invalid" })).await;
    assert!(changed["message"].as_str().unwrap().contains("may not change once set"));
    put(server, "c", at("None"), 422, json!({ "reason": "Invalid" })).await;
}

#[tokio::test]
async fn headless_services_hold_no_address() {
    let server = &server().await;
    let ports = json!([{ "port": 80 }]);
    let headless = json!({ "clusterIP": "None", "selector": { "app": "x" }, "ports": ports });
    let part = json!({ "spec": {
        "clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
    } });
    create(server, "a", headless.clone(), 201, part).await;
    put(server, "a", headless, 200, json!({ "spec": { "clusterIP": "None" } })).await;
    let part = json!({ "spec": {
        "clusterIP": "None", "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack",
    } });
    create(server, "b", json!({ "clusterIP": "None" }), 201, part).await;
}

#[tokio::test]
async fn from_and_to_external_name() {
    let server = &server().await;
    let external = json!({ "type": "ExternalName", "externalName": "db.example.com" });
    let made = create(server, "db", external.clone(), 201, json!({})).await;
    assert_eq!(made["spec"]["clusterIP"], Value::Null);
    assert_eq!(made["spec"]["ipFamilies"], Value::Null);
    // The migration: a cluster IP of its own, and the name is gone.
    let cluster = json!({ "type": "ClusterIP", "externalName": "db.example.com", "ports": [{ "port": 5432 }] });
    let made = put(server, "db", cluster, 200, json!({ "spec": { "type": "ClusterIP" } })).await;
    assert_eq!(made["spec"]["externalName"], Value::Null);
    let address = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    // Back again, with what was read: the address is released.
    let mut spec = made["spec"].clone();
    spec["type"] = "ExternalName".into();
    spec["externalName"] = "db.example.com".into();
    let back = put(server, "db", spec, 200, json!({ "spec": { "type": "ExternalName" } })).await;
    assert_eq!(back["spec"]["clusterIP"], Value::Null);
    let again = json!({ "clusterIP": address, "ports": [{ "port": 80 }] });
    create(server, "other", again, 201, json!({})).await;
    let head = format!("PATCH {SERVICES}/db");
    let patch = json!({ "spec": { "type": "ClusterIP", "ports": [{ "port": 1 }] } });
    let made = check(server, &head, patch, 200, json!({})).await;
    assert!(made["spec"]["clusterIP"].is_string());
}

#[tokio::test]
async fn node_ports() {
    let server = &server().await;
    let ports = json!([
        { "name": "dns", "port": 53, "protocol": "UDP" },
        { "name": "dns-tcp", "port": 53, "protocol": "TCP" },
        { "name": "metrics", "port": 9153, "nodePort": 30090 },
    ]);
    let spec = json!({ "type": "NodePort", "ports": ports });
    let made = create(server, "a", spec.clone(), 201, json!({})).await;
    let held = made["spec"]["ports"].clone();
    assert_eq!(held[0]["nodePort"], held[1]["nodePort"], "one number for both protocols");
    assert_eq!(held[2]["nodePort"], 30090);
    // What an update leaves out, it keeps.
    put(server, "a", spec, 200, json!({ "spec": { "ports": held.clone() } })).await;
    let take =
        |port: u64| json!({ "type": "NodePort", "ports": [{ "port": 1, "nodePort": port }] });
    let taken = "spec.ports[0].nodePort: Invalid value: 30090: provided port is already allocated";
    create(server, "b", take(30090), 422, invalid("b", taken)).await;
    let outside = "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid \
                   ports is 30000-32767";
    create(server, "b", take(80), 422, invalid("b", outside)).await;
    // To ClusterIP with what was read: the ports are released.
    let mut spec = made["spec"].clone();
    spec["type"] = "ClusterIP".into();
    let changed = put(server, "a", spec, 200, json!({ "spec": { "type": "ClusterIP" } })).await;
    assert_eq!(changed["spec"]["ports"][2]["nodePort"], Value::Null);
    assert_eq!(changed["spec"]["clusterIP"], made["spec"]["clusterIP"]);
    create(server, "b", take(30090), 201, json!({})).await;
    // An update that fails takes nothing.
    let clash = json!({ "type": "NodePort", "ports": [
        { "name": "x", "port": 1, "nodePort": 30091 }, { "name": "y", "port": 2, "nodePort": 30090 },
    ] });
    put(server, "a", clash, 422, json!({ "reason": "Invalid" })).await;
    put(server, "b", take(30091), 200, json!({})).await;
    create(server, "c", take(30090), 201, json!({})).await;
}

#[tokio::test]
async fn dual_stack() {
    let single = &server().await;
    let require = json!({ "ipFamilyPolicy": "RequireDualStack", "ports": [{ "port": 80 }] });
    let text = "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack \
                services";
    create(single, "a", require.clone(), 422, invalid("a", text)).await;
    let six = json!({ "ipFamilies": ["IPv6"], "ports": [{ "port": 80 }] });
    let text = "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster";
    create(single, "a", six.clone(), 422, invalid("a", text)).await;

    let dual = &server_with(&["10.96.0.0/12", "fd00:10::/112"]).await;
    let made = create(dual, "six", six, 201, json!({ "spec": { "ipFamilies": ["IPv6"] } })).await;
    assert!(made["spec"]["clusterIP"].as_str().unwrap().starts_with("fd00:10::"));
    let plain = json!({ "ports": [{ "port": 80 }] });
    let one = json!({ "spec": { "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack" } });
    let made = create(dual, "plain", plain, 201, one).await;
    // Up to two families and down to one again; the first address stays throughout.
    let mut spec = made["spec"].clone();
    spec["ipFamilyPolicy"] = "PreferDualStack".into();
    let both =
        put(dual, "plain", spec, 200, json!({ "spec": { "ipFamilies": ["IPv4", "IPv6"] } })).await;
    assert_eq!(both["spec"]["clusterIPs"][0], made["spec"]["clusterIP"]);
    let second = both["spec"]["clusterIPs"][1].clone();
    assert!(second.as_str().unwrap().starts_with("fd00:10::"));
    let mut spec = both["spec"].clone();
    spec["ipFamilyPolicy"] = "SingleStack".into();
    let down =
        json!({ "spec": { "ipFamilies": ["IPv4"], "clusterIPs": [made["spec"]["clusterIP"]] } });
    put(dual, "plain", spec, 200, down).await;
    let again = json!({ "ipFamilies": ["IPv6"], "clusterIP": second, "ports": [{ "port": 80 }] });
    create(dual, "again", again, 201, json!({})).await;
    let made = create(dual, "b", require, 201, json!({})).await;
    assert_eq!(made["spec"]["clusterIPs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_new_server_knows_what_is_held() {
    use std::net::SocketAddr;
    use std::sync::Arc;

    let store = Arc::new(api::store::Memory::new());
    let new = || {
        let cidrs = vec!["10.96.0.0/12".parse().unwrap()];
        let config = api::Config::new(cidrs, SocketAddr::from(([192, 0, 2, 1], 6443)));
        ApiServer::new(store.clone(), config).unwrap()
    };
    let first = new();
    first.bootstrap().await.unwrap();
    let spec = json!({ "type": "NodePort", "ports": [{ "port": 1, "nodePort": 30001 }], "clusterIP": "10.96.0.30" });
    create(&first, "a", spec.clone(), 201, json!({})).await;
    let second = new();
    second.bootstrap().await.unwrap();
    let refused = create(&second, "b", spec, 422, json!({ "reason": "Invalid" })).await;
    assert!(refused["message"].as_str().unwrap().contains("provided IP is already allocated"));
}
