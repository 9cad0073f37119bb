//! The subsets of Endpoints: addresses with the same ports are one subset (K: `api/v1/endpoints`, RepackSubsets).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset};

/// The most addresses in an Endpoints object.
const ADDRESSES_MAX: usize = 1000;

/// One address under one port; `None` for a headless Service without ports.
pub(super) struct Place {
    pub(super) address: EndpointAddress,
    pub(super) ready: bool,
    pub(super) port: Option<EndpointPort>,
}

type PortKey = (Option<String>, i32, Option<String>, Option<String>);
/// IP, pod's UID, pod's name, readiness.
type AddressKey = (String, Option<String>, Option<String>, bool);

fn port_key(port: &EndpointPort) -> PortKey {
    let EndpointPort { app_protocol, name, port, protocol } = port;
    (name.clone(), *port, protocol.clone(), app_protocol.clone())
}

/// Groups addresses that have the same ports, and sorts everything.
pub(super) fn repack(places: Vec<Place>) -> Vec<EndpointSubset> {
    let mut by_address: BTreeMap<AddressKey, (EndpointAddress, BTreeMap<PortKey, EndpointPort>)> =
        BTreeMap::new();
    for Place { address, ready, port } in places {
        let target = address.target_ref.as_ref();
        let key = (
            address.ip.clone(),
            target.and_then(|target| target.uid.clone()),
            target.and_then(|target| target.name.clone()),
            ready,
        );
        let (_, ports) = by_address.entry(key).or_insert_with(|| (address, BTreeMap::new()));
        if let Some(port) = port {
            ports.insert(port_key(&port), port);
        }
    }
    let mut by_ports: BTreeMap<Vec<PortKey>, EndpointSubset> = BTreeMap::new();
    for ((_, _, _, ready), (address, ports)) in by_address {
        let subset =
            by_ports.entry(ports.keys().cloned().collect()).or_insert_with(|| EndpointSubset {
                addresses: None,
                not_ready_addresses: None,
                ports: (!ports.is_empty()).then(|| ports.into_values().collect()),
            });
        let list = if ready { &mut subset.addresses } else { &mut subset.not_ready_addresses };
        list.get_or_insert_default().push(address);
    }
    by_ports.into_values().collect()
}

/// Cuts to 1,000 addresses: not-ready ones first, each subset in proportion. Whether anything was cut.
pub(super) fn truncate(subsets: &mut [EndpointSubset]) -> bool {
    let size = |list: &Option<Vec<EndpointAddress>>| list.as_ref().map_or(0, Vec::len);
    let ready: usize = subsets.iter().map(|subset| size(&subset.addresses)).sum();
    let not_ready: usize = subsets.iter().map(|subset| size(&subset.not_ready_addresses)).sum();
    if ready + not_ready <= ADDRESSES_MAX {
        return false;
    }
    let cut_ready = ready > ADDRESSES_MAX;
    let (room, total) =
        if cut_ready { (ADDRESSES_MAX, ready) } else { (ADDRESSES_MAX - ready, not_ready) };
    let mut left = room;
    for subset in subsets {
        let list = if cut_ready { &mut subset.addresses } else { &mut subset.not_ready_addresses };
        let share = (size(list) * room).div_ceil(total).min(left);
        if let Some(list) = list {
            list.truncate(share);
            left -= list.len();
        }
        if cut_ready {
            subset.not_ready_addresses = None;
        }
        subset.addresses.take_if(|list| list.is_empty());
        subset.not_ready_addresses.take_if(|list| list.is_empty());
    }
    true
}
