use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::objects::Item;
use crate::lint::peering;
use crate::lint::policy::{Direction, PodPort, Policies, Verdict};
use crate::lint::told::Texts;
use crate::lint::words::{list, yaml};
use crate::lint::workload::Workload;
use crate::lint::{Findings, Label, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC062",
    level: Level::Warning,
    title: "the name resolves, but a NetworkPolicy drops the connections",
    explanation: "\
DNS answers and slices say nothing of NetworkPolicies: a pod is ready, its address is in the answer, and who dials it waits until the connection times
out. A policy that selects pods for ingress closes them to everyone whom no rule of any policy lets in, their own peers included; one that selects the
client for egress does the same at the other end, and both ends must let a connection through. This is told only of clients that these manifests show
dialling the Service, and where labels and namespaces of them decide the matter.",
    remedy: "Add a rule for the client (`from` at the pods, or `to` at the client) on the pods' port, which is the targetPort and not the Service's port.",
    sources: &["Kubernetes API, networking.k8s.io/v1 NetworkPolicySpec"],
    check,
};

/// How many ports are named.
const SHOWN: usize = 5;

/// A connection that is dropped.
struct Blocked<'a, 'o> {
    client: &'a Workload,
    pods: &'a Workload,
    port: i32,
    direction: Direction,
    verdict: &'a Verdict<'o>,
}

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    if objects.network_policies.is_empty() {
        return;
    }
    let Some(policies) = Policies::new(objects) else { return };
    let texts = Texts::new(objects);
    for client in &objects.workloads {
        let mut told = Vec::new();
        for text in texts.of(client) {
            for host in text.hosts() {
                let Some(service) = host.service(objects, &client.reference.namespace) else {
                    continue;
                };
                let to_itself = objects.selected(service).any(|pods| std::ptr::eq(pods, client));
                // Peers are looked at below, by all their ports.
                if told.contains(&(&service.reference, host.port)) || to_itself {
                    continue;
                }
                told.push((&service.reference, host.port));
                dialled(
                    objects,
                    &policies,
                    client,
                    service,
                    host.port,
                    text.label_of(&host, format!("{} dials it here", client.reference.name)),
                    findings,
                );
            }
        }
        peers(objects, &policies, client, &texts, findings);
    }
}

/// A client that dials a Service.
fn dialled(
    objects: &Objects,
    policies: &Policies<'_>,
    client: &Workload,
    service: &Item<Service>,
    port: Option<u16>,
    dials: Label,
    findings: &mut Findings<'_>,
) {
    for pods in objects.selected(service) {
        let Some((number, protocol)) = pod_port(service, port, pods) else { continue };
        let pod_port = PodPort { number, protocol };
        let ingress = policies.ingress(pods, pod_port, client);
        let egress = policies.egress(client, pods, pod_port);
        // A client without DNS gets no further: another rule has told that.
        let silent = policies.dns(client, "UDP").is_denied();
        let (direction, verdict) = match (ingress.is_denied(), egress.is_denied() && !silent) {
            (true, _) => (Direction::Ingress, &ingress),
            (false, true) => (Direction::Egress, &egress),
            (false, false) => continue,
        };
        let blocked = Blocked { client, pods, port: number, direction, verdict };
        tell(&blocked, dials, findings);
        return;
    }
}

/// The peers of a StatefulSet, on the ports that its software dials among peers.
fn peers(
    objects: &Objects,
    policies: &Policies<'_>,
    set: &Workload,
    texts: &Texts<'_>,
    findings: &mut Findings<'_>,
) {
    if !set.is("StatefulSet") || set.replicas.unwrap_or(1) < 2 {
        return;
    }
    let mut numbers: Vec<i32> = match peering::peer(set) {
        Some((software, _)) => peering::ports(software)
            .filter(|number| set.ports().any(|(_, port)| port.container_port == *number))
            .collect(),
        None => members(objects, set, texts),
    };
    numbers.sort_unstable();
    numbers.dedup();
    let verdict = |direction, number| {
        let port = PodPort { number, protocol: "TCP" };
        match direction {
            Direction::Ingress => policies.ingress(set, port, set),
            Direction::Egress => policies.egress(set, set, port),
        }
    };
    let denied = |direction| -> Vec<i32> {
        let all = numbers.iter().copied();
        all.filter(|number| verdict(direction, *number).is_denied()).collect()
    };
    let (mut direction, mut ports) = (Direction::Ingress, denied(Direction::Ingress));
    if ports.is_empty() && !policies.dns(set, "UDP").is_denied() {
        (direction, ports) = (Direction::Egress, denied(Direction::Egress));
    }
    let Some(first) = ports.first() else { return };
    let verdict = verdict(direction, *first);
    let Some(policy) = verdict.closing.first() else { return };
    let (name, of) = (&policy.reference.name, &set.reference.name);
    let finding = findings.add(
        policy.subject(),
        policy.label(section(direction), "no rule for the peers"),
        format!(
            "NetworkPolicy {name} keeps the pods of {of} from one another on {} {}",
            if ports.len() == 1 { "port" } else { "ports" },
            list(&ports, SHOWN)
        ),
    );
    finding.with(set.pod_label("metadata.labels", "the peers"));
    finding.help("each resolves the others' names, and dialling them ends in a time-out");
    finding.help(format!(
        "add to {}: {}",
        section(direction),
        peer_rule(direction, set, &ports, None)
    ));
}

