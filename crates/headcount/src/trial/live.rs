//! The same questions to a cluster of the user's, which is only read: lists through its API, and its DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use clap::Args;
use directory::Name;
use kube::Client;
use tokio::time::{sleep, timeout};

use super::ask::{Asker, Nothing};
use super::compare::{Comparison, Leads};
use super::report::{Report, Where};
use super::seen::Seen;
use super::{Plan, objects, text};
use crate::error::Error;
use crate::live::{Connection, LiveCluster};

/// How long it may take.
const LIVE_TIME: Duration = Duration::from_secs(60);

/// How long its DNS is asked a question that it does not answer.
const QUESTION_TIME: Duration = Duration::from_millis(2500);

/// How often a cluster is asked again whose answers were not as expected, for it may be changing, and its DNS may keep answers
/// for some seconds.
const ROUNDS_MAX: usize = 3;

const BETWEEN_ROUNDS: Duration = Duration::from_secs(3);

const WHEN: &str = "as the cluster is now";

/// Which cluster to ask, and how its DNS is reached.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LiveArgs {
    /// Ask a live cluster, where the design is in use, instead of trying it in a cluster of its own. It is only read: nothing
    /// is applied, and no pod is touched
    #[arg(long)]
    pub(crate) verify_against_cluster: bool,

    #[command(flatten)]
    pub(crate) cluster: LiveCluster,

    /// The live cluster's DNS server, as it is reached from here [default: what the kubeconfig of headcount up says]
    #[arg(long, value_name = "ADDRESS[:PORT]", requires = "verify_against_cluster", value_parser = dns_server)]
    pub(crate) dns_server: Option<SocketAddr>,
}

impl LiveArgs {
    /// Whether a live cluster is to be asked.
    ///
    /// # Errors
    ///
    /// One was named, and nothing asked of it.
    pub(crate) fn is_wanted(&self) -> Result<bool, Error> {
        if self.cluster.is_named() && !self.verify_against_cluster {
            return Err(Error::new(
                "--kubeconfig and --context say which cluster --verify-against-cluster asks, and that was not given",
            )
            .hint("add --verify-against-cluster, or leave them out"));
        }
        Ok(self.verify_against_cluster)
    }
}

fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok();
    bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53)).or_else(with_port).ok_or_else(|| {
        "a DNS server is an IP address, with a port where that is not 53, such as 10.96.0.10 or 127.0.0.1:1053"
            .to_owned()
    })
}

/// Asks the cluster that these arguments name what a plan's names answer, and compares with what its API says. It lists pods,
/// Services, EndpointSlices and ReplicaSets of the plan's namespace, gets the plan's Services, StatefulSets and NetworkPolicies,
/// and writes nothing; so what depends on changes is not tried, and the report says so. It takes a minute at most.
///
/// # Errors
///
/// The kubeconfig cannot be used, or the API does not answer or does not let its user list these.
pub(crate) async fn verify_live(plan: &Plan<'_>, args: &LiveArgs) -> Result<Report, Error> {
    let LiveArgs { verify_against_cluster: _, cluster, dns_server } = args;
    let Connection { client, url: _, domain, dns } = cluster.connect().await?;
    let cluster = Cluster { client, dns: dns_server.or(dns), domain };
    compare(plan, &cluster, BETWEEN_ROUNDS).await
}

/// A cluster that can be asked.
pub(super) struct Cluster {
    pub(super) client: Client,
    /// Where its DNS is reached from here, if that is known.
    pub(super) dns: Option<SocketAddr>,
    /// Its zone, if the kubeconfig says so.
    pub(super) domain: Option<Name>,
}

/// Compares the cluster with the plan, again where they differ, with a pause between.
pub(super) async fn compare(
    plan: &Plan<'_>,
    cluster: &Cluster,
    between_rounds: Duration,
) -> Result<Report, Error> {
    let started = Instant::now();
    let mut report = Report::new(Where::Cluster);
    report.note("pods turned not ready, and deleted, were not tried: the cluster is only read");
    let asked = match timeout(LIVE_TIME, rounds(plan, cluster, between_rounds, &mut report)).await {
        Ok(asked) => asked?,
        Err(_) => {
            report.note(format!(
                "stopped after {} s, before all was asked: the cluster answers slowly",
                LIVE_TIME.as_secs()
            ));
            false
        }
    };
    report.end(asked, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    Ok(report)
}

/// Whether all could be asked.
async fn rounds(
    plan: &Plan<'_>,
    cluster: &Cluster,
    between_rounds: Duration,
    report: &mut Report,
) -> Result<bool, Error> {
    let Plan { objects: _, expectations, namespace, domain } = *plan;
    let zone = text::absolute(&domain.to_string());
    if let Some(theirs) = &cluster.domain
        && text::absolute(&theirs.to_string()) != zone
    {
        report.note(format!(
            "the kubeconfig says that the cluster's names end in {theirs}, and the plan's end in {zone}"
        ));
    }
    let asker = asker(cluster, &zone, namespace, expectations, report).await?;
    let already = report.checks.len();
    let mut hidden = Vec::new();
    for round in 1..=ROUNDS_MAX {
        report.checks.truncate(already);
        let cannot_read = |error: kube::Error| {
            Error::caused(format_args!("could not read the namespace {namespace}"), &error).hint(
                "its user must be allowed to list pods, services, endpointslices and replicasets",
            )
        };
        let objects = objects::compare(&cluster.client, plan, WHEN).await.map_err(cannot_read)?;
        report.checks.extend(objects.checks);
        hidden = objects.hidden;
        let seen = Seen::read(&cluster.client, namespace).await.map_err(cannot_read)?;
        let (asker, leads) = (asker.as_ref(), Leads::Labelled);
        let comparison = Comparison { seen: &seen, asker, domain, when: WHEN, leads };
        report.checks.extend(comparison.of_pods(expectations));
        report.checks.extend(comparison.of_leaders(expectations));
        report.checks.extend(comparison.of(expectations).await);
        if report.checks[already..].iter().all(|check| check.ok) || round == ROUNDS_MAX {
            break;
        }
        sleep(between_rounds).await;
    }
    let all_seen = hidden.is_empty();
    report.notes.extend(hidden);
    Ok(asker.is_some() && all_seen)
}

/// Who asks the cluster's DNS, if it can be asked; else the report says so, and how to ask it from a pod.
async fn asker(
    cluster: &Cluster,
    zone: &str,
    namespace: &str,
    expectations: &[advisor::design::Expectation],
    report: &mut Report,
) -> Result<Option<Asker>, Error> {
    let example = expectations.first().map_or(zone, |expectation| &expectation.name);
    let otherwise = format!(
        "ask from a pod: kubectl -n {namespace} run dns-check -it --rm --restart=Never --image=busybox:1.36 -- nslookup {example}"
    );
    let Some(server) = cluster.dns else {
        report.note(format!(
            "DNS was not asked, for the kubeconfig does not say where it is reached from here: give --dns-server, or {otherwise}"
        ));
        return Ok(None);
    };
    let asker = Asker::new(server, QUESTION_TIME)?;
    match asker.addresses(&format!("kubernetes.default.svc.{zone}")).await {
        Err(Nothing::Failed(why)) => {
            let asked = format!("the DNS server {server}");
            report.fail(WHEN, asked, "an answer", why);
            report.note(format!("DNS was not asked further: give --dns-server, or {otherwise}"));
            Ok(None)
        }
        Ok(_) | Err(Nothing::NoSuchName | Nothing::NoData) => Ok(Some(asker)),
    }
}
