//! The environment of a container.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVarSource, Pod};

use super::Place;
use super::expansion::expand;
use super::fields;
use super::objects::Objects;
use super::services;

/// Variables in the order in which they were first set; the last value counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variables {
    order: Vec<String>,
    values: BTreeMap<String, String>,
}

impl Variables {
    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        if self.values.insert(name.clone(), value.into()).is_none() {
            self.order.push(name);
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn extend(&mut self, others: impl IntoIterator<Item = (String, String)>) {
        others.into_iter().for_each(|(name, value)| self.set(name, value));
    }

    pub(super) fn into_pairs(mut self) -> Vec<(String, String)> {
        let value = |name: String| {
            let value = self.values.remove(&name).unwrap_or_default();
            (name, value)
        };
        self.order.into_iter().map(value).collect()
    }
}

/// The environment of a container: what the image brings, then Services, then what the container declares. Beside the whole, that
/// which `$(NAME)` in its command stands for: the image's variables do not count there.
///
/// # Errors
///
/// In kubelet's words: what a variable is to be taken from and is not there.
pub(super) fn environment(
    pod: &Pod,
    container: &Container,
    place: &Place,
    objects: &Objects,
    mut base: Variables,
) -> Result<(Variables, Variables), String> {
    let mut services = Variables::default();
    services.extend(services::variables(&objects.services));
    let mut declared = Variables::default();
    for source in container.env_from.iter().flatten() {
        declared.extend(of_object(source, objects)?);
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(text), _) if !text.is_empty() => {
                let value = |name: &str| declared.get(name).or_else(|| services.get(name));
                Some(expand(text, value))
            }
            (_, Some(source)) => of_source(pod, container, place, objects, source)?,
            (_, None) => Some(String::new()),
        };
        if let Some(value) = value {
            declared.set(&variable.name, value);
        }
    }
    let mut known = services;
    known.extend(declared.into_pairs());
    base.extend(known.clone().into_pairs());
    match base.values.iter().find(|(name, value)| has_nul(name) || has_nul(value)) {
        Some((name, _)) => Err(format!("environment variable {name:?} contains a NUL character")),
        None => Ok((base, known)),
    }
}

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

/// All of a ConfigMap or Secret.
fn of_object(source: &EnvFromSource, objects: &Objects) -> Result<Vec<(String, String)>, String> {
    let prefix = source.prefix.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    if let Some(reference) = &source.config_map_ref {
        match objects.config_maps.get(&reference.name) {
            Some(object) => found.extend(
                object.data.iter().flatten().map(|(key, value)| (key.clone(), value.clone())),
            ),
            None if reference.optional == Some(true) => {}
            None => return Err(format!("configmap {:?} not found", reference.name)),
        }
    }
    if let Some(reference) = &source.secret_ref {
        match objects.secrets.get(&reference.name) {
            Some(object) => found.extend(
                object.data.iter().flatten().map(|(key, value)| (key.clone(), text(&value.0))),
            ),
            None if reference.optional == Some(true) => {}
            None => return Err(format!("secret {:?} not found", reference.name)),
        }
    }
    let named = found.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value));
    // An environment has no room for such names.
    Ok(named.filter(|(name, _)| !name.is_empty() && !name.contains('=')).collect())
}

/// The value of a variable; none if what it is taken from may be missing and is.
fn of_source(
    pod: &Pod,
    container: &Container,
    place: &Place,
    objects: &Objects,
    source: &EnvVarSource,
) -> Result<Option<String>, String> {
    let EnvVarSource {
        config_map_key_ref,
        field_ref,
        file_key_ref,
        resource_field_ref,
        secret_key_ref,
    } = source;
    if let Some(selector) = field_ref {
        return fields::field(pod, place, selector).map(Some);
    }
    if let Some(selector) = resource_field_ref {
        return fields::resource(pod, Some(container), selector).map(Some);
    }
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    if let Some(key) = config_map_key_ref {
        let object = objects.config_maps.get(&key.name);
        let value =
            object.map(|object| object.data.as_ref().and_then(|data| data.get(&key.key)).cloned());
        let missing = || format!("configmap {:?} not found", key.name);
        let no_key =
            || format!("couldn't find key {} in ConfigMap {namespace}/{}", key.key, key.name);
        return found(value, key.optional, missing, no_key);
    }
    if let Some(key) = secret_key_ref {
        let object = objects.secrets.get(&key.name);
        let value = object.map(|object| {
            object.data.as_ref().and_then(|data| data.get(&key.key)).map(|value| text(&value.0))
        });
        let missing = || format!("secret {:?} not found", key.name);
        let no_key = || format!("couldn't find key {} in Secret {namespace}/{}", key.key, key.name);
        return found(value, key.optional, missing, no_key);
    }
    match file_key_ref {
        Some(_) => Err("fileKeyRef: variables are not read from files here".to_owned()),
        None => Ok(Some(String::new())),
    }
}

