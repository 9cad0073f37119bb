//! EndpointSlices.

use std::net::IpAddr;

use k8s_openapi::api::discovery::v1 as discovery;
use manifest::labels::{HEADLESS, SERVICE_NAME};

use super::Protocol;

/// What matters of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Name, protocol and number of each port.
    pub(crate) ports: Vec<(String, Protocol, u16)>,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// An endpoint, on whatever port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    pub(crate) node: Option<String>,
    pub(crate) ready: bool,
    /// It still answers though it is about to end.
    pub(crate) draining: bool,
}

impl Slice {
    /// The slice and the Service that it belongs to; `None` when it belongs to none that has an address, or its endpoints have none.
    pub(super) fn read(slice: &discovery::EndpointSlice) -> Option<(String, Self)> {
        let labels = slice.metadata.labels.as_ref()?;
        if slice.address_type == "FQDN" || labels.contains_key(HEADLESS) {
            return None;
        }
        let service = labels.get(SERVICE_NAME)?.clone();
        // A port without a number stands for all of them, which a Service cannot.
        let ports = slice.ports.iter().flatten().filter_map(|port| {
            let protocol = Protocol::parse(port.protocol.as_deref())?;
            let number = u16::try_from(port.port?).ok()?;
            Some((port.name.clone().unwrap_or_default(), protocol, number))
        });
        let endpoints = slice.endpoints.iter().flatten().filter_map(endpoint);
        Some((service, Self { ports: ports.collect(), endpoints: endpoints.collect() }))
    }
}

/// An endpoint by its first address: further ones have no meaning.
fn endpoint(endpoint: &discovery::Endpoint) -> Option<Endpoint> {
    let conditions = endpoint.conditions.as_ref();
    let ready = conditions.and_then(|conditions| conditions.ready).unwrap_or(true);
    let serving = conditions.and_then(|conditions| conditions.serving).unwrap_or(ready);
    let terminating = conditions.and_then(|conditions| conditions.terminating).unwrap_or(false);
    Some(Endpoint {
        address: endpoint.addresses.first()?.parse().ok()?,
        node: endpoint.node_name.clone(),
        ready,
        draining: serving && terminating,
    })
}
