//! The objects that a pod refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

/// The names that a pod says.
#[derive(Debug, Default, PartialEq, Eq)]
struct References {
    config_maps: BTreeSet<String>,
    secrets: BTreeSet<String>,
    claims: BTreeSet<String>,
}

/// The objects of those names that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects {
    pub(super) config_maps: BTreeMap<String, ConfigMap>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) claims: BTreeMap<String, PersistentVolumeClaim>,
    /// The Services that the environment tells of.
    pub(super) services: Vec<Service>,
}

impl References {
    fn of(pod: &Pod) -> Self {
        let mut names = Self::default();
        let Self { config_maps, secrets, claims } = &mut names;
        for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
            config_maps.extend(volume.config_map.iter().map(|source| source.name.clone()));
            secrets.extend(volume.secret.iter().filter_map(|source| source.secret_name.clone()));
            claims.extend(
                volume.persistent_volume_claim.iter().map(|source| source.claim_name.clone()),
            );
            let projected =
                volume.projected.iter().flat_map(|source| source.sources.iter().flatten());
            for source in projected {
                config_maps.extend(source.config_map.iter().map(|source| source.name.clone()));
                secrets.extend(source.secret.iter().map(|source| source.name.clone()));
            }
        }
        for container in super::containers(pod) {
            for from in container.env_from.iter().flatten() {
                config_maps.extend(from.config_map_ref.iter().map(|source| source.name.clone()));
                secrets.extend(from.secret_ref.iter().map(|source| source.name.clone()));
            }
            for from in container.env.iter().flatten().filter_map(|env| env.value_from.as_ref()) {
                config_maps.extend(from.config_map_key_ref.iter().map(|key| key.name.clone()));
                secrets.extend(from.secret_key_ref.iter().map(|key| key.name.clone()));
            }
        }
        // Another text could be more of a request's path than a name.
        for names in [config_maps, secrets, claims] {
            names.retain(|name| is_name(name));
        }
        names
    }
}

impl Objects {
    /// Reads what a pod refers to.
    pub(super) async fn read(client: &Client, pod: &Pod) -> kube::Result<Self> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let References { config_maps, secrets, claims } = References::of(pod);
        let links = pod.spec.as_ref().and_then(|spec| spec.enable_service_links).unwrap_or(true);
        Ok(Self {
            config_maps: get(client, namespace, config_maps).await?,
            secrets: get(client, namespace, secrets).await?,
            claims: get(client, namespace, claims).await?,
            services: services(client, namespace, links).await?,
        })
    }
}

async fn get<K>(
    client: &Client,
    namespace: &str,
    names: BTreeSet<String>,
) -> kube::Result<BTreeMap<String, K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let mut found = BTreeMap::new();
    for name in names {
        if let Some(object) = api.get_opt(&name).await? {
            found.insert(name, object);
        }
    }
    Ok(found)
}

/// The Services of the namespace, if they are to be linked, and that of the API, which always is.
async fn services(client: &Client, namespace: &str, links: bool) -> kube::Result<Vec<Service>> {
    const API: &str = "kubernetes";
    let mut services = Vec::new();
    if links {
        let all = Api::<Service>::namespaced(client.clone(), namespace);
        services = all.list(&ListParams::default()).await?.items;
    }
    // The namespace's own Service of this name goes before it.
    if !services.iter().any(|service| service.metadata.name.as_deref() == Some(API)) {
        services.extend(Api::<Service>::namespaced(client.clone(), "default").get_opt(API).await?);
    }
    Ok(services)
}

/// Whether a text can be the name of such an object, and with that, of a folder.
pub(super) fn is_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253
        && text.starts_with(word)
        && text.ends_with(word)
        && text.chars().all(|c| word(c) || matches!(c, '-' | '.'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_pod_refers_to() {
        let pod: Pod = serde_json::from_value(json!({"spec": {
            "volumes": [
                {"name": "a", "configMap": {"name": "a"}},
                {"name": "b", "secret": {"secretName": "b"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "c"}},
                {"name": "d", "projected": {"sources": [{"configMap": {"name": "d"}}, {"secret": {"name": "e"}}]}},
                {"name": "e", "emptyDir": {}},
                {"name": "f", "secret": {"secretName": "../../other/secrets/f"}},
            ],
            "initContainers": [{"name": "i", "envFrom": [{"configMapRef": {"name": "i"}}, {"secretRef": {"name": "j"}}]}],
            "containers": [{"name": "c", "env": [
                {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "k"}}},
                {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "y", "key": "k"}}},
                {"name": "Z", "valueFrom": {"secretKeyRef": {"name": "", "key": "k"}}}]}],
        }}))
        .unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = References {
            config_maps: names(&["a", "d", "i", "x"]),
            secrets: names(&["b", "e", "j", "y"]),
            claims: names(&["c"]),
        };
        assert_eq!(References::of(&pod), expected);
    }

    #[test]
    fn names() {
        for name in ["a", "my-config.v1", "0"] {
            assert!(is_name(name), "{name}");
        }
        for text in
            ["", ".", "..", "../a", "a/b", "a?b", "A", "-a", "a-", "a%2fb", &"a".repeat(254)]
        {
            assert!(!is_name(text), "{text}");
        }
    }
}
