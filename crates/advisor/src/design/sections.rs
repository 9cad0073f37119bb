//! What else belongs to a design: clients elsewhere, outside targets, exposure, a mesh, what is there already.

use super::exposure::{external_service, http_port};
use super::intent::{Expose, Identity, Intent, Mesh, Port, Shape, Workload};
use super::policies::client_label;
use crate::peers::{MadeBy, Reach};

/// A subject and what there is to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The subject.
    pub title: String,
    /// A sentence or two each.
    pub points: Vec<String>,
}

pub(super) fn sections(intent: &Intent) -> Vec<Section> {
    let all = [
        software(intent),
        not_rewritten(intent),
        migration(intent),
        clients(intent),
        outside(intent),
        mesh(intent),
    ];
    all.into_iter().flatten().collect()
}

fn section(title: &str, points: Vec<String>) -> Option<Section> {
    (!points.is_empty()).then(|| Section { title: title.to_owned(), points })
}

/// What a senior engineer would add about this software and this number of pods.
fn software(intent: &Intent) -> Option<Section> {
    let (software, pods) = (intent.software()?, intent.pods()?);
    let mut points = Vec::new();
    match software.made_by.value() {
        MadeBy::Operator => points.push(format!(
            "{} is usually run by its operator, which makes StatefulSet and Services itself: compare these with what it makes rather than applying both",
            software.name
        )),
        MadeBy::Deployment if software.made_by.sure().is_none() => points.push(format!(
            "{} probably runs as a Deployment: check; as a StatefulSet (--workload statefulset) its pods would have names, too",
            software.name
        )),
        MadeBy::Deployment | MadeBy::StatefulSet => {}
    }
    if software.quorum && pods.replicas > 1 {
        let (replicas, majority) = (pods.replicas, pods.replicas / 2 + 1);
        let spare = replicas - majority;
        // Of these a majority of the copies of each part must agree, not of all.
        let in_parts = ["Redis Cluster", "MinIO", "CockroachDB", "Dgraph Alpha"];
        if replicas % 2 == 0 && !in_parts.contains(&software.name) {
            points.push(format!(
                "{replicas} members need {majority} to agree and survive the loss of {spare}, no more than {} would: an odd number is better",
                replicas - 1
            ));
        }
    }
    let mut names: Vec<String> = Vec::new();
    if let Some(peers) = intent.peer_service() {
        let peers = intent.full_name(&peers);
        // A Deployment's pods have no names below it.
        if !intent.pod_names().is_empty() {
            names.push(format!("`*.{peers}`"));
        }
        names.push(format!("`{peers}`"));
    }
    names.extend(intent.client_service().map(|client| format!("`{}`", intent.full_name(&client))));
    let mut certificate = format!(
        "where TLS is spoken, one certificate for all has {}, the shorter forms that clients dial, and localhost for checks within a pod",
        names.join(", ")
    );
    if intent.pod_names().is_empty() {
        certificate.push_str("; peers dial addresses, which it does not hold, so they must be told which of these names to look for");
    }
    points.push(certificate);
    section(&format!("About {}", software.name), points)
}

fn not_rewritten(intent: &Intent) -> Option<Section> {
    let Workload::Host(host) = &intent.workload else { return None };
    let name = intent.full_name(&intent.name);
    let port = match intent.ports.first() {
        Some(port) => format!(
            "the port: clients dial {} on {host} itself; a port in an ExternalName Service maps nothing",
            port.number
        ),
        None => format!(
            "the port: clients dial whatever {host} listens on; a port in an ExternalName Service maps nothing"
        ),
    };
    let mut points = vec![
        port,
        format!(
            "TLS: a client that dials `{name}` sends that as SNI and looks for it in the certificate, which says {host}. Where the client can be told the server's name apart from its address (`ServerName` in Go, `curl --connect-to`, Envoy's `sni`), tell it {host}; where it cannot (libpq with `sslmode=verify-full` checks the name that it dials) it has to dial {host}, or the certificate has to name `{name}` as well. Switching the check off is no answer"
        ),
    ];
    let is_http = |port: &Port| port.is_http();
    if intent.ports.is_empty() || intent.ports.iter().any(is_http) {
        points.push(format!(
            "HTTP: the Host header says `{name}`, too; a server or an Ingress that goes by host names answers 404 or another site. Set `Host: {host}`"
        ));
        points.push("redirects, cookies and URLs in answers keep the target's own name".to_owned());
    }
    points.extend(search_path(intent, host));
    section("What the alias does not change", points)
}

