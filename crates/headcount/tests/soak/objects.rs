//! The objects of a changing cluster, written through the API as a controller writes them.

use std::collections::HashSet;

use directory::Change;
use directory::view::{EndpointView, ServiceView, SliceView};
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::runtime::Handle;

const NAMESPACE: &str = "prod";

/// Writes changes one after another, each acknowledged before the next.
pub(crate) struct Objects {
    services: Api<Service>,
    slices: Api<EndpointSlice>,
    runtime: Handle,
    created: HashSet<String>,
}

impl Objects {
    pub(crate) fn new(client: Client, runtime: Handle) -> Self {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = object(json!({ "metadata": { "name": NAMESPACE } }));
        runtime
            .block_on(namespaces.create(&PostParams::default(), &namespace))
            .expect("a namespace");
        Self {
            services: Api::namespaced(client.clone(), NAMESPACE),
            slices: Api::namespaced(client, NAMESPACE),
            runtime,
            created: HashSet::new(),
        }
    }

    pub(crate) fn write(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Service(view) => self.service(&view),
                Change::Slice(view) => self.slice(&view),
                other => unreachable!("no such change is made: {other:?}"),
            }
        }
    }

    fn service(&self, view: &ServiceView) {
        let service = object(json!({
            "metadata": { "name": &*view.id.name },
            "spec": { "clusterIP": "None" },
        }));
        let params = PostParams::default();
        let created = self.services.create(&params, &service);
        self.runtime.block_on(created).expect("a Service");
    }

    fn slice(&mut self, view: &SliceView) {
        let name = &*view.id.name;
        let endpoints: Vec<Value> = view.endpoints.iter().map(endpoint).collect();
        if self.created.insert(name.to_owned()) {
            let slice = object(json!({
                "metadata": {
                    "name": name,
                    "labels": { "kubernetes.io/service-name": view.service.as_deref() },
                },
                "addressType": "IPv4",
                "endpoints": endpoints,
            }));
            let params = PostParams::default();
            let created = self.slices.create(&params, &slice);
            self.runtime.block_on(created).expect("a slice");
        } else {
            let patch = Patch::Merge(json!({ "endpoints": endpoints }));
            let params = PatchParams::default();
            let patched = self.slices.patch(name, &params, &patch);
            self.runtime.block_on(patched).expect("a changed slice");
        }
    }
}

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object of its kind")
}

fn endpoint(view: &EndpointView) -> Value {
    json!({
        "addresses": view.addresses,
        "hostname": view.hostname.as_deref(),
        "conditions": { "ready": view.ready },
    })
}
