//! The steps of a trial: apply, ask, turn pods not ready and back, delete one, begin with none ready.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use advisor::design::{Backends, Expectation, WhileNotReady};
use api::store::Memory;
use directory::Name;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use manifest::{Kind, KindId};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ask::Asker;
use super::compare::{Comparison, Leads};
use super::prepare::{Prepared, begin_not_ready, restricted};
use super::report::Report;
use super::seen::Seen;
use super::{Plan, text};
use crate::error::Error;
use crate::local::{LocalCluster, Settings};

/// So many times what was to come of a change is looked for once the cluster is at rest, for work that waits to be tried again.
/// Looks are counted, not time: on a busy machine each takes longer, and so does the work.
const LOOKS_MAX: usize = 40;

/// How long it is left alone between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

const FIRST: &str = "at first";

/// Tries a plan; each step adds to the report. A step is not tried where an earlier one failed that it stands on.
pub(super) async fn run(plan: &Plan<'_>, report: &mut Report) -> Result<(), Error> {
    let prepared = Prepared::new(plan.objects, plan.expectations, plan.namespace);
    report.notes.extend(prepared.notes.iter().cloned());
    for (object, why) in &prepared.refused {
        refused(report, object.clone(), why.clone());
    }
    let mut trial = Trial::start(plan, &prepared).await?;
    let ended = trial.first_life(report).await;
    trial.cluster.shutdown(async {}).await;
    if ended? == Ended::Early {
        report.note("the later steps were not tried, for the first did not go as expected");
        return Ok(());
    }
    let sets = peers(&prepared.expectations);
    if sets.is_empty() {
        return Ok(());
    }
    let mut prepared = prepared;
    for (kind, object) in &mut prepared.objects {
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        if kind.id == KindId::StatefulSet && name.is_some_and(|name| sets.contains(name)) {
            begin_not_ready(object);
        }
    }
    let trial = Trial::start(plan, &prepared).await?;
    let ended = trial.bootstrap(&sets, report).await;
    trial.cluster.shutdown(async {}).await;
    ended
}

/// How a cluster's life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    /// Before its last step, which would have told nothing new.
    Early,
}

/// A cluster, and what is tried in it.
struct Trial<'t> {
    cluster: LocalCluster,
    asker: Asker,
    prepared: &'t Prepared,
    namespace: &'t str,
    domain: &'t Name,
    /// The pod that leads, once the trial has said so.
    leader: Option<String>,
}

impl<'t> Trial<'t> {
    async fn start(plan: &Plan<'t>, prepared: &'t Prepared) -> Result<Self, Error> {
        let cluster = LocalCluster::start(settings(plan.domain, prepared.dual_stack))
            .await
            .map_err(|error| Error::caused("could not start a cluster for the trial", &error))?;
        let asker = Asker::new(cluster.dns_listen(), super::TRIAL_TIME)?;
        let Plan { namespace, domain, .. } = plan;
        Ok(Self { cluster, asker, prepared, namespace, domain, leader: None })
    }

    /// Applies the plan and tries what its names answer while pods come and go.
    async fn first_life(&mut self, report: &mut Report) -> Result<Ended, Error> {
        if !self.apply(report, true).await {
            return Ok(Ended::Early);
        }
        let expectations = &self.prepared.expectations;
        let pods = text::pods_behind(expectations);
        let all_ready =
            |seen: &Seen| pods.iter().all(|backends| seen.not_serving(backends).is_empty());
        let seen = self.settle(all_ready).await?;
        report.checks.extend(self.compare(&seen, FIRST).of_pods(expectations));
        report.checks.extend(self.compare(&seen, FIRST).of(expectations).await);
        if report.failures().next().is_some() {
            return Ok(Ended::Early);
        }
        self.lead(report).await?;
        for pod in changing(&seen, expectations) {
            self.turn(report, &pod).await?;
        }
        for backends in &pods {
            if let Backends::Pods(names) = backends
                && let Some(first) = names.first()
            {
                self.replace(report, &seen, first).await?;
            }
        }
        Ok(Ended::Done)
    }

    /// Plays the software that labels the pod that leads: the first one, and then the last one instead.
    async fn lead(&mut self, report: &mut Report) -> Result<(), Error> {
        for expectation in &self.prepared.expectations {
            let Some(Backends::Leader { pods, label, value }) = text::behind(&expectation.answer)
            else {
                continue;
            };
            let turns = [pods.first(), pods.last().filter(|_| pods.len() > 1)];
            for pod in turns.into_iter().flatten() {
                let before = self.leader.replace(pod.clone());
                for (pod, value) in before.iter().map(|it| (it, None)).chain([(pod, Some(value))]) {
                    self.patch(pod, json!({ "labels": { label: value } })).await?;
                }
                let when = match before {
                    None => format!("while {pod} leads ({label}={value})"),
                    Some(before) => format!("once {pod} leads instead of {before}"),
                };
                let leads = |seen: &Seen| seen.leading(pods, label, value).eq([pod]);
                let seen = self.settle(leads).await?;
                let compared = self.compare(&seen, &when).of(&self.prepared.expectations).await;
                report.checks.extend(compared);
            }
        }
        Ok(())
    }

