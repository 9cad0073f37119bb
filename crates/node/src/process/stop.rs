//! Ending a container: its hook, SIGTERM, and SIGKILL when its time is over.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use super::acts::{Happening, KILL, TERM};
use super::probe;
use super::shared::{Live, Shared};

/// A hook that took all the time leaves so much to the container.
const AFTER_HOOK: Duration = Duration::from_secs(2);

/// A container that is to end.
pub(super) struct Stop {
    pub(super) shared: Arc<Shared>,
    pub(super) live: Arc<Live>,
    pub(super) pod: Arc<Pod>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) container: Container,
    pub(super) index: usize,
    /// Its hook has not run yet.
    pub(super) hook: bool,
    /// How much time it has.
    pub(super) left: Duration,
    pub(super) news: mpsc::Sender<Happening>,
}

impl Stop {
    /// Ends it; that it has ended is told by who waits for it.
    pub(super) async fn run(self) {
        let mut by = Instant::now() + self.left;
        let hook = self.container.lifecycle.as_ref().and_then(|hooks| hooks.pre_stop.clone());
        if let Some(hook) = hook.filter(|_| self.hook) {
            let target = probe::Target {
                shared: self.shared.clone(),
                live: self.live.clone(),
                address: self.addresses.first().copied(),
                ports: self.container.ports.clone().unwrap_or_default(),
            };
            let done = timeout_at(by, probe::hook(&target, &hook)).await;
            let message = match done {
                Ok(Ok(())) => None,
                Ok(Err(message)) => Some(message),
                Err(_) => Some("the pod's grace period is over".to_owned()),
            };
            if let Some(message) = message {
                let failed = Happening::HookFailed { container: self.index, message };
                let _ = self.news.send(failed).await;
            }
            by = by.max(Instant::now() + AFTER_HOOK);
        }
        self.signal(TERM).await;
        sleep_until(by).await;
        self.signal(KILL).await;
    }

    async fn signal(&self, signal: i32) {
        if let Err(error) = self.live.process.signal(signal).await {
            let pod = self.pod.metadata.name.as_deref();
            debug!(pod, container = self.container.name, %error, signal, "no signal was sent");
        }
    }
}
