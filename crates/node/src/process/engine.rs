//! An engine of [`sandbox`] runs containers.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sandbox::{
    ContainerId, ContainerSpec, Engine, Exit, Network, PodId, PodSpec, ProcessSpec, Stdio,
};

use super::runtime::{Duplex, Failure, Process, Runtime};

impl From<sandbox::Failure> for Failure {
    fn from(failure: sandbox::Failure) -> Self {
        Self(failure.to_string())
    }
}

impl Runtime for Engine {
    fn create_pod(&self, spec: PodSpec) -> BoxFuture<'_, Result<(), Failure>> {
        async move { Ok(Self::create_pod(self, spec).await?) }.boxed()
    }

    fn remove_pod(&self, id: PodId) -> BoxFuture<'_, Result<(), Failure>> {
        async move { Ok(Self::remove_pod(self, &id).await?) }.boxed()
    }

    fn start_container(
        &self,
        spec: ContainerSpec,
        stdio: Stdio,
    ) -> BoxFuture<'_, Result<Box<dyn Process>, Failure>> {
        async move {
            let process = Self::start_container(self, spec, stdio).await?;
            Ok(Box::new(process) as Box<dyn Process>)
        }
        .boxed()
    }

    fn exec(
        &self,
        container: ContainerId,
        process: ProcessSpec,
        stdio: Stdio,
    ) -> BoxFuture<'_, Result<Box<dyn Process>, Failure>> {
        async move {
            let process = Self::exec(self, &container, process, stdio).await?;
            Ok(Box::new(process) as Box<dyn Process>)
        }
        .boxed()
    }

    fn connect(
        &self,
        network: Network,
        to: SocketAddr,
    ) -> BoxFuture<'_, Result<Box<dyn Duplex>, Failure>> {
        async move {
            let stream = Self::connect(self, network, to).await?;
            Ok(Box::new(stream) as Box<dyn Duplex>)
        }
        .boxed()
    }
}

impl Process for sandbox::Process {
    fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    fn exit(&self) -> BoxFuture<'_, Exit> {
        Self::exit(self).boxed()
    }

    fn signal(&self, signal: i32) -> BoxFuture<'_, Result<(), Failure>> {
        async move { Ok(Self::signal(self, signal).await?) }.boxed()
    }
}
