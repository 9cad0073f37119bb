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
use tokio::time::{Instant, sleep, timeout};

use super::ask::Asker;
use super::compare::Comparison;
use super::prepare::{Prepared, begin_not_ready, restricted};
use super::report::Report;
use super::seen::Seen;
use super::{Plan, text};
use crate::error::Error;
use crate::local::{LocalCluster, Settings};

/// How long a cluster may take to come to rest after a change.
const REST_TIME: Duration = Duration::from_secs(10);

/// How long what was to come of a change is waited for once the cluster is at rest: for work that waits to be tried again.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often it is looked for meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

const FIRST: &str = "at first";

/// Tries a plan; each step adds to the report. A step is not tried where an earlier one failed that it stands on.
pub(super) async fn run(plan: &Plan<'_>, report: &mut Report) -> Result<(), Error> {
    let prepared = Prepared::new(plan.objects, plan.expectations, plan.namespace);
    report.notes.extend(prepared.notes.iter().cloned());
    for (object, why) in &prepared.refused {
        refused(report, object.clone(), why.clone());
    }
    let trial = Trial::start(plan, &prepared).await?;
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
}

impl<'t> Trial<'t> {
    async fn start(plan: &Plan<'t>, prepared: &'t Prepared) -> Result<Self, Error> {
        let cluster = LocalCluster::start(settings(plan.domain, prepared.dual_stack))
            .await
            .map_err(|error| Error::caused("could not start a cluster for the trial", &error))?;
        let asker = Asker::new(cluster.dns_listen())?;
        let Plan { namespace, domain, .. } = plan;
        Ok(Self { cluster, asker, prepared, namespace, domain })
    }

    /// Applies the plan and tries what its names answer while pods come and go.
    async fn first_life(&self, report: &mut Report) -> Result<Ended, Error> {
        if !self.apply(report, true).await {
            return Ok(Ended::Early);
        }
        let expectations = &self.prepared.expectations;
        let pods = text::pods_behind(expectations);
        let all_ready =
            |seen: &Seen| pods.iter().all(|backends| seen.not_serving(backends).is_empty());
        let seen = self.settle(report, FIRST, all_ready).await?;
        report.checks.extend(self.compare(&seen, FIRST).of_pods(expectations));
        report.checks.extend(self.compare(&seen, FIRST).of(expectations).await);
        if report.failures().next().is_some() {
            return Ok(Ended::Early);
        }
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

    /// Turns a pod not ready, and back.
    async fn turn(&self, report: &mut Report, pod: &str) -> Result<(), Error> {
        for (ready, when) in [
            (false, format!("while {pod} is not ready")),
            (true, format!("once {pod} is ready again")),
        ] {
            self.set_ready(pod, ready).await?;
            let is_so = |seen: &Seen| seen.pods.get(pod).is_some_and(|pod| pod.ready == ready);
            let seen = self.settle(report, &when, is_so).await?;
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
    async fn replace(&self, report: &mut Report, before: &Seen, pod: &str) -> Result<(), Error> {
        let when = format!("after {pod} was deleted");
        let old = before.pods.get(pod).map(|pod| pod.uid.clone()).unwrap_or_default();
        self.delete(pod, &old).await?;
        let is_back =
            |seen: &Seen| seen.pods.get(pod).is_some_and(|pod| pod.uid != old && pod.ready);
        let seen = self.settle(report, &when, is_back).await?;
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
            .into_iter()
            .filter_map(|backends| match backends {
                Backends::Pods(names) => Some(names),
                Backends::Deployment { .. } | Backends::Addresses(_) => None,
            })
            .flatten()
            .filter(|pod| sets.contains(text::set_of(pod)))
            .collect();
        let waiting = |seen: &Seen| -> Vec<String> {
            let is_waiting = |name: &&String| seen.pods.get(*name).is_some_and(|pod| !pod.ready);
            all.iter().filter(is_waiting).cloned().collect()
        };
        loop {
            let when = "as the pods are made";
            let seen = self.settle(report, when, |seen| !waiting(seen).is_empty()).await?;
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
        let seen = self.settle(report, when, all_ready).await?;
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

    /// Waits until the cluster is at rest and `is_so`, for a while; what the API says then.
    async fn settle(
        &self,
        report: &mut Report,
        when: &str,
        is_so: impl Fn(&Seen) -> bool,
    ) -> Result<Seen, Error> {
        if timeout(REST_TIME, self.cluster.watches.idle()).await.is_err() {
            let expected = format!("at rest within {} s", REST_TIME.as_secs());
            let answered = "still changing".to_owned();
            report.fail(when, "the cluster".to_owned(), &expected, answered);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = Seen::read(&self.cluster.client, self.namespace)
                .await
                .map_err(|error| Error::caused("could not read the trial's cluster", &error))?;
            if is_so(&seen) || Instant::now() >= deadline {
                return Ok(seen);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn compare<'c>(&'c self, seen: &'c Seen, when: &'c str) -> Comparison<'c> {
        Comparison { seen, asker: Some(&self.asker), domain: self.domain, when, runs: false }
    }

    async fn set_ready(&self, pod: &str, ready: bool) -> Result<(), Error> {
        let value = if ready { Value::Null } else { "false".into() };
        let patch = json!({ "metadata": { "annotations": { node::READY_ANNOTATION: value } } });
        let patched = self.pods().patch(pod, &PatchParams::default(), &Patch::Merge(patch)).await;
        let patched = patched.map_err(|error| {
            Error::caused(format_args!("could not annotate the trial's pod {pod}"), &error)
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
            Backends::Pods(names) => {
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
    let names = staying.filter_map(|expectation| match text::behind(&expectation.answer) {
        Some(Backends::Pods(names)) => Some(names),
        Some(Backends::Deployment { .. } | Backends::Addresses(_)) | None => None,
    });
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
    }
}
