//! The objects that routing is decided from, as the watches tell them.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::gateway::{Gateway, GatewayClass, HTTPRoute, ReferenceGrant};
use manifest::labels::SERVICE_NAME;
use manifest::{Object, ObjectRef, Stored};
use serde::de::DeserializeOwned;
use tokio_rustls::rustls::sign::CertifiedKey;

/// Namespace and name.
pub(crate) type Name = (String, String);

/// The name of an object.
pub(crate) fn name_of(metadata: &ObjectMeta) -> Name {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// A certificate with its key, or why there is none.
pub(crate) type Certificate = Result<Arc<CertifiedKey>, String>;

/// Everything that routing looks at.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) ingresses: BTreeMap<Name, Ingress>,
    pub(crate) ingress_classes: BTreeMap<String, IngressClass>,
    pub(crate) gateway_classes: BTreeMap<String, GatewayClass>,
    pub(crate) gateways: BTreeMap<Name, Gateway>,
    pub(crate) routes: BTreeMap<Name, HTTPRoute>,
    pub(crate) grants: BTreeMap<Name, ReferenceGrant>,
    /// The labels of namespaces.
    pub(crate) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    services: BTreeMap<Name, Arc<Object>>,
    slices: BTreeMap<Name, Arc<Object>>,
    /// The names of the slices of each Service.
    slices_of: BTreeMap<Name, Vec<Name>>,
    /// Versions of Secrets.
    pub(crate) secrets: BTreeMap<Name, String>,
    /// What was read from those Secrets that are referred to.
    pub(crate) certificates: BTreeMap<Name, Certificate>,
}

impl Objects {
    /// Takes in an object. Whether it is one that routing looks at.
    pub(crate) fn apply(&mut self, object: Arc<Object>) -> bool {
        let name = name_of(object.metadata());
        match &*object {
            Object::Service(_) => {
                self.services.insert(name, object);
            }
            Object::EndpointSlice(slice) => {
                let service = service_of(slice);
                self.forget_slice(&name);
                if let Some(service) = service {
                    self.slices_of.entry(service).or_default().push(name.clone());
                }
                self.slices.insert(name, object);
            }
            Object::Namespace(namespace) => {
                let labels = namespace.metadata.labels.clone().unwrap_or_default();
                self.namespaces.insert(name.1, labels);
            }
            Object::Stored(stored) => match stored.kind {
                Stored::Ingress => put(&mut self.ingresses, name, &object),
                Stored::IngressClass => put(&mut self.ingress_classes, name.1, &object),
                Stored::GatewayClass => put(&mut self.gateway_classes, name.1, &object),
                Stored::Gateway => put(&mut self.gateways, name, &object),
                Stored::HTTPRoute => put(&mut self.routes, name, &object),
                Stored::ReferenceGrant => put(&mut self.grants, name, &object),
                Stored::Secret => {
                    let version = stored.metadata.resource_version.clone().unwrap_or_default();
                    self.secrets.insert(name, version);
                }
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    /// Forgets an object.
    pub(crate) fn remove(&mut self, gone: &ObjectRef) {
        let name = (gone.namespace.clone(), gone.name.clone());
        match gone.kind {
            "Service" => drop(self.services.remove(&name)),
            "EndpointSlice" => self.forget_slice(&name),
            "Namespace" => drop(self.namespaces.remove(&name.1)),
            "Ingress" => drop(self.ingresses.remove(&name)),
            "IngressClass" => drop(self.ingress_classes.remove(&name.1)),
            "GatewayClass" => drop(self.gateway_classes.remove(&name.1)),
            "Gateway" => drop(self.gateways.remove(&name)),
            "HTTPRoute" => drop(self.routes.remove(&name)),
            "ReferenceGrant" => drop(self.grants.remove(&name)),
            "Secret" => {
                self.secrets.remove(&name);
                self.certificates.remove(&name);
            }
            _ => {}
        }
    }

    fn forget_slice(&mut self, name: &Name) {
        let Some(object) = self.slices.remove(name) else { return };
        let Object::EndpointSlice(slice) = &*object else { return };
        let Some(service) = service_of(slice) else { return };
        if let Some(names) = self.slices_of.get_mut(&service) {
            names.retain(|other| other != name);
            if names.is_empty() {
                self.slices_of.remove(&service);
            }
        }
    }

    /// A Service.
    pub(crate) fn service(&self, name: &Name) -> Option<&Service> {
        match &**self.services.get(name)? {
            Object::Service(service) => Some(service),
            _ => None,
        }
    }

    /// The slices of a Service.
    pub(crate) fn slices(&self, of: &Name) -> impl Iterator<Item = &EndpointSlice> {
        self.slices_of.get(of).into_iter().flatten().filter_map(|name| {
            match &**self.slices.get(name)? {
                Object::EndpointSlice(slice) => Some(slice),
                _ => None,
            }
        })
    }
}

/// Reads an object as its type. What the API took fits; what does not is none of ours to act on.
fn put<K: Ord, T: DeserializeOwned>(objects: &mut BTreeMap<K, T>, name: K, object: &Object) {
    match serde_json::from_value(object.to_value()) {
        Ok(typed) => drop(objects.insert(name, typed)),
        Err(error) => {
            let reference = object.reference();
            tracing::warn!(
                kind = reference.kind,
                namespace = reference.namespace,
                name = reference.name,
                %error,
                "cannot be read, and is left out of the routes"
            );
            objects.remove(&name);
        }
    }
}

/// The Service that a slice is of.
fn service_of(slice: &EndpointSlice) -> Option<Name> {
    let service = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    Some((slice.metadata.namespace.clone().unwrap_or_default(), service.clone()))
}
