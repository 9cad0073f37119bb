//! A whole API, with its controllers, in the process.

use std::sync::Arc;
use std::time::Duration;

use api::ApiServer;
use api::store::Memory;
use cluster::{Controllers, Recorder, RunningWatches, Watches, apply};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use manifest::{Kind, KindId};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use crate::lab::Lab;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Whole {
    pub(crate) client: Client,
    pub(crate) watches: RunningWatches,
    _controllers: Controllers,
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Whole {
    /// Watches to subscribe to before they are started.
    pub(crate) async fn begin(lab: &Lab) -> (Watches, Recorder, Controllers) {
        let ranges = lab.config.service_ranges.clone();
        let config = api::Config::new(ranges, "192.0.2.1:6443".parse().unwrap());
        let server = ApiServer::new(Arc::new(Memory::new()), config).unwrap();
        server.bootstrap().await.unwrap();
        let client = Client::new(server, "default");
        let mut watches = Watches::new(client.clone());
        let recorder = Recorder::start(client, watches.activity().clone());
        let controllers = Controllers::start(&mut watches, recorder.clone());
        (watches, recorder, controllers)
    }

    pub(crate) fn start(watches: Watches, controllers: Controllers) -> Self {
        let client = watches.client().clone();
        Self { client, watches: watches.start(), _controllers: controllers }
    }

    /// Applies a manifest and waits for what follows.
    pub(crate) async fn apply(&self, manifest: Value) {
        let text = |field: &str| manifest[field].as_str().unwrap();
        let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
        let applied = apply(&self.client, kind, &manifest, "default").await.unwrap();
        applied.await_in(self.watches.activity());
        self.idle().await;
    }

    /// Says what a pod's node would.
    pub(crate) async fn write_status(&self, pod: &str, status: &Value) {
        let pods = Api::<Pod>::default_namespaced(self.client.clone());
        let patch = Patch::Merge(json!({ "status": status }));
        let pod = pods.patch_status(pod, &PatchParams::default(), &patch).await.unwrap();
        self.watches.activity().wrote(KindId::Pod, pod.metadata.resource_version.as_deref());
        self.idle().await;
    }

    pub(crate) async fn idle(&self) {
        timeout(PATIENCE, self.watches.idle()).await.expect("idle in time");
    }

    /// What the first Event of this reason says.
    pub(crate) async fn told(&self, reason: &str) -> String {
        let events = Api::<Event>::default_namespaced(self.client.clone());
        let look = async {
            loop {
                let listed = events.list(&ListParams::default()).await.unwrap();
                let mut listed = listed.items.into_iter();
                if let Some(event) = listed.find(|event| event.reason.as_deref() == Some(reason)) {
                    return event.message.unwrap_or_default();
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, look).await.expect("an Event in time")
    }
}
