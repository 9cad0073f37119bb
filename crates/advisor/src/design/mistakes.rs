//! The mistakes that are likeliest in a case, by a small score.

use super::intent::{Expose, Identity, Intent, Mesh, Shape, Workload};
use crate::peers::{Known, Reach};

/// How many are told in full.
const TOLD: usize = 3;
/// What a client without EDNS takes in a datagram (RFC 1035 §4.2.1).
const DATAGRAM_OCTETS: usize = 512;

/// A mistake of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its code: `headcount explain` says more.
    pub code: &'static str,
    /// What it is, in the words of the case.
    pub title: String,
    /// Why it is likely here, or why it is not.
    pub why: String,
    /// How it would show.
    pub shows: String,
}

/// The likeliest, and those that were weighed as always and found unlikely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The likeliest first.
    pub likeliest: Vec<Mistake>,
    /// Weighed, and not among them.
    pub unlikely: Vec<Mistake>,
}

struct Candidate {
    score: u32,
    /// Whether it is weighed in every case.
    always: bool,
    mistake: Mistake,
}

pub(super) fn mistakes(intent: &Intent) -> Mistakes {
    let mut candidates = vec![selector(intent), ingress_host(intent), caching(intent)];
    match &intent.workload {
        Workload::Pods(_) => of_pods(intent, &mut candidates),
        Workload::Host(host) => of_host(intent, host, &mut candidates),
        Workload::Addresses { .. } => of_addresses(intent, &mut candidates),
    }
    of_clients(intent, &mut candidates);
    // Of the same score the earlier one, so that the order does not depend on chance.
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.score));
    let rest = candidates.split_off(TOLD.min(candidates.len()));
    Mistakes {
        likeliest: candidates.into_iter().map(|candidate| candidate.mistake).collect(),
        unlikely: rest
            .into_iter()
            .filter(|candidate| candidate.always)
            .map(|candidate| candidate.mistake)
            .collect(),
    }
}

fn candidate(
    score: u32,
    code: &'static str,
    title: impl Into<String>,
    why: impl Into<String>,
    shows: impl Into<String>,
) -> Candidate {
    let mistake = Mistake { code, title: title.into(), why: why.into(), shows: shows.into() };
    Candidate { score, always: false, mistake }
}

fn always(candidate: Candidate) -> Candidate {
    Candidate { always: true, ..candidate }
}

/// The selector that matches nothing.
fn selector(intent: &Intent) -> Candidate {
    let labels: Vec<String> =
        intent.labels().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let labels = labels.join(",");
    let namespace = &intent.namespace;
    always(match (&intent.workload, intent.peer_service(), intent.client_service()) {
        (Workload::Pods(_), peers, client) => {
            let both = intent.shape() == Shape::HeadlessAndClient;
            let mut shows = Vec::new();
            if let Some(service) = peers {
                shows.push(format!("`{service}` is NXDOMAIN, and so is every name below it"));
            }
            if let Some(service) = client {
                shows.push(format!("`{service}` still resolves, and every connection is refused"));
            }
            let why = match both {
                true => format!(
                    "two Services repeat the label `{labels}` of the pods; a typing error in one of three places is enough, and no event tells"
                ),
                false => format!(
                    "the Service repeats the label `{labels}` of the pods, and no event tells when the two differ"
                ),
            };
            shows.push(format!("`kubectl -n {namespace} get endpointslices` shows `<unset>`, though `kubectl -n {namespace} get pods -l {labels}` lists the pods"));
            candidate(74, "HC003", "a selector that matches nothing", why, shows.join("; "))
        }
        (Workload::Host(_), ..) => candidate(
            5,
            "HC034",
            "a selector that matches nothing",
            "an ExternalName Service ignores a selector, and this one has none",
            "one left over from a Service of another type changes nothing, until the type does",
        ),
        (Workload::Addresses { .. }, ..) => candidate(
            30,
            "HC003",
            "a selector that matches nothing",
            "this Service has no selector; one that is added later makes the controller keep slices of its own, empty ones if it matches nothing",
            "the slices kept by hand still answer, so the selector seems to work while it selects nothing",
        ),
    })
}

