//! EndpointSlices from the Endpoints of a Service without selector (K: `pkg/controller/endpointslicemirroring`).
//!
//! Per distinct list of ports and address family one slice, of at most 1,000 endpoints. The only condition told is
//! `ready`: Endpoints know no other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, Endpoints, Service};
use k8s_openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointPort as SlicePort, EndpointSlice,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::labels::{
    LAST_APPLIED, LAST_CHANGE, LEADER, MIRRORING_CONTROLLER, SERVICE_NAME, SKIP_MIRROR,
    SLICE_MANAGED_BY,
};
use manifest::{IpFamily, Object};

use crate::owner::controlled_by;
use crate::world::selector;
use crate::{Action, Context, Decision, Key, World};

/// The most endpoints mirrored of a subset.
const ENDPOINTS_MAX: usize = 1000;

/// A group: family and ports.
type Group = (IpFamily, Vec<(String, i32, String, Option<String>)>);

pub(crate) fn decide(world: &World, key: &Key, context: &mut Context<'_>) -> Decision {
    let mut existing: Vec<Arc<EndpointSlice>> = world
        .slices_of(&key.namespace, &key.name)
        .filter(|slice| {
            let labels = slice.metadata.labels.as_ref();
            labels.and_then(|labels| labels.get(SLICE_MANAGED_BY)).map(String::as_str)
                == Some(MIRRORING_CONTROLLER)
                && slice.metadata.deletion_timestamp.is_none()
        })
        .cloned()
        .collect();
    let endpoints = world.get::<Endpoints>(&key.namespace, &key.name);
    let service = world.get::<Service>(&key.namespace, &key.name);
    let unknown = (endpoints.is_none() && !world.synced("Endpoints"))
        || (service.is_none() && !world.synced("Service"));
    if unknown {
        return Decision::default();
    }
    let (Some(endpoints), Some(service)) = (endpoints, service) else {
        return existing.iter().map(|slice| Action::delete(&**slice)).collect::<Vec<_>>().into();
    };
    if selector(service).is_some() || skipped(endpoints) {
        return existing.iter().map(|slice| Action::delete(&**slice)).collect::<Vec<_>>().into();
    }

    let mut actions = Vec::new();
    let mut spare: Vec<Arc<EndpointSlice>> = Vec::new();
    let mut missing = Vec::new();
    let mut wanted = groups(endpoints);
    existing.retain(|slice| {
        let Some((group, list)) = wanted.remove_entry(&group_of(slice)) else {
            spare.push(slice.clone());
            return false;
        };
        let mut desired = slice_of(endpoints, &group, list);
        desired.metadata.namespace.clone_from(&slice.metadata.namespace);
        if !same(slice, &desired) {
            actions.push(Action::Update(Object::EndpointSlice(onto(slice, desired))));
        }
        true
    });
    missing.extend(wanted.into_iter().map(|(group, list)| slice_of(endpoints, &group, list)));
    if endpoints.metadata.deletion_timestamp.is_some() {
        missing.clear();
    }
    let mut taken = BTreeSet::new();
    for mut slice in missing {
        // A slice that is not wanted any more becomes the new one: a watcher sees no gap.
        if let Some(at) = spare.iter().position(|spare| spare.address_type == slice.address_type) {
            let old = spare.remove(at);
            actions.push(Action::Update(Object::EndpointSlice(onto(&old, slice))));
            continue;
        }
        let base = format!("{}-", key.name);
        let name = context.name(&base, |name| {
            world.get::<EndpointSlice>(&key.namespace, name).is_some() || taken.contains(name)
        });
        taken.insert(name.clone());
        slice.metadata.generate_name = Some(base);
        slice.metadata.name = Some(name);
        actions.push(Action::Create(Object::EndpointSlice(slice)));
    }
    actions.extend(spare.iter().map(|slice| Action::delete(&**slice)));
    actions.into()
}

fn skipped(endpoints: &Endpoints) -> bool {
    let labels = endpoints.metadata.labels.as_ref();
    let annotations = endpoints.metadata.annotations.as_ref();
    labels.and_then(|labels| labels.get(SKIP_MIRROR)).is_some_and(|value| value == "true")
        || annotations.is_some_and(|annotations| annotations.contains_key(LEADER))
}

