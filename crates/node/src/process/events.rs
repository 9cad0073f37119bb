//! What people are told of a pod's containers: Events in the words of the kubelet, where they are true.

use std::path::Path;
use std::sync::Arc;

use cluster::{Notice, Recorder};
use k8s_openapi::api::core::v1::Pod;
use manifest::ObjectRef;

use super::life::{Container, Role};

/// Tells of one pod.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    recorder: Recorder,
    target: ObjectRef,
    uid: String,
    node: Arc<str>,
}

/// One thing that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    warning: bool,
    reason: &'static str,
    message: String,
}

impl Teller {
    pub(super) fn new(recorder: Recorder, pod: &Pod, node: &str) -> Self {
        let metadata = &pod.metadata;
        let target = ObjectRef {
            kind: "Pod",
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        };
        let uid = metadata.uid.clone().unwrap_or_default();
        Self { recorder, target, uid, node: node.into() }
    }

    /// Tells something of the pod.
    pub(super) fn tell(&self, event: Event) {
        self.record(event, None);
    }

    /// Tells something of one of its containers.
    pub(super) fn tell_of(&self, container: &Container, event: Event) {
        let list = if container.role == Role::App { "containers" } else { "initContainers" };
        self.record(event, Some(format!("spec.{list}{{{}}}", container.name)));
    }

    fn record(&self, event: Event, field: Option<String>) {
        let Event { warning, reason, message } = event;
        self.recorder.record(Notice {
            regarding: self.target.clone(),
            uid: self.uid.clone(),
            field,
            warning,
            reason,
            message,
            component: "kubelet",
            host: Some(self.node.clone()),
        });
    }
}

fn normal(reason: &'static str, message: String) -> Event {
    Event { warning: false, reason, message }
}

fn warning(reason: &'static str, message: String) -> Event {
    Event { warning: true, reason, message }
}

pub(super) fn pulled(image: &str, program: &Path) -> Event {
    let program = program.display();
    let message = format!("Image \"{image}\" runs as the program {program} of this machine");
    normal("Pulled", message)
}

pub(super) fn created(container: &str) -> Event {
    normal("Created", format!("Created container: {container}"))
}

pub(super) fn started(container: &str) -> Event {
    normal("Started", format!("Started container {container}"))
}

/// A container is ended, with its pod.
pub(super) fn killing(container: &str) -> Event {
    normal("Killing", format!("Stopping container {container}"))
}

/// A container is ended and starts again.
pub(super) fn unhealthy_killing(container: &str, probe: &str) -> Event {
    normal("Killing", format!("Container {container} failed {probe} probe, will be restarted"))
}

pub(super) fn back_off(container: &str, pod: &str) -> Event {
    warning("BackOff", format!("Back-off restarting failed container {container} in pod {pod}"))
}

/// A container could not be started.
pub(super) fn failed(error: &str) -> Event {
    warning("Failed", format!("Error: {error}"))
}

pub(super) fn image_failed(image: &str, message: &str) -> Event {
    warning("Failed", format!("Failed to pull image \"{image}\": {message}"))
}

pub(super) fn image_back_off(image: &str) -> Event {
    normal("BackOff", format!("Back-off pulling image \"{image}\""))
}

pub(super) fn failed_mount(message: String) -> Event {
    warning("FailedMount", message)
}

pub(super) fn failed_sandbox(message: &str) -> Event {
    warning("FailedCreatePodSandBox", format!("Failed to create pod sandbox: {message}"))
}

/// It was set up before, by an earlier life of this process.
pub(super) fn sandbox_changed() -> Event {
    normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.".to_owned())
}

pub(super) fn unhealthy(probe: &str, output: &str) -> Event {
    warning("Unhealthy", format!("{probe} probe failed: {output}"))
}

pub(super) fn probe_errored(probe: &str, error: &str) -> Event {
    warning("Unhealthy", format!("{probe} probe errored: {error}"))
}

pub(super) fn failed_post_start(message: String) -> Event {
    warning("FailedPostStartHook", format!("PostStartHook failed: {message}"))
}

pub(super) fn failed_pre_stop(message: String) -> Event {
    warning("FailedPreStopHook", format!("PreStopHook failed: {message}"))
}

pub(super) fn deadline() -> Event {
    normal(
        "DeadlineExceeded",
        "Pod was active on the node longer than the specified deadline".to_owned(),
    )
}
