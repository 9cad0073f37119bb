//! Exec, attach and port-forward, as clients meet them, to a node that runs programs of this machine.

#![allow(clippy::unwrap_used, reason = "tests")]

mod kubectl;
mod kubelet;

mod serving;
mod websocket;
