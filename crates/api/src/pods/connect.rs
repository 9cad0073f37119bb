//! Connections to what runs behind an object. Behind a simulated pod nothing runs, and whoever wants to connect is told
//! so in one sentence, once it is known that what is asked for exists.

use std::sync::Arc;

use http::{HeaderMap, Method, Response};
use manifest::kind::{Kind, KindId, Stored};
use serde_json::Value;

use super::container;
use crate::body::Body;
use crate::kubelet::{Container, Kubelet, Pod, Refusal, StreamOptions};
use crate::object::meta;
use crate::options::Query;
use crate::status::{Reason, StatusError};
use crate::stream::{self, Process, Upgrade};

/// What somebody wants to connect to, or to do to a running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Run a command in a container, or attach to what runs there.
    Process { container: Option<String>, process: Process, options: StreamOptions },
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
    pub(super) fn parse(
        kind: KindId,
        part: &str,
        query: &Query,
    ) -> Result<Option<Self>, StatusError> {
        let process = |process| {
            let flag = |name| query.flag(name).map(|flag| flag.unwrap_or(false));
            let tty = flag("tty")?;
            let options = StreamOptions {
                stdin: flag("stdin")?,
                stdout: flag("stdout")?,
                // A terminal has one output.
                stderr: flag("stderr")? && !tty,
                tty,
            };
            let container = query.get("container").map(str::to_owned);
            Ok(Some(Self::Process { container, process, options }))
        };
        Ok(match (kind, part) {
            (KindId::Pod | KindId::Service | KindId::Node, "proxy") => Some(Self::Proxy(kind)),
            (KindId::Pod, "exec") => {
                let command = query.every("command").map(str::to_owned).collect();
                return process(Process::Exec(command));
            }
            (KindId::Pod, "attach") => return process(Process::Attach),
            (KindId::Pod, "portforward") => Some(Self::PortForward),
            (KindId::Pod, "ephemeralcontainers") => Some(Self::EphemeralContainers),
            (KindId::Pod, "resize") => Some(Self::Resize),
            (KindId::Stored(Stored::ServiceAccount), "token") => Some(Self::Token),
            _ => None,
        })
    }

    /// The methods by which one connects.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Process { .. } | Self::PortForward => &[Method::GET, Method::POST],
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

    /// Connects to what is behind an object that exists, or says why not.
    pub(crate) async fn answer(
        self,
        object: &Value,
        kubelet: Option<Arc<dyn Kubelet>>,
        headers: &HeaderMap,
        upgrade: Option<Upgrade>,
    ) -> Result<Response<Body>, StatusError> {
        let own = |name| meta(object, name).to_owned();
        let pod = Pod { namespace: own("namespace"), name: own("name"), uid: own("uid") };
        let chosen = match &self {
            Self::Process { container, .. } => {
                Some(container::choose(object, container.as_deref())?)
            }
            _ => None,
        };
        let reached = match (&self, kubelet) {
            (Self::Proxy(KindId::Node | KindId::Service) | Self::Token, _) | (_, None) => {
                Err(Refusal::Simulated)
            }
            (_, Some(kubelet)) => kubelet.reachable(&pod).map(|()| kubelet),
        };
        let kubelet = match reached {
            Ok(kubelet) => kubelet,
            Err(Refusal::Simulated) => return Err(self.refusal(object)),
            Err(why @ Refusal::Reason(_)) => return Err(stream::refused(&why)),
        };
        if let Some(why) = self.not_served(&pod) {
            return Err(StatusError::new(Reason::NotImplemented, why));
        }
        match (self, chosen) {
            (Self::Process { container: _, process, options }, Some(name)) => {
                validate(&process, options)?;
                let Pod { namespace, name: pod, uid } = pod;
                let container = Container { namespace, pod, uid, name };
                stream::process(&*kubelet, &container, process, options, headers, upgrade).await
            }
            _ => stream::port_forward(kubelet, pod, headers, upgrade),
        }
    }

    /// Why not, for a pod that runs, if it is not served.
    fn not_served(&self, pod: &Pod) -> Option<String> {
        let Pod { namespace, name, uid: _ } = pod;
        match self {
            Self::Process { .. } | Self::PortForward | Self::Token => None,
            Self::Proxy(_) => Some(format!(
                "requests are not passed on; kubectl port-forward {name} -n {namespace} PORT reaches the pod"
            )),
            Self::EphemeralContainers => Some(format!(
                "no container is added to a pod that runs; kubectl exec -it {name} -n {namespace} -- sh looks into one that is \
                 there, and kubectl run starts a pod beside it"
            )),
            Self::Resize => Some(
                "what a pod may use is not limited here, and cannot be changed while it runs"
                    .to_owned(),
            ),
        }
    }

    /// Why not, for a pod that is simulated, and for what is not served.
    fn refusal(&self, object: &Value) -> StatusError {
        let name = meta(object, "name");
        let what = match self {
            Self::Process { process: Process::Exec(_), .. } => {
                "there is no process to run a command in, as there is with headcount up --pods process"
            }
            Self::Process { process: Process::Attach, .. } => {
                "there is no process to attach to, as there is with headcount up --pods process"
            }
            Self::PortForward => {
                "nothing listens on a port of theirs, as it does with headcount up --pods process"
            }
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

/// What is asked of a process must be something.
fn validate(process: &Process, options: StreamOptions) -> Result<(), StatusError> {
    let StreamOptions { stdin, stdout, stderr, tty: _ } = options;
    if !stdin && !stdout && !stderr {
        return Err(StatusError::bad_request(
            "you must specify at least 1 of stdin, stdout, stderr",
        ));
    }
    match process {
        Process::Exec(command) if command.is_empty() => {
            Err(StatusError::bad_request("you must specify at least one command for the container"))
        }
        Process::Exec(_) | Process::Attach => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes() {
        let check = |part, query: &str, expected: Result<(Process, StreamOptions), &str>| {
            let query = Query::parse(query).unwrap();
            let parsed = Connection::parse(KindId::Pod, part, &query);
            let process = parsed.map_err(|error| error.message).and_then(|parsed| match parsed {
                Some(Connection::Process { container, process, options }) => {
                    assert_eq!(container.as_deref(), query.get("container"));
                    validate(&process, options)
                        .map(|()| (process, options))
                        .map_err(|error| error.message)
                }
                other => panic!("{other:?}"),
            });
            assert_eq!(process, expected.map_err(str::to_owned));
        };
        let exec =
            |command: &[&str]| Process::Exec(command.iter().map(|&word| word.into()).collect());
        let options = StreamOptions { stdout: true, stderr: true, ..StreamOptions::default() };
        check(
            "exec",
            "container=c&command=sh&command=-c&command=&command=a+b&stdout=true&stderr=1",
            Ok((exec(&["sh", "-c", "", "a b"]), options)),
        );
        let terminal = StreamOptions { stdin: true, stdout: true, stderr: false, tty: true };
        check(
            "attach",
            "stdin=true&stdout=true&stderr=true&tty=true",
            Ok((Process::Attach, terminal)),
        );
        let streams = "you must specify at least 1 of stdin, stdout, stderr";
        check("attach", "", Err(streams));
        check("exec", "command=true&stdout=false", Err(streams));
        let command = "you must specify at least one command for the container";
        check("exec", "stdout=1", Err(command));
        let flag = "invalid value \"x\" for parameter \"tty\": must be true or false";
        check("exec", "command=true&tty=x", Err(flag));
    }

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
