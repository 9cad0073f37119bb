//! What the processes of a pod find: their program, environment, network files and volumes.
//!
//! What a pod refers to is read through the API when it is prepared, and written below `FOLDER/pods/UID`; what outlives it, below
//! `FOLDER/volumes`. Everything is decided from values; reading and writing is at the rim.

mod applets;
mod disk;
mod environment;
mod expansion;
mod fields;
mod images;
mod mounts;
mod network_files;
mod objects;
mod prepared;
mod projection;
mod quantity;
mod services;
mod sub_path;
mod user;
mod volumes;
mod write;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, PersistentVolumeClaim, Pod, Volume};
use kube::api::ListParams;
use kube::{Api, Client};
use sandbox::PodAddress;

pub use images::Images;
pub use network_files::resolv_conf;
pub(crate) use prepared::Prepared;

use applets::Applets;
use network_files::ResolvConf;
use objects::Objects;
use volumes::Content;
use write::Writer;

/// The owner that files of a container's user and group have on the host.
pub(crate) type Owner = Arc<dyn Fn(u32, u32) -> (u32, u32) + Send + Sync>;

/// What is the same for all pods.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Where pods' folders and volumes lie: a path without links, which exists.
    pub(crate) folder: PathBuf,
    /// The zone that the cluster's names are in.
    pub(crate) cluster_domain: String,
    /// Where the cluster's DNS server answers.
    pub(crate) dns: Vec<IpAddr>,
    /// The nodes' own resolv.conf, such as `/etc/resolv.conf`; without such a file it says nothing.
    pub(crate) resolv_conf: PathBuf,
    /// Which programs stand for which images.
    pub(crate) images: Images,
    /// As whom files are written.
    pub(crate) owner: Owner,
}

/// Where a pod runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its addresses, the primary one first; those of the node for a pod in the node's network.
    pub(crate) addresses: Vec<PodAddress>,
    /// Its node.
    pub(crate) node_name: String,
    /// The node's addresses.
    pub(crate) host_ips: Vec<IpAddr>,
}

impl Place {
    fn ips(&self) -> Vec<IpAddr> {
        self.addresses.iter().map(|address| address.address.addr()).collect()
    }

    #[cfg(test)]
    fn example() -> Self {
        let address = |address: &str, gateway: &str| PodAddress {
            address: address.parse().expect("an address"),
            gateway: gateway.parse().expect("an address"),
        };
        Self {
            addresses: vec![
                address("10.244.1.2/24", "10.244.1.1"),
                address("fd00::2/64", "fd00::1"),
            ],
            node_name: "node-1".to_owned(),
            host_ips: vec!["172.18.0.2".parse().expect("an address")],
        }
    }
}

/// Why a pod or a container cannot start yet. It may be able to later, so it is worth another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotYet {
    /// As the waiting state's reason or the Event's has it: `CreateContainerConfigError`, `ErrImagePull`, `FailedMount`…
    pub(crate) reason: &'static str,
    /// In a sentence.
    pub(crate) message: String,
}

/// What pods' processes find, for all pods. Clones share it.
#[derive(Clone)]
pub(crate) struct Contents {
    client: Client,
    settings: Arc<Settings>,
    applets: Applets,
}

impl Contents {
    pub(crate) fn new(client: Client, settings: Settings) -> Self {
        Self { client, settings: Arc::new(settings), applets: Applets::default() }
    }

    /// Reads what a pod refers to and writes its files and volumes. May be done again, and is to be before a container
    /// starts again: its environment is then of the present.
    ///
    /// # Errors
    ///
    /// What is wrong with a volume. What is wrong with a container is said when it is asked for.
    pub(crate) async fn prepare(&self, pod: &Pod, place: &Place) -> Result<Prepared, NotYet> {
        let objects = self.read(pod).await?;
        let name = network_files::host_name(pod, place, &self.settings.cluster_domain)
            .map_err(|message| NotYet { reason: "FailedCreatePodSandBox", message })?;
        let contents = volumes(pod)
            .map(|volume| {
                let content = volumes::content(pod, place, &objects, volume)?;
                Ok((volume.name.clone(), content))
            })
            .collect::<Result<Vec<_>, NotYet>>()?;
        let writer = self.writer(pod)?;
        let (pod, place) = (pod.clone(), place.clone());
        blocking(move || writer.prepare(pod, place, objects, name, contents)).await
    }