/// An Ingress's host as the target of an ExternalName.
fn ingress_host(intent: &Intent) -> Candidate {
    let name = intent.full_name(&intent.name);
    always(match &intent.workload {
        Workload::Host(host) => {
            let http = intent.ports.iter().any(|port| port.is_http()) || intent.ports.is_empty();
            let (score, why) = match http {
                true => (
                    90,
                    format!(
                        "{host} speaks HTTP and goes by host names; behind an Ingress or a CDN it knows {host} alone"
                    ),
                ),
                false => (
                    78,
                    format!(
                        "the certificate of {host} is for that name; clients that check it by the name they dialled do not find it"
                    ),
                ),
            };
            let shows = match http {
                true => format!(
                    "nslookup is right and the connection opens, then 404 or another site, or a TLS error: the client said Host and SNI `{name}`"
                ),
                false => format!(
                    "nslookup is right and the port is open; TLS fails with a host name mismatch for `{name}`, or the client was told not to verify"
                ),
            };
            candidate(
                score,
                "HC035",
                "an alias for a host that goes by its name (an Ingress host, a TLS certificate)",
                why,
                shows,
            )
        }
        Workload::Pods(_) if matches!(intent.expose, Expose::Ingress | Expose::Gateway) => {
            candidate(
                35,
                "HC035",
                "an ExternalName whose target is an Ingress host",
                format!(
                    "there is no alias in this design; one elsewhere to {} would send clients inside out and back in, with the wrong Host",
                    intent.host
                ),
                "404 from the controller, though the name resolves; inside, dial the Service",
            )
        }
        Workload::Pods(_) => candidate(
            3,
            "HC035",
            "an ExternalName whose target is an Ingress host",
            "nothing here is an alias, and nothing is behind an Ingress",
            "404 or a certificate for another name, though the name resolves",
        ),
        Workload::Addresses { .. } => candidate(
            25,
            "HC035",
            "a host that goes by its name (an Ingress host, a TLS certificate)",
            format!(
                "clients dial `{name}`; if the addresses are a proxy's, that name means nothing to it"
            ),
            "the connection opens; then 404, or a certificate for another name",
        ),
    })
}

/// Clients that cache for too long.
fn caching(intent: &Intent) -> Candidate {
    // Without peers nobody holds their addresses.
    let alone = intent.pods().is_some_and(|pods| pods.replicas == 1);
    let jvm = !alone && intent.software().is_some_and(|software| software.jvm);
    let title = "clients that keep an address for too long";
    always(match (&intent.workload, intent.shape()) {
        (Workload::Host(host), _) => candidate(
            76,
            "HC052",
            title,
            format!(
                "the alias is worth having for the day when {host} gets other addresses; a JVM that caches for ever, a pool without a maximum lifetime and an nginx that resolves once never see it"
            ),
            "after a failover nslookup in the pod is right and the program still dials the old address, until it restarts",
        ),
        (_, Shape::Headless | Shape::HeadlessAndClient) if jvm => candidate(
            71,
            "HC052",
            title,
            format!(
                "{} runs on the JVM, which keeps answers for 30 s, or for ever with a security manager, and failures for 10 s; pods get a new address at each restart",
                intent.what()
            ),
            "after a pod's restart its peers log time-outs to the old address, while nslookup has the new one; networkaddress.cache.ttl is the setting",
        ),
        (_, Shape::Headless) => candidate(
            66,
            "HC052",
            title,
            "clients hold pods' addresses here, which change at each restart; a JVM, a pool without a maximum lifetime or an nginx upstream looks once",
            "after a restart some connections time out, while nslookup has the new address",
        ),
        (_, Shape::HeadlessAndClient) if alone => candidate(
            10,
            "HC052",
            title,
            "clients dial a virtual address, which stays, and there are no peers yet",
            "a time-out to an address that no pod has any more, from whoever looked at the headless Service",
        ),
        (_, Shape::HeadlessAndClient) => candidate(
            33,
            "HC052",
            title,
            "clients dial a virtual address, which stays; peers look each other up by name, and a stale address costs them one retry",
            "a peer logs time-outs to an address that no pod has any more",
        ),
        (_, Shape::Addresses(Identity::Stable)) => candidate(
            64,
            "HC052",
            title,
            "clients hold the addresses themselves, also one that you take out of the slice",
            "connections to an address that is in no slice any more",
        ),
        (_, Shape::ClusterIp | Shape::Addresses(Identity::Any) | Shape::ExternalName) => candidate(
            8,
            "HC052",
            title,
            "the one address that clients see is virtual and stays as long as the Service",
            "only after the Service was deleted and made again: time-outs to the address that it had",
        ),
    })
}

