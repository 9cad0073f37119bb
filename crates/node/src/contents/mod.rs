//! What the processes of a pod find: their program, environment, network files and volumes.
//!
//! What a pod refers to is read through the API when it is prepared, and written below `FOLDER/pods/UID`; what outlives it, below
//! `FOLDER/volumes`. Everything is decided from values; reading and writing is at the rim.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use sandbox::{ContainerSpec, PodAddress};

/// The owner that files of a container's user and group have on the host.
pub(crate) type Owner = Arc<dyn Fn(u32, u32) -> (u32, u32) + Send + Sync>;

/// What is the same for all pods.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Where pods' folders and volumes lie.
    pub(crate) folder: PathBuf,
    /// The zone that the cluster's names are in.
    pub(crate) cluster_domain: String,
    /// Where the cluster's DNS server answers.
    pub(crate) dns: Vec<IpAddr>,
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

/// Why a pod or a container cannot start yet. It may be able to later, so it is worth another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotYet {
    /// As the waiting state's reason has it: `CreateContainerConfigError`, `ErrImagePull`, `FailedMount`…
    pub(crate) reason: &'static str,
    /// In a sentence.
    pub(crate) message: String,
}

/// What pods' processes find, for all pods.
#[derive(Clone)]
pub(crate) struct Contents {
    client: Client,
    settings: Arc<Settings>,
}

impl Contents {
    pub(crate) fn new(client: Client, settings: Settings) -> Self {
        Self { client, settings: Arc::new(settings) }
    }

    /// Reads what a pod refers to and writes its files and volumes. May be done again, and is to be before a container
    /// starts again: its environment is then of the present.
    ///
    /// # Errors
    ///
    /// What is wrong with a volume. What is wrong with a container is said when it is asked for.
    pub(crate) async fn prepare(&self, pod: &Pod, place: &Place) -> Result<Prepared, NotYet> {
        let _ = (&self.client, &self.settings, place);
        Ok(Prepared { pod: pod.clone() })
    }

    /// Writes the contents of a pod's volumes anew where what they are of has changed: ConfigMaps, Secrets, the pod's labels
    /// and annotations. A container sees them change in place.
    pub(crate) async fn refresh(&self, pod: &Pod, place: &Place) -> Result<(), NotYet> {
        let _ = (pod, place);
        Ok(())
    }

    /// Removes what was written for a pod. Nothing of it may run any more.
    pub(crate) async fn remove(&self, uid: &str) -> std::io::Result<()> {
        let _ = uid;
        Ok(())
    }
}

/// A pod whose containers may start.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pod: Pod,
}

impl Prepared {
    /// How a container of this name, of whatever sort, is started. Makes the folders that its mounts name and that do not exist.
    ///
    /// # Errors
    ///
    /// What stands against it: `CreateContainerConfigError`, `ErrImagePull` and the like.
    pub(crate) fn container(&self, name: &str, restarts: u32) -> Result<ContainerSpec, NotYet> {
        let _ = (&self.pod, restarts);
        Err(NotYet {
            reason: "CreateContainerConfigError",
            message: format!("container {name} not found"),
        })
    }

    /// The image that a container names, and the path of the program on the host that stands for it.
    ///
    /// # Errors
    ///
    /// As [`container`](Self::container)'s of the image: `ErrImagePull`, `InvalidImageName`.
    pub(crate) fn program(&self, name: &str) -> Result<(String, PathBuf), NotYet> {
        self.container(name, 0).map(|_| (String::new(), PathBuf::new()))
    }

    /// The file that a container writes its last words to (`terminationMessagePath`), to be read when it has ended.
    pub(crate) fn termination_log(&self, name: &str, restarts: u32) -> PathBuf {
        PathBuf::from(format!("{name}/{restarts}"))
    }
}