    /// Turns a pod not ready, and back.
    async fn turn(&self, report: &mut Report, pod: &str) -> Result<(), Error> {
        for (ready, when) in [
            (false, format!("while {pod} is not ready")),
            (true, format!("once {pod} is ready again")),
        ] {
            self.set_ready(pod, ready).await?;
            let is_so = |seen: &Seen| seen.pods.get(pod).is_some_and(|pod| pod.ready == ready);
            let seen = self.settle(is_so).await?;
            if !is_so(&seen) {
                let expected = if ready { "ready" } else { "not ready" };
                report.fail(&when, format!("pod {pod}"), expected, "the contrary".to_owned());
            }
            let checks = self.compare(&seen, &when).of(&self.prepared.expectations).await;
            report.checks.extend(checks);
        }
        Ok(())
    }

    /// Deletes a StatefulSet's pod, which must come back under its name.
    async fn replace(
        &mut self,
        report: &mut Report,
        before: &Seen,
        pod: &str,
    ) -> Result<(), Error> {
        let when = format!("after {pod} was deleted");
        let old = before.pods.get(pod).map(|pod| pod.uid.clone()).unwrap_or_default();
        self.delete(pod, &old).await?;
        // What the software had set on it is gone with it.
        self.leader.take_if(|leader| leader == pod);
        let is_back =
            |seen: &Seen| seen.pods.get(pod).is_some_and(|pod| pod.uid != old && pod.ready);
        let seen = self.settle(is_back).await?;
        if !is_back(&seen) {
            let answered = seen.not_serving(&Backends::Pods(vec![pod.to_owned()])).join("; ");
            report.fail(&when, format!("pod {pod}"), "back, with a new UID, and ready", answered);
            return Ok(());
        }
        let checks = self.compare(&seen, &when).of(&self.prepared.expectations).await;
        report.checks.extend(checks);
        Ok(())
    }

    /// Begins with no pod of these StatefulSets ready, and lets them become ready as they are made: those that are there
    /// must be found by their names before. With `OrderedReady` the next is made once the one before is ready, so each finds
    /// those before it; with `Parallel` all find all.
    async fn bootstrap(&self, sets: &BTreeSet<String>, report: &mut Report) -> Result<(), Error> {
        if !self.apply(report, false).await {
            return Ok(());
        }
        let all: Vec<String> = text::pods_behind(&self.prepared.expectations)
            .iter()
            .filter_map(text::named)
            .flatten()
            .filter(|pod| sets.contains(text::set_of(pod)))
            .cloned()
            .collect();
        let waiting = |seen: &Seen| -> Vec<String> {
            let is_waiting = |name: &&String| seen.pods.get(*name).is_some_and(|pod| !pod.ready);
            all.iter().filter(is_waiting).cloned().collect()
        };
        loop {
            let when = "as the pods are made";
            let seen = self.settle(|seen| !waiting(seen).is_empty()).await?;
            let not_ready = waiting(&seen);
            if not_ready.is_empty() {
                let missing = all.iter().filter(|name| !seen.pods.contains_key(*name)).cloned();
                let missing: Vec<String> = missing.collect();
                let answered = format!("{} never came", text::list(&missing));
                report.fail(when, format!("pods {}", text::list(&all)), "all made", answered);
                return Ok(());
            }
            let were = if not_ready.len() == 1 { "was" } else { "were" };
            let when = format!("before {} {were} ever ready", text::list(&not_ready));
            let is_here =
                |name: &str| !all.iter().any(|it| it == name) || seen.pods.contains_key(name);
            let here: Vec<Expectation> = self
                .prepared
                .expectations
                .iter()
                .map(|expectation| restricted(expectation, is_here, |_| None))
                .collect();
            report.checks.extend(self.compare(&seen, &when).of(&here).await);
            for pod in &not_ready {
                self.set_ready(pod, true).await?;
            }
            if all.iter().all(|name| seen.pods.contains_key(name)) {
                break;
            }
        }
        let when = "once all are ready";
        let all = [Backends::Pods(all)];
        let all_ready = |seen: &Seen| seen.not_serving(&all[0]).is_empty();
        let seen = self.settle(all_ready).await?;
        report.checks.extend(self.compare(&seen, when).of_pods(&self.prepared.expectations));
        report.checks.extend(self.compare(&seen, when).of(&self.prepared.expectations).await);
        Ok(())
    }

