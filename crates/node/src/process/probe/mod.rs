//! Probes: how a container is, by its own word; and its hooks, which ask in the same way.

mod exec;
mod grpc;
mod http;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, LifecycleHandler, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sandbox::Network;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::acts::Happening;
use super::events::{self, Event};
use super::life::seconds;
use super::runtime::Duplex;
use super::shared::{Live, Shared};

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Startup,
    Readiness,
    Liveness,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }

    /// As it begins a sentence.
    fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }

    /// The probe of this kind that a container has.
    pub(super) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) shared: Arc<Shared>,
    pub(super) live: Arc<Live>,
    /// The pod's own address.
    pub(super) address: Option<IpAddr>,
    pub(super) ports: Vec<ContainerPort>,
}

/// What one look at a container has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Well,
    /// Not well, in its words.
    Unwell(String),
    /// It could not be asked.
    Errored(String),
}

/// What has come of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) event: Option<Event>,
    /// What the last looks together mean, if that is news.
    pub(super) decided: Option<bool>,
}

/// Counts looks.
#[derive(Clone, Copy, Debug)]
struct Tally {
    successes: i32,
    failures: i32,
    last: Option<bool>,
    run: i32,
    decided: Option<bool>,
}

impl Tally {
    fn new(probe: &Probe) -> Self {
        Self {
            successes: probe.success_threshold.unwrap_or(1).max(1),
            failures: probe.failure_threshold.unwrap_or(3).max(1),
            last: None,
            run: 0,
            decided: None,
        }
    }

    /// Counts one more, and says what that decides anew.
    fn count(&mut self, well: bool) -> Option<bool> {
        self.run = if self.last == Some(well) { self.run.saturating_add(1) } else { 1 };
        self.last = Some(well);
        let enough = self.run >= if well { self.successes } else { self.failures };
        if !enough || self.decided == Some(well) {
            return None;
        }
        self.decided = Some(well);
        self.decided
    }
}

/// Looks at a container again and again.
pub(super) struct Prober {
    pub(super) target: Target,
    pub(super) probe: Probe,
    pub(super) kind: Kind,
    pub(super) container: usize,
    /// Before the first look.
    pub(super) delay: Duration,
    pub(super) news: mpsc::Sender<Happening>,
}

impl Prober {
    pub(super) async fn run(self) {
        let Self { target, probe, kind, container, delay, news } = self;
        sleep(delay).await;
        let period = seconds(i64::from(probe.period_seconds.unwrap_or(10).max(1)));
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tally = Tally::new(&probe);
        loop {
            ticks.tick().await;
            let (event, decided) = match look(&target, &probe).await {
                Seen::Well => (None, tally.count(true)),
                Seen::Unwell(output) => {
                    let event = events::unhealthy(kind.title(), output.trim_end());
                    (Some(event), tally.count(false))
                }
                Seen::Errored(error) => (Some(events::probe_errored(kind.title(), &error)), None),
            };
            if event.is_none() && decided.is_none() {
                continue;
            }
            let outcome = Outcome { event, decided };
            let restarts = target.live.id.restarts;
            let probed = Happening::Probed { container, restarts, kind, outcome };
            if news.send(probed).await.is_err() {
                return;
            }
            // A container that is to be started again is not asked any more, nor is one that has started up.
            let done = match kind {
                Kind::Startup => decided.is_some(),
                Kind::Liveness => decided == Some(false),
                Kind::Readiness => false,
            };
            if done {
                return;
            }
        }
    }
}

async fn look(target: &Target, probe: &Probe) -> Seen {
    let time = seconds(i64::from(probe.timeout_seconds.unwrap_or(1).max(1)));
    if let Some(action) = &probe.exec {
        exec::look(target, action, time).await
    } else if let Some(action) = &probe.http_get {
        http::look(target, action, time).await
    } else if let Some(action) = &probe.tcp_socket {
        tcp(target, action, time).await
    } else if let Some(action) = &probe.grpc {
        grpc::look(target, action, time).await
    } else {
        Seen::Errored("missing probe handler".to_owned())
    }
}

/// Runs a hook.
pub(super) async fn hook(target: &Target, hook: &LifecycleHandler) -> Result<(), String> {
    /// A server that accepts and says nothing must not hold a pod for ever.
    const PATIENCE: Duration = Duration::from_secs(60);
    if let Some(action) = &hook.exec {
        exec::hook(target, action).await
    } else if let Some(action) = &hook.http_get {
        match http::look(target, action, PATIENCE).await {
            Seen::Well => Ok(()),
            Seen::Unwell(message) | Seen::Errored(message) => Err(message),
        }
    } else if let Some(action) = &hook.sleep {
        sleep(seconds(action.seconds)).await;
        Ok(())
    } else if let Some(action) = &hook.tcp_socket {
        match tcp(target, action, PATIENCE).await {
            Seen::Well => Ok(()),
            Seen::Unwell(message) | Seen::Errored(message) => Err(message),
        }
    } else {
        Err("missing hook handler".to_owned())
    }
}

async fn tcp(target: &Target, action: &TCPSocketAction, time: Duration) -> Seen {
    let port = match target.port(&action.port) {
        Ok(port) => port,
        Err(error) => return Seen::Errored(error),
    };
    match timeout(time, target.connect(action.host.as_deref(), port)).await {
        Ok(Ok(_)) => Seen::Well,
        Ok(Err(error)) => Seen::Unwell(error),
        Err(_) => {
            let host = target.host(action.host.as_deref());
            Seen::Unwell(format!("dial tcp {}: i/o timeout", join(&host, port)))
        }
    }
}

impl Target {
    /// A port by number, or by the name that the container has for it.
    fn port(&self, port: &IntOrString) -> Result<u16, String> {
        let number = match port {
            IntOrString::Int(number) => i64::from(*number),
            IntOrString::String(name) => {
                let named = self.ports.iter().find(|port| port.name.as_deref() == Some(name));
                match named {
                    Some(port) => i64::from(port.container_port),
                    None => name.parse().map_err(|_| format!("port {name} not found"))?,
                }
            }
        };
        u16::try_from(number)
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("invalid port number: {number}"))
    }

    /// The host that is asked: the pod itself, unless the probe names another.
    fn host(&self, named: Option<&str>) -> String {
        match (named.filter(|host| !host.is_empty()), self.address) {
            (Some(host), _) => host.to_owned(),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        }
    }

    /// Connects from the pod's node.
    async fn connect(&self, host: Option<&str>, port: u16) -> Result<Box<dyn Duplex>, String> {
        let host = self.host(host);
        let name = join(&host, port);
        let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() else {
            return Err(format!(
                "dial tcp: {host} is not an address: a probe reaches the cluster's network by addresses alone"
            ));
        };
        let network = Network::Cluster;
        let connected = self.shared.runtime.connect(network, SocketAddr::new(address, port)).await;
        connected.map_err(|failure| format!("dial tcp {name}: {}", in_go(&failure.0)))
    }
}

/// A failed connection in Go's words, which people look for.
fn in_go(failure: &str) -> String {
    let lower = failure.to_lowercase();
    for known in ["connection refused", "no route to host", "network is unreachable"] {
        if lower.contains(known) {
            return format!("connect: {known}");
        }
    }
    failure.to_owned()
}

/// A host and a port, as an address names them.
fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests;
