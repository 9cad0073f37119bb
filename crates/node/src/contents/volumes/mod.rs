//! What a pod's volumes hold.

mod payload;

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, Pod, ProjectedVolumeSource, Volume, VolumeProjection,
};

pub(super) use payload::Payload;

use super::objects::{Objects, is_name};
use super::{NotYet, Place, fields};

/// The mode of files where none is said.
const FILE_MODE: i32 = 0o644;

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Files that follow from objects. Containers cannot write there.
    Files(Payload),
    /// A folder that is the pod's alone.
    Folder,
    /// The folder of a claim.
    Claim {
        /// Its name below the folder of all claims.
        folder: String,
        read_only: bool,
    },
}

/// What a volume of a pod is.
///
/// # Errors
///
/// In kubelet's words: what it is made of and is not there, or what cannot be mounted here.
pub(super) fn content(
    pod: &Pod,
    place: &Place,
    objects: &Objects,
    volume: &Volume,
) -> Result<Content, NotYet> {
    let failed = |why: String| {
        let message = format!("MountVolume.SetUp failed for volume {:?} : {why}", volume.name);
        NotYet { reason: "FailedMount", message }
    };
    if !is_name(&volume.name) {
        return Err(failed("this is no name of a volume".to_owned()));
    }
    if let Some(source) = &volume.config_map {
        let optional = source.optional == Some(true);
        let object = objects.config_maps.get(&source.name);
        let mode = source.default_mode.unwrap_or(FILE_MODE);
        let items = source.items.as_deref();
        let payload = payload::config_map(&source.name, object, items, mode, optional);
        return payload.map(Content::Files).map_err(failed);
    }
    if let Some(source) = &volume.secret {
        let optional = source.optional == Some(true);
        let name = source.secret_name.as_deref().unwrap_or_default();
        let mode = source.default_mode.unwrap_or(FILE_MODE);
        let items = source.items.as_deref();
        let payload = payload::secret(name, objects.secrets.get(name), items, mode, optional);
        return payload.map(Content::Files).map_err(failed);
    }
    if let Some(source) = &volume.downward_api {
        let mode = source.default_mode.unwrap_or(FILE_MODE);
        let items = source.items.as_deref().unwrap_or_default();
        return downward(pod, place, items, mode).map(Content::Files).map_err(failed);
    }
    if let Some(source) = &volume.projected {
        return projected(pod, place, objects, source).map(Content::Files).map_err(failed);
    }
    if let Some(source) = &volume.persistent_volume_claim {
        let read_only = source.read_only == Some(true);
        return claim(pod, objects, &source.claim_name, read_only);
    }
    // A claim that is made for the pod and goes with it holds no more than a folder of the pod's.
    if volume.empty_dir.is_some() || volume.ephemeral.is_some() {
        return Ok(Content::Folder);
    }
    if let Some(source) = &volume.host_path {
        return Err(failed(format!(
            "hostPath {} is not mounted: pods get no files of this machine but its programs; use an emptyDir, a \
             persistentVolumeClaim or a configMap",
            source.path
        )));
    }
    let kind = kind(volume);
    match kind.as_deref() {
        // The API makes an emptyDir of a volume without any source.
        None => Ok(Content::Folder),
        Some(kind) => Err(failed(format!(
            "{kind} volumes are not mounted here; configMap, secret, downwardAPI, projected, emptyDir, ephemeral and \
             persistentVolumeClaim are"
        ))),
    }
}

/// The field that says what a volume is.
fn kind(volume: &Volume) -> Option<String> {
    let fields = serde_json::to_value(volume).ok()?;
    fields.as_object()?.keys().find(|key| *key != "name").cloned()
}

fn claim(pod: &Pod, objects: &Objects, name: &str, read_only: bool) -> Result<Content, NotYet> {
    let failed = |message: String| NotYet { reason: "FailedMount", message };
    let claim = objects
        .claims
        .get(name)
        .ok_or_else(|| failed(format!("persistentvolumeclaim {name:?} not found")))?;
    let spec = claim.spec.as_ref();
    if spec.and_then(|spec| spec.volume_mode.as_deref()) == Some("Block") {
        return Err(failed(format!(
            "persistentvolumeclaim {name:?} has volumeMode Block; there are no block devices here, only Filesystem"
        )));
    }
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let uid = claim.metadata.uid.as_deref().unwrap_or_default();
    match is_name(namespace) && is_name(uid) {
        true => Ok(Content::Claim { folder: claim_folder(namespace, name, uid), read_only }),
        false => Err(failed(format!("persistentvolumeclaim {name:?} has no UID"))),
    }
}

/// The name of a claim's folder. One that is made anew under an old name has a folder of its own.
pub(super) fn claim_folder(namespace: &str, name: &str, uid: &str) -> String {
    format!("{namespace}_{name}_{uid}")
}

fn downward(
    pod: &Pod,
    place: &Place,
    items: &[DownwardAPIVolumeFile],
    mode: i32,
) -> Result<Payload, String> {
    let mut payload = Payload::default();
    for item in items {
        let text = match (&item.field_ref, &item.resource_field_ref) {
            (Some(selector), _) => fields::field(pod, place, selector)?,
            (None, Some(selector)) => fields::resource(pod, None, selector)?,
            (None, None) => String::new(),
        };
        payload.add(&item.path, text.into_bytes(), item.mode.unwrap_or(mode))?;
    }
    Ok(payload)
}

fn projected(
    pod: &Pod,
    place: &Place,
    objects: &Objects,
    source: &ProjectedVolumeSource,
) -> Result<Payload, String> {
    let mode = source.default_mode.unwrap_or(FILE_MODE);
    let mut payload = Payload::default();
    let mut errors = Vec::new();
    for source in source.sources.iter().flatten() {
        match projection(pod, place, objects, source, mode) {
            Ok(files) => payload.extend(files),
            Err(error) => errors.push(error),
        }
    }
    match &errors[..] {
        [] => Ok(payload),
        [one] => Err(one.clone()),
        _ => Err(format!("[{}]", errors.join(", "))),
    }
}

fn projection(
    pod: &Pod,
    place: &Place,
    objects: &Objects,
    source: &VolumeProjection,
    mode: i32,
) -> Result<Payload, String> {
    let VolumeProjection {
        cluster_trust_bundle,
        config_map,
        downward_api,
        pod_certificate,
        secret,
        service_account_token,
    } = source;
    if let Some(source) = config_map {
        let (items, optional) = (source.items.as_deref(), source.optional == Some(true));
        let object = objects.config_maps.get(&source.name);
        return payload::config_map(&source.name, object, items, mode, optional);
    }
    if let Some(source) = secret {
        let (items, optional) = (source.items.as_deref(), source.optional == Some(true));
        let object = objects.secrets.get(&source.name);
        return payload::secret(&source.name, object, items, mode, optional);
    }
    if let Some(source) = downward_api {
        return downward(pod, place, source.items.as_deref().unwrap_or_default(), mode);
    }
    let what = match (service_account_token, cluster_trust_bundle, pod_certificate) {
        (Some(_), _, _) => "serviceAccountToken: there are no tokens of service accounts here",
        (_, Some(bundle), _) if bundle.optional == Some(true) => return Ok(Payload::default()),
        (_, Some(_), _) => "clusterTrustBundle: there are no trust bundles here",
        (_, _, Some(_)) => "podCertificate: there are no certificates of pods here",
        (None, None, None) => return Ok(Payload::default()),
    };
    Err(format!("{what}; take this source out of the volume"))
}

#[cfg(test)]
mod tests;