/// What there is of an object's key.
fn found(
    value: Option<Option<String>>,
    optional: Option<bool>,
    missing: impl Fn() -> String,
    no_key: impl Fn() -> String,
) -> Result<Option<String>, String> {
    match value {
        Some(Some(value)) => Ok(Some(value)),
        _ if optional == Some(true) => Ok(None),
        Some(None) => Err(no_key()),
        None => Err(missing()),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn objects() -> Objects {
        let mut objects = Objects::default();
        let config_map = json!({"metadata": {"name": "settings"},
            "data": {"COLOR": "blue", "log.level": "debug", "a=b": "no"}, "binaryData": {"bin": "AAA="}});
        objects.config_maps.insert("settings".into(), serde_json::from_value(config_map).unwrap());
        let secret = json!({"metadata": {"name": "login"}, "data": {"password": "czNjcmV0"}});
        objects.secrets.insert("login".into(), serde_json::from_value(secret).unwrap());
        let service = json!({"metadata": {"name": "web"},
            "spec": {"clusterIP": "10.96.0.20", "ports": [{"port": 80}]}});
        objects.services.push(serde_json::from_value(service).unwrap());
        objects
    }

    /// What the container of this specification has beyond the Service's variables.
    fn of(container: Value) -> Result<Vec<String>, String> {
        let mut spec = container;
        spec["name"] = "c".into();
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "prod"}, "spec": {"containers": [spec]}}))
        .unwrap();
        let container = &pod.spec.as_ref().unwrap().containers[0];
        let mut base = Variables::default();
        base.set("PATH", "/bin");
        let (all, _) = environment(&pod, container, &Place::example(), &objects(), base)?;
        let pairs = all.into_pairs().into_iter();
        let rest = pairs.filter(|(name, value)| !name.starts_with("WEB_") || value == "mine");
        Ok(rest.map(|(name, value)| format!("{name}={value}")).collect())
    }

    #[track_caller]
    fn check(container: Value, expected: Result<&[&str], &str>) {
        let label = container.to_string();
        let seen = of(container);
        let expected: Result<Vec<String>, String> = expected
            .map(|lines| lines.iter().map(|line| (*line).to_owned()).collect())
            .map_err(str::to_owned);
        assert_eq!(seen, expected, "{label}");
    }

    #[test]
    fn variables_by_value() {
        check(json!({}), Ok(&["PATH=/bin"]));
        check(
            json!({"env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "$(A)-$(WEB_SERVICE_HOST)-$(LATER)-$(PATH)-$$(A)"},
                {"name": "LATER", "value": "2"},
                {"name": "A", "value": "3"},
                {"name": "EMPTY"},
                {"name": "PATH", "value": "/opt/bin"},
                {"name": "WEB_SERVICE_HOST", "value": "mine"}]}),
            Ok(&[
                "PATH=/opt/bin",
                "WEB_SERVICE_HOST=mine",
                "A=3",
                "B=1-10.96.0.20-$(LATER)-$(PATH)-$(A)",
                "LATER=2",
                "EMPTY=",
            ]),
        );
        check(
            json!({"env": [{"name": "A", "value": "x\u{0}y"}]}),
            Err("environment variable \"A\" contains a NUL character"),
        );
    }

    #[test]
    fn variables_by_reference() {
        let by = |source: Value| json!({"env": [{"name": "V", "valueFrom": source}]});
        check(by(json!({"fieldRef": {"fieldPath": "metadata.name"}})), Ok(&["PATH=/bin", "V=p"]));
        check(
            by(json!({"resourceFieldRef": {"resource": "limits.cpu"}})),
            Ok(&["PATH=/bin", "V=64"]),
        );
        check(by(json!({"fieldRef": {"fieldPath": "spec"}})), Err("unsupported fieldPath: spec"));
        let config = |name: &str, key: &str, optional: bool| {
            by(json!({"configMapKeyRef": {"name": name, "key": key, "optional": optional}}))
        };
        check(config("settings", "log.level", false), Ok(&["PATH=/bin", "V=debug"]));
        check(
            config("settings", "none", false),
            Err("couldn't find key none in ConfigMap prod/settings"),
        );
        check(config("settings", "none", true), Ok(&["PATH=/bin"]));
        check(config("none", "k", false), Err("configmap \"none\" not found"));
        check(config("none", "k", true), Ok(&["PATH=/bin"]));
        let secret = |name: &str, key: &str, optional: bool| {
            by(json!({"secretKeyRef": {"name": name, "key": key, "optional": optional}}))
        };
        check(secret("login", "password", false), Ok(&["PATH=/bin", "V=s3cret"]));
        check(secret("login", "none", false), Err("couldn't find key none in Secret prod/login"));
        check(secret("none", "k", false), Err("secret \"none\" not found"));
        check(secret("none", "k", true), Ok(&["PATH=/bin"]));
    }

    #[test]
    fn variables_of_whole_objects() {
        check(
            json!({"envFrom": [{"configMapRef": {"name": "settings"}},
                               {"prefix": "DB_", "secretRef": {"name": "login"}}],
                   "env": [{"name": "COLOR", "value": "light $(COLOR)"}]}),
            Ok(&["PATH=/bin", "COLOR=light blue", "log.level=debug", "DB_password=s3cret"]),
        );
        check(
            json!({"envFrom": [{"configMapRef": {"name": "none"}}]}),
            Err("configmap \"none\" not found"),
        );
        check(
            json!({"envFrom": [{"secretRef": {"name": "none"}}]}),
            Err("secret \"none\" not found"),
        );
        check(
            json!({"envFrom": [{"configMapRef": {"name": "none", "optional": true}},
                               {"secretRef": {"name": "none", "optional": true}}]}),
            Ok(&["PATH=/bin"]),
        );
    }
}
