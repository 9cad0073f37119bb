//! What the rules follow from: objects, trimmed to what matters here, as they arrive.

mod node;
mod pod;
mod policy;
mod service;
mod slice;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use manifest::{Object, ObjectRef};

pub(crate) use node::Node;
pub(crate) use pod::Pod;
pub(crate) use policy::{Peer, Policy, PolicyPort, PolicyRule};
pub(crate) use service::{Port, Service};
pub(crate) use slice::{Endpoint, Slice};

/// Namespace and name.
pub(crate) type Key = (String, String);

/// A protocol that ports belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// `TCP`
    Tcp,
    /// `UDP`
    Udp,
    /// `SCTP`
    Sctp,
}

impl Protocol {
    /// Reads `TCP`, `UDP` or `SCTP`; TCP where nothing is said.
    pub(crate) fn parse(text: Option<&str>) -> Option<Self> {
        match text.unwrap_or("TCP") {
            "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            "SCTP" => Some(Self::Sctp),
            _ => None,
        }
    }

    /// As nftables writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// The objects. Whatever the order in which they arrived, it is the same; only a policy that does not say which pods it isolates stays as
/// it was before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    pub(crate) services: BTreeMap<Key, Service>,
    /// By Service, then by the slice's own name.
    pub(crate) slices: BTreeMap<Key, BTreeMap<String, Slice>>,
    /// Which Service a slice belongs to.
    slice_owners: BTreeMap<Key, String>,
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) pods: BTreeMap<Key, Pod>,
    /// Labels by name.
    pub(crate) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) policies: BTreeMap<Key, Policy>,
}

impl World {
    /// An object was listed, added or changed. Whether anything follows from that.
    ///
    /// # Errors
    ///
    /// What cannot be understood of it, and what that means; the rest of it counts.
    pub fn apply(&mut self, object: &Object) -> Result<bool, String> {
        let ObjectRef { kind: _, namespace, name } = object.reference();
        let key = (namespace, name);
        let changed = match object {
            Object::Service(service) => replace(&mut self.services, key, Service::read(service)),
            Object::EndpointSlice(slice) => self.apply_slice(key, Slice::read(slice)),
            Object::Node(node) => replace(&mut self.nodes, key.1, Some(Node::read(node))),
            Object::Pod(pod) => replace(&mut self.pods, key, Pod::read(pod)),
            Object::Namespace(namespace) => {
                let labels = namespace.metadata.labels.clone().unwrap_or_default();
                replace(&mut self.namespaces, key.1, Some(labels))
            }
            Object::Stored(stored) => match Policy::read(stored) {
                Ok(None) => false,
                Ok(Some((policy, wrong))) => {
                    let changed = replace(&mut self.policies, key, Some(policy));
                    if !wrong.is_empty() {
                        return Err(wrong.join("; "));
                    }
                    changed
                }
                // What isolated pods up to now goes on doing so.
                Err(error) => {
                    let so = match self.policies.contains_key(&key) {
                        true => "the policy stays as it was before",
                        false => "the policy isolates no pods",
                    };
                    return Err(format!("{error}; {so}"));
                }
            },
            Object::Endpoints(_)
            | Object::StatefulSet(_)
            | Object::Deployment(_)
            | Object::ReplicaSet(_)
            | Object::ControllerRevision(_)
            | Object::Event(_) => false,
        };
        Ok(changed)
    }

    /// An object is gone. Whether anything follows from that.
    pub fn remove(&mut self, target: &ObjectRef) -> bool {
        let key = (target.namespace.clone(), target.name.clone());
        match target.kind {
            "Service" => self.services.remove(&key).is_some(),
            "EndpointSlice" => self.apply_slice(key, None),
            "Node" => self.nodes.remove(&key.1).is_some(),
            "Pod" => self.pods.remove(&key).is_some(),
            "Namespace" => self.namespaces.remove(&key.1).is_some(),
            "NetworkPolicy" => self.policies.remove(&key).is_some(),
            _ => false,
        }
    }

    fn apply_slice(&mut self, key: Key, slice: Option<(String, Slice)>) -> bool {
        let (namespace, name) = key;
        let owner = slice.as_ref().map(|(service, _)| service.clone());
        let key = (namespace.clone(), name.clone());
        let before = match &owner {
            Some(owner) => self.slice_owners.insert(key, owner.clone()),
            None => self.slice_owners.remove(&key),
        };
        let mut changed = false;
        if let Some(before) = before.filter(|before| Some(before) != owner.as_ref()) {
            let of = (namespace.clone(), before);
            if let Some(slices) = self.slices.get_mut(&of) {
                changed |= slices.remove(&name).is_some();
                if slices.is_empty() {
                    self.slices.remove(&of);
                }
            }
        }
        if let Some((service, slice)) = slice {
            let slices = self.slices.entry((namespace, service)).or_default();
            changed |= replace(slices, name, Some(slice));
        }
        changed
    }
}

/// Puts a value in its place, or empties it. Whether that is a change.
fn replace<K: Ord, V: PartialEq>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> bool {
    match value {
        Some(value) if map.get(&key) == Some(&value) => false,
        Some(value) => {
            map.insert(key, value);
            true
        }
        None => map.remove(&key).is_some(),
    }
}
