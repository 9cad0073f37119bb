//! Where there are no namespaces there are no engines.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::failure::{Failure, NotEntered, Unsupported};
use crate::spec::{
    ContainerId, ContainerSpec, Exit, Network, PodId, PodSpec, ProcessSpec, Settings, Stdio,
};

/// An engine, which there can be none of on this system.
#[derive(Clone, Debug)]
pub struct Engine(Infallible);

/// A process in a container, which there can be none of on this system.
#[derive(Debug)]
pub struct Process {
    never: Infallible,
    /// The other side of its terminal, if it has one.
    pub terminal: Option<OwnedFd>,
}

/// See the function of Linux.
///
/// # Errors
///
/// Always.
pub fn enter(_: u32, _: u64, _: &[(PathBuf, PathBuf)]) -> Result<(), NotEntered> {
    Err(NotEntered::NotLinux)
}

/// Plays the part that the program's first argument asks for: on this system there is none.
pub fn run_if_asked() {}

#[expect(missing_docs, reason = "as on Linux, and never called")]
#[allow(clippy::unused_async, reason = "as on Linux")]
impl Engine {
    pub async fn start(_settings: Settings) -> Result<Self, Unsupported> {
        Err(Unsupported::NotLinux)
    }
    pub fn pid(&self) -> u32 {
        match self.0 {}
    }
    pub fn owner(&self, _uid: u32, _gid: u32) -> (u32, u32) {
        match self.0 {}
    }
    pub async fn ended(&self) {
        match self.0 {}
    }
    pub async fn end(&self, _patience: Duration) -> Result<(), Failure> {
        match self.0 {}
    }
    pub async fn shutdown(&self) {
        match self.0 {}
    }
    pub async fn create_pod(&self, _spec: PodSpec) -> Result<(), Failure> {
        match self.0 {}
    }
    pub async fn remove_pod(&self, _id: &PodId) -> Result<(), Failure> {
        match self.0 {}
    }
    pub async fn start_container(
        &self,
        _spec: ContainerSpec,
        _stdio: Stdio,
    ) -> Result<Process, Failure> {
        match self.0 {}
    }
    pub async fn exec(
        &self,
        _container: &ContainerId,
        _process: ProcessSpec,
        _stdio: Stdio,
    ) -> Result<Process, Failure> {
        match self.0 {}
    }
    pub async fn connect(
        &self,
        _network: Network,
        _to: SocketAddr,
    ) -> Result<tokio::net::TcpStream, Failure> {
        match self.0 {}
    }
    pub async fn listen(
        &self,
        _network: Network,
        _at: SocketAddr,
    ) -> Result<tokio::net::TcpListener, Failure> {
        match self.0 {}
    }
    pub async fn bind(&self, _network: Network, _at: SocketAddr) -> Result<UdpSocket, Failure> {
        match self.0 {}
    }
    pub async fn add_address(&self, _address: IpAddr) -> Result<(), Failure> {
        match self.0 {}
    }
    pub async fn open_outside(&self, _inside: Vec<ipnet::IpNet>) -> Result<(), Failure> {
        match self.0 {}
    }
    pub async fn netfilter(&self) -> Result<OwnedFd, Failure> {
        match self.0 {}
    }
    pub fn has_nft(&self) -> bool {
        match self.0 {}
    }
    pub async fn nft(&self, _script: &str) -> Result<(), Failure> {
        match self.0 {}
    }
}

#[expect(missing_docs, reason = "as on Linux, and never called")]
#[allow(clippy::unused_async, reason = "as on Linux")]
impl Process {
    pub fn id(&self) -> u64 {
        match self.never {}
    }
    pub async fn exit(&self) -> Exit {
        match self.never {}
    }
    pub async fn signal(&self, _signal: i32) -> Result<(), Failure> {
        match self.never {}
    }
}
