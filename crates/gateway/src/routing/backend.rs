//! Where requests for a Service go.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use crate::objects::{Name, Objects};

/// A port of a Service, as a rule names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortName {
    Number(i32),
    Name(String),
}

impl std::fmt::Display for PortName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

/// A Service's port that requests go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// `default/web port 80`: as it is spoken of.
    pub(crate) name: String,
    pub(crate) at: At,
}

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The cluster's network balances what goes to this address: its rules, not ours, say who is reached.
    ClusterIp(SocketAddr),
    /// A headless Service has no such address: its ready endpoints are chosen from here.
    Endpoints(Vec<SocketAddr>),
    /// Nobody would answer, and why.
    Nowhere(String),
}

/// What a rule refers to and is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    #[error("there is no Service {name} in namespace {namespace}")]
    Service { namespace: String, name: String },
    #[error("Service {service} has no port {port}: its ports are {has}")]
    Port { service: String, port: String, has: String },
}

/// Finds a Service's port, and who is behind it.
pub(crate) fn resolve(objects: &Objects, of: &Name, port: &PortName) -> Result<Backend, Missing> {
    let (namespace, name) = of;
    let Some(service) = objects.service(of) else {
        return Err(Missing::Service { namespace: namespace.clone(), name: name.clone() });
    };
    let spoken = format!("{namespace}/{name}");
    let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let Some(found) = ports.clone().find(|candidate| is_named(candidate, port)) else {
        let has: Vec<String> = ports.map(told).collect();
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        return Err(Missing::Port { service: spoken, port: port.to_string(), has });
    };
    let at = whereabouts(objects, of, service, found);
    Ok(Backend { name: format!("{spoken} port {}", found.port), at })
}

fn is_named(candidate: &ServicePort, port: &PortName) -> bool {
    let is_tcp = candidate.protocol.as_deref().unwrap_or("TCP") == "TCP";
    is_tcp
        && match port {
            PortName::Number(number) => candidate.port == *number,
            PortName::Name(name) => candidate.name.as_deref() == Some(name),
        }
}

fn told(port: &ServicePort) -> String {
    let number = port.port;
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    match port.name.as_deref() {
        Some(name) => format!("{number}/{protocol} ({name})"),
        None => format!("{number}/{protocol}"),
    }
}

fn whereabouts(objects: &Objects, of: &Name, service: &Service, port: &ServicePort) -> At {
    let spec = service.spec.as_ref();
    if spec.and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
        let name = spec.and_then(|spec| spec.external_name.as_deref()).unwrap_or_default();
        return At::Nowhere(format!(
            "it is of type ExternalName: {name} is a name outside of the cluster, and not served here"
        ));
    }
    let endpoints = Endpoints::of(objects.slices(of), port.name.as_deref().unwrap_or_default());
    if endpoints.usable.is_empty() {
        return At::Nowhere(endpoints.why(spec.is_some_and(|spec| spec.selector.is_some())));
    }
    let cluster_ip = spec.and_then(|spec| spec.cluster_ip.as_deref()).unwrap_or_default();
    match (cluster_ip, cluster_ip.parse::<IpAddr>()) {
        ("None", _) => At::Endpoints(endpoints.usable),
        (_, Ok(address)) => At::ClusterIp(SocketAddr::new(address, port.port as u16)),
        (_, Err(_)) => At::Nowhere("it has no ClusterIP yet".to_owned()),
    }
}

/// The endpoints of a Service's port.
struct Endpoints {
    usable: Vec<SocketAddr>,
    /// How many there are, usable or not.
    all: usize,
    /// Whether slices have the port at all.
    has_port: bool,
}

impl Endpoints {
    /// Those that are ready; without any, those that end and still serve, as kube-proxy has it.
    fn of<'s>(slices: impl Iterator<Item = &'s EndpointSlice>, port: &str) -> Self {
        let (mut ready, mut serving, mut all, mut has_port) = (Vec::new(), Vec::new(), 0, false);
        for slice in slices {
            all += slice.endpoints.iter().flatten().count();
            let mut ports = slice.ports.iter().flatten();
            let named =
                ports.find(|candidate| candidate.name.as_deref().unwrap_or_default() == port);
            let Some(number) = named.and_then(|port| u16::try_from(port.port?).ok()) else {
                continue;
            };
            has_port = true;
            for endpoint in slice.endpoints.iter().flatten() {
                let Some(Ok(address)) =
                    endpoint.addresses.first().map(|text| text.parse::<IpAddr>())
                else {
                    continue;
                };
                let address = SocketAddr::new(address, number);
                let conditions = endpoint.conditions.as_ref();
                let is = |condition: Option<bool>, default: bool| condition.unwrap_or(default);
                let is_ready = is(conditions.and_then(|conditions| conditions.ready), true);
                let is_serving = is(conditions.and_then(|conditions| conditions.serving), is_ready);
                let is_ending = is(conditions.and_then(|conditions| conditions.terminating), false);
                if is_ready {
                    ready.push(address);
                } else if is_serving && is_ending {
                    serving.push(address);
                }
            }
        }
        let usable = if ready.is_empty() { serving } else { ready };
        Self { usable, all, has_port }
    }

    /// Why none is usable.
    fn why(&self, has_selector: bool) -> String {
        match (self.all, self.has_port) {
            (0, _) if has_selector => "it has no endpoints: no pod that runs has the labels of its selector".to_owned(),
            (0, _) => "it has no endpoints, and no selector that would find some: its EndpointSlices are to be made by hand".to_owned(),
            (_, false) => "no endpoint has the port: its targetPort names a port that no container of the pods has".to_owned(),
            (1, true) => "its one endpoint is not ready".to_owned(),
            (all, true) => format!("none of its {all} endpoints is ready"),
        }
    }
}