    /// Writes the contents of a pod's volumes anew where what they are of has changed: ConfigMaps, Secrets, the pod's labels
    /// and annotations. A container sees them change in place.
    ///
    /// # Errors
    ///
    /// What is wrong with a volume, which then stays as it is. The others are of the present.
    pub(crate) async fn refresh(&self, pod: &Pod, place: &Place) -> Result<(), NotYet> {
        let changes = |volume: &&Volume| {
            volume.config_map.is_some()
                || volume.secret.is_some()
                || volume.downward_api.is_some()
                || volume.projected.is_some()
        };
        if !volumes(pod).any(|volume| changes(&volume)) {
            return Ok(());
        }
        let objects = self.read(pod).await?;
        let mut outcome = Ok(());
        let mut contents = Vec::new();
        for volume in volumes(pod).filter(changes) {
            match volumes::content(pod, place, &objects, volume) {
                Ok(Content::Files(payload)) => contents.push((volume.name.clone(), payload)),
                Ok(Content::Folder | Content::Claim { .. }) => {}
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        let writer = self.writer(pod)?;
        let group = user::volume_group(pod);
        let written = blocking(move || {
            contents.into_iter().try_for_each(|(volume, payload)| {
                writer.files(&volume, payload, group, Timestamp::now())
            })
        });
        written.await.and(outcome)
    }

    /// Removes what was written for a pod. Nothing of it may run any more.
    pub(crate) async fn remove(&self, uid: &str) -> io::Result<()> {
        if !objects::is_name(uid) {
            return Ok(());
        }
        let path = self.settings.folder.join("pods").join(uid);
        let removed = tokio::task::spawn_blocking(move || disk::remove(&path)).await;
        removed.map_err(io::Error::other)?
    }

    /// Removes the folders of pods other than these, and those of claims that are gone. No other pod may run.
    ///
    /// # Errors
    ///
    /// The claims could not be read, or a folder not be removed.
    pub(crate) async fn sweep(&self, pods: BTreeSet<String>) -> io::Result<()> {
        let all = Api::<PersistentVolumeClaim>::all(self.client.clone());
        let claims = all.list(&ListParams::default()).await.map_err(io::Error::other)?;
        let claims = claims.items.iter().filter_map(|claim| {
            let metadata = &claim.metadata;
            let (namespace, name) = (metadata.namespace.as_deref()?, metadata.name.as_deref()?);
            Some(volumes::claim_folder(namespace, name, metadata.uid.as_deref()?))
        });
        let claims: BTreeSet<String> = claims.collect();
        let folder = self.settings.folder.clone();
        let swept = tokio::task::spawn_blocking(move || {
            disk::retain(&folder.join("pods"), &pods)?;
            disk::retain(&folder.join("volumes"), &claims)
        });
        swept.await.map_err(io::Error::other)?
    }

    async fn read(&self, pod: &Pod) -> Result<Objects, NotYet> {
        Objects::read(&self.client, pod).await.map_err(|error| NotYet {
            reason: "CreateContainerConfigError",
            message: format!("could not read what the pod refers to: {error}"),
        })
    }

    fn writer(&self, pod: &Pod) -> Result<Writer, NotYet> {
        Writer::new(pod, self.settings.clone(), self.applets.clone())
    }
}

/// Runs what waits for the disk where nothing else waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotYet> + Send + 'static,
) -> Result<T, NotYet> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(NotYet {
            reason: "FailedMount",
            message: format!("writing the pod's volumes broke off: {error}"),
        })
    })
}

/// All containers of a pod, those that run first at its start first.
fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.iter();
    spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers))
}

fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten())
}

/// The nodes' own resolv.conf.
fn read_resolv_conf(settings: &Settings) -> ResolvConf {
    ResolvConf::parse(&std::fs::read_to_string(&settings.resolv_conf).unwrap_or_default())
}

#[cfg(test)]
mod tests;