fn of_pods(intent: &Intent, all: &mut Vec<Candidate>) {
    let Some(pods) = intent.pods() else { return };
    let name = &intent.name;
    let software = pods.software;
    let what = intent.what();
    let (peers, client) = (intent.peer_service(), intent.client_service());
    if let (Some(software), Some(service)) = (software, &peers) {
        let first = intent.pod_names().into_iter().next();
        // Where there are no peers yet.
        let alone = pods.replicas == 1;
        if let Some(pod) = &first {
            let why = match &client {
                Some(client) if client.len() < service.len() => format!(
                    "`{client}` is a shorter name than `{service}`, and looks as good in a list of peers"
                ),
                Some(client) => format!(
                    "`{client}` resolves as well as `{service}`, and looks as good in a list of peers"
                ),
                None => format!(
                    "without clusterIP: None `{service}` is one, under the same name, and nothing complains"
                ),
            };
            all.push(candidate(
                if alone { 45 } else { 80 },
                "HC061",
                "a load-balancing ClusterIP in front of the peers",
                why,
                format!("connections between peers land on any pod, now and then on the one that dialled: members see one another under the wrong name, or join twice. nslookup of `{pod}.{service}` must give the pod's own address, not the virtual one"),
            ));
        }
        if intent.publishes_not_ready() {
            all.push(candidate(
                if alone { 44 } else { 79 },
                "HC018",
                format!("publishNotReadyAddresses taken out of `{service}`"),
                match software.publish_not_ready {
                    Known::Surely(_) => format!("it looks unsafe, and is what {what} starts by: {}", software.why),
                    Known::Perhaps(_) => format!("it looks unsafe, and is probably what {what} starts by (check with its manual): {}", software.why),
                },
                match (alone, software.quorum) {
                    (true, _) => format!("not with one replica; once there are more, those that are not ready have no name, and nslookup of `{service}` is NXDOMAIN until one is"),
                    (false, true) => format!("at the first start no pod becomes ready, and nslookup of `{service}` is NXDOMAIN; an existing cluster goes on until all its pods restart at once"),
                    (false, false) => format!("a pod that starts or recovers has no name, so peers log that they cannot resolve it; nslookup of `{service}` is NXDOMAIN until one is ready"),
                },
            ));
        }
        let parallel =
            super::workload::management(intent).0 == crate::peers::PodManagement::Parallel;
        if software.quorum && parallel && first.is_some() && pods.replicas > 1 {
            all.push(candidate(
                68,
                "HC022",
                "OrderedReady, which is what a StatefulSet has when podManagementPolicy is left out",
                format!("the field cannot be changed in place, so what the first apply left out stays; {what} needs a majority of its {} members to be ready", pods.replicas),
                format!("after all pods were gone, kubectl get pods shows `{name}-0` at 0/1 and no `{name}-1`, for ever"),
            ));
        }
        if !alone && software.discovery.value().contains("A records") {
            all.push(candidate(
                63,
                "HC026",
                "peers that look once and see a part",
                format!("{what} takes the addresses of `{service}` as its list of peers; asked too early it holds fewer than {}", pods.replicas),
                "two clusters where one was meant, or a vote that never has a majority; the log lists fewer peers than replicas",
            ));
        }
    }
    if let Some(service) = &peers {
        if let Some(port) = intent.ports.iter().find(|port| port.number != port.target) {
            all.push(candidate(
                85,
                "HC011",
                format!("dialling port {} at `{service}`", port.number),
                format!("{} is the Service's port, and a headless Service changes none: pods listen on {}", port.number, port.target),
                format!("the name resolves and the connection is refused; {} works", port.target),
            ));
        }
        if let (Some(client), false) = (&client, intent.pod_names().is_empty()) {
            let score = if software.is_none() { 72 } else { 50 };
            all.push(candidate(
                score,
                "HC002",
                format!("serviceName: `{client}` in place of `{service}`"),
                "the shorter name is the StatefulSet's own, and many examples have them equal",
                format!("pods still start; their names below `{service}` are NXDOMAIN, and `{client}` answers with the virtual address alone"),
            ));
        }
        // A header, the question, and 16 octets for each address (RFC 1035 §4).
        let question = intent.full_name(service).len() + 2 + 4;
        if 12 + question + 16 * pods.replicas as usize > DATAGRAM_OCTETS {
            all.push(candidate(
                77,
                "HC055",
                "an answer too large for a datagram",
                format!("`{service}` answers with {} addresses; musl before 1.2.4 does not ask again by TCP, and firewalls often drop it", pods.replicas),
                "a part of the addresses, or none, in Alpine images alone; dig says Truncated, retrying in TCP mode",
            ));
        }
        if matches!(intent.expose, Expose::Ingress | Expose::Gateway) {
            all.push(candidate(
                58,
                "HC059",
                format!("`{service}` as the backend of an Ingress"),
                "it is a Service on the same port, and some controllers take it",
                "502 from controllers that go by node ports or virtual addresses; with others, requests to pods that are not ready",
            ));
        }
        if intent.mesh == Mesh::Istio {
            all.push(candidate(
                78,
                "HC060",
                "a peer without a sidecar, or a port that is not declared",
                format!("connections go to pods' addresses, for which mutual TLS holds only where both ends are injected and `{service}` has the port"),
                "connection reset by peer right after it opened, between some of the pods",
            ));
        }
    }
    let grpc = intent.client_ports().any(|port| port.name.starts_with("grpc"));
    if grpc && client.is_some() && pods.replicas > 1 {
        all.push(candidate(
            67,
            "HC054",
            "gRPC clients that open one connection and keep it",
            "a virtual address chooses a pod per connection, and gRPC needs only one for all its calls",
            "one pod is busy and the others idle; new pods get nothing until clients reconnect",
        ));
    }
    let seeds =
        matches!(software.map(|software| software.reach), Some(Reach::SeedThenPods | Reach::Pods));
    if let (true, Some(service)) = (seeds, &peers) {
        let why = format!(
            "clients of {what} dial each server by the name that it advertises, `{name}-0.{service}` and so on; a certificate for `{name}` alone does not cover them"
        );
        all.push(candidate(
            62,
            "HC058",
            "a certificate without the pods' names",
            why,
            format!(
                "the first contact works, then a host name mismatch; the certificate needs `*.{}`",
                intent.full_name(service)
            ),
        ));
    }
    if matches!(intent.expose, Expose::LoadBalancer | Expose::NodePort) && peers.is_some() {
        all.push(candidate(
            52,
            "HC016",
            "type LoadBalancer or NodePort on the headless Service",
            "it saves a Service in the manifest, and the API refuses it",
            "apply fails: may not be set to 'None' for LoadBalancer services",
        ));
    }
}

