//! The kinds that are only kept: their defaults, and the rules without which others could not use them
//! (Kubernetes' `SetDefaults_*`, `ValidateConfigMap`, `ValidateSecret`, `ValidateControllerRevision*`).

use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

use super::defaults::{existing, items, object, set, text};
use super::{gateway, net, pod};
use crate::field::{FieldError, FieldPath};
use crate::kind::Stored;

/// The longest key of a ConfigMap or Secret.
const KEY_BYTES_MAX: usize = 253;

/// The most bytes of a ConfigMap's or Secret's values together.
const DATA_BYTES_MAX: usize = 1024 * 1024;

const RBAC: &str = "rbac.authorization.k8s.io";

/// Fills in what the author left out.
pub(crate) fn default(kind: Stored, value: &mut Map<String, Value>) {
    match kind {
        Stored::Secret => secret(value),
        Stored::PersistentVolumeClaim => in_spec(value, &[("volumeMode", json!("Filesystem"))]),
        Stored::PersistentVolume => in_spec(
            value,
            &[
                ("persistentVolumeReclaimPolicy", json!("Retain")),
                ("volumeMode", json!("Filesystem")),
            ],
        ),
        Stored::DaemonSet => daemon_set(value),
        Stored::HorizontalPodAutoscaler => in_spec(value, &[("minReplicas", json!(1))]),
        Stored::Job => {
            if let Some(spec) = existing(value, "spec") {
                job(spec);
            }
        }
        Stored::CronJob => cron_job(value),
        Stored::NetworkPolicy => network_policy(value),
        Stored::RoleBinding | Stored::ClusterRoleBinding => binding(value),
        Stored::PriorityClass => set(value, "preemptionPolicy", "PreemptLowerPriority"),
        Stored::StorageClass => {
            set(value, "reclaimPolicy", "Delete");
            set(value, "volumeBindingMode", "Immediate");
        }
        Stored::Gateway => gateway::default_gateway(value),
        Stored::HTTPRoute => gateway::default_route(value),
        Stored::ConfigMap
        | Stored::ServiceAccount
        | Stored::ResourceQuota
        | Stored::LimitRange
        | Stored::ControllerRevision
        | Stored::Lease
        | Stored::Event
        | Stored::GatewayClass
        | Stored::ReferenceGrant
        | Stored::Ingress
        | Stored::IngressClass
        | Stored::PodDisruptionBudget
        | Stored::Role
        | Stored::ClusterRole
        | Stored::ServiceImport => {}
    }
}

fn in_spec(value: &mut Map<String, Value>, defaults: &[(&str, Value)]) {
    let Some(spec) = existing(value, "spec") else { return };
    for (field, default) in defaults {
        set(spec, field, default.clone());
    }
}

/// `stringData` is a way to write `data`, never to read it.
fn secret(secret: &mut Map<String, Value>) {
    set(secret, "type", "Opaque");
    let Some(Value::Object(texts)) = secret.remove("stringData") else { return };
    let Some(data) = object(secret, "data") else { return };
    for (key, text) in texts {
        let bytes = ByteString(text.as_str().unwrap_or_default().as_bytes().to_vec());
        data.insert(key, serde_json::to_value(bytes).unwrap_or_default());
    }
}

fn daemon_set(daemon_set: &mut Map<String, Value>) {
    let Some(spec) = existing(daemon_set, "spec") else { return };
    if let Some(strategy) = object(spec, "updateStrategy") {
        set(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = object(strategy, "rollingUpdate")
        {
            set(rolling, "maxUnavailable", 1);
            set(rolling, "maxSurge", 0);
        }
    }
    set(spec, "revisionHistoryLimit", 10);
    pod::default_template(spec);
}

/// `SetDefaults_Job`; `spec` is the Job's. The selector by `controller-uid` is left to whoever runs Jobs.
fn job(spec: &mut Map<String, Value>) {
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        set(spec, "completions", 1);
    }
    set(spec, "parallelism", 1);
    let per_index = spec.contains_key("backoffLimitPerIndex");
    set(spec, "backoffLimit", if per_index { i32::MAX } else { 6 });
    set(spec, "completionMode", "NonIndexed");
    set(spec, "suspend", false);
    let policy =
        if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    set(spec, "podReplacementPolicy", policy);
    pod::default_template(spec);
}

