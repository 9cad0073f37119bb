//! Pods that are processes: each has a worker, which owns its life.
//!
//! What is to be done follows from a pure state machine (`life`), and so does what a status says (`status`). A worker does it
//! (`worker`, `acts`, `stop`), through a [`Runtime`]: its network, its containers, its probes and hooks. What containers write
//! goes into files (`logs`) and to those who are attached (`output`); `streams` is for who comes through the API.

mod acts;
mod crew;
mod engine;
mod events;
mod furnish;
mod life;
mod logs;
mod output;
mod probe;
mod runtime;
mod shared;
mod status;
mod stdio;
mod stop;
mod streams;
mod terminal;
mod worker;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;

use crate::contents::{Contents, Images, Settings};
use life::BackOffSettings;
use shared::Shared;

pub(crate) use crew::{Crew, Left, WorkDone};
pub use runtime::{Duplex, Failure, Process, Runtime};
pub use streams::{NoLog, StreamEnd, StreamOptions, Streams};

/// With what pods are processes.
pub struct ProcessSettings {
    /// What runs them.
    pub runtime: Arc<dyn Runtime>,
    /// Below it lie the pods' files and logs: a path without links, of a folder that exists.
    pub folder: PathBuf,
    /// The zone that the cluster's names are in.
    pub cluster_domain: String,
    /// Where the cluster's DNS server answers.
    pub dns: Vec<IpAddr>,
    /// The nodes' own `resolv.conf`, such as that of the host.
    pub resolv_conf: PathBuf,
    /// Which programs stand for which images.
    pub images: Images,
    /// The owner that files of a container's user and group have on the host.
    pub owner: Arc<dyn Fn(u32, u32) -> (u32, u32) + Send + Sync>,
    /// How long a container waits that ended twice; doubled with each further end.
    pub back_off: Duration,
    /// How long it waits at most.
    pub back_off_max: Duration,
}

/// Pods that are processes; clones are the same ones.
#[derive(Clone)]
pub struct Processes {
    shared: Arc<Shared>,
    settings: Settings,
}

impl fmt::Debug for Processes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Processes").field(&self.shared).finish()
    }
}

impl Processes {
    /// None runs yet.
    pub fn new(settings: ProcessSettings) -> Self {
        let ProcessSettings {
            runtime,
            folder,
            cluster_domain,
            dns,
            resolv_conf,
            images,
            owner,
            back_off,
            back_off_max,
        } = settings;
        let back_off = BackOffSettings { first: back_off, longest: back_off_max };
        let clock = Box::new(Timestamp::now);
        let shared = Shared::new(runtime, folder.clone(), back_off, clock);
        let settings = Settings { folder, cluster_domain, dns, resolv_conf, images, owner };
        Self { shared: Arc::new(shared), settings }
    }

    /// From now on, what pods refer to is found through this client.
    pub(crate) fn connect(&self, client: Client) {
        let contents = Contents::new(client, self.settings.clone());
        // A second time is of no effect: it would be the same.
        let _ = self.shared.contents.set(Box::new(contents));
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
