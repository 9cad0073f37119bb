//! What pods' processes find, as far as pods' lives need it: [`Contents`], or a stand-in in tests.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use sandbox::ContainerSpec;

use crate::contents::{Contents, NotYet, Place, Prepared};

/// What pods' processes find.
pub(super) trait Furnish: Send + Sync {
    /// Reads what a pod refers to and writes its files; before each start of a container.
    fn prepare<'a>(
        &'a self,
        pod: &'a Pod,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<Box<dyn Furnished>, NotYet>>;
    /// Writes the volumes of a pod anew, where what they are of has changed.
    fn refresh<'a>(&'a self, pod: &'a Pod, place: &'a Place) -> BoxFuture<'a, Result<(), NotYet>>;
    /// Removes what was written for pods beside these.
    fn sweep(&self, pods: BTreeSet<String>) -> BoxFuture<'_, std::io::Result<()>>;
    /// Removes what was written for a pod.
    fn remove<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, std::io::Result<()>>;
}

/// A pod whose containers may start.
pub(super) trait Furnished: Send + Sync {
    /// How a container is started.
    fn container(&self, name: &str, restarts: u32) -> Result<ContainerSpec, NotYet>;
    /// A container's image and the program that stands for it.
    fn program(&self, name: &str) -> Result<(String, PathBuf), NotYet>;
    /// Where a container writes its last words.
    fn termination_log(&self, name: &str, restarts: u32) -> PathBuf;
}

impl Furnish for Contents {
    fn prepare<'a>(
        &'a self,
        pod: &'a Pod,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<Box<dyn Furnished>, NotYet>> {
        Box::pin(async move {
            let prepared = Contents::prepare(self, pod, place).await?;
            Ok(Box::new(prepared) as Box<dyn Furnished>)
        })
    }

    fn refresh<'a>(&'a self, pod: &'a Pod, place: &'a Place) -> BoxFuture<'a, Result<(), NotYet>> {
        Box::pin(Contents::refresh(self, pod, place))
    }

    fn sweep(&self, pods: BTreeSet<String>) -> BoxFuture<'_, std::io::Result<()>> {
        Box::pin(Contents::sweep(self, pods))
    }

    fn remove<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, std::io::Result<()>> {
        Box::pin(Contents::remove(self, uid))
    }
}

impl Furnished for Prepared {
    fn container(&self, name: &str, restarts: u32) -> Result<ContainerSpec, NotYet> {
        Prepared::container(self, name, restarts)
    }

    fn program(&self, name: &str) -> Result<(String, PathBuf), NotYet> {
        Prepared::program(self, name)
    }

    fn termination_log(&self, name: &str, restarts: u32) -> PathBuf {
        Prepared::termination_log(self, name, restarts)
    }
}
