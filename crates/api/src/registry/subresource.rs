//! The parts of objects that have a form of their own: `scale` of workloads, `binding` of pods.

use manifest::field::{FieldError, FieldPath};
use manifest::kind::{Kind, KindId};
use manifest::selector::LabelSelector;
use serde_json::{Value, json};

use super::update::{Scope, Subject, patch_error};
use super::{Registry, Written, success};
use crate::body::to_bytes;
use crate::object::{self, is_deleting, meta};
use crate::options::{PatchOptions, WriteOptions};
use crate::patch;
use crate::status::StatusError;

pub(super) const SCALE_API_VERSION: &str = "autoscaling/v1";

impl Registry {
    /// The `Scale` of a workload.
    pub(crate) fn get_scale(&self, subject: Subject<'_>) -> Result<Value, StatusError> {
        let entry = self.find(subject.kind, subject.namespace, subject.name)?;
        Ok(scale_of(&object::stored(&entry.json)))
    }

    /// Replaces a workload's `Scale`: its number of replicas.
    pub(crate) async fn replace_scale(
        &self,
        subject: Subject<'_>,
        body: &Value,
        options: WriteOptions,
    ) -> Result<Written, StatusError> {
        let written = self
            .change(subject, Scope::Scale, &options, |current| {
                let mut scale = body.clone();
                if !scale["metadata"].is_object() {
                    scale["metadata"] = json!({});
                }
                Ok((scaled(subject, current, &scale)?, Vec::new()))
            })
            .await?;
        Ok(as_scale(written))
    }

    /// Patches a workload's `Scale`. A `Scale` has no lists, so that a strategic patch is a merge patch.
    pub(crate) async fn patch_scale(
        &self,
        subject: Subject<'_>,
        format: patch::Format,
        patch: &Value,
        options: &PatchOptions,
    ) -> Result<Written, StatusError> {
        let format = match format {
            patch::Format::Strategic => patch::Format::Merge,
            other => other,
        };
        let written = self
            .change(subject, Scope::Scale, &options.write, |current| {
                let scale = patch::apply(subject.kind, format, &scale_of(current), patch)
                    .map_err(|error| patch_error(&error))?;
                Ok((scaled(subject, current, &scale)?, Vec::new()))
            })
            .await?;
        Ok(as_scale(written))
    }

    /// Gives a pod its node, as the scheduler does.
    pub(crate) async fn bind(
        &self,
        namespace: &str,
        name: &str,
        body: &Value,
        options: WriteOptions,
    ) -> Result<Written, StatusError> {
        let kind = Kind::of(KindId::Pod);
        object::check_type(body, "v1", "Binding")?;
        let target = &body["target"];
        let path = FieldPath::new("target");
        let node = target["name"].as_str().unwrap_or("");
        let mut errors = Vec::new();
        if !matches!(target["kind"].as_str(), None | Some("" | "Node")) {
            let given = target["kind"].clone();
            errors.push(FieldError::not_supported(&path.child("kind"), given, &["Node"]));
        }
        if node.is_empty() {
            errors.push(FieldError::required(&path.child("name"), ""));
        }
        if !errors.is_empty() {
            return Err(StatusError::invalid_fields("", "Binding", name, &errors));
        }
        let uid = body["metadata"]["uid"].as_str().unwrap_or("");
        let now = self.time();
        let subject = Subject { kind, namespace, name };
        self.change(subject, Scope::Binding, &options, |current| {
            let actual = meta(current, "uid");
            if !uid.is_empty() && uid != actual {
                let why = format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: {actual}"
                );
                return Err(StatusError::conflict(kind, name, why));
            }
            if is_deleting(current) {
                let why = format!("pod {name} is being deleted, cannot be assigned to a host");
                return Err(StatusError::conflict(kind, name, why));
            }
            if let Some(assigned) = current["spec"]["nodeName"].as_str().filter(|n| !n.is_empty()) {
                let why = format!("pod {name} is already assigned to node \"{assigned}\"");
                return Err(StatusError::conflict(kind, name, why));
            }
            let mut bound = current.clone();
            bound["spec"]["nodeName"] = node.into();
            if let Some(annotations) = body["metadata"]["annotations"].as_object() {
                for (key, value) in annotations.iter().filter(|(_, value)| value.is_string()) {
                    bound["metadata"]["annotations"][key] = value.clone();
                }
            }
            crate::strategy::pod::set_condition(&mut bound, "PodScheduled", &now);
            Ok((bound, Vec::new()))
        })
        .await?;
        Ok(Written { created: true, ..Written::new(success(kind, name, uid), Vec::new()) })
    }
}

/// The workload with the number of replicas that the scale asks for.
fn scaled(subject: Subject<'_>, current: &Value, scale: &Value) -> Result<Value, StatusError> {
    let Subject { name, .. } = subject;
    object::check_type(scale, SCALE_API_VERSION, "Scale")?;
    let replicas = match &scale["spec"]["replicas"] {
        Value::Null => 0,
        value => value.as_i64().and_then(|count| i32::try_from(count).ok()).ok_or_else(|| {
            StatusError::bad_request(format!(
                "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas: expected an integer, got {value}"
            ))
        })?,
    };
    if replicas < 0 {
        let spec = FieldPath::new("spec");
        let detail = "must be greater than or equal to 0";
        let error = FieldError::invalid(&spec.child("replicas"), replicas, detail);
        return Err(StatusError::invalid_fields("autoscaling", "Scale", name, &[error]));
    }
    let mut workload = current.clone();
    workload["spec"]["replicas"] = replicas.into();
    // Name, namespace, uid and resourceVersion of the scale are checked as those of the workload.
    for field in ["name", "namespace", "uid", "resourceVersion"] {
        match &scale["metadata"][field] {
            Value::Null => {}
            value => workload["metadata"][field] = value.clone(),
        }
    }
    if scale["metadata"]["resourceVersion"].is_null() {
        object::remove(&mut workload["metadata"], "resourceVersion");
    }
    Ok(workload)
}

fn scale_of(workload: &Value) -> Value {
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        object::set(&mut metadata, field, workload["metadata"][field].clone());
    }
    let count = |value: &Value| value.as_i64().unwrap_or(0);
    let selector = serde_json::from_value(workload["spec"]["selector"].clone())
        .ok()
        .and_then(|selector| LabelSelector::from_object(&selector).ok())
        .map(|selector| selector.to_string())
        .unwrap_or_default();
    json!({
        "kind": "Scale",
        "apiVersion": SCALE_API_VERSION,
        "metadata": metadata,
        "spec": { "replicas": count(&workload["spec"]["replicas"]) },
        "status": { "replicas": count(&workload["status"]["replicas"]), "selector": selector },
    })
}

pub(super) fn as_scale(written: Written) -> Written {
    let Written { json, created, warnings } = written;
    Written { json: to_bytes(&scale_of(&object::stored(&json))), created, warnings }
}
