//! What a pod gets that its author left out (Kubernetes' `SetDefaults_Pod*`, `_Container`, `_Probe`).

use serde_json::{Map, Value};

use crate::rules::defaults::{existing, items, object, set, text};

/// Mode 0644, as the API writes it.
const FILE_MODE: i64 = 0o644;

/// A pod's own defaults, then those of its spec.
pub(crate) fn default(pod: &mut Map<String, Value>) {
    let Some(spec) = object(pod, "spec") else { return };
    set(spec, "enableServiceLinks", true);
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            requests_from_limits(container);
        }
    }
    default_spec(spec);
}

/// The template under `template`.
pub(crate) fn default_template(spec: &mut Map<String, Value>) {
    if let Some(template) = object(spec, "template") {
        if let Some(metadata) = existing(template, "metadata") {
            // The stored form has no namespace here; the pod gets that of its owner.
            metadata.remove("creationTimestamp");
        }
        if let Some(spec) = object(template, "spec") {
            default_spec(spec);
        }
    }
}

fn default_spec(spec: &mut Map<String, Value>) {
    set(spec, "dnsPolicy", "ClusterFirst");
    set(spec, "restartPolicy", "Always");
    set(spec, "terminationGracePeriodSeconds", 30);
    set(spec, "schedulerName", "default-scheduler");
    object(spec, "securityContext");
    // The older name of the field is kept equal.
    let account = text(spec, "serviceAccountName").to_owned();
    let older = text(spec, "serviceAccount").to_owned();
    if !account.is_empty() {
        spec.insert("serviceAccount".to_owned(), account.into());
    } else if !older.is_empty() {
        spec.insert("serviceAccountName".to_owned(), older.into());
    }
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            default_container(container, host_network);
        }
    }
    for volume in items(spec, "volumes") {
        default_volume(volume);
    }
}

fn default_container(container: &mut Map<String, Value>, host_network: bool) {
    set(container, "imagePullPolicy", pull_policy(text(container, "image")));
    set(container, "terminationMessagePath", "/dev/termination-log");
    set(container, "terminationMessagePolicy", "File");
    object(container, "resources");
    for port in items(container, "ports") {
        set(port, "protocol", "TCP");
        if host_network {
            let number = port.get("containerPort").cloned().unwrap_or_default();
            set(port, "hostPort", number);
        }
    }
    for variable in items(container, "env") {
        if let Some(field) =
            existing(variable, "valueFrom").and_then(|from| existing(from, "fieldRef"))
        {
            set(field, "apiVersion", "v1");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = existing(container, probe) {
            set(probe, "timeoutSeconds", 1);
            set(probe, "periodSeconds", 10);
            set(probe, "successThreshold", 1);
            set(probe, "failureThreshold", 3);
            default_http(probe);
            if let Some(grpc) = existing(probe, "grpc") {
                set(grpc, "service", "");
            }
        }
    }
    if let Some(lifecycle) = existing(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = existing(lifecycle, hook) {
                default_http(hook);
            }
        }
    }
}

fn default_http(handler: &mut Map<String, Value>) {
    if let Some(http) = existing(handler, "httpGet") {
        set(http, "path", "/");
        set(http, "scheme", "HTTP");
    }
}

/// An image of no tag or of the tag `latest` is pulled each time; one of another tag or a digest is kept.
fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        None | Some((_, "latest" | "")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

/// A pod asks for what it is limited to, unless it says otherwise.
fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(resources) = existing(container, "resources") else { return };
    let limits = resources.get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
    if limits.is_empty() {
        return;
    }
    if let Some(requests) = object(resources, "requests") {
        for (name, quantity) in limits {
            set(requests, &name, quantity);
        }
    }
}

fn default_volume(volume: &mut Map<String, Value>) {
    if volume.keys().all(|key| key == "name") {
        object(volume, "emptyDir");
    }
    for source in ["configMap", "secret", "projected", "downwardAPI"] {
        if let Some(source) = existing(volume, source) {
            set(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(host) = existing(volume, "hostPath") {
        set(host, "type", "");
    }
    if let Some(projected) = existing(volume, "projected") {
        for source in items(projected, "sources") {
            if let Some(token) = existing(source, "serviceAccountToken") {
                set(token, "expirationSeconds", 3600);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pull_policies() {
        for (image, expected) in [
            ("redis", "Always"),
            ("redis:latest", "Always"),
            ("redis:7", "IfNotPresent"),
            ("registry:5000/redis", "Always"),
            ("registry:5000/redis:7", "IfNotPresent"),
            ("redis@sha256:0123", "IfNotPresent"),
            ("", "Always"),
        ] {
            assert_eq!(pull_policy(image), expected, "{image}");
        }
    }

    #[test]
    fn a_pod_in_full() {
        let mut pod = json!({"spec": {"serviceAccountName": "me", "containers": [{
            "name": "c", "image": "redis:7", "ports": [{"containerPort": 6379}],
            "resources": {"limits": {"cpu": "1"}},
            "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "readinessProbe": {"httpGet": {"port": 80}}}],
            "volumes": [{"name": "a"}, {"name": "b", "configMap": {"name": "x"}}]}});
        default(pod.as_object_mut().unwrap());
        assert_eq!(
            pod,
            json!({"spec": {
                "serviceAccountName": "me", "serviceAccount": "me", "enableServiceLinks": true,
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                "schedulerName": "default-scheduler", "securityContext": {},
                "containers": [{
                    "name": "c", "image": "redis:7", "imagePullPolicy": "IfNotPresent",
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    "ports": [{"containerPort": 6379, "protocol": "TCP"}],
                    "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
                    "env": [{"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}],
                    "readinessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                        "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}}],
                "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "x", "defaultMode": 420}}]}})
        );
    }
}
