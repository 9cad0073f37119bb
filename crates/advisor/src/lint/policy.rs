//! NetworkPolicies: whom they let through, as far as the manifests tell.
//!
//! A pod that no policy selects for a direction is open in it. One that is selected is closed but for what some rule of a
//! policy that selects it lets through; policies only add to one another (Kubernetes API, networking.k8s.io/v1).

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::labels::{POD_INDEX, POD_NAME, REVISION_HASH, TEMPLATE_HASH};
use manifest::selector::{LabelSelector, Operator, Requirement};

use super::objects::{Item, Objects};
use super::workload::Workload;

/// The label with its name that every namespace has.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Labels that controllers put on pods: no template shows them.
const MADE: &[&str] = &[
    POD_NAME,
    POD_INDEX,
    REVISION_HASH,
    TEMPLATE_HASH,
    "pod-template-generation",
    "batch.kubernetes.io/job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "job-name",
    "controller-uid",
];

/// Where clusters have their DNS.
const DNS_NAMESPACES: &[&str] = &["kube-system", "openshift-dns"];
/// The label of the DNS pods nearly everywhere.
const DNS_LABEL: (&str, &str) = ("k8s-app", "kube-dns");
/// Where DNS is asked, and where OpenShift's pods listen.
const DNS_PORTS: [i32; 2] = [53, 5353];

/// What can be said of the cluster from the manifests alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    /// It depends on what is not among them.
    Unknown,
}

impl Truth {
    fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().fold(Self::No, |sum, truth| match (sum, truth) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Unknown,
        })
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// Which way connections go, seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    /// As in `policyTypes`.
    fn name(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::Egress => "Egress",
        }
    }
}

/// A port on pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PodPort<'a> {
    pub(super) number: i32,
    /// `TCP`, `UDP` or `SCTP`
    pub(super) protocol: &'a str,
}

/// What the policies say of connections of a pod in one direction.
#[derive(Clone, Debug)]
pub(super) struct Verdict<'a> {
    /// The policies that surely close the pod in this direction.
    pub(super) closing: Vec<&'a Item<NetworkPolicy>>,
    /// Whether some rule lets the connection through.
    pub(super) allowed: Truth,
}

impl Verdict<'_> {
    /// Whether the connection is surely refused.
    pub(super) fn is_denied(&self) -> bool {
        !self.closing.is_empty() && self.allowed == Truth::No
    }
}

/// All policies, by namespace.
#[derive(Debug)]
pub(super) struct Policies<'a> {
    by_namespace: HashMap<&'a str, OfNamespace<'a>>,
    namespaces: HashMap<&'a str, Option<&'a BTreeMap<String, String>>>,
    dns_namespaces: Vec<&'a str>,
}

/// The policies of a namespace, found by a label that the pods of each must have.
#[derive(Debug, Default)]
struct OfNamespace<'a> {
    policies: Vec<Policy<'a>>,
    by_label: HashMap<(String, String), Vec<usize>>,
    /// Those whose pods need no label of certain values.
    others: Vec<usize>,
}

#[derive(Debug)]
struct Policy<'a> {
    item: &'a Item<NetworkPolicy>,
    spec: &'a NetworkPolicySpec,
    selects: LabelSelector,
}

/// A rule, of either direction.
struct Rule<'a> {
    peers: &'a [NetworkPolicyPeer],
    ports: &'a [NetworkPolicyPort],
}

