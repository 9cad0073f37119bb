//! EndpointSlices of a Service from the pods that it selects (K: staging `k8s.io/endpointslice`).
//!
//! One set of slices per IP family; in it one group per distinct list of resolved ports; in a group at most 100
//! endpoints a slice. A change writes as few slices as it can: endpoints are replaced where they are, new ones top
//! up slices that change anyway, and only then others.

mod endpoint;
mod fill;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::labels::{HEADLESS, LAST_CHANGE, SERVICE_NAME, SLICE_CONTROLLER, SLICE_MANAGED_BY};
use manifest::{IpFamily, Object};

use crate::owner::{self, controlled_by};
use crate::service;
use crate::world::{Pod, names, selector};
use crate::{Action, Context, Decision, Key, World};
use endpoint::{ports_of, to_endpoint};
use fill::fill;

/// The resolved ports of a group, sorted: name, number, protocol, application protocol.
type Ports = Vec<(String, i32, String, Option<String>)>;

/// What to do to slices.
#[derive(Default)]
struct Changes {
    create: Vec<EndpointSlice>,
    update: Vec<EndpointSlice>,
    delete: Vec<Arc<EndpointSlice>>,
}

pub(crate) fn decide(world: &World, key: &Key, context: &mut Context<'_>) -> Decision {
    let Some(service) = world.get::<Service>(&key.namespace, &key.name) else {
        return Decision::default();
    };
    let (Some(spec), Some(selector)) = (service::selecting(service), selector(service)) else {
        return Decision::default();
    };
    let pods: Vec<&Pod> = world.pods_with(&key.namespace, selector).map(|pod| &**pod).collect();
    let families = service::families(spec);
    let mut changes = Changes::default();
    let mut by_family: BTreeMap<IpFamily, Vec<Arc<EndpointSlice>>> =
        families.iter().map(|family| (*family, Vec::new())).collect();
    for slice in world.slices_of(&key.namespace, &key.name).filter(|slice| ours(slice)) {
        let held = by_family.iter_mut().find(|(family, _)| family.as_str() == slice.address_type);
        match held {
            Some((_, slices)) if owner::owns(&**service, &slice.metadata) => {
                slices.push(slice.clone())
            }
            _ => changes.delete.push(slice.clone()),
        }
    }
    let labels = labels(service, spec);
    for (family, existing) in by_family {
        let group = Group { world, service, spec, family, labels: &labels };
        group.reconcile(&pods, existing, &mut changes);
    }
    changes.into_decision(world, service, &pods, context)
}

fn ours(slice: &EndpointSlice) -> bool {
    let managed_by = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SLICE_MANAGED_BY));
    managed_by.is_some_and(|name| name == SLICE_CONTROLLER)
        && slice.metadata.deletion_timestamp.is_none()
}

/// The labels of every slice: the Service's own, without those that the controller sets.
fn labels(service: &Service, spec: &ServiceSpec) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    if service::cluster_ip(spec).is_none() {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels.insert(SERVICE_NAME.to_owned(), service.metadata.name.clone().unwrap_or_default());
    labels.insert(SLICE_MANAGED_BY.to_owned(), SLICE_CONTROLLER.to_owned());
    labels
}

/// The slices of one Service and family.
struct Group<'a> {
    world: &'a World,
    service: &'a Service,
    spec: &'a ServiceSpec,
    family: IpFamily,
    labels: &'a BTreeMap<String, String>,
}

