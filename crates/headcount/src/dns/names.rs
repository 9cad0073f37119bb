//! Changes that hold no memory of whoever read them.

use std::collections::HashSet;
use std::sync::Arc;

use directory::Change;
use directory::view::{
    EndpointView, ImportedFrom, ObjectName, PodView, ServicePort, ServiceShape, ServiceView,
    SlicePort, SliceView,
};

/// Names, each held once: thousands of objects share a namespace, a Service and its slices a name.
#[derive(Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    /// The same change in memory of this thread.
    pub(super) fn own(&mut self, change: &Change) -> Change {
        match change {
            Change::Namespace(name) => Change::Namespace(self.name(name)),
            Change::NamespaceGone(name) => Change::NamespaceGone(self.name(name)),
            Change::Service(view) => Change::Service(self.service(view)),
            Change::ServiceGone(id) => Change::ServiceGone(self.id(id)),
            Change::Import(view) => Change::Import(self.service(view)),
            Change::ImportGone(id) => Change::ImportGone(self.id(id)),
            Change::Slice(view) => Change::Slice(self.slice(view)),
            Change::SliceGone(id) => Change::SliceGone(self.id(id)),
            Change::Pod(PodView { id, addresses, subdomain }) => Change::Pod(PodView {
                id: self.id(id),
                addresses: addresses.clone(),
                subdomain: self.optional(subdomain),
            }),
            Change::PodGone(id) => Change::PodGone(self.id(id)),
        }
    }

    fn name(&mut self, name: &Arc<str>) -> Arc<str> {
        if let Some(own) = self.0.get(name) {
            return own.clone();
        }
        let own: Arc<str> = Arc::from(&**name);
        self.0.insert(own.clone());
        own
    }

    fn optional(&mut self, name: &Option<Arc<str>>) -> Option<Arc<str>> {
        name.as_ref().map(|name| self.name(name))
    }

    fn id(&mut self, id: &ObjectName) -> ObjectName {
        let ObjectName { namespace, name } = id;
        ObjectName { namespace: self.name(namespace), name: self.name(name) }
    }

    fn service(&mut self, view: &ServiceView) -> ServiceView {
        let ServiceView { id, shape, ports } = view;
        let shape = match shape {
            ServiceShape::ClusterIp(addresses) => ServiceShape::ClusterIp(addresses.clone()),
            ServiceShape::Headless => ServiceShape::Headless,
            ServiceShape::ExternalName(target) => ServiceShape::ExternalName(target.clone()),
        };
        let ports: Vec<ServicePort> = ports.clone();
        ServiceView { id: self.id(id), shape, ports }
    }

    fn slice(&mut self, view: &SliceView) -> SliceView {
        let SliceView { id, service, import, ports, endpoints } = view;
        let import = import.as_ref().map(|ImportedFrom { import, cluster }| ImportedFrom {
            import: self.name(import),
            cluster: self.name(cluster),
        });
        let ports: Vec<SlicePort> = ports.clone();
        SliceView {
            id: self.id(id),
            service: self.optional(service),
            import,
            ports,
            endpoints: endpoints.iter().map(|endpoint| self.endpoint(endpoint)).collect(),
        }
    }

    fn endpoint(&mut self, view: &EndpointView) -> EndpointView {
        let EndpointView { addresses, hostname, ready, serving, terminating, pod, zone } = view;
        EndpointView {
            addresses: addresses.clone(),
            hostname: self.optional(hostname),
            ready: *ready,
            serving: *serving,
            terminating: *terminating,
            pod: self.optional(pod),
            zone: self.optional(zone),
        }
    }
}