impl<'a> Policies<'a> {
    /// `None` when policies of other kinds, which may overrule these, are among the objects.
    pub(super) fn new(objects: &'a Objects) -> Option<Self> {
        if objects.foreign.iter().any(|foreign| foreign.kind().ends_with("NetworkPolicy")) {
            return None;
        }
        let mut by_namespace: HashMap<&str, OfNamespace<'_>> = HashMap::new();
        for item in &objects.network_policies {
            let Some(spec) = item.object.spec.as_ref() else { continue };
            let selects = spec.pod_selector.clone().unwrap_or_default();
            let Ok(selects) = LabelSelector::from_object(&selects) else { continue };
            let of = by_namespace.entry(item.reference.namespace.as_str()).or_default();
            of.add(Policy { item, spec, selects });
        }
        let namespaces = objects.namespaces.iter();
        let namespaces = namespaces
            .map(|item| (item.reference.name.as_str(), item.object.metadata.labels.as_ref()));
        let (key, value) = DNS_LABEL;
        let with_dns = objects
            .workloads
            .iter()
            .filter(|workload| workload.labels.get(key).is_some_and(|label| label == value));
        let with_dns = with_dns.map(|workload| workload.reference.namespace.as_str());
        Some(Self {
            by_namespace,
            namespaces: namespaces.collect(),
            dns_namespaces: with_dns.chain(DNS_NAMESPACES.iter().copied()).collect(),
        })
    }

    /// Whether the pods of a workload let connections from another's pods in.
    pub(super) fn ingress(&self, to: &Workload, port: PodPort<'_>, from: &Workload) -> Verdict<'a> {
        self.verdict(Direction::Ingress, to, |policy, rule| {
            self.peer(rule, policy, from).and(ports(rule, port, Some(to)))
        })
    }

    /// Whether the pods of a workload may connect to another's.
    pub(super) fn egress(&self, from: &Workload, to: &Workload, port: PodPort<'_>) -> Verdict<'a> {
        self.verdict(Direction::Egress, from, |policy, rule| {
            self.peer(rule, policy, to).and(ports(rule, port, Some(to)))
        })
    }

    /// Whether the pods of a workload may ask the cluster's DNS over this protocol.
    pub(super) fn dns(&self, from: &Workload, protocol: &str) -> Verdict<'a> {
        self.verdict(Direction::Egress, from, |policy, rule| {
            let ports = DNS_PORTS.map(|number| ports(rule, PodPort { number, protocol }, None));
            self.dns_peer(rule, policy).and(Truth::any(ports))
        })
    }

    fn verdict(
        &self,
        direction: Direction,
        of: &Workload,
        lets_through: impl Fn(&Policy<'a>, &Rule<'_>) -> Truth,
    ) -> Verdict<'a> {
        let mut verdict = Verdict { closing: Vec::new(), allowed: Truth::No };
        // Policies are not made for pods on their node's network; what they do to these is left to the implementation.
        if of.pod.host_network == Some(true) {
            return verdict;
        }
        let all = self.by_namespace.get(of.reference.namespace.as_str());
        let of_pod = all.into_iter().flat_map(|all| all.candidates(&of.labels));
        for policy in of_pod.filter(|policy| policy.closes(direction)) {
            let selected = selected(&policy.selects, &of.labels);
            if selected == Truth::Yes {
                verdict.closing.push(policy.item);
            }
            let rules = policy.rules(direction);
            let rules = Truth::any(rules.iter().map(|rule| lets_through(policy, rule)));
            verdict.allowed = Truth::any([verdict.allowed, selected.and(rules)]);
        }
        verdict
    }

    /// Whether a rule speaks of the pods of a workload.
    fn peer(&self, rule: &Rule<'_>, policy: &Policy<'_>, other: &Workload) -> Truth {
        if rule.peers.is_empty() {
            return Truth::Yes;
        }
        let namespace = other.reference.namespace.as_str();
        Truth::any(rule.peers.iter().map(|peer| {
            if let Some(block) = &peer.ip_block {
                return of_block(&block.cidr, block.except.as_deref());
            }
            // A pod on its node's network comes from the node's address.
            if other.pod.host_network == Some(true) {
                return Truth::Unknown;
            }
            let pods = peer.pod_selector.as_ref().map(LabelSelector::from_object);
            let pods = match pods {
                None => Truth::Yes,
                Some(Ok(selector)) => selected(&selector, &other.labels),
                Some(Err(_)) => Truth::No,
            };
            self.namespace(peer.namespace_selector.as_ref(), policy, namespace).and(pods)
        }))
    }