    /// Applies the plan's objects through the API; whether it took them all.
    async fn apply(&self, report: &mut Report, tell: bool) -> bool {
        let LocalCluster { client, watches, .. } = &self.cluster;
        let mut good = self.prepared.refused.is_empty();
        for name in &self.prepared.namespaces {
            let namespace =
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
            match cluster::apply(client, Kind::of(KindId::Namespace), &namespace, "").await {
                Ok(applied) => {
                    applied.await_in(watches.activity());
                    if applied.outcome == cluster::Outcome::Created && tell {
                        report.note(format!(
                            "the namespace {name} was made for the trial; the manifests do not make it"
                        ));
                    }
                }
                Err(error) => {
                    good = false;
                    refused(report, format!("Namespace {name}"), error.to_string());
                }
            }
        }
        for (kind, object) in &self.prepared.objects {
            match cluster::apply(client, kind, object, self.namespace).await {
                Ok(applied) => applied.await_in(watches.activity()),
                Err(error) => {
                    good = false;
                    let name = object.pointer("/metadata/name").and_then(Value::as_str);
                    let object = format!("{} {}", kind.kind, name.unwrap_or("without a name"));
                    refused(report, object, error.to_string());
                }
            }
        }
        good
    }

    /// Waits until the cluster is at rest and `is_so`, or that was looked for often enough; what the API says then.
    async fn settle(&self, is_so: impl Fn(&Seen) -> bool) -> Result<Seen, Error> {
        let mut looks = 0;
        loop {
            self.cluster.watches.idle().await;
            let seen = Seen::read(&self.cluster.client, self.namespace)
                .await
                .map_err(|error| Error::caused("could not read the trial's cluster", &error))?;
            looks += 1;
            if is_so(&seen) || looks == LOOKS_MAX {
                return Ok(seen);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn compare<'c>(&'c self, seen: &'c Seen, when: &'c str) -> Comparison<'c> {
        let leads = Leads::Played(self.leader.as_deref());
        Comparison { seen, asker: Some(&self.asker), domain: self.domain, when, leads }
    }

    async fn set_ready(&self, pod: &str, ready: bool) -> Result<(), Error> {
        let value = if ready { Value::Null } else { "false".into() };
        self.patch(pod, json!({ "annotations": { node::READY_ANNOTATION: value } })).await
    }

    async fn patch(&self, pod: &str, metadata: Value) -> Result<(), Error> {
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        let patched = self.pods().patch(pod, &PatchParams::default(), &patch).await;
        let patched = patched.map_err(|error| {
            Error::caused(format_args!("could not change the trial's pod {pod}"), &error)
        })?;
        let version = patched.resource_version();
        self.cluster.watches.activity().wrote(KindId::Pod, version.as_deref());
        Ok(())
    }

    async fn delete(&self, pod: &str, uid: &str) -> Result<(), Error> {
        self.cluster.watches.activity().ending(KindId::Pod, uid);
        let deleted = self.pods().delete(pod, &DeleteParams::default()).await;
        deleted.map(drop).map_err(|error| {
            Error::caused(format_args!("could not delete the trial's pod {pod}"), &error)
        })
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), self.namespace)
    }
}

fn refused(report: &mut Report, object: String, why: String) {
    report.fail("when applied", object, "taken by the API", format!("refused: {why}"));
}

/// The pods to turn not ready: of each StatefulSet the first and the last, of each Deployment one.
fn changing(seen: &Seen, expectations: &[Expectation]) -> Vec<String> {
    let mut pods = BTreeSet::new();
    for backends in text::pods_behind(expectations) {
        match backends {
            Backends::Pods(names) | Backends::Leader { pods: names, .. } => {
                pods.extend(names.first().into_iter().chain(names.last()).cloned())
            }
            Backends::Deployment { name, .. } => {
                pods.extend(seen.pods_of(&name).last().map(|(name, _)| (*name).clone()));
            }
            Backends::Addresses(_) => {}
        }
    }
    pods.into_iter().collect()
}

/// The StatefulSets whose pods must find one another before they are ready.
fn peers(expectations: &[Expectation]) -> BTreeSet<String> {
    let staying = expectations.iter().filter(|it| it.not_ready == WhileNotReady::Stays);
    let names = staying.filter_map(|expectation| text::named(text::behind(&expectation.answer)?));
    names.flatten().map(|pod| text::set_of(pod).to_owned()).collect()
}

/// A small cluster with the ranges that `up` has as its own.
pub(super) fn settings(domain: &Name, dual_stack: bool) -> Settings {
    let ranges = |all: [&str; 2]| -> Vec<IpNet> {
        let families = if dual_stack { 2 } else { 1 };
        all.iter().take(families).map(|range| range.parse().expect("a range")).collect()
    };
    Settings {
        store: Arc::new(Memory::new()),
        service_ranges: ranges(["10.96.0.0/12", "fd00:10:96::/108"]),
        pod_ranges: ranges(["10.244.0.0/16", "fd00:10:244::/56"]),
        nodes: 3,
        domain: domain.clone(),
        dns_listen: (Ipv4Addr::LOCALHOST, 0).into(),
        // Nobody comes by a socket.
        advertise: (Ipv4Addr::LOCALHOST, 6443).into(),
        running: None,
    }
}
