//! A worker's probes, and what follows from what they see.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container as Spec;

use super::Worker;
use crate::process::events;
use crate::process::life::{State, after, seconds};
use crate::process::probe::{self, Kind, Outcome, Prober};
use crate::process::shared::Live;

impl Worker {
    pub(super) fn probed(&mut self, index: usize, kind: Kind, outcome: Outcome, now: Timestamp) {
        let name = self.life.containers[index].name.clone();
        let told = &self.life.containers[index];
        let Outcome { event, decided } = outcome;
        if let Some(event) = event {
            self.teller.tell_of(told, event);
        }
        match (kind, decided) {
            (_, None) | (Kind::Liveness, Some(true)) => {}
            (Kind::Readiness, Some(ready)) => self.life.containers[index].ready = ready,
            (Kind::Startup, Some(true)) => {
                self.life.containers[index].start_up();
                self.probe_running(index);
            }
            (Kind::Startup | Kind::Liveness, Some(false)) if !self.life.is_over() => {
                let event = events::unhealthy_killing(&name, kind.name());
                self.teller.tell_of(told, event);
                let spec = self.spec(index);
                let probe = spec.and_then(|spec| kind.of(spec));
                let own = probe.and_then(|probe| probe.termination_grace_period_seconds);
                let stop = self.life.cut_short(index, own.map(seconds), now);
                self.act_on(stop);
            }
            (Kind::Startup | Kind::Liveness, Some(false)) => {}
        }
    }

    /// Begins with the probes that look at a container that has started up.
    pub(super) fn probe_running(&mut self, index: usize) {
        self.probe(index, Kind::Readiness);
        self.probe(index, Kind::Liveness);
    }

    pub(super) fn probe(&mut self, index: usize, kind: Kind) {
        let Some(live) = self.hands_on[index].live.clone() else { return };
        let Some(spec) = self.spec(index).cloned() else { return };
        let Some(probe) = kind.of(&spec).cloned() else { return };
        let since = match &self.life.containers[index].state {
            State::Running { since, .. } => *since,
            State::Waiting(_) | State::Ended(_) => return,
        };
        let delay = seconds(i64::from(probe.initial_delay_seconds.unwrap_or(0)));
        let left = after(since, delay).duration_since(self.shared.now());
        let prober = Prober {
            target: self.target_of(live, &spec),
            probe,
            kind,
            container: index,
            delay: Duration::try_from(left).unwrap_or(Duration::ZERO),
            news: self.news.clone(),
        };
        let prober = self.tasks.spawn(prober.run());
        self.hands_on[index].probers.push(prober);
    }

    pub(super) fn target_of(&self, live: Arc<Live>, spec: &Spec) -> probe::Target {
        probe::Target {
            shared: self.shared.clone(),
            live,
            address: self.circumstances.addresses.first().copied(),
            ports: spec.ports.clone().unwrap_or_default(),
        }
    }
}
