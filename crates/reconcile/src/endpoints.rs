//! Endpoints of a Service from the pods that it selects (K: `pkg/controller/endpoint`).
//!
//! The older form of EndpointSlices: one object a Service, its first IP family only, at most 1,000 addresses.

mod subsets;

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, Endpoints, Service, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::Object;
use manifest::labels::{
    ENDPOINTS_CONTROLLER, ENDPOINTS_MANAGED_BY, HEADLESS, LAST_CHANGE, OVER_CAPACITY,
};

use crate::pod;
use crate::service;
use crate::world::{Pod, names, selector};
use crate::{Action, Decision, Key, World};
use subsets::{Place, repack, truncate};

pub(crate) fn decide(world: &World, key: &Key) -> Decision {
    let current = world.get::<Endpoints>(&key.namespace, &key.name);
    let Some(service) = world.get::<Service>(&key.namespace, &key.name) else {
        return match current {
            Some(endpoints) if world.synced("Service") => vec![Action::delete(&**endpoints)].into(),
            _ => Decision::default(),
        };
    };
    let (Some(spec), Some(selector)) = (service::selecting(service), selector(service)) else {
        return Decision::default();
    };
    let pods: Vec<&Pod> = world.pods_with(&key.namespace, selector).map(|pod| &**pod).collect();
    let mut places = Vec::new();
    for pod in &pods {
        place(service, spec, pod, &mut places);
    }
    let mut subsets = repack(places);
    let truncated = truncate(&mut subsets);
    let labels = labels(service, spec);

    if let Some(current) = current {
        let marked = current.metadata.annotations.as_ref().and_then(|has| has.get(OVER_CAPACITY));
        if current.subsets.as_deref().unwrap_or_default() == subsets
            && current.metadata.labels.as_ref() == Some(&labels)
            && marked.is_some() == truncated
        {
            return Decision::default();
        }
    } else if service.metadata.deletion_timestamp.is_some() {
        return Decision::default();
    }

    let mut endpoints = match current {
        Some(current) => Endpoints::clone(current),
        None => Endpoints {
            metadata: ObjectMeta {
                namespace: Some(key.namespace.clone()),
                name: Some(key.name.clone()),
                ..ObjectMeta::default()
            },
            subsets: None,
        },
    };
    endpoints.metadata.labels = Some(labels);
    endpoints.subsets = (!subsets.is_empty()).then_some(subsets);
    let mut annotations = endpoints.metadata.annotations.take().unwrap_or_default();
    match service::last_change(service, pods.iter().copied()) {
        Some(time) => annotations.insert(LAST_CHANGE.to_owned(), time.to_string()),
        None => annotations.remove(LAST_CHANGE),
    };
    if truncated {
        annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    } else {
        annotations.remove(OVER_CAPACITY);
    }
    endpoints.metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    let object = Object::Endpoints(endpoints);
    vec![if current.is_some() { Action::Update(object) } else { Action::Create(object) }].into()
}

fn labels(service: &Service, spec: &ServiceSpec) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    if service::cluster_ip(spec).is_none() {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels.insert(ENDPOINTS_MANAGED_BY.to_owned(), ENDPOINTS_CONTROLLER.to_owned());
    labels
}

/// Where one pod goes: its address under each of its ports.
fn place(service: &Service, spec: &ServiceSpec, pod: &Pod, places: &mut Vec<Place>) {
    let published = service::publishes_not_ready(spec);
    if !service::eligible(pod) || (pod::terminating(pod) && !published) {
        return;
    }
    let Some(address) = address(spec, pod) else { return };
    let (_namespace, _name) = names(pod);
    let address = EndpointAddress {
        hostname: service::hostname(pod, names(service).1).map(str::to_owned),
        ip: address.to_string(),
        node_name: pod::node(pod).map(str::to_owned),
        target_ref: Some(pod::target_ref(pod)),
    };
    let ready = published || pod.is_ready();
    let ports = spec.ports.as_deref().unwrap_or_default();
    if ports.is_empty() {
        // Only a headless Service may be without ports.
        if service::cluster_ip(spec).is_none() {
            places.push(Place { address, ready, port: None });
        }
        return;
    }
    for port in ports {
        let Some(number) = service::target_of(pod, port) else { continue };
        let port = EndpointPort {
            app_protocol: port.app_protocol.clone(),
            name: port.name.clone().filter(|name| !name.is_empty()),
            port: number,
            protocol: Some(service::protocol(port).to_owned()),
        };
        places.push(Place { address: address.clone(), ready, port: Some(port) });
    }
}

/// The pod's address of the Service's first family; when the Service tells none, the pod's first.
fn address(spec: &ServiceSpec, pod: &Pod) -> Option<IpAddr> {
    let stated = spec.ip_families.as_ref().is_some_and(|families| !families.is_empty());
    let families = service::families(spec);
    if stated || service::cluster_ip(spec).is_some() {
        return service::addresses(pod, *families.first()?).next();
    }
    pod.addresses.first().copied()
}
