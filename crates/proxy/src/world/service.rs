//! Services.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1 as core;
use manifest::labels::HEADLESS;

use super::Protocol;

/// On a Service: another proxy than the cluster's own serves it.
const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

/// How long a client stays with its endpoint where a Service does not say.
const AFFINITY_SECONDS: u32 = 10_800;

/// What matters of a Service that has addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) cluster_ips: Vec<IpAddr>,
    /// `spec.externalIPs`
    pub(crate) external_ips: Vec<IpAddr>,
    /// The addresses of its load balancer that are the proxy's to serve.
    pub(crate) balancer_ips: Vec<IpAddr>,
    /// Who may use those; all, where it is empty.
    pub(crate) source_ranges: Vec<IpNet>,
    pub(crate) ports: Vec<Port>,
    /// For so many seconds a client stays with its endpoint.
    pub(crate) affinity: Option<u32>,
    /// `internalTrafficPolicy: Local`
    pub(crate) internal_local: bool,
    /// `externalTrafficPolicy: Local`
    pub(crate) external_local: bool,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// Empty where it has none.
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) number: u16,
    pub(crate) node_port: Option<u16>,
}

impl Service {
    /// `None` when it is not the proxy's: headless, an ExternalName, or left to another one.
    pub(super) fn read(service: &core::Service) -> Option<Self> {
        let has_label =
            |label| service.metadata.labels.iter().any(|labels| labels.contains_key(label));
        let spec = service.spec.as_ref()?;
        let cluster_ips: Vec<IpAddr> = match &spec.cluster_ips {
            Some(addresses) => {
                addresses.iter().filter_map(|address| address.parse().ok()).collect()
            }
            None => spec.cluster_ip.iter().filter_map(|address| address.parse().ok()).collect(),
        };
        if spec.type_.as_deref() == Some("ExternalName")
            || cluster_ips.is_empty()
            || has_label(PROXY_NAME)
            || has_label(HEADLESS)
        {
            return None;
        }
        let is_local = |policy: &Option<String>| policy.as_deref() == Some("Local");
        let parsed = |addresses: &Option<Vec<String>>| {
            addresses.iter().flatten().filter_map(|address| address.parse().ok()).collect()
        };
        let balancer = spec.type_.as_deref() == Some("LoadBalancer");
        let ranges = spec.load_balancer_source_ranges.iter().flatten();
        Some(Self {
            cluster_ips,
            external_ips: parsed(&spec.external_ips),
            balancer_ips: if balancer { balancer_ips(service) } else { Vec::new() },
            source_ranges: ranges.filter_map(|range| range.trim().parse().ok()).collect(),
            ports: spec.ports.iter().flatten().filter_map(port).collect(),
            affinity: affinity(spec),
            internal_local: is_local(&spec.internal_traffic_policy),
            external_local: is_local(&spec.external_traffic_policy),
        })
    }

    /// Each address by which it is known outside of the cluster.
    pub(crate) fn outer_ips(&self) -> impl Iterator<Item = IpAddr> {
        self.external_ips.iter().chain(&self.balancer_ips).copied()
    }
}

/// Those that its load balancer does not answer by itself (`ipMode: Proxy`).
fn balancer_ips(service: &core::Service) -> Vec<IpAddr> {
    let status = service.status.iter().filter_map(|status| status.load_balancer.as_ref());
    status
        .flat_map(|balancer| balancer.ingress.iter().flatten())
        .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"))
        .filter_map(|ingress| ingress.ip.as_ref()?.parse().ok())
        .collect()
}

fn affinity(spec: &core::ServiceSpec) -> Option<u32> {
    if spec.session_affinity.as_deref() != Some("ClientIP") {
        return None;
    }
    let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    let seconds = config.and_then(|client| client.timeout_seconds);
    Some(seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(AFFINITY_SECONDS))
}

fn port(port: &core::ServicePort) -> Option<Port> {
    Some(Port {
        name: port.name.clone().unwrap_or_default(),
        protocol: Protocol::parse(port.protocol.as_deref())?,
        number: u16::try_from(port.port).ok()?,
        node_port: port
            .node_port
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port != 0),
    })
}