/// What resolvers do before they look outside, and how a pod is spared it.
fn search_path(intent: &Intent, host: &str) -> Option<String> {
    // The kubelet's ndots: with so many dots a name is asked as it stands first.
    const DOTS: usize = 5;
    if host.matches('.').count() >= DOTS {
        return None;
    }
    let (namespace, domain) = (&intent.namespace, &intent.cluster_domain);
    Some(format!(
        "the search path: a pod that dials {host} itself asks for `{host}.{namespace}.svc.{domain}`, `{host}.svc.{domain}` and `{host}.{domain}` first, each for A and for AAAA; `{host}.`, with a dot at the end, is asked once, where a program takes it. With `headcount dns` as the cluster's DNS and `searchNames: true` in its settings the server walks the path, and one step finds a name that is there: a pod opts in by `dnsPolicy: None` and a dnsConfig with that DNS's address in `nameservers`, `{namespace}.search.{domain}` (its own namespace) alone in `searches`, and `ndots` 5"
    ))
}

fn migration(intent: &Intent) -> Option<Section> {
    let name = &intent.name;
    match &intent.workload {
        Workload::Pods(_) => None,
        Workload::Host(host) => section(&format!("Moving later, under the name `{name}`"), vec![
            format!("today: CNAME to {host}; clients keep what they resolved for the record's TTL (5 s with headcount and by CoreDNS's default; clusters set up by kubeadm say 30) and the target's own, whichever cache holds it longer"),
            "to fixed addresses, or to change the port: apply the Service without type and externalName but with ports, and an EndpointSlice labelled kubernetes.io/service-name. Kubernetes takes the change from ExternalName to ClusterIP; clients then see an A record with a virtual address in place of the CNAME".to_owned(),
            "into the cluster: add the selector of the new pods, wait until their slice is ready, then delete the slice kept by hand, for nothing else will: until then both are served".to_owned(),
            format!("at each step keep the old target up for the TTL and for the longest connection: a pool that is open stays where it is. Names in certificates follow the dialled name: new pods can have one for `{}`", intent.full_name(name)),
        ]),
        Workload::Addresses { identity, .. } => section(&format!("Moving later, under the name `{name}`"), vec![
            "to other addresses: change the EndpointSlice; the Service's name and ports stay".to_owned(),
            match identity {
                Identity::Any => "into the cluster: add a selector to the Service, wait until the controller's own slice has ready endpoints, then delete the slice kept by hand, which it leaves alone: until then both are served. Clients see the same virtual address throughout".to_owned(),
                Identity::Stable => "into the cluster: add a selector to the Service, then delete the slice kept by hand; a virtual address cannot be given to it later, for clusterIP: None is not changed in place".to_owned(),
            },
        ]),
    }
}

