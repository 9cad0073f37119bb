use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::{Findings, Item, Objects, Rule, Workload};

pub(super) const RULE: Rule = Rule {
    code: "HC055",
    level: Level::Note,
    title: "a headless Service has so many pods that its answer does not fit in a datagram",
    explanation: "\
A headless Service answers with all its pods, 16 octets for each IPv4 address and 28 for each IPv6 address. Clients that ask without EDNS, as
those of glibc and musl do, are sent 512 octets at most over UDP, and others usually 1232. A larger answer is cut off and marked as truncated,
and a client asks again over TCP for the whole. That costs a second round trip, needs TCP to port 53 through every NetworkPolicy, and musl before
1.2.4 (Alpine before 3.18) cannot do it: there the program sees the first part only, another one each time.",
    remedy: "\
Allow TCP to port 53 wherever UDP is allowed; where clients need any one pod, let them use a Service with a cluster IP; where they need one by
its name, those answers stay small.",
    sources: &[
        "RFC 1035 §4.2.1",
        "RFC 6891 §6.2.3",
        "DNS flag day 2020: 1232 octets",
        "musl 1.2.4 release notes",
    ],
    check,
};

/// The most that is sent over UDP to who asks without EDNS (RFC 1035 §4.2.1).
const PLAIN_BYTES_MAX: usize = 512;
/// The most that servers and clients of today send and ask for over UDP (DNS flag day 2020).
const EDNS_BYTES_MAX: usize = 1232;
/// A message's header (RFC 1035 §4.1.1).
const HEADER_BYTES: usize = 12;
/// The OPT record without options, which only an EDNS answer has (RFC 6891 §6.1.2).
const OPT_BYTES: usize = 11;
/// An A and an AAAA record whose owner is compressed: pointer, type, class, TTL, length, address.
const A_BYTES: usize = 16;
const AAAA_BYTES: usize = 28;

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in objects.services.iter().filter(|service| service.is_headless()) {
        let selected: Vec<&Workload> = objects
            .selected(service)
            .filter(|workload| workload.replicas.is_some_and(|replicas| replicas > 0))
            .collect();
        let counts =
            selected.iter().filter_map(|workload| usize::try_from(workload.replicas?).ok());
        let pods: usize = counts.sum();
        let (kind, record) = record(service);
        let fixed = HEADER_BYTES + question(service, &objects.options.cluster_domain);
        let plain = fixed + pods * record;
        let Some(most) = selected.iter().max_by_key(|workload| workload.replicas) else { continue };
        if plain <= PLAIN_BYTES_MAX {
            continue;
        }
        let over_edns = plain + OPT_BYTES > EDNS_BYTES_MAX;
        let name = &service.reference.name;
        let (bytes, limit, whose) = match over_edns {
            true => (plain + OPT_BYTES, EDNS_BYTES_MAX, "with EDNS, too,"),
            false => (plain, PLAIN_BYTES_MAX, "without EDNS"),
        };
        let fits = (PLAIN_BYTES_MAX - fixed.min(PLAIN_BYTES_MAX)) / record;
        let place = match service.document.has("spec.clusterIP") {
            true => "spec.clusterIP",
            false => "metadata.name",
        };
        findings
            .add(
                service.subject(),
                service.label(place, "answers with every pod"),
                format!(
                    "the {kind} answer of Service {name} has {pods} pods and {bytes} octets, and clients {whose} are sent {limit} over UDP"
                ),
            )
            .with(most.label("spec.replicas", ""))
            .help(format!(
                "the rest comes over TCP: allow TCP to port 53; a client that cannot, musl before 1.2.4, sees {fits} pods at most"
            ))
            .help("clients that need any one pod are better served by a Service with a cluster IP");
    }
}

/// The larger kind of address record that the Service answers with, and its octets.
fn record(service: &Item<Service>) -> (&'static str, usize) {
    let spec = service.object.spec.as_ref();
    let families = spec.and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default();
    let policy = spec.and_then(|spec| spec.ip_family_policy.as_deref());
    let is_dual = policy.is_some_and(|policy| policy != "SingleStack");
    match is_dual || families.iter().any(|family| family == "IPv6") {
        true => ("AAAA", AAAA_BYTES),
        false => ("A", A_BYTES),
    }
}

/// The octets of the question: the name in wire format, type and class.
fn question(service: &Item<Service>, domain: &str) -> usize {
    let name = format!("{}.{}.svc.{domain}", service.reference.name, service.reference.namespace);
    // A length before each label in place of the dot behind it, and the root.
    name.trim_end_matches('.').len() + 2 + 4
}