    /// Whether a rule speaks of the cluster's DNS.
    fn dns_peer(&self, rule: &Rule<'_>, policy: &Policy<'_>) -> Truth {
        if rule.peers.is_empty() {
            return Truth::Yes;
        }
        Truth::any(rule.peers.iter().map(|peer| {
            if let Some(block) = &peer.ip_block {
                return of_block(&block.cidr, block.except.as_deref());
            }
            let namespaces = self.dns_namespaces.iter();
            let namespaces = Truth::any(namespaces.map(|namespace| {
                self.namespace(peer.namespace_selector.as_ref(), policy, namespace)
            }));
            let (key, value) = DNS_LABEL;
            let labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let pods = peer.pod_selector.as_ref().map(LabelSelector::from_object);
            let pods = match pods {
                None => Truth::Yes,
                // DNS pods may have other labels, too.
                Some(Ok(selector)) if selected(&selector, &labels) == Truth::Yes => Truth::Yes,
                Some(Ok(_)) => Truth::Unknown,
                Some(Err(_)) => Truth::No,
            };
            namespaces.and(pods)
        }))
    }

    /// Whether a peer's selector takes a namespace; without one it is the policy's own.
    fn namespace(
        &self,
        selector: Option<&meta::LabelSelector>,
        policy: &Policy<'_>,
        namespace: &str,
    ) -> Truth {
        let Some(selector) = selector else {
            return (policy.item.reference.namespace == namespace).into();
        };
        let Ok(selector) = LabelSelector::from_object(selector) else { return Truth::No };
        let known = self.namespaces.get(namespace);
        let terms = selector.requirements().unwrap_or_default().iter().map(|term| {
            let label = match term.key.as_str() {
                NAMESPACE_NAME => Some(namespace),
                _ if known.is_none() => return Truth::Unknown,
                key => known.and_then(|labels| Some(labels.as_ref()?.get(key)?.as_str())),
            };
            term.allows(label).into()
        });
        terms.fold(Truth::Yes, Truth::and)
    }
}

impl<'a> OfNamespace<'a> {
    fn add(&mut self, policy: Policy<'a>) {
        let at = self.policies.len();
        let terms = policy.selects.requirements().unwrap_or_default();
        let needed = terms
            .iter()
            .find(|term| term.operator == Operator::In && !MADE.contains(&term.key.as_str()));
        match needed {
            Some(Requirement { key, values, .. }) => {
                for value in values {
                    self.by_label.entry((key.clone(), value.clone())).or_default().push(at);
                }
            }
            None => self.others.push(at),
        }
        self.policies.push(policy);
    }

    /// The policies that may select a pod with these labels, in their order.
    fn candidates(&self, labels: &BTreeMap<String, String>) -> impl Iterator<Item = &Policy<'a>> {
        let by_label = labels
            .iter()
            .filter_map(|(key, value)| self.by_label.get(&(key.clone(), value.clone())));
        let mut all: Vec<usize> = by_label.flatten().chain(&self.others).copied().collect();
        all.sort_unstable();
        all.into_iter().map(|at| &self.policies[at])
    }
}

impl Policy<'_> {
    fn closes(&self, direction: Direction) -> bool {
        let types = self.spec.policy_types.iter().flatten();
        types.into_iter().any(|name| name == direction.name())
    }

    fn rules(&self, direction: Direction) -> Vec<Rule<'_>> {
        fn list<T>(list: &Option<Vec<T>>) -> &[T] {
            list.as_deref().unwrap_or_default()
        }
        match direction {
            Direction::Ingress => {
                let rules = list(&self.spec.ingress).iter();
                rules
                    .map(|rule| Rule { peers: list(&rule.from), ports: list(&rule.ports) })
                    .collect()
            }
            Direction::Egress => {
                let rules = list(&self.spec.egress).iter();
                rules.map(|rule| Rule { peers: list(&rule.to), ports: list(&rule.ports) }).collect()
            }
        }
    }
}

