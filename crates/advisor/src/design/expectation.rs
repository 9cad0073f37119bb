//! What must answer once a plan is real. It follows from the intent alone, so that a plan that does not do what was
//! meant is found out.

use std::net::IpAddr;

/// A question, and the answer that the intent asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The name to ask, absolute: `db-0.db-peers.prod.svc.cluster.local.`
    pub name: String,
    /// What should come back.
    pub answer: Expected,
    /// What the name is for: "one peer by its name".
    pub purpose: String,
    /// What becomes of the answer while one of its pods is not ready.
    pub not_ready: WhileNotReady,
}

/// What becomes of an answer while a pod behind it is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhileNotReady {
    /// The pod leaves it, and comes back when it is ready again.
    Leaves,
    /// The pod stays: peers must find one another before they are ready.
    Stays,
    /// The answer does not depend on pods.
    Unaffected,
}

/// The answers that an intent can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A or AAAA: the addresses that these pods have (`status.podIPs`), all of them and no others.
    Pods(Vec<String>),
    /// A or AAAA: one virtual address, behind which these pods are, on these ports.
    Virtual {
        /// The Service's name, in the plan's namespace.
        service: String,
        /// The pods that its EndpointSlices must list as ready.
        pods: Vec<String>,
    },
    /// SRV: these targets (absolute names), each with this port.
    Ports {
        /// The names.
        targets: Vec<String>,
        /// The port that the target listens on: the *targetPort* for pods by name, the Service's for a virtual address.
        port: u16,
    },
    /// CNAME: this name, absolute.
    Alias(String),
    /// A or AAAA: these very addresses, kept by hand.
    Addresses(Vec<IpAddr>),
}
