//! Applying one manifest object, as `kubectl apply` would.

use http::header::CONTENT_TYPE;
use kube::Client;
use kube::api::{GetParams, Patch, PatchParams, ValidationDirective};
use kube::core::response::StatusCause;
use kube::core::{Request, Status};
use manifest::kind::Kind;
use manifest::labels::LAST_APPLIED;
use serde_json::{Value, json};
use thiserror::Error;

use crate::activity::Activity;
use crate::merge::three_way;

/// Who writes, in `managedFields`.
const FIELD_MANAGER: &str = "headcount";

/// What applying did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The object is new.
    Created,
    /// The object was there and has changed.
    Configured,
    /// The object was there and says all that the manifest says.
    Unchanged,
}

impl Outcome {
    /// The word that kubectl prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// An object that has been applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// What applying did.
    pub outcome: Outcome,
    /// The object as the API answered it.
    pub object: Value,
    kind: &'static Kind,
}

impl Applied {
    /// Lets [`Activity::idle`] wait until the watch has delivered this object.
    pub fn await_in(&self, activity: &Activity) {
        let version = self.object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        activity.wrote(self.kind.id, version);
    }
}

/// Why an object was not applied.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The manifest names no object: `metadata.name` is missing.
    #[error("metadata.name is missing")]
    NoName,
    /// The API refused the object, and says why.
    #[error("{}", .0.message)]
    Refused(Box<Status>),
    /// The API did not answer, or not in its language.
    #[error(transparent)]
    Failed(kube::Error),
}

impl ApplyError {
    /// The fields at fault (`spec.ports[0].port`) and what is wrong with each; empty when no field is.
    pub fn causes(&self) -> &[StatusCause] {
        match self {
            Self::Refused(status) => status.details.as_ref().map_or(&[], |details| &details.causes),
            Self::NoName | Self::Failed(_) => &[],
        }
    }
}

impl From<kube::Error> for ApplyError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(status),
            other => Self::Failed(other),
        }
    }
}

/// Makes an object as the manifest says: creates it, or merges the manifest into the one that is there, taking
/// out what the last applied manifest said and this one does not.
///
/// One request when the object is new, two or three when it is there.
pub async fn apply(
    client: &Client,
    kind: &'static Kind,
    manifest: &Value,
    default_namespace: &str,
) -> Result<Applied, ApplyError> {
    let name = manifest.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return Err(ApplyError::NoName);
    }
    let namespace = kind.namespaced.then(|| {
        let named = manifest.pointer("/metadata/namespace").and_then(Value::as_str);
        named.filter(|named| !named.is_empty()).unwrap_or(default_namespace)
    });
    let requests = Request::new(path(kind, namespace));
    let manifest = annotated(manifest, namespace);

    let refusal = match create(client, &requests, &manifest).await {
        Ok(object) => return Ok(Applied { outcome: Outcome::Created, object, kind }),
        // The API may find fault with an object that is there already before it sees that it is (the address of
        // a Service is taken, by itself).
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 422 => status,
        Err(other) => return Err(other.into()),
    };
    let get = requests.get(name, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    let live: Value = match client.request(get).await {
        Ok(live) => live,
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            return Err(ApplyError::Refused(refusal));
        }
        Err(other) => return Err(other.into()),
    };
    let last = annotation(&live).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(mut patch) = three_way(last.as_ref(), &manifest, &live) else {
        return Ok(Applied { outcome: Outcome::Unchanged, object: live, kind });
    };
    if let Some(patch) = patch.as_object_mut() {
        patch.remove("apiVersion");
        patch.remove("kind");
    }
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let params = PatchParams { field_validation: Some(ValidationDirective::Strict), ..params };
    let request =
        requests.patch(name, &params, &Patch::Merge(&patch)).map_err(kube::Error::BuildRequest)?;
    let object: Value = client.request(request).await?;
    let version = |object: &Value| object.pointer("/metadata/resourceVersion").cloned();
    let outcome =
        if version(&object) == version(&live) { Outcome::Unchanged } else { Outcome::Configured };
    Ok(Applied { outcome, object, kind })
}

async fn create(client: &Client, requests: &Request, manifest: &Value) -> kube::Result<Value> {
    let uri = format!("{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict", requests.url_path);
    let body = serde_json::to_vec(manifest).map_err(kube::Error::SerdeError)?;
    let request = http::Request::post(uri)
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(kube::Error::HttpError)?;
    client.request(request).await
}

/// The path of a kind's objects.
/// The URL of a kind's objects, in one namespace or in all.
pub(crate) fn path(kind: &Kind, namespace: Option<&str>) -> String {
    let root =
        if kind.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", kind.group) };
    let within = namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
    format!("{root}/{}{within}/{}", kind.version, kind.plural)
}

/// The manifest with its namespace and, as an annotation, itself: the form that kubectl writes and reads.
fn annotated(manifest: &Value, namespace: Option<&str>) -> Value {
    let mut manifest = manifest.clone();
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        if let Some(namespace) = namespace {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
        if metadata.get("annotations").is_none_or(Value::is_null) {
            metadata.insert("annotations".to_owned(), json!({}));
        }
    }
    let text = format!("{manifest}\n");
    if let Some(annotations) =
        manifest.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
    {
        annotations.insert(LAST_APPLIED.to_owned(), text.into());
    }
    manifest
}

fn annotation(object: &Value) -> Option<&str> {
    object.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()
}
