//! Creating objects.

use manifest::kind::{Kind, KindId};
use manifest::{generate, rules};
use serde_json::Value;

use super::update::keep_system_metadata;
use super::{Registry, Written, check_size, has_generation, key};
use crate::body::to_bytes;
use crate::object::{self, is_deleting, meta};
use crate::options::WriteOptions;
use crate::ownership::{self, Writer};
use crate::status::StatusError;
use crate::store::{Expect, WriteError};
use crate::strategy;

/// How many generated names are tried.
const NAMES_MAX: usize = 8;

impl Registry {
    /// Creates the object that `body` describes.
    pub(crate) async fn create(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        body: Value,
        options: WriteOptions,
    ) -> Result<Written, StatusError> {
        self.create_owned(kind, namespace, body, options, None).await
    }

    /// Creates the object that `body` describes. `managed` is its managedFields where something was applied; else the
    /// client owns all that it sent.
    pub(super) async fn create_owned(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        body: Value,
        options: WriteOptions,
        managed: Option<Value>,
    ) -> Result<Written, StatusError> {
        let (mut value, warnings) = Self::normalize_sent(kind, body, &options)?;
        if let Some(managed) = managed {
            object::set(&mut value["metadata"], "managedFields", managed);
        }
        if !meta(&value, "resourceVersion").is_empty() {
            return Err(StatusError::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let namespace = adopt_namespace(kind, &mut value, namespace)?;
        self.stamp(kind, &mut value);
        strategy::prepare_create(kind, &mut value);
        let generate = meta(&value, "name").is_empty() && !meta(&value, "generateName").is_empty();
        if !generate {
            return self.create_named(kind, &namespace, value, options, warnings).await;
        }
        let base = meta(&value, "generateName").to_owned();
        let mut outcome = Err(StatusError::already_exists(kind, &base));
        for _ in 0..NAMES_MAX {
            let mut named = value.clone();
            named["metadata"]["name"] = generated_name(&base).into();
            outcome =
                self.create_named(kind, &namespace, named, options.clone(), warnings.clone()).await;
            match &outcome {
                Err(error) if error.reason == crate::status::Reason::AlreadyExists => {}
                _ => break,
            }
        }
        outcome
    }

    async fn create_named(
        &self,
        kind: &'static Kind,
        namespace: &str,
        mut value: Value,
        options: WriteOptions,
        mut warnings: Vec<String>,
    ) -> Result<Written, StatusError> {
        let name = meta(&value, "name").to_owned();
        self.require_live_namespace(kind, namespace, &name)?;
        let key = key(kind, namespace, &name);
        // A name that is taken is said before anything about the content, and before an address is claimed.
        if self.store.get(&key).is_some() {
            return Err(StatusError::already_exists(kind, &name));
        }
        rules::default(kind, &mut value);
        let mut errors = match kind.id {
            KindId::Service => self.allocations.prepare(&mut value, None),
            _ => Vec::new(),
        };
        errors.extend(rules::validate(kind, &value, None));
        if !errors.is_empty() {
            return Err(StatusError::invalid(kind, &name, &errors).with_warnings(&warnings));
        }
        warnings.extend(rules::warnings(kind, &value, true));
        let claim = match kind.id {
            KindId::Service => Some(
                self.allocations
                    .claim(None, &mut value)
                    .map_err(|errors| StatusError::invalid(kind, &name, &errors))?,
            ),
            _ => None,
        };
        if value["metadata"]["managedFields"].is_null() && options.manager.is_some() {
            let time = self.time();
            let writer = Writer {
                manager: options.manager.as_deref(),
                subresource: "",
                kind: kind.stored_as(),
                time: &time,
            };
            let managed = ownership::update(&Value::Null, &Value::Null, &value, writer);
            object::set(&mut value["metadata"], "managedFields", managed);
        }
        check_size(kind, &value)?;
        if options.dry_run {
            return Ok(Written { created: true, ..Written::new(to_bytes(&value), warnings) });
        }
        match self.put(key, Expect::Absent, value).await {
            Ok(entry) => {
                if let Some(claim) = claim {
                    claim.commit();
                }
                Ok(Written { created: true, ..Written::new(entry.json.clone(), warnings) })
            }
            Err(WriteError::Conflict(_)) => Err(StatusError::already_exists(kind, &name)),
            Err(error) => Err(StatusError::write(kind, &name, error)),
        }
    }

    /// Makes an object of the server's own say what `value` says, creating it where it is missing. Its content is not
    /// validated: the server may well be at a loopback address, which no client may write into endpoints.
    pub(crate) async fn assert(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        value: Value,
    ) -> Result<(), StatusError> {
        let (mut value, unknown) = Self::normalize(kind, value)?;
        debug_assert!(unknown.is_empty(), "{unknown:?}");
        value["metadata"]["name"] = name.into();
        value["metadata"]["namespace"] = namespace.into();
        rules::default(kind, &mut value);
        let key = key(kind, namespace, name);
        let expect = match self.store.get(&key) {
            None => {
                self.stamp(kind, &mut value);
                Expect::Absent
            }
            Some(entry) => {
                let old = object::stored(&entry.json);
                keep_system_metadata(&old, &mut value);
                if value == old {
                    return Ok(());
                }
                Expect::At(entry.revision)
            }
        };
        match self.put(key, expect, value).await {
            Ok(_) => Ok(()),
            Err(error) => Err(StatusError::write(kind, name, error)),
        }
    }

    /// Sets what the server alone says of a new object.
    fn stamp(&self, kind: &'static Kind, value: &mut Value) {
        let metadata = &mut value["metadata"];
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
            object::remove(metadata, field);
        }
        metadata["uid"] = uuid().into();
        metadata["creationTimestamp"] = self.time().into();
        if has_generation(kind) {
            metadata["generation"] = 1.into();
        }
    }

    /// New objects need a namespace that exists and stays.
    fn require_live_namespace(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Result<(), StatusError> {
        if namespace.is_empty() {
            return Ok(());
        }
        let entry = self.find(Kind::of(KindId::Namespace), "", namespace)?;
        if is_deleting(&object::stored(&entry.json)) {
            return Err(StatusError::namespace_terminating(kind, name, namespace));
        }
        Ok(())
    }
}

/// The namespace of the path, which the body may repeat.
pub(super) fn adopt_namespace(
    kind: &Kind,
    value: &mut Value,
    namespace: Option<&str>,
) -> Result<String, StatusError> {
    let given = meta(value, "namespace");
    let Some(namespace) = namespace else {
        if given.is_empty() {
            object::remove(&mut value["metadata"], "namespace");
            return Ok(String::new());
        }
        return Err(StatusError::bad_request(format!(
            "namespace may not be set on {}, which are cluster-scoped",
            kind.plural
        )));
    };
    if !given.is_empty() && given != namespace {
        return Err(StatusError::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request ({given} is not {namespace})"
        )));
    }
    value["metadata"]["namespace"] = namespace.into();
    Ok(namespace.to_owned())
}

fn generated_name(base: &str) -> String {
    format!("{}{}", generate::prefix(base), generate::suffix(u64::from_ne_bytes(random())))
}

/// A random UUID (RFC 9562, version 4).
fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        number >> 96,
        number >> 80 & 0xffff,
        number >> 64 & 0xffff,
        number >> 48 & 0xffff,
        number & 0xffff_ffff_ffff
    )
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_stay_short() {
        assert_eq!(generated_name(&"x".repeat(80)).len(), 63);
        assert_eq!(generated_name("db-").len(), 8);
    }

    #[test]
    fn uuids_are_of_version_4() {
        let text = uuid();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "4");
        assert!(["8", "9", "a", "b"].contains(&&text[19..20]), "{text}");
    }
}
