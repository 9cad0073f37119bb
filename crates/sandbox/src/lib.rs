//! Processes in namespaces of their own: the network of a cluster, and what runs in its pods. Linux only, and nothing here
//! knows Kubernetes.
//!
//! An *engine* is a process of its own, first in a user, network, mount and PID namespace. It plays all nodes: it holds the
//! nodes' addresses, and a veth pair to the network namespace of each pod, by which everything is routed. It starts containers: processes
//! in the network namespace of their pod, with a root folder, a PID namespace and a user namespace of their own. Whatever way the engine ends, the kernel
//! ends all processes in its PID namespace; and it ends when its [`Engine`] goes, whatever way that is.
//!
//! Sockets that the engine makes are handed over and stay in the network in which they were made, so that the process that
//! holds the [`Engine`] serves and dials inside the cluster while it stays outside.
//!
//! There is one program: an engine, and what goes ahead of each container's own program, is this program run again, with a first argument
//! by which [`run_if_asked`] knows its part. Nothing forks without running a program.

#[cfg(target_os = "linux")]
mod container;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(not(target_os = "linux"))]
#[path = "nowhere.rs"]
mod engine;
#[cfg(target_os = "linux")]
mod enter;
mod failure;
#[cfg(target_os = "linux")]
mod filesystem;
#[cfg(target_os = "linux")]
mod guard;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod mirror;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod nft;
#[cfg(target_os = "linux")]
mod pod;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod protocol;
#[cfg(target_os = "linux")]
mod root;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod spawn;
mod spec;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(target_os = "linux")]
mod users;

#[cfg(not(target_os = "linux"))]
pub use engine::enter;
pub use engine::{Engine, Process, run_if_asked};
#[cfg(target_os = "linux")]
pub use enter::enter;
pub use failure::{Failure, NotEntered, Unsupported};
pub use spec::{
    ContainerId, ContainerSpec, Exit, Limits, Mount, MountSource, Network, PROGRAMS, PodAddress,
    PodId, PodNetwork, PodSpec, ProcessSpec, Settings, Stdio, User, WindowSize,
};
