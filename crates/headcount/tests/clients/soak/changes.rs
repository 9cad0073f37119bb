//! Clients that change objects of several kinds at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::random::Random;

/// How many names there are of each kind: so few that changes meet, so many that an event that is lost is not made good
/// at once by the next one of the same object.
const NAMES: u64 = 24;

/// The running writers.
pub(super) struct Writers {
    tasks: Vec<JoinHandle<usize>>,
    serving: watch::Sender<bool>,
    ended: Arc<AtomicBool>,
}

impl Writers {
    /// Starts so many writers.
    pub(super) fn start(client: &Client, namespace: &str, count: u64) -> Self {
        let (serving, _) = watch::channel(true);
        let ended = Arc::new(AtomicBool::new(false));
        let tasks = (0..count).map(|number| {
            let writer = Writer {
                name: format!("writer-{number}"),
                random: Random::new(number),
                services: Api::namespaced(client.clone(), namespace),
                config_maps: Api::namespaced(client.clone(), namespace),
                sets: Api::namespaced(client.clone(), namespace),
                pods: Api::namespaced(client.clone(), namespace),
            };
            tokio::spawn(writer.run(serving.subscribe(), ended.clone()))
        });
        Self { tasks: tasks.collect(), serving, ended }
    }

    /// Begin nothing new: the server is about to go away.
    pub(super) fn hold(&self) {
        self.serving.send_replace(false);
    }

    /// Go on.
    pub(super) fn resume(&self) {
        self.serving.send_replace(true);
    }

    /// Ends all; how many changes they made.
    pub(super) async fn stop(self) -> usize {
        self.ended.store(true, Ordering::Relaxed);
        let counts = join_all(self.tasks).await;
        counts.into_iter().map(|count| count.expect("a writer ends well")).sum()
    }
}

struct Writer {
    name: String,
    random: Random,
    services: Api<Service>,
    config_maps: Api<ConfigMap>,
    sets: Api<StatefulSet>,
    pods: Api<Pod>,
}

