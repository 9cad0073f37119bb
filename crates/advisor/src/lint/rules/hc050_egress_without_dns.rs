use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use manifest::ObjectRef;
use manifest::read::Level;

use crate::lint::objects::Item;
use crate::lint::policy::{Policies, Verdict};
use crate::lint::told::Texts;
use crate::lint::workload::Workload;
use crate::lint::{Findings, Label, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC050",
    level: Level::Warning,
    title: "a NetworkPolicy lets pods out, but not to DNS",
    explanation: "\
A NetworkPolicy that speaks of egress closes its pods to everything that no rule lets through, the cluster's DNS included. A question to DNS is then
dropped, not answered: a look-up ends in a time-out after seconds, for names that exist and for names that do not, which is how it is told from NXDOMAIN.
DNS needs UDP *and* TCP 53: answers too large for a datagram, as those of large headless Services are, come truncated and are asked for again over TCP.
Told are pods that name a host, or that a rule lets out to other pods; a pod that dials no one may well be closed altogether.",
    remedy: "Add a rule that lets the pods out to port 53, over UDP and TCP, of the pods labelled `k8s-app: kube-dns` in namespace `kube-system`.",
    sources: &["Kubernetes API, networking.k8s.io/v1 NetworkPolicySpec", "RFC 7766"],
    check,
};

/// A rule to copy.
const RULE_TEXT: &str = "\
- {to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], \
ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}";

/// The workloads that the same policies close.
struct Closed<'a> {
    policy: &'a Item<NetworkPolicy>,
    workloads: Vec<&'a Workload>,
    /// What one of them dials.
    asks: Option<Label>,
    /// The protocol that is refused.
    protocol: &'static str,
}

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let Some(policies) = Policies::new(objects) else { return };
    let texts = Texts::new(objects);
    let mut found: BTreeMap<(Vec<&ObjectRef>, &str), Closed<'_>> = BTreeMap::new();
    for workload in &objects.workloads {
        if !asks_cluster(workload) {
            continue;
        }
        let (udp, tcp) = (policies.dns(workload, "UDP"), policies.dns(workload, "TCP"));
        let (verdict, protocol) = match (udp.is_denied(), tcp.is_denied()) {
            (true, _) => (udp, "UDP"),
            (false, true) => (tcp, "TCP"),
            (false, false) => continue,
        };
        let asks = asks(objects, &texts, workload);
        if asks.is_none() && !lets_out_to_pods(&verdict) {
            continue;
        }
        let Some(policy) = verdict.closing.first().copied() else { continue };
        let key = verdict.closing.iter().map(|item| &item.reference).collect();
        let closed = found.entry((key, protocol)).or_insert_with(|| Closed {
            policy,
            workloads: Vec::new(),
            asks: None,
            protocol,
        });
        closed.workloads.push(workload);
        closed.asks = closed.asks.take().or(asks);
    }
    for closed in found.into_values() {
        tell(&closed, findings);
    }
}

/// Whether a workload's pods ask the cluster's DNS at all.
fn asks_cluster(workload: &Workload) -> bool {
    let policy = workload.pod.dns_policy.as_deref().unwrap_or("ClusterFirst");
    let own_servers = workload.pod.dns_config.as_ref().is_some_and(|dns| dns.nameservers.is_some());
    policy.starts_with("ClusterFirst") && !own_servers
}

/// Where a workload's pods are told a host to dial.
fn asks<'a>(objects: &Objects, texts: &Texts<'a>, workload: &'a Workload) -> Option<Label> {
    let is_name = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or_default();
        name.contains('.') && last.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    texts.of(workload).into_iter().find_map(|text| {
        let host = text.hosts().find(|host| {
            host.service(objects, &workload.reference.namespace).is_some()
                || host.dialled && is_name(host.name)
        })?;
        Some(text.label_of(&host, "a name that is looked up"))
    })
}

/// Whether some rule of the policies lets out to pods: who dials them does so by a Service's name.
fn lets_out_to_pods(verdict: &Verdict<'_>) -> bool {
    verdict.closing.iter().any(|policy| {
        let spec = policy.object.spec.as_ref();
        let rules = spec.and_then(|spec| spec.egress.as_ref()).into_iter().flatten();
        let mut peers = rules.flat_map(|rule| rule.to.iter().flatten());
        peers.any(|peer| peer.pod_selector.is_some() || peer.namespace_selector.is_some())
    })
}

fn tell(closed: &Closed<'_>, findings: &mut Findings<'_>) {
    let Closed { policy, workloads, asks, protocol } = closed;
    let Some(first) = workloads.first() else { return };
    let more = match workloads.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (name, of) = (&policy.reference.name, &first.reference.name);
    let field = match policy.document.has("spec.egress") {
        true => "spec.egress",
        false => "spec.policyTypes",
    };
    let udp = *protocol == "UDP";
    let message = match udp {
        true => format!(
            "NetworkPolicy {name} closes the pods of {of}{more} to DNS: no rule lets them out to port 53"
        ),
        false => format!(
            "NetworkPolicy {name} lets the pods of {of}{more} ask DNS over UDP, but not over TCP"
        ),
    };
    let finding = findings.add(policy.subject(), policy.label(field, "no rule for DNS"), message);
    if let Some(label) = asks {
        finding.with(label.clone());
    }
    match udp {
        true => {
            finding.help("look-ups end in a time-out, not in NXDOMAIN");
        }
        false => {
            finding.level(Level::Note);
            finding.help("an answer too large for a datagram comes truncated, and asking again over TCP ends in a time-out");
        }
    }
    finding.help(format!("add to spec.egress: {RULE_TEXT}"));
}