fn clients(intent: &Intent) -> Option<Section> {
    if intent.client_namespaces.is_empty() {
        return None;
    }
    let service = intent.entry_service();
    let namespaces = intent.client_namespaces.join(", ");
    let short = format!("{service}.{}", intent.namespace);
    let mut points = vec![format!(
        "from {namespaces} the name is `{short}` or `{short}.svc`; `{service}` alone is looked up in the client's own namespace and not found. `{}` with a dot at the end is asked once, without the search path",
        intent.full_name(&service)
    )];
    if let (Some(peers), Some(pod)) = (intent.peer_service(), intent.pod_names().first()) {
        let by_name = matches!(
            intent.software().map(|software| software.reach),
            Some(Reach::SeedThenPods | Reach::Pods)
        ) || intent.pods().is_some_and(|pods| pods.identity == Identity::Stable);
        if by_name {
            points.push(format!("single pods: `{pod}.{peers}.{}` and so on; what the servers advertise must be a name that resolves from there, so not `{pod}.{peers}` alone", intent.namespace));
        }
    }
    if intent.pods().is_some() {
        points.push(format!("the policy `{}-clients` lets pods of {namespaces} in; DNS answers everyone, so without it a name that resolves can still time out", intent.name));
    }
    points.push(format!("the policy `{}-clients-egress` is for pods labelled `{}=true`, and only where egress is restricted: such a pod needs port 53 by UDP and TCP first of all, or every look-up times out", intent.name, client_label(intent)));
    if matches!(intent.workload, Workload::Host(_)) {
        points.push("policies know addresses and no host names: egress to the target is open to every address on its port".to_owned());
    }
    section("Clients in other namespaces", points)
}

fn outside(intent: &Intent) -> Option<Section> {
    let pods = intent.pods()?;
    let (client, entry) = (intent.client_service(), intent.entry_service());
    let debugging = {
        let port = intent.client_ports().next().or(intent.ports.first());
        let port = port.map_or(0, |port| if client.is_some() { port.number } else { port.target });
        format!(
            "for debugging: `kubectl -n {} port-forward svc/{entry} {port}` takes one pod at its start and stays with it; nothing for clients",
            intent.namespace
        )
    };
    let points = match intent.expose {
        Expose::None => {
            vec!["no client is outside of the cluster, so nothing is exposed".to_owned(), debugging]
        }
        Expose::Ingress | Expose::Gateway => {
            let service = client.unwrap_or_default();
            let (kind, what) = match intent.expose {
                Expose::Ingress => ("Ingress", "an Ingress"),
                _ => ("HTTPRoute", "a Gateway's HTTPRoute"),
            };
            let port = http_port(intent).map(|port| port.name.clone()).unwrap_or_default();
            let rest: Vec<&str> = intent
                .client_ports()
                .filter(|other| !other.is_http())
                .map(|port| port.name.as_str())
                .collect();
            let mut points = vec![
                format!("{what} in front of `{service}`: the port {port} speaks HTTP, so it tells hosts apart by their names, and many of them share one address; {} is this one's", intent.host),
                format!("behind the {kind} is the ClusterIP Service, never the headless one: controllers that use node ports need a virtual address, and pods that are not ready must not get requests"),
                "a load balancer or node port of its own would cost an address or a port per Service and end TLS in the pod".to_owned(),
            ];
            if !rest.is_empty() {
                points.push(match rest.as_slice() {
                    [one] => format!("the port {one} does not speak HTTP and stays inside"),
                    many => {
                        format!("the ports {} do not speak HTTP and stay inside", many.join(", "))
                    }
                });
            }
            points.push(debugging);
            points
        }
        Expose::LoadBalancer | Expose::NodePort => {
            let (what, not) = match intent.expose {
                Expose::LoadBalancer => (
                    "LoadBalancer",
                    "node ports would tie clients to nodes' addresses, and to ports above 30000",
                ),
                _ => (
                    "NodePort",
                    "a load balancer needs a cloud, or something like MetalLB, that gives out addresses",
                ),
            };
            let mut points = Vec::new();
            if intent.exposes_each_pod() {
                points.push(format!("a {what} Service for each of the {} pods: clients of {} are told single servers and must reach each; one in front of all would lead them to the wrong one. Each pod must advertise the outside address that its Service gets, on a listener of its own", pods.replicas, intent.what()));
            } else {
                points.push(format!("`{}`, of type {what}: it takes any TCP, and is apart from `{entry}` so that it can be removed or restricted (loadBalancerSourceRanges) without a change inside", external_service(intent)));
            }
            points.push(format!("{not}; an Ingress carries HTTP alone"));
            points.push(debugging);
            points
        }
    };
    section("Clients outside of the cluster", points)
}