impl Group<'_> {
    fn reconcile(&self, pods: &[&Pod], existing: Vec<Arc<EndpointSlice>>, changes: &mut Changes) {
        let mut desired: BTreeMap<Ports, Vec<Endpoint>> = BTreeMap::new();
        for pod in pods {
            if let Some(endpoint) =
                to_endpoint(self.world, self.service, self.spec, self.family, pod)
            {
                desired.entry(ports_of(self.spec, pod)).or_default().push(endpoint);
            }
        }
        let count = existing.len();
        let mut held: BTreeMap<Ports, Vec<Arc<EndpointSlice>>> = BTreeMap::new();
        for slice in existing {
            held.entry(ports_key(slice.ports.as_deref())).or_default().push(slice);
        }
        let mut own = Changes::default();
        for (ports, endpoints) in desired {
            let slices = held.remove(&ports).unwrap_or_default();
            fill(self, &ports, endpoints, slices, &mut own);
        }
        own.delete.extend(held.into_values().flatten());
        if own.delete.len() == count && own.create.is_empty() {
            // Nothing would be left: one empty slice says so.
            let placeholder = self.slice(&Ports::new(), Vec::new());
            match own.delete.as_slice() {
                [only] if self.is_placeholder(only) => own.delete.clear(),
                _ => own.create.push(placeholder),
            }
        }
        own.recycle();
        changes.create.append(&mut own.create);
        changes.update.append(&mut own.update);
        changes.delete.append(&mut own.delete);
    }

    fn is_placeholder(&self, slice: &EndpointSlice) -> bool {
        slice.endpoints.as_ref().is_none_or(Vec::is_empty)
            && slice.ports.as_ref().is_none_or(Vec::is_empty)
            && slice.metadata.labels.as_ref() == Some(self.labels)
    }

    /// A new slice, still without a name.
    fn slice(&self, ports: &Ports, endpoints: Vec<Endpoint>) -> EndpointSlice {
        let (namespace, name) = names(self.service);
        EndpointSlice {
            metadata: ObjectMeta {
                generate_name: Some(format!("{name}-")),
                namespace: Some(namespace.to_owned()),
                labels: Some(self.labels.clone()),
                owner_references: Some(vec![controlled_by(self.service)]),
                ..ObjectMeta::default()
            },
            address_type: self.family.as_str().to_owned(),
            ports: Some(ports.iter().map(to_port).collect()),
            endpoints: Some(endpoints),
        }
    }
}

fn to_port(
    (name, port, protocol, app_protocol): &(String, i32, String, Option<String>),
) -> EndpointPort {
    EndpointPort {
        name: Some(name.clone()),
        port: Some(*port),
        protocol: Some(protocol.clone()),
        app_protocol: app_protocol.clone(),
    }
}

fn ports_key(ports: Option<&[EndpointPort]>) -> Ports {
    let mut key: Ports = ports
        .unwrap_or_default()
        .iter()
        .map(|EndpointPort { name, port, protocol, app_protocol }| {
            (
                name.clone().unwrap_or_default(),
                port.unwrap_or_default(),
                protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
                app_protocol.clone(),
            )
        })
        .collect();
    key.sort();
    key
}

impl Changes {
    /// Turns a slice to create and one to delete into an update of the latter: one write, and a watcher of the
    /// slices sees no gap between the two.
    fn recycle(&mut self) {
        while !self.create.is_empty() && !self.delete.is_empty() {
            let old = self.delete.remove(0);
            let new = self.create.remove(0);
            let mut slice = EndpointSlice::clone(&old);
            slice.metadata.labels = new.metadata.labels;
            slice.ports = new.ports;
            slice.endpoints = new.endpoints;
            self.update.push(slice);
        }
    }

    fn into_decision(
        self,
        world: &World,
        service: &Service,
        pods: &[&Pod],
        context: &mut Context<'_>,
    ) -> Decision {
        let mut actions = Vec::new();
        if self.create.is_empty() && self.update.is_empty() && self.delete.is_empty() {
            return Decision::default();
        }
        let changed =
            service::last_change(service, pods.iter().copied()).map(|time| time.to_string());
        let stamp = |slice: &mut EndpointSlice| {
            if let Some(time) = &changed {
                let annotations = slice.metadata.annotations.get_or_insert_default();
                annotations.insert(LAST_CHANGE.to_owned(), time.clone());
            }
        };
        // A Service that is going gets no new slices: garbage collection is removing the old ones.
        if service.metadata.deletion_timestamp.is_none() {
            let mut taken = BTreeSet::new();
            for mut slice in self.create {
                let namespace = slice.metadata.namespace.clone().unwrap_or_default();
                let prefix = slice.metadata.generate_name.clone().unwrap_or_default();
                let name = context.name(&prefix, |name| {
                    world.get::<EndpointSlice>(&namespace, name).is_some() || taken.contains(name)
                });
                taken.insert(name.clone());
                slice.metadata.name = Some(name);
                stamp(&mut slice);
                actions.push(Action::Create(Object::EndpointSlice(slice)));
            }
        }
        for mut slice in self.update {
            stamp(&mut slice);
            actions.push(Action::Update(Object::EndpointSlice(slice)));
        }
        for slice in self.delete {
            actions.push(Action::delete(&*slice));
        }
        actions.into()
    }
}