fn cron_job(cron_job: &mut Map<String, Value>) {
    let Some(spec) = existing(cron_job, "spec") else { return };
    set(spec, "concurrencyPolicy", "Allow");
    set(spec, "suspend", false);
    set(spec, "successfulJobsHistoryLimit", 3);
    set(spec, "failedJobsHistoryLimit", 1);
    if let Some(spec) = object(spec, "jobTemplate").and_then(|template| object(template, "spec")) {
        pod::default_template(spec);
    }
}

fn network_policy(policy: &mut Map<String, Value>) {
    let Some(spec) = existing(policy, "spec") else { return };
    for direction in ["ingress", "egress"] {
        for rule in items(spec, direction) {
            for port in items(rule, "ports") {
                set(port, "protocol", "TCP");
            }
        }
    }
    let egress =
        spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    set(
        spec,
        "policyTypes",
        if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) },
    );
}

fn binding(binding: &mut Map<String, Value>) {
    if let Some(role) = existing(binding, "roleRef")
        && text(role, "apiGroup").is_empty()
    {
        role.insert("apiGroup".to_owned(), RBAC.into());
    }
    for subject in items(binding, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group") {
            set(subject, "apiGroup", RBAC);
        }
    }
}

/// Checks what the kind asks for besides its metadata.
pub(crate) fn validate(kind: Stored, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match kind {
        Stored::ConfigMap | Stored::Secret => data(new, old, &mut errors),
        Stored::ControllerRevision => revision(new, old, &mut errors),
        Stored::RoleBinding | Stored::ClusterRoleBinding => {
            if let Some(old) = old
                && new["roleRef"] != old["roleRef"]
            {
                errors.push(FieldError::invalid(
                    &FieldPath::new("roleRef"),
                    new["roleRef"].clone(),
                    "cannot change roleRef",
                ));
            }
        }
        Stored::ServiceImport => import(&new["spec"], &mut errors),
        Stored::GatewayClass => gateway::class(new, old, &mut errors),
        Stored::Gateway => gateway::gateway(&new["spec"], &mut errors),
        Stored::HTTPRoute => gateway::route(&new["spec"], &mut errors),
        Stored::ReferenceGrant => gateway::grant(&new["spec"], &mut errors),
        Stored::ServiceAccount
        | Stored::PersistentVolumeClaim
        | Stored::PersistentVolume
        | Stored::ResourceQuota
        | Stored::LimitRange
        | Stored::DaemonSet
        | Stored::HorizontalPodAutoscaler
        | Stored::Job
        | Stored::CronJob
        | Stored::Lease
        | Stored::Ingress
        | Stored::IngressClass
        | Stored::PodDisruptionBudget
        | Stored::Role
        | Stored::ClusterRole
        | Stored::PriorityClass
        | Stored::StorageClass
        // These are checked in their own types.
        | Stored::Event
        | Stored::NetworkPolicy => {}
    }
    errors
}

