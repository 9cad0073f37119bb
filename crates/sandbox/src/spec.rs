//! What an engine is asked for.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The folders of the host that all containers can read, below `/`: its programs and what they need. Nothing secret belongs there.
pub const PROGRAMS: &[&str] =
    &["bin", "gnu/store", "lib", "lib32", "lib64", "libx32", "nix/store", "sbin", "usr"];

/// What an engine is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The folder below which the pods' folders and volumes lie: the only part of the host's files that containers may be
    /// given to write to. The users of containers must be able to pass it, though not to read it (mode 711).
    pub folder: PathBuf,
    /// The Services' addresses: they are local in the cluster's network, so that one can listen on any of them.
    pub service_ranges: Vec<IpNet>,
    /// The nodes' own addresses.
    pub node_addresses: Vec<IpAddr>,
    /// The program that calls [`crate::run_if_asked`]: where there is none, this one, run again.
    pub program: Option<PathBuf>,
}

/// A pod, by its UID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodId(pub String);

/// One life of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContainerId {
    /// Its pod.
    pub pod: PodId,
    /// Its name.
    pub name: String,
    /// How often it was started before.
    pub restarts: u32,
}

/// A network that sockets are made in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// That of the cluster's nodes.
    Cluster,
    /// That of a pod.
    Pod(PodId),
}

/// What all containers of a pod share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSpec {
    /// Which one.
    pub id: PodId,
    /// Its network.
    pub network: PodNetwork,
}

/// The network of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodNetwork {
    /// A network namespace of its own with an `eth0` that has these addresses, the primary one first.
    Own(Vec<PodAddress>),
    /// That of the nodes (`hostNetwork`).
    Node,
}

/// An address of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodAddress {
    /// The address, with the prefix that its interface says it has.
    pub address: IpNet,
    /// Where everything is sent that is not for the pod itself: the node's own address in the pod's block.
    pub gateway: IpAddr,
}

/// A container to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Which one.
    pub id: ContainerId,
    /// What it runs.
    pub process: ProcessSpec,
    /// The host name that its processes see.
    pub hostname: String,
    /// What is mounted, in this order, over a root that has the host's programs and libraries, read-only, and nothing else of the
    /// host.
    pub mounts: Vec<Mount>,
    /// Nothing but what is mounted, `/dev/shm` and `/tmp` can be written to.
    pub read_only_root: bool,
    /// What it may use at most.
    pub limits: Limits,
}

/// A process to start in a container, as its first one or beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The program, by path or to be found in `PATH` of its environment, and its arguments.
    pub command: Vec<String>,
    /// Its whole environment, in order.
    pub env: Vec<(String, String)>,
    /// Where it begins; created where it is missing.
    pub working_dir: PathBuf,
    /// As whom it runs.
    pub user: User,
}

/// A user inside of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Further groups. Without several numbers to give out, an engine leaves them out.
    pub groups: Vec<u32>,
}

/// Something mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What.
    pub source: MountSource,
    /// Where: an absolute path, created where it is missing.
    pub target: PathBuf,
    /// Whether it cannot be written to.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// A folder or file below [`Settings::folder`]. No part of its path may be a symbolic link: what containers have written there could lead anywhere.
    Own(PathBuf),
    /// A folder or file of the host: always read-only.
    Host(PathBuf),
    /// Memory, of so many bytes at most.
    Memory(u64),
}

/// What a container may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processes and threads.
    pub processes: u64,
    /// Open files of each process.
    pub open_files: u64,
    /// Bytes of what it writes outside of volumes.
    pub root_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { processes: 1024, open_files: 65_536, root_bytes: 256 << 20 }
    }
}

/// Where a process reads and writes.
#[derive(Debug)]
pub enum Stdio {
    /// Files, pipes or sockets; `/dev/null` where there is none.
    Pipes {
        /// What it reads.
        stdin: Option<OwnedFd>,
        /// What it writes.
        stdout: Option<OwnedFd>,
        /// What it writes besides.
        stderr: Option<OwnedFd>,
    },
    /// A terminal of the container's own; the other side of it is handed over.
    Terminal(WindowSize),
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl Exit {
    /// The code that a container's status says: 128 and the signal's number for a signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}
