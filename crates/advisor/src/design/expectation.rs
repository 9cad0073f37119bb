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
    /// A and AAAA: the addresses of all of these, and no others.
    Each(Backends),
    /// A and AAAA: the virtual address of a Service.
    Virtual {
        /// The Service's name, in the plan's namespace.
        service: String,
        /// What its EndpointSlices must list as ready, and nothing else.
        behind: Backends,
        /// The ports that those listen on (the Service's *targetPorts*, as numbers): all that the slices must list.
        ports: Vec<u16>,
    },
    /// SRV: these targets, each with this port.
    Ports {
        /// What the records point to.
        targets: Targets,
        /// The port that the target listens on: the *targetPort* for what is behind a headless Service, the Service's
        /// `port` for a virtual address.
        port: u16,
    },
    /// CNAME: this name, absolute.
    Alias(String),
}

/// What stands behind a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backends {
    /// Pods whose names are known beforehand, a StatefulSet's; their addresses are `status.podIPs`.
    Pods(Vec<String>),
    /// The one of a StatefulSet's pods that its software labels as the one that leads; until it does, none.
    Leader {
        /// The pods of which one leads.
        pods: Vec<String>,
        /// The label's key.
        label: String,
        /// Its value.
        value: String,
    },
    /// So many pods of a Deployment, whose names are made with them.
    Deployment {
        /// The Deployment's name.
        name: String,
        /// How many.
        replicas: u32,
    },
    /// Addresses that are kept by hand.
    Addresses(Vec<IpAddr>),
}

/// What SRV records point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The Service's own name, absolute, which has a virtual address.
    Service(String),
    /// A name for each of these below the name of a headless Service, which answers with the address of that one:
    /// `db-0.db-peers.…` for a pod of a StatefulSet, `10-244-1-2.web.…` where there is no host name.
    Each {
        /// What the names are for.
        of: Backends,
        /// The headless Service's name, absolute.
        below: String,
    },
}
