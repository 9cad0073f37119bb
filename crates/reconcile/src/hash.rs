//! The hash of a pod template, which names revisions and ReplicaSets.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use manifest::generate;

/// A short name for this template: the same for equal templates, on every machine and in every version.
///
/// `collisions` makes another name when two templates met in one.
pub(crate) fn template(template: &PodTemplateSpec, collisions: i32) -> String {
    let text = serde_json::to_string(template).expect("Kubernetes types serialise to JSON objects");
    let salt = if collisions > 0 { collisions.to_be_bytes().to_vec() } else { Vec::new() };
    let hash = fnv1a(text.bytes().chain(salt));
    generate::safe(&hash.to_string())
}

/// FNV-1a, 32 bits (RFC 9923).
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