/// ConfigMaps and Secrets: the keys, the size, and that immutable ones stay.
fn data(new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let mut bytes = 0;
    for field in ["data", "binaryData"] {
        let path = FieldPath::new(field);
        for (key, value) in new[field].as_object().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            // What is not plain text is written in base64: four letters for three bytes.
            let encoded = field == "binaryData" || new["kind"] == "Secret";
            bytes += if encoded { text.len() / 4 * 3 } else { text.len() };
            let at = path.key(key);
            errors.extend(
                key_problems(key)
                    .into_iter()
                    .map(|problem| FieldError::invalid(&at, key.as_str(), problem)),
            );
            if field == "binaryData" && new["data"].get(key).is_some() {
                errors.push(FieldError::invalid(
                    &at,
                    key.as_str(),
                    "duplicate of key present in data",
                ));
            }
        }
    }
    if bytes > DATA_BYTES_MAX {
        errors.push(FieldError::too_long(&FieldPath::ROOT, DATA_BYTES_MAX));
    }
    let Some(old) = old else { return };
    if old["kind"] == "Secret" && new["type"] != old["type"] {
        let path = FieldPath::new("type");
        errors.push(FieldError::invalid(&path, new["type"].clone(), "field is immutable"));
    }
    if old["immutable"] == true {
        if new["immutable"] != true {
            let path = FieldPath::new("immutable");
            errors.push(FieldError::forbidden(&path, "field is immutable when `immutable` is set"));
        }
        for field in ["data", "binaryData"] {
            if new[field] != old[field] {
                let path = FieldPath::new(field);
                errors.push(FieldError::forbidden(
                    &path,
                    "field is immutable when `immutable` is set",
                ));
            }
        }
    }
}

/// What the schema of the Multi-Cluster Services API asks for, and that addresses are such.
fn import(spec: &Value, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("spec");
    let types = ["ClusterSetIP", "Headless"];
    match spec["type"].as_str() {
        None => errors.push(FieldError::required(&path.child("type"), "ClusterSetIP or Headless")),
        Some(text) if !types.contains(&text) => {
            errors.push(FieldError::not_supported(&path.child("type"), text, &types));
        }
        Some(_) => {}
    }
    let ips = path.child("ips");
    let addresses = spec["ips"].as_array().map_or(&[][..], Vec::as_slice);
    if addresses.len() > 2 {
        errors.push(FieldError::too_many(&ips, addresses.len(), 2));
    }
    for (at, address) in addresses.iter().enumerate() {
        let text = address.as_str().unwrap_or_default();
        if net::address(text).is_none() {
            errors.push(FieldError::invalid(&ips.index(at), text, net::NOT_AN_ADDRESS));
        }
    }
    for (at, port) in spec["ports"].as_array().into_iter().flatten().enumerate() {
        let number = port["port"].as_i64().unwrap_or_default();
        if !(1..=65535).contains(&number) {
            let problem = "must be between 1 and 65535, inclusive";
            let ports = path.child("ports");
            errors.push(FieldError::invalid(&ports.index(at).child("port"), number, problem));
        }
    }
}

/// A revision is of something, and stays so.
fn revision(new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let data = FieldPath::new("data");
    if new["data"].is_null() {
        errors.push(FieldError::required(&data, "data is mandatory"));
    }
    if let Some(number) = new["revision"].as_i64().filter(|number| *number < 0) {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(&FieldPath::new("revision"), number, detail));
    }
    if let Some(old) = old
        && new["data"] != old["data"]
    {
        errors.push(FieldError::invalid(&data, new["data"].clone(), "field is immutable"));
    }
}

/// Kubernetes' `IsConfigMapKey`.
fn key_problems(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if key.len() > KEY_BYTES_MAX {
        problems.push(format!("must be no more than {KEY_BYTES_MAX} bytes"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if key.is_empty() || !key.bytes().all(plain) {
        problems.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
             'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match key {
        "." => problems.push("must not be '.'".to_owned()),
        ".." => problems.push("must not be '..'".to_owned()),
        _ if key.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_keep_their_data() {
        let check = |new: Value, old: Option<Value>, wanted: &[&str]| {
            let errors = validate(Stored::ControllerRevision, &new, old.as_ref());
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(errors, wanted, "{new} after {old:?}");
        };
        let held = || json!({ "data": { "a": 1 }, "revision": 1 });
        check(held(), None, &[]);
        check(json!({ "data": { "a": 1 }, "revision": 2 }), Some(held()), &[]);
        check(
            json!({ "revision": -1 }),
            None,
            &[
                "data: Required value: data is mandatory",
                "revision: Invalid value: -1: must be greater than or equal to 0",
            ],
        );
        check(
            json!({ "data": { "a": 2 }, "revision": 1 }),
            Some(held()),
            &["data: Invalid value: {\"a\":2}: field is immutable"],
        );
    }
}