/// Whether a selector takes pods whose template has these labels.
fn selected(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> Truth {
    let Some(terms) = selector.requirements() else { return Truth::No };
    let terms = terms.iter().map(|term| match labels.get(&term.key) {
        None if MADE.contains(&term.key.as_str()) => Truth::Unknown,
        label => term.allows(label.map(String::as_str)).into(),
    });
    terms.fold(Truth::Yes, Truth::and)
}

/// Whether a block of addresses has a pod's, which only the cluster knows.
fn of_block(cidr: &str, except: Option<&[String]>) -> Truth {
    match (cidr.ends_with("/0"), except.is_none_or(<[String]>::is_empty)) {
        (true, true) => Truth::Yes,
        _ => Truth::Unknown,
    }
}

/// Whether a rule speaks of a port; `to` has the pods that the port is on, where they are known.
fn ports(rule: &Rule<'_>, port: PodPort<'_>, to: Option<&Workload>) -> Truth {
    if rule.ports.is_empty() {
        return Truth::Yes;
    }
    Truth::any(rule.ports.iter().map(|allowed| {
        if allowed.protocol.as_deref().unwrap_or("TCP") != port.protocol {
            return Truth::No;
        }
        match (&allowed.port, to) {
            (None, _) => Truth::Yes,
            (Some(IntOrString::Int(first)), _) => {
                (*first..=allowed.end_port.unwrap_or(*first)).contains(&port.number).into()
            }
            (Some(IntOrString::String(_)), None) => Truth::Unknown,
            (Some(IntOrString::String(name)), Some(to)) => {
                let named = to.ports().any(|(_, declared)| {
                    declared.name.as_deref() == Some(name)
                        && declared.protocol.as_deref().unwrap_or("TCP") == port.protocol
                        && declared.container_port == port.number
                });
                named.into()
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use manifest::read::read_any;

    use super::*;
    use crate::lint::Options;

    const PODS: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: orders}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: prod, labels: {app: db}}
spec:
  containers:
  - name: db
    image: example.org/db:1
    ports: [{name: sql, containerPort: 5432}, {name: gossip, containerPort: 5433, protocol: UDP}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod, labels: {app: web}}
spec: {containers: [{name: web, image: example.org/web:1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: shop, labels: {app: orders}}
spec: {containers: [{name: orders, image: example.org/orders:1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stray, namespace: elsewhere, labels: {app: stray}}
spec: {containers: [{name: stray, image: example.org/stray:1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: prod, labels: {app: db}}
spec: {hostNetwork: true, containers: [{name: host, image: example.org/host:1}]}
";

    fn objects(specs: &[&str]) -> Objects {
        let mut text = PODS.to_owned();
        for (at, spec) in specs.iter().enumerate() {
            text += &format!(
                "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{at}, namespace: prod}}\nspec: {spec}\n"
            );
        }
        let reading = read_any("policies.yaml", &text);
        assert_eq!(reading.problems, []);
        let objects = Objects::new(reading.documents, reading.foreign, Options::default());
        assert!(objects.refused.is_empty());
        objects
    }

    fn workload<'a>(objects: &'a Objects, name: &str) -> &'a Workload {
        objects.workloads.iter().find(|workload| workload.reference.name == name).unwrap()
    }

    /// `open` when nothing closes the pod, else whether it is let through.
    fn told(verdict: &Verdict<'_>) -> &'static str {
        match (verdict.closing.as_slice(), verdict.allowed) {
            ([], Truth::No) => "open",
            (_, Truth::Yes) => "yes",
            (_, Truth::No) => "no",
            (_, Truth::Unknown) => "unknown",
        }
    }

    #[track_caller]
    fn ingress(specs: &[&str], from: &str, number: i32, protocol: &str, expected: &str) {
        let objects = objects(specs);
        let policies = Policies::new(&objects).unwrap();
        let port = PodPort { number, protocol };
        let verdict = policies.ingress(workload(&objects, "db"), port, workload(&objects, from));
        assert_eq!(told(&verdict), expected, "{specs:?} from {from} to {protocol} {number}");
    }

    #[test]
    fn who_is_let_in() {
        let web = "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}";
        ingress(&[], "web", 5432, "TCP", "open");
        ingress(&[web], "web", 5432, "TCP", "yes");
        ingress(&[web], "web", 5432, "UDP", "no");
        ingress(&[web], "web", 5433, "TCP", "no");
        ingress(&[web], "db", 5432, "TCP", "no");
        // A pod selector alone is of the policy's own namespace.
        let orders =
            "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: orders}}}]}]}";
        ingress(&[orders], "orders", 5432, "TCP", "no");
        // Policies add to one another, as do peers and rules.
        let none = "{podSelector: {}, policyTypes: [Ingress]}";
        ingress(&[none], "web", 5432, "TCP", "no");
        ingress(&[none, web], "web", 5432, "TCP", "yes");
        // Another pod's policy, or another direction, closes nothing.
        ingress(&["{podSelector: {matchLabels: {app: web}}}"], "web", 5432, "TCP", "open");
        ingress(&["{podSelector: {}, policyTypes: [Egress]}"], "web", 5432, "TCP", "open");
        // An empty rule lets everything in.
        ingress(&["{podSelector: {}, ingress: [{}]}"], "stray", 1, "SCTP", "yes");
    }

    #[test]
    fn namespaces_are_known_by_name_or_from_the_files() {
        let of = |labels: &str, and: &str| {
            format!(
                "{{podSelector: {{}}, ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{{labels}}}}}{and}}}]}}]}}"
            )
        };
        ingress(&[&of("team: orders", "")], "orders", 1, "TCP", "yes");
        ingress(&[&of("team: other", "")], "orders", 1, "TCP", "no");
        ingress(&[&of("team: orders", "")], "stray", 1, "TCP", "unknown");
        ingress(&[&of("kubernetes.io/metadata.name: elsewhere", "")], "stray", 1, "TCP", "yes");
        ingress(&[&of("kubernetes.io/metadata.name: shop", "")], "stray", 1, "TCP", "no");
        // Both selectors of one peer must hold.
        let web = ", podSelector: {matchLabels: {app: web}}";
        ingress(&[&of("team: orders", web)], "orders", 1, "TCP", "no");
        // No selector at all is the own namespace; an empty one is every namespace.
        ingress(
            &["{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}"],
            "stray",
            1,
            "TCP",
            "yes",
        );
    }

    #[test]
    fn ports_by_number_range_and_name() {
        let of = |port: &str| format!("{{podSelector: {{}}, ingress: [{{ports: [{{{port}}}]}}]}}");
        ingress(&[&of("port: 5000, endPort: 5999")], "web", 5432, "TCP", "yes");
        ingress(&[&of("port: 5000, endPort: 5431")], "web", 5432, "TCP", "no");
        ingress(&[&of("port: sql")], "web", 5432, "TCP", "yes");
        ingress(&[&of("port: sql")], "web", 5433, "TCP", "no");
        ingress(&[&of("port: gossip, protocol: UDP")], "web", 5433, "UDP", "yes");
        ingress(&[&of("port: gossip")], "web", 5433, "TCP", "no");
        ingress(&[&of("port: other")], "web", 5432, "TCP", "no");
        ingress(&[&of("protocol: UDP")], "web", 9, "UDP", "yes");
    }

    #[test]
    fn what_only_the_cluster_knows() {
        let block = |block: &str| {
            format!("{{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{{block}}}}}]}}]}}")
        };
        ingress(&[&block("cidr: 10.0.0.0/8")], "web", 1, "TCP", "unknown");
        ingress(&[&block("cidr: 0.0.0.0/0")], "web", 1, "TCP", "yes");
        ingress(&[&block("cidr: 0.0.0.0/0, except: [10.0.0.0/8]")], "web", 1, "TCP", "unknown");
        // Labels that controllers add, and pods on their node's network.
        let made = "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: web-0}}}]}]}";
        ingress(&[made], "web", 1, "TCP", "unknown");
        ingress(
            &["{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"],
            "host",
            1,
            "TCP",
            "unknown",
        );
        let objects = objects(&["{podSelector: {}}"]);
        let policies = Policies::new(&objects).unwrap();
        let port = PodPort { number: 1, protocol: "TCP" };
        let verdict = policies.ingress(workload(&objects, "host"), port, workload(&objects, "web"));
        assert_eq!(told(&verdict), "open");
    }

    #[track_caller]
    fn egress(spec: &str, to: &str, udp: &str, tcp: &str) {
        let objects = objects(&[spec]);
        let policies = Policies::new(&objects).unwrap();
        let web = workload(&objects, "web");
        let port = PodPort { number: 5432, protocol: "TCP" };
        let verdicts = [
            policies.egress(web, workload(&objects, "db"), port),
            policies.dns(web, "UDP"),
            policies.dns(web, "TCP"),
        ];
        assert_eq!(verdicts.each_ref().map(told), [to, udp, tcp], "{spec}");
    }

    #[test]
    fn who_may_be_dialled_and_dns() {
        egress("{podSelector: {}}", "open", "open", "open");
        egress("{podSelector: {}, policyTypes: [Egress]}", "no", "no", "no");
        egress("{podSelector: {}, egress: [{}]}", "yes", "yes", "yes");
        let db = "{podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}";
        egress(db, "yes", "no", "no");
        // A name of a port is looked up in the pods that are dialled.
        egress("{podSelector: {}, egress: [{ports: [{port: sql}]}]}", "yes", "no", "unknown");
        let dns = |peer: &str, ports: &str| {
            format!("{{podSelector: {{}}, egress: [{{to: [{{{peer}}}], ports: [{ports}]}}]}}")
        };
        let system = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}";
        let (udp, tcp) = ("{port: 53, protocol: UDP}", "{port: 53, protocol: TCP}");
        egress(&dns(system, &format!("{udp}, {tcp}")), "no", "yes", "yes");
        egress(&dns(system, udp), "no", "yes", "no");
        egress(&dns(system, "{port: 53}"), "no", "no", "yes");
        let pods = format!("{system}, podSelector: {{matchLabels: {{k8s-app: kube-dns}}}}");
        egress(&dns(&pods, udp), "no", "yes", "no");
        let pods = format!("{system}, podSelector: {{matchLabels: {{app: coredns}}}}");
        egress(&dns(&pods, udp), "no", "unknown", "no");
        egress(
            &dns("namespaceSelector: {matchLabels: {name: kube-system}}", udp),
            "no",
            "unknown",
            "no",
        );
        egress(&dns("podSelector: {matchLabels: {k8s-app: kube-dns}}", udp), "no", "no", "no");
        egress(&dns("ipBlock: {cidr: 169.254.20.10/32}", udp), "no", "unknown", "no");
        let openshift =
            "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: openshift-dns}}";
        egress(&dns(openshift, "{port: 5353, protocol: UDP}"), "no", "yes", "no");
    }

    #[test]
    fn policies_of_other_kinds_may_overrule() {
        let text = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a}\n";
        let reading = read_any("cilium.yaml", text);
        let objects = Objects::new(reading.documents, reading.foreign, Options::default());
        assert!(Policies::new(&objects).is_none());
    }
}
