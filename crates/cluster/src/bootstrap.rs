//! What a cluster of our own holds from its start: the Service of its DNS, and the pod behind it.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{Api, Client};
use manifest::IpFamily;
use serde_json::json;

/// Where the cluster's DNS lives.
pub const DNS_NAMESPACE: &str = "kube-system";
/// The Service in front of the cluster's DNS; every cluster has it under this name.
pub const DNS_SERVICE: &str = "kube-dns";
/// The pod that stands for the DNS server.
pub(crate) const DNS_POD: &str = "headcount-dns";

const APP_LABEL: &str = "k8s-app";

/// How often they are looked after.
const INTERVAL: Duration = Duration::from_secs(10);

/// Creates, where missing, the Service `kube-dns` at these addresses (the tenth of each range of Services, one a
/// family) and the pod that stands for the DNS server itself. The namespace is the API's to make.
pub async fn bootstrap(client: &Client, cluster_ips: &[IpAddr]) -> kube::Result<()> {
    let services = Api::<Service>::namespaced(client.clone(), DNS_NAMESPACE);
    let pods = Api::<Pod>::namespaced(client.clone(), DNS_NAMESPACE);
    let parameters = Default::default();
    let (service, pod) = (service(cluster_ips), pod());
    let (service, pod) =
        futures::join!(services.create(&parameters, &service), pods.create(&parameters, &pod));
    for created in [service.map(drop), pod.map(drop)] {
        match created {
            Ok(()) => {}
            // From an earlier start. The address of an earlier Service counts as taken before its name does.
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(kube::Error::Api(status)) if status.is_invalid() && exists(&services).await? => {}
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

/// Makes again what [`bootstrap`] made when somebody deleted it; forever.
pub async fn keep_up(client: Client, cluster_ips: Vec<IpAddr>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = bootstrap(&client, &cluster_ips).await {
            tracing::warn!(%error, "the Service and pod of the cluster's DNS could not be kept up");
        }
    }
}

async fn exists(services: &Api<Service>) -> kube::Result<bool> {
    Ok(services.get_opt(DNS_SERVICE).await?.is_some())
}

fn service(cluster_ips: &[IpAddr]) -> Service {
    let addresses: Vec<String> = cluster_ips.iter().map(IpAddr::to_string).collect();
    let families: Vec<&str> =
        cluster_ips.iter().map(|address| IpFamily::of(*address).as_str()).collect();
    let policy = if cluster_ips.len() > 1 { "RequireDualStack" } else { "SingleStack" };
    typed(json!({
        "metadata": {
            "name": DNS_SERVICE,
            "namespace": DNS_NAMESPACE,
            "labels": {
                APP_LABEL: DNS_SERVICE,
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "headcount-dns",
            },
        },
        "spec": {
            "clusterIP": addresses.first(),
            "clusterIPs": addresses,
            "ipFamilies": families,
            "ipFamilyPolicy": policy,
            "selector": { APP_LABEL: DNS_SERVICE },
            "ports": [
                { "name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns" },
                { "name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp" },
                { "name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": "metrics" },
            ],
        },
    }))
}

fn pod() -> Pod {
    typed(json!({
        "metadata": {
            "name": DNS_POD,
            "namespace": DNS_NAMESPACE,
            "labels": { APP_LABEL: DNS_SERVICE },
            // What a kubelet says of the pods that it runs without being told by the API. Draining its node passes it by.
            "annotations": { "kubernetes.io/config.mirror": DNS_POD },
        },
        "spec": {
            "priorityClassName": "system-cluster-critical",
            "containers": [{
                "name": "headcount",
                "image": concat!("headcount:", env!("CARGO_PKG_VERSION")),
                "ports": [
                    { "name": "dns", "containerPort": 53, "protocol": "UDP" },
                    { "name": "dns-tcp", "containerPort": 53, "protocol": "TCP" },
                    { "name": "metrics", "containerPort": 9153, "protocol": "TCP" },
                ],
            }],
        },
    }))
}

fn typed<K: serde::de::DeserializeOwned>(value: serde_json::Value) -> K {
    serde_json::from_value(value).expect("a literal object of its kind")
}