/// The ports behind the names of members that a StatefulSet's pods are told; a pod's own name is for others to dial.
fn members(objects: &Objects, set: &Workload, texts: &Texts<'_>) -> Vec<i32> {
    let prefix = format!("{}-", set.reference.name);
    let mut numbers = Vec::new();
    for text in texts.of(set) {
        let members = text.hosts().filter(|host| {
            let service = host.service(objects, &set.reference.namespace);
            host.name.starts_with(&prefix)
                && service.is_some_and(|service| {
                    objects.selected(service).any(|pods| std::ptr::eq(pods, set))
                })
        });
        numbers.extend(members.filter_map(|host| host.port).map(i32::from));
    }
    numbers
}

fn tell(blocked: &Blocked<'_, '_>, dials: Label, findings: &mut Findings<'_>) {
    let Blocked { client, pods, port, direction, verdict } = blocked;
    let Some(policy) = verdict.closing.first() else { return };
    let (name, from, to) = (&policy.reference.name, &client.reference.name, &pods.reference.name);
    let (message, other, rule) = match direction {
        Direction::Ingress => (
            format!(
                "NetworkPolicy {name} does not let {from} in to the pods of {to} on port {port}"
            ),
            pods,
            peer_rule(*direction, client, &[*port], Some(pods)),
        ),
        Direction::Egress => (
            format!(
                "NetworkPolicy {name} does not let {from} out to the pods of {to} on port {port}"
            ),
            client,
            peer_rule(*direction, pods, &[*port], Some(client)),
        ),
    };
    let finding = findings.add(
        policy.subject(),
        policy.label(section(*direction), "no rule lets it through"),
        message,
    );
    finding.with(dials);
    finding.with(other.pod_label("metadata.labels", "selected by the policy"));
    finding.help("the name resolves, and dialling it ends in a time-out");
    finding.help(format!("add to {}: {rule}", section(*direction)));
}

fn section(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "spec.ingress",
        Direction::Egress => "spec.egress",
    }
}

/// A rule to copy that speaks of a workload's pods; `of` has the pods at the policy's end.
fn peer_rule(
    direction: Direction,
    other: &Workload,
    ports: &[i32],
    of: Option<&Workload>,
) -> String {
    let side = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let namespace = &other.reference.namespace;
    let namespaces = match of.is_some_and(|of| of.reference.namespace != *namespace) {
        true => format!(
            "namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}, "
        ),
        false => String::new(),
    };
    let pods = format!("podSelector: {{matchLabels: {}}}", yaml(&other.labels));
    let ports: Vec<String> = ports.iter().map(|port| format!("{{port: {port}}}")).collect();
    format!("- {{{side}: [{{{namespaces}{pods}}}], ports: [{}]}}", ports.join(", "))
}

/// The port on the pods that a client comes to which dials a Service on `port`; without one, the Service's only one.
fn pod_port<'a>(
    service: &'a Item<Service>,
    port: Option<u16>,
    pods: &Workload,
) -> Option<(i32, &'a str)> {
    let ports = service.ports();
    let declared = match (port, ports) {
        (Some(number), _) => ports.iter().find(|declared| declared.port == i32::from(number)),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    // The addresses of a headless Service are its pods': what is dialled is the pods' port.
    if let (true, Some(number)) = (service.is_headless(), port) {
        let protocol = declared.and_then(|declared| declared.protocol.as_deref());
        return Some((i32::from(number), protocol.unwrap_or("TCP")));
    }
    let declared = declared?;
    let protocol = declared.protocol.as_deref().unwrap_or("TCP");
    if service.is_headless() {
        return Some((declared.port, protocol));
    }
    let number = match &declared.target_port {
        None => declared.port,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => {
            let named = pods.ports().find(|(_, of)| {
                of.name.as_deref() == Some(name)
                    && of.protocol.as_deref().unwrap_or("TCP") == protocol
            });
            named?.1.container_port
        }
    };
    Some((number, protocol))
}
