//! Server-side apply.

use std::collections::BTreeMap;

use manifest::field::{FieldError, FieldPath};
use manifest::kind::Kind;
use serde_json::{Value, json};

use super::subresource::{SCALE_API_VERSION, as_scale};
use super::update::{Scope, Subject};
use super::{ATTEMPTS_MAX, Registry, Written, key};
use crate::object;
use crate::options::{PatchOptions, WriteOptions};
use crate::ownership::{self, Applied, ApplyError, Conflict, Conflicts, Writer};
use crate::request::Subresource;
use crate::status::{Reason, StatusError};

impl Registry {
    /// Applies an object or a part of it (server-side apply): creates it where it is missing, else merges it into
    /// what is there.
    pub(crate) async fn apply(
        &self,
        subject: Subject<'_>,
        part: Option<Subresource>,
        config: Value,
        options: &PatchOptions,
    ) -> Result<Written, StatusError> {
        let Subject { kind, namespace, name } = subject;
        let (scope, subresource) = match part {
            None => (Scope::Main, ""),
            Some(Subresource::Status) => (Scope::Status, "status"),
            Some(Subresource::Scale) => (Scope::Scale, "scale"),
        };
        let Some(manager) = options.field_manager.as_deref().filter(|name| !name.is_empty()) else {
            let error = FieldError::required(
                &FieldPath::new("fieldManager"),
                "is required for apply patch",
            );
            return Err(StatusError::invalid_fields("meta.k8s.io", "PatchOptions", "", &[error]));
        };
        if config["metadata"]["managedFields"].as_array().is_some_and(|list| !list.is_empty()) {
            return Err(StatusError::bad_request("metadata.managedFields must be nil"));
        }
        let mut config = ownership::without_nulls(config);
        if scope == Scope::Scale {
            config = scale_of_workload(&config)?;
        }
        object::adopt_type(kind, &mut config)?;
        let about = described(kind, &config);
        let refused = |error: &ApplyError| refused(&about, error);
        // What is not known cannot be owned.
        let (_, unknown) = Self::normalize(kind, config.clone())?;
        if !unknown.is_empty() {
            let undeclared = |path: &String| format!(".{path}: field not declared in schema");
            let errors: Vec<String> = unknown.iter().map(undeclared).collect();
            return Err(refused(&ApplyError::Malformed(match errors.as_slice() {
                [one] => one.clone(),
                several => format!("errors:\n  {}", several.join("\n  ")),
            })));
        }
        let twice = options.write.judge(&[]);
        let warnings = twice.map_err(|error| {
            StatusError::bad_request(format!("error strict decoding YAML: {error}"))
        })?;
        // From here on in the form in which it is stored, in which fields are owned.
        kind.to_stored(&mut config);
        let kind = kind.stored_as();
        let subject = Subject { kind, ..subject };
        if scope == Scope::Status {
            config.as_object_mut().into_iter().for_each(|config| {
                config.retain(|field, _| {
                    matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status")
                });
            });
        } else if kind.status {
            object::remove(&mut config, "status");
        }
        let time = self.time();
        let writer = Writer { manager: Some(manager), subresource, kind, time: &time };
        let force = options.force;
        let write = WriteOptions { applies: true, ..options.write.clone() };
        for _ in 0..ATTEMPTS_MAX {
            let missing =
                scope == Scope::Main && self.store.get(&key(kind, namespace, name)).is_none();
            let written = if missing {
                let new = ownership::apply(&Value::Null, &config, manager, writer, force)
                    .map_err(|error| refused(&error))?;
                self.create_applied(subject, new, options.write.clone()).await
            } else {
                self.change(subject, scope, &write, |current| {
                    let applied = ownership::apply(current, &config, manager, writer, force)
                        .map_err(|error| refused(&error))?;
                    let (mut value, _) = Self::normalize(kind, applied.object)?;
                    object::set(&mut value["metadata"], "managedFields", applied.managed);
                    Ok((value, warnings.clone()))
                })
                .await
            };
            match written {
                // Another created it between, or removed it.
                Err(error) if missing && error.reason == Reason::AlreadyExists => {}
                Err(error)
                    if scope == Scope::Main && !missing && error.reason == Reason::NotFound => {}
                Ok(written) if scope == Scope::Scale => return Ok(as_scale(written)),
                written => return written,
            }
        }
        Err(StatusError::modified(kind, name))
    }

    /// Creates what was applied where nothing was.
    async fn create_applied(
        &self,
        Subject { kind, namespace, name }: Subject<'_>,
        Applied { mut object, managed }: Applied,
        options: WriteOptions,
    ) -> Result<Written, StatusError> {
        match object::meta(&object, "name") {
            "" => object["metadata"]["name"] = name.into(),
            given if given == name => {}
            given => {
                return Err(StatusError::bad_request(format!(
                    "the name of the object ({given}) does not match the name on the URL ({name})"
                )));
            }
        }
        let namespace = kind.namespaced.then_some(namespace);
        self.create_owned(kind, namespace, object, options, Some(managed)).await
    }
}

/// What applying a `Scale` applies to its workload.
fn scale_of_workload(scale: &Value) -> Result<Value, StatusError> {
    object::check_type(scale, SCALE_API_VERSION, "Scale")?;
    Ok(match &scale["spec"]["replicas"] {
        Value::Null => json!({}),
        replicas => json!({ "spec": { "replicas": replicas } }),
    })
}

/// What is applied, as Kubernetes names it: `default/web; /v1, Kind=Service`.
fn described(kind: &Kind, config: &Value) -> String {
    let (namespace, name) = (object::meta(config, "namespace"), object::meta(config, "name"));
    format!("{namespace}/{name}; {}/{}, Kind={}", kind.group, kind.version, kind.kind)
}

fn refused(about: &str, error: &ApplyError) -> StatusError {
    match error {
        ApplyError::Malformed(why) => StatusError::bad_request(format!(
            "failed to create typed patch object ({about}): {why}"
        )),
        ApplyError::Conflicts(conflicts) => StatusError::apply_conflict(conflicts),
    }
}

impl StatusError {
    /// 409: other managers own fields that would change.
    fn apply_conflict(Conflicts { listed, total }: &Conflicts) -> Self {
        let message = match (listed.as_slice(), total) {
            ([Conflict { manager, path }], 1) => {
                format!("Apply failed with 1 conflict: conflict with {manager}: {path}")
            }
            (listed, total) => {
                let mut by_manager = BTreeMap::<_, Vec<_>>::new();
                for Conflict { manager, path } in listed {
                    by_manager.entry(manager).or_default().push(path);
                }
                let mut lines = Vec::new();
                for (manager, paths) in by_manager {
                    lines.push(format!("conflicts with {manager}:"));
                    lines.extend(paths.into_iter().map(|path| format!("- {path}")));
                }
                if listed.len() < *total {
                    lines.push(format!("… and {} more", total - listed.len()));
                }
                format!("Apply failed with {total} conflicts: {}", lines.join("\n"))
            }
        };
        listed.iter().fold(
            Self::new(Reason::Conflict, message),
            |error, Conflict { manager, path }| {
                error.with_cause("FieldManagerConflict", &format!("conflict with {manager}"), path)
            },
        )
    }
}
