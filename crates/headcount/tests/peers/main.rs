//! Real peers (Debian's packages), each as a StatefulSet of examples/peers: they find one another by DNS alone, and one that is
//! killed comes back under its name, with another address and its data, and joins again.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout)] // how long they take

mod etcd;
mod members;
mod rabbitmq;
mod redis;
#[path = "../up/support/mod.rs"]
mod support;
mod without_program;
mod zookeeper;