fn mesh(intent: &Intent) -> Option<Section> {
    let headless = match intent.shape() {
        Shape::Headless | Shape::HeadlessAndClient => intent.peer_service(),
        Shape::ClusterIp | Shape::ExternalName | Shape::Addresses(_) => None,
    };
    let points = match (intent.mesh, headless) {
        (Mesh::None, _) => Vec::new(),
        (Mesh::Istio, Some(service)) => vec![
            format!("`{service}` is headless, so the sidecar sees a connection to a pod's address, not to a Service: it knows the protocol only by the port's appProtocol, which is set"),
            "mutual TLS needs a sidecar on both ends: between injected and plain pods, a STRICT PeerAuthentication resets the connection. Inject all peers or none".to_owned(),
            format!("every port that peers dial is in `{service}`: one that is not declared goes through as plain TCP, or is reset under STRICT"),
            "readiness must not depend on the sidecar's start: hold the application until the proxy is up (holdApplicationUntilProxyStarts), or first look-ups of peers fail".to_owned(),
        ],
        (Mesh::Linkerd, Some(service)) => {
            let mut points = vec![format!("`{service}` is headless: the proxy knows the pods by its name and sends each connection where the client dialled; it balances nothing")];
            points.extend(speaks_first(intent));
            points
        }
        (Mesh::Istio, None) if matches!(intent.workload, Workload::Host(_)) => vec![
            "Istio treats the alias as a name of its own: where outboundTrafficPolicy is REGISTRY_ONLY the target needs a ServiceEntry; and a DestinationRule for the alias does not apply to the target".to_owned(),
        ],
        (Mesh::Istio, None) => vec![format!("the ports of `{}` have names and appProtocol, which is what Istio routes by; nothing else changes", intent.entry_service())],
        (Mesh::Linkerd, None) if matches!(intent.workload, Workload::Host(_)) => vec!["the alias has no virtual address that Linkerd could balance: the proxy sends each connection where the client dialled".to_owned()],
        (Mesh::Linkerd, None) => {
            let mut points = vec!["Linkerd balances requests to the virtual address itself; nothing changes in these objects".to_owned()];
            points.extend(speaks_first(intent));
            points
        }
    };
    let name = match intent.mesh {
        Mesh::None | Mesh::Istio => "Istio",
        Mesh::Linkerd => "Linkerd",
    };
    section(&format!("With {name}"), points)
}

/// What Linkerd treats as opaque unless it is told otherwise.
const LINKERD_OPAQUE: [u16; 8] = [25, 587, 3306, 4444, 5432, 6379, 9300, 11211];

/// Linkerd's proxy waits for the client's first bytes, so it must be told of ports on which the server speaks first.
fn speaks_first(intent: &Intent) -> Option<String> {
    let of_names = |names: &[&str]| -> Vec<u16> {
        let ports = intent.ports.iter().filter(|port| names.contains(&port.name.as_str()));
        ports.map(|port| port.target).collect()
    };
    // By Linkerd's own table of such protocols.
    let opaque = match intent.software().map(|software| software.name) {
        Some("Galera") => of_names(&["mysql", "galera", "ist", "sst"]),
        Some("MySQL Group Replication") => of_names(&["mysql"]),
        Some(_) => return None,
        None => {
            let mut unknown = intent.ports.iter().filter(|port| !port.is_http());
            return unknown.next().map(|port| format!("if the server speaks first on {} (as MySQL and SMTP do), the proxy waits for the client's first bytes until it gives up: put {} into config.linkerd.io/opaque-ports on the pods and the Services", port.name, port.target));
        }
    };
    if opaque.iter().all(|port| LINKERD_OPAQUE.contains(port)) {
        return None;
    }
    let opaque: Vec<String> = opaque.iter().map(u16::to_string).collect();
    Some(format!(
        "servers speak first here, and the proxy would wait for the client's first bytes: config.linkerd.io/opaque-ports: \"{}\" on the pods and the Services, which takes the place of Linkerd's own list",
        opaque.join(",")
    ))
}
