//! Connections to what runs behind an object. Pods are simulated: nothing runs, and whoever wants to connect is told so
//! in one sentence, once it is known that what is asked for exists.

use http::Method;
use manifest::kind::{Kind, KindId, Stored};
use serde_json::Value;

use super::container;
use crate::object::meta;
use crate::options::Query;
use crate::status::{Reason, StatusError};

/// What somebody wants to connect to, or to do to a running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Run a command in a container.
    Exec { container: Option<String> },
    /// Attach to a container's process.
    Attach { container: Option<String> },
    /// Forward ports to a pod.
    PortForward,
    /// Send HTTP requests to a pod, Service or node.
    Proxy(KindId),
    /// Add a container to a running pod.
    EphemeralContainers,
    /// Change the resources of a running pod.
    Resize,
    /// Ask for a ServiceAccount's token.
    Token,
}

const ANY: &[Method] = &[
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

impl Connection {
    /// The connection that a subresource stands for.
    pub(super) fn parse(kind: KindId, part: &str, query: &Query) -> Option<Self> {
        let container = || query.get("container").map(str::to_owned);
        match (kind, part) {
            (KindId::Pod | KindId::Service | KindId::Node, "proxy") => Some(Self::Proxy(kind)),
            (KindId::Pod, "exec") => Some(Self::Exec { container: container() }),
            (KindId::Pod, "attach") => Some(Self::Attach { container: container() }),
            (KindId::Pod, "portforward") => Some(Self::PortForward),
            (KindId::Pod, "ephemeralcontainers") => Some(Self::EphemeralContainers),
            (KindId::Pod, "resize") => Some(Self::Resize),
            (KindId::Stored(Stored::ServiceAccount), "token") => Some(Self::Token),
            _ => None,
        }
    }

    /// The methods by which one connects.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Exec { .. } | Self::Attach { .. } | Self::PortForward => {
                &[Method::GET, Method::POST]
            }
            Self::Proxy(_) => ANY,
            Self::EphemeralContainers | Self::Resize => &[Method::GET, Method::PUT, Method::PATCH],
            Self::Token => &[Method::POST],
        }
    }

    /// The name of the object: with a proxy it may stand between a scheme and a port (`https:db:5432`).
    pub(crate) fn object_name<'n>(&self, name: &'n str) -> &'n str {
        let parts: Vec<&str> = name.split(':').collect();
        match (self, parts.as_slice()) {
            (Self::Proxy(_), [name, _] | [_, name, _]) => name,
            _ => name,
        }
    }

    /// Why not, for an object that exists.
    pub(crate) fn refusal(&self, object: &Value) -> StatusError {
        let name = meta(object, "name");
        let missing = match self {
            Self::Exec { container } | Self::Attach { container } => {
                container::choose(object, container.as_deref()).err()
            }
            Self::PortForward
            | Self::Proxy(_)
            | Self::EphemeralContainers
            | Self::Resize
            | Self::Token => None,
        };
        if let Some(error) = missing {
            return error;
        }
        let what = match self {
            Self::Exec { .. } => "there is no process to run a command in",
            Self::Attach { .. } => "there is no process to attach to",
            Self::PortForward => "nothing listens on a port of theirs",
            Self::Proxy(_) => "nothing answers requests",
            Self::EphemeralContainers => "there is no process to debug",
            Self::Resize => "they use no resources",
            Self::Token => {
                let why =
                    "headcount has one token, that of its kubeconfig: ServiceAccounts have none";
                return StatusError::new(Reason::NotImplemented, why);
            }
        };
        let place = match meta(object, "namespace") {
            "" => String::new(),
            namespace => format!(" -n {namespace}"),
        };
        let instead = match self {
            Self::Proxy(kind @ (KindId::Node | KindId::Service)) => {
                let kind = Kind::of(*kind).singular;
                format!("kubectl describe {kind} {name}{place} shows what is there")
            }
            _ => format!("kubectl logs {name}{place} tells what the simulated node did"),
        };
        let message = format!("pods of headcount are simulated: {what}; {instead}");
        StatusError::new(Reason::NotImplemented, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_proxied_objects() {
        let check = |name, expected| {
            assert_eq!(Connection::Proxy(KindId::Service).object_name(name), expected);
        };
        check("db", "db");
        check("db:5432", "db");
        check("https:db:5432", "db");
        check("https:db:", "db");
        assert_eq!(Connection::PortForward.object_name("a:b"), "a:b");
    }
}