/// The endpoints of each group; in one group an address appears once, ready if any subset says so first.
fn groups(endpoints: &Endpoints) -> BTreeMap<Group, Vec<Endpoint>> {
    let mut groups: BTreeMap<Group, BTreeMap<(IpAddr, Option<String>), Endpoint>> = BTreeMap::new();
    for subset in endpoints.subsets.iter().flatten() {
        let mut ports: Vec<_> = subset
            .ports
            .iter()
            .flatten()
            .map(|EndpointPort { app_protocol, name, port, protocol }| {
                let protocol = protocol.clone().unwrap_or_else(|| "TCP".to_owned());
                (name.clone().unwrap_or_default(), *port, protocol, app_protocol.clone())
            })
            .collect();
        ports.sort();
        let ready = subset.addresses.iter().flatten().map(|address| (address, true));
        let not_ready = subset.not_ready_addresses.iter().flatten().map(|address| (address, false));
        let all = ready.chain(not_ready).filter_map(|(address, ready)| {
            let ip = address.ip.parse::<IpAddr>().ok()?.to_canonical();
            Some((ip, address, ready))
        });
        for (ip, address, ready) in all.take(ENDPOINTS_MAX) {
            let group = groups.entry((IpFamily::of(ip), ports.clone())).or_default();
            group
                .entry((ip, address.target_ref.as_ref().and_then(|target| target.uid.clone())))
                .or_insert_with(|| to_endpoint(ip, address, ready));
        }
    }
    groups
        .into_iter()
        .map(|(group, endpoints)| (group, endpoints.into_values().take(ENDPOINTS_MAX).collect()))
        .collect()
}

fn to_endpoint(ip: IpAddr, address: &EndpointAddress, ready: bool) -> Endpoint {
    let EndpointAddress { hostname, ip: _, node_name, target_ref } = address.clone();
    Endpoint {
        addresses: vec![ip.to_string()],
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            serving: None,
            terminating: None,
        }),
        deprecated_topology: None,
        hints: None,
        hostname: hostname.filter(|hostname| !hostname.is_empty()),
        node_name,
        target_ref,
        zone: None,
    }
}

fn group_of(slice: &EndpointSlice) -> Group {
    let family = IpFamily::parse(&slice.address_type).unwrap_or(IpFamily::V4);
    let mut ports: Vec<_> = slice
        .ports
        .iter()
        .flatten()
        .map(|SlicePort { app_protocol, name, port, protocol }| {
            let protocol = protocol.clone().unwrap_or_else(|| "TCP".to_owned());
            (
                name.clone().unwrap_or_default(),
                port.unwrap_or_default(),
                protocol,
                app_protocol.clone(),
            )
        })
        .collect();
    ports.sort();
    (family, ports)
}

fn slice_of(endpoints: &Endpoints, (family, ports): &Group, list: Vec<Endpoint>) -> EndpointSlice {
    let metadata = &endpoints.metadata;
    let mut labels = metadata.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.to_owned(), metadata.name.clone().unwrap_or_default());
    labels.insert(SLICE_MANAGED_BY.to_owned(), MIRRORING_CONTROLLER.to_owned());
    let mut annotations = metadata.annotations.clone().unwrap_or_default();
    annotations.remove(LAST_CHANGE);
    annotations.remove(LAST_APPLIED);
    EndpointSlice {
        metadata: ObjectMeta {
            namespace: metadata.namespace.clone(),
            labels: Some(labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            owner_references: Some(vec![controlled_by(endpoints)]),
            ..ObjectMeta::default()
        },
        address_type: family.as_str().to_owned(),
        ports: Some(
            ports
                .iter()
                .map(|(name, port, protocol, app_protocol)| SlicePort {
                    app_protocol: app_protocol.clone(),
                    name: Some(name.clone()),
                    port: Some(*port),
                    protocol: Some(protocol.clone()),
                })
                .collect(),
        ),
        endpoints: Some(list),
    }
}

fn same(slice: &EndpointSlice, desired: &EndpointSlice) -> bool {
    slice.endpoints.as_deref().unwrap_or_default()
        == desired.endpoints.as_deref().unwrap_or_default()
        && slice.metadata.labels == desired.metadata.labels
        && slice.metadata.annotations.clone().unwrap_or_default()
            == desired.metadata.annotations.clone().unwrap_or_default()
        && slice.metadata.owner_references == desired.metadata.owner_references
}

/// The desired content under an existing slice's identity.
fn onto(slice: &EndpointSlice, desired: EndpointSlice) -> EndpointSlice {
    let mut updated = slice.clone();
    updated.metadata.labels = desired.metadata.labels;
    updated.metadata.annotations = desired.metadata.annotations;
    updated.metadata.owner_references = desired.metadata.owner_references;
    updated.ports = desired.ports;
    updated.endpoints = desired.endpoints;
    updated
}