impl Writer {
    async fn run(mut self, mut serving: watch::Receiver<bool>, ended: Arc<AtomicBool>) -> usize {
        let mut changes = 0;
        // Requests that fail in a row without an answer; a few do when the server has been replaced.
        let mut unanswered = 0;
        while !ended.load(Ordering::Relaxed) {
            if serving.wait_for(|serving| *serving).await.is_err() {
                break; // the test has failed
            }
            match self.change().await {
                Ok(()) => (changes, unanswered) = (changes + 1, 0),
                // Another writer, or a controller, was faster; or the change does not fit what is there.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => {
                    unanswered = 0
                }
                Err(error @ kube::Error::Api(_)) => panic!("{}: {error}", self.name),
                Err(error) => {
                    unanswered += 1;
                    assert!(unanswered < 10 || !*serving.borrow(), "{}: {error}", self.name);
                }
            }
        }
        changes
    }

    /// Makes one change.
    async fn change(&mut self) -> kube::Result<()> {
        let name = format!("n{}", self.random.below(NAMES));
        let colour = self.random.one_of(&["red", "blue"]);
        let (post, patch, deletion) = (self.post(), self.patch(), self.deletion());
        match self.random.below(15) {
            0 | 1 => {
                let service = self.service(&name, colour);
                self.services.create(&post, &made(service)).await.map(drop)
            }
            2 => {
                let service = self.service(&name, colour);
                let parameters = PatchParams::apply(&self.name).force();
                self.services.patch(&name, &parameters, &Patch::Apply(service)).await.map(drop)
            }
            3 => {
                let label = json!({ "metadata": { "labels": { "colour": colour } } });
                self.services.patch(&name, &patch, &Patch::Merge(label)).await.map(drop)
            }
            4 => {
                let ports = json!({ "spec": { "ports": [{ "port": 80, "targetPort": self.random.below(9) + 1 }] } });
                self.services.patch(&name, &patch, &Patch::Strategic(ports)).await.map(drop)
            }
            5 => {
                let operations = json!([
                    { "op": "test", "path": "/metadata/labels/colour", "value": "red" },
                    { "op": "replace", "path": "/metadata/labels/colour", "value": "blue" },
                ]);
                let operations =
                    Patch::Json::<()>(serde_json::from_value(operations).expect("a patch"));
                self.services.patch(&name, &patch, &operations).await.map(drop)
            }
            6 => self.services.delete(&name, &deletion).await.map(drop),
            7 => self.sets.create(&post, &made(set(&name, self.random.below(3)))).await.map(drop),
            8 => {
                let scale = json!({ "spec": { "replicas": self.random.below(3) } });
                self.sets.patch_scale(&name, &patch, &Patch::Merge(scale)).await.map(drop)
            }
            9 => self.sets.delete(&name, &deletion).await.map(drop),
            10 => {
                let map = json!({ "metadata": { "name": name, "labels": { "colour": colour } } });
                self.config_maps.create(&post, &made(map)).await.map(drop)
            }
            11 => {
                let mut map = self.config_maps.get(&name).await?;
                map.labels_mut().insert("colour".to_owned(), colour.to_owned());
                map.data.get_or_insert_default().insert("by".to_owned(), self.name.clone());
                self.config_maps.replace(&name, &post, &map).await.map(drop)
            }
            12 => {
                let (all, blue) =
                    (DeleteParams::default(), ListParams::default().labels("colour=blue"));
                self.config_maps.delete_collection(&all, &blue).await.map(drop)
            }
            13 => self.meddle(&name).await,
            _ => {
                let pods = self.pods.list_metadata(&ListParams::default().limit(3)).await?;
                let names: Vec<String> = pods.items.iter().map(|pod| pod.name_any()).collect();
                let Some(name) = names.first() else { return Ok(()) };
                let ready = self.random.one_of(&["true", "false"]);
                let annotation =
                    json!({ "metadata": { "annotations": { "headcount.dev/ready": ready } } });
                self.pods.patch(name, &patch, &Patch::Merge(annotation)).await.map(drop)
            }
        }
    }

    /// Spoils what the controller made.
    async fn meddle(&mut self, name: &str) -> kube::Result<()> {
        let name = format!("{name}-seen");
        if self.random.below(2) == 0 {
            return self.config_maps.delete(&name, &DeleteParams::default()).await.map(drop);
        }
        let lie = json!({ "data": { "ports": "none" } });
        self.config_maps.patch(&name, &self.patch(), &Patch::Merge(lie)).await.map(drop)
    }

    fn post(&self) -> PostParams {
        PostParams { field_manager: Some(self.name.clone()), ..PostParams::default() }
    }

    fn patch(&self) -> PatchParams {
        PatchParams { field_manager: Some(self.name.clone()), ..PatchParams::default() }
    }

    fn deletion(&mut self) -> DeleteParams {
        let policies = [DeleteParams::background, DeleteParams::foreground, DeleteParams::orphan];
        self.random.one_of(&policies)()
    }

    fn service(&mut self, name: &str, colour: &str) -> Value {
        let ports = json!([{ "port": 80, "targetPort": self.random.below(9) + 1 }]);
        let spec = match self.random.below(3) {
            0 => json!({ "clusterIP": "None", "selector": { "app": name }, "ports": ports }),
            1 => json!({ "selector": { "app": name }, "ports": ports }),
            _ => {
                json!({ "type": "ExternalName", "externalName": "db.example.com", "ports": ports })
            }
        };
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": name, "labels": { "colour": colour } },
            "spec": spec,
        })
    }
}

fn set(name: &str, replicas: u64) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "podManagementPolicy": "Parallel",
            "serviceName": name,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "c", "image": "i" }] },
            },
        },
    })
}

fn made<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).expect("an object of the kind")
}