fn of_host(intent: &Intent, host: &str, all: &mut Vec<Candidate>) {
    let port = intent.ports.first();
    all.push(candidate(
        70,
        "HC033",
        "a port in the ExternalName Service, expected to map",
        match port {
            Some(port) => format!("clients must dial {} on {host}; ports: in the Service looks like a mapping, and is none", port.number),
            None => format!("clients dial what {host} listens on; ports: in the Service looks like a mapping, and is none"),
        },
        "connection refused or a time-out on the Service's port, while the target's own port works",
    ));
    all.push(candidate(
        50,
        "HC027",
        "an address in externalName",
        "when the host is down, its address is a tempting stand-in; it is looked up as a name",
        "NXDOMAIN; addresses want a Service without selector and an EndpointSlice",
    ));
}

fn of_addresses(intent: &Intent, all: &mut Vec<Candidate>) {
    let name = &intent.name;
    all.push(candidate(
        80,
        "HC039",
        "a slice without the label kubernetes.io/service-name",
        format!("the slice's own name, `{name}-ipv4`, ties it to nothing: the label does"),
        format!("`kubectl get endpointslices -l kubernetes.io/service-name={name}` finds nothing; the name resolves and connections are refused"),
    ));
    all.push(candidate(
        77,
        "HC040",
        "a port whose name in the slice is not that in the Service",
        "the two are written by hand, and matched by name, not by number",
        "the slice is listed with its addresses, and connections are refused all the same",
    ));
    all.push(candidate(
        60,
        "HC027",
        "ExternalName with an address as its target",
        "it is shorter by an object, and accepted for IPv4",
        "NXDOMAIN: the address is looked up as a name",
    ));
    all.push(candidate(
        55,
        "HC041",
        "Endpoints in place of an EndpointSlice",
        "most examples still have them; they are deprecated since 1.33",
        "a warning at apply; it works as long as the mirroring controller does",
    ));
}

fn of_clients(intent: &Intent, all: &mut Vec<Candidate>) {
    let Some(namespace) = intent.client_namespaces.first() else { return };
    let service = intent.entry_service();
    all.push(candidate(
        73,
        "HC050",
        format!("egress from `{namespace}` without DNS"),
        "a policy for egress that names this Service's port and not port 53 cuts the look-up that comes first",
        "look-ups time out after some seconds, and are not NXDOMAIN; by address it works",
    ));
    if intent.pods().is_some() {
        all.push(candidate(
            65,
            "HC062",
            format!("a policy in {} that does not let `{namespace}` in", intent.namespace),
            "names resolve for everyone, policy or not, so DNS looks right",
            format!(
                "nslookup of `{service}.{}` works from `{namespace}`, and the connection times out",
                intent.namespace
            ),
        ));
    }
}
