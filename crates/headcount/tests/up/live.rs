//! Names follow objects: what a client changes through the API is what the next question answers.

use crate::support::Up;
use hickory_proto::op::ResponseCode;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;

const PEERS: &str = "redis-headless.default.svc.cluster.local.";

async fn patch<K>(api: &Api<K>, name: &str, patch: serde_json::Value)
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("patched");
}

#[tokio::test]
async fn a_deleted_pod_comes_back_with_a_new_uid_and_address_under_its_old_name() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let pods: Api<Pod> = Api::default_namespaced(up.client().await);
    let name = format!("redis-1.{PEERS}");
    let old_uid = pods.get("redis-1").await.expect("a pod").metadata.uid;
    let old_address = up.records(&name, "A");

    pods.delete("redis-1", &DeleteParams::default()).await.expect("deleted");
    up.until(&name, "A", |reply| {
        let addresses = reply.data("A");
        addresses.len() == 1 && addresses != old_address
    });
    let pod = pods.get("redis-1").await.expect("a pod");
    assert_ne!(pod.metadata.uid, old_uid);
}

#[tokio::test]
async fn a_pod_that_turns_not_ready_leaves_the_answers_unless_it_is_published() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let client = up.client().await;
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let services: Api<Service> = Api::default_namespaced(client);
    let not_ready = json!({ "metadata": { "annotations": { "headcount.dev/ready": "false" } } });
    let pod_name = format!("redis-2.{PEERS}");

    patch(&pods, "redis-2", not_ready).await;
    up.until(PEERS, "A", |reply| reply.data("A").len() == 2);
    assert_eq!(up.ask(&pod_name, "A").rcode(), ResponseCode::NXDomain);

    patch(&services, "redis-headless", json!({ "spec": { "publishNotReadyAddresses": true } }))
        .await;
    up.until(PEERS, "A", |reply| reply.data("A").len() == 3);
    assert_eq!(up.records(&pod_name, "A").len(), 1);

    patch(&services, "redis-headless", json!({ "spec": { "publishNotReadyAddresses": false } }))
        .await;
    up.until(PEERS, "A", |reply| reply.data("A").len() == 2);
    let ready = json!({ "metadata": { "annotations": { "headcount.dev/ready": null } } });
    patch(&pods, "redis-2", ready).await;
    up.until(PEERS, "A", |reply| reply.data("A").len() == 3);
}

#[tokio::test]
async fn no_ready_endpoint_is_no_such_name_and_says_why() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let client = up.client().await;
    let pods: Api<Pod> = Api::default_namespaced(client);
    for ordinal in 0..3 {
        let not_ready =
            json!({ "metadata": { "annotations": { "headcount.dev/ready": "false" } } });
        patch(&pods, &format!("redis-{ordinal}"), not_ready).await;
    }
    let reply = up.until(PEERS, "A", |reply| reply.rcode() == ResponseCode::NXDomain);
    let edns = reply.message.edns.as_ref().expect("EDNS was asked for");
    let reason = format!("{:?}", edns.options());
    assert!(
        edns.option(hickory_proto::rr::rdata::opt::EdnsCode::Unknown(15)).is_some(),
        "{reason}"
    );
}

#[tokio::test]
async fn scaling_adds_and_removes_names() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let sets: Api<StatefulSet> = Api::default_namespaced(up.client().await);
    patch(&sets, "redis", json!({ "spec": { "replicas": 5 } })).await;
    up.until(PEERS, "A", |reply| reply.data("A").len() == 5);
    patch(&sets, "redis", json!({ "spec": { "replicas": 1 } })).await;
    up.until(PEERS, "A", |reply| reply.data("A").len() == 1);
    assert_eq!(up.records(&format!("redis-0.{PEERS}"), "A").len(), 1);
    assert_eq!(up.ask(&format!("redis-1.{PEERS}"), "A").rcode(), ResponseCode::NXDomain);
}

#[tokio::test]
async fn a_deleted_namespace_takes_its_names_with_it() {
    let up = Up::ephemeral(&["-f", "examples/elasticsearch"]);
    let client = up.client().await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    namespaces.delete("logging", &DeleteParams::default()).await.expect("deleted");
    up.until("logging.svc.cluster.local.", "A", |reply| reply.rcode() == ResponseCode::NXDomain);
    let sets: Api<StatefulSet> = Api::namespaced(client, "logging");
    assert!(sets.list(&Default::default()).await.expect("a list").items.is_empty());
}
