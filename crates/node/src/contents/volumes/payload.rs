//! Files that follow from objects.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, KeyToPath, Secret};

/// The longest name of a file, and of a path.
const NAME_BYTES_MAX: usize = 255;
const PATH_BYTES_MAX: usize = 4096;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::contents) struct File {
    pub(in crate::contents) bytes: Vec<u8>,
    pub(in crate::contents) mode: u32,
}

/// Files by their paths, each of which is relative and stays within the volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::contents) struct Payload(BTreeMap<String, File>);

impl Payload {
    /// Adds a file, in the place of one that has this path already.
    pub(in crate::contents) fn add(
        &mut self,
        path: &str,
        bytes: Vec<u8>,
        mode: i32,
    ) -> Result<(), String> {
        let path = clean(path)?;
        // What the mode of a file can say, and no more.
        let mode = u32::try_from(mode).unwrap_or(0) & 0o777;
        self.0.insert(path, File { bytes, mode });
        Ok(())
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(in crate::contents) fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Gives every file a further part of its mode.
    pub(in crate::contents) fn or_mode(&mut self, mode: u32) {
        self.0.values_mut().for_each(|file| file.mode |= mode);
    }
}

/// A path without empty parts. It must stay within the volume, and keep off the names that updates need (`..data`).
fn clean(path: &str) -> Result<String, String> {
    let invalid = |why: &str| Err(format!("invalid path: {why}: {path}"));
    if path.is_empty() {
        return Err("invalid path: must not be empty".to_owned());
    }
    if path.starts_with('/') {
        return invalid("must be relative path");
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(format!(
            "invalid path: must be less than or equal to {PATH_BYTES_MAX} characters"
        ));
    }
    if path.contains('\0') {
        return Err("invalid path: must not contain a NUL character".to_owned());
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return invalid("must not contain '..'");
    }
    match parts.first() {
        None => return invalid("must name a file"),
        Some(first) if first.starts_with("..") => return invalid("must not start with '..'"),
        Some(_) => {}
    }
    if parts.iter().any(|part| part.len() > NAME_BYTES_MAX) {
        return invalid("filenames must be less than or equal to 255 characters");
    }
    Ok(parts.join("/"))
}

/// The files of a ConfigMap.
pub(super) fn config_map(
    name: &str,
    object: Option<&ConfigMap>,
    items: Option<&[KeyToPath]>,
    mode: i32,
    optional: bool,
) -> Result<Payload, String> {
    if object.is_none() && !optional {
        return Err(format!("configmap {name:?} not found"));
    }
    let mut data = BTreeMap::new();
    if let Some(ConfigMap { data: texts, binary_data, .. }) = object {
        data.extend(texts.iter().flatten().map(|(key, text)| (key.as_str(), text.as_bytes())));
        data.extend(binary_data.iter().flatten().map(|(key, bytes)| (key.as_str(), &bytes.0[..])));
    }
    let missing = |key: &str| format!("configmap references non-existent config key: {key}");
    files(&data, items, mode, optional, missing)
}

/// The files of a Secret.
pub(super) fn secret(
    name: &str,
    object: Option<&Secret>,
    items: Option<&[KeyToPath]>,
    mode: i32,
    optional: bool,
) -> Result<Payload, String> {
    if object.is_none() && !optional {
        return Err(format!("secret {name:?} not found"));
    }
    let data = object.iter().flat_map(|object| object.data.iter().flatten());
    let data = data.map(|(key, bytes)| (key.as_str(), &bytes.0[..])).collect();
    let missing = |key: &str| format!("references non-existent secret key: {key}");
    files(&data, items, mode, optional, missing)
}

fn files(
    data: &BTreeMap<&str, &[u8]>,
    items: Option<&[KeyToPath]>,
    mode: i32,
    optional: bool,
    missing: impl Fn(&str) -> String,
) -> Result<Payload, String> {
    let mut payload = Payload::default();
    match items {
        None | Some([]) => {
            for (key, bytes) in data {
                if key.contains('/') {
                    return Err(format!("invalid path: a key is one name: {key}"));
                }
                payload.add(key, bytes.to_vec(), mode)?;
            }
        }
        Some(items) => {
            for item in items {
                match data.get(item.key.as_str()) {
                    Some(bytes) => {
                        payload.add(&item.path, bytes.to_vec(), item.mode.unwrap_or(mode))?;
                    }
                    None if optional => {}
                    None => return Err(missing(&item.key)),
                }
            }
        }
    }
    Ok(payload)
}
