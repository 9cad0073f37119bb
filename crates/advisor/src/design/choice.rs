//! Which Services, why, and why not the others: in the names and numbers of the case.

use super::intent::{Expose, Identity, Intent, Mesh, Pods, PodsKind, Shape, Workload};
use super::workload::{management, policy_name};
use crate::peers::{Keeps, Known, Reach};

/// What was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The whole in a line.
    pub title: String,
    /// Why, a sentence or two each.
    pub reasons: Vec<String>,
    /// What was not chosen.
    pub rejected: Vec<Rejected>,
    /// The fields that decide.
    pub settings: Vec<Setting>,
}

/// What was not chosen, and why not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// What it would have been.
    pub instead: String,
    /// What would have come of it.
    pub because: String,
}

/// A field that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its path, with the object: `Service etcd-peers: publishNotReadyAddresses`.
    pub field: String,
    /// Its value.
    pub value: String,
    /// Why.
    pub because: String,
}

/// A fact behind its verb, as it may be told.
fn told(verb: &str, fact: Known<&str>) -> String {
    match fact {
        Known::Surely(text) => format!("{verb} {text}"),
        Known::Perhaps(text) => format!("probably {verb} {text} (check with its manual)"),
    }
}

pub(super) fn choice(intent: &Intent) -> Choice {
    Choice {
        title: title(intent),
        reasons: reasons(intent),
        rejected: rejected(intent),
        settings: settings(intent),
    }
}

fn title(intent: &Intent) -> String {
    let name = &intent.name;
    let peers = intent.peer_service().unwrap_or_default();
    let client = intent.client_service().unwrap_or_default();
    match (intent.shape(), &intent.workload) {
        (Shape::ClusterIp, _) => format!("a ClusterIP Service, `{client}`"),
        (Shape::Headless, _) if intent.client_ports().next().is_none() => {
            format!("a headless Service, `{peers}`, for the peers")
        }
        (Shape::Headless, _) => {
            format!("a headless Service, `{peers}`, for peers and clients alike")
        }
        (Shape::HeadlessAndClient, _) if intent.pod_names().is_empty() => {
            format!(
                "a headless Service, `{peers}`, for the peers, and a ClusterIP Service, `{client}`, for clients"
            )
        }
        (Shape::HeadlessAndClient, _) => {
            format!(
                "a headless Service, `{peers}`, for the pods' own names, and a ClusterIP Service, `{client}`, for clients"
            )
        }
        (Shape::ExternalName, Workload::Host(host)) => {
            format!("an ExternalName Service, `{name}`, an alias of {host}")
        }
        (Shape::Addresses(Identity::Stable), _) => {
            format!(
                "a headless Service without selector, `{name}`, and an EndpointSlice kept by hand"
            )
        }
        (Shape::Addresses(Identity::Any) | Shape::ExternalName, _) => {
            format!(
                "a ClusterIP Service without selector, `{name}`, and an EndpointSlice kept by hand"
            )
        }
    }
}

/// `1 pod`, `3 pods`, `2 addresses`.
pub(super) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ if what.ends_with('s') => format!("{number} {what}es"),
        _ => format!("{number} {what}s"),
    }
}

fn reasons(intent: &Intent) -> Vec<String> {
    match &intent.workload {
        Workload::Pods(pods) => of_pods(intent, pods),
        Workload::Host(host) => vec![
            format!(
                "`{}` answers with a CNAME to {host}, and clients then resolve that name themselves: when its addresses change, by a failover or a move, they follow with nothing changed here",
                intent.full_name(&intent.name)
            ),
            "there is no proxy in between, no virtual address and no endpoint: what is not DNS passes it by (see below)".to_owned(),
        ],
        Workload::Addresses { addresses, identity } => {
            let many = count(addresses.len(), "address");
            let first = match identity {
                Identity::Any => format!(
                    "the target is {many} and no name: a Service without selector takes them from an EndpointSlice that you keep, and its virtual address stays when they change"
                ),
                Identity::Stable => format!(
                    "the target is {many} and no name, and clients tell them apart: headless, `{}` answers with all of them",
                    intent.full_name(&intent.name)
                ),
            };
            let mut all = vec![first];
            let moved = intent.ports.iter().find(|port| port.number != port.target);
            if let Some(port) = moved {
                all.push(format!("its port {} leads to {} on the target: a virtual address can change ports, a name cannot", port.number, port.target));
            }
            all
        }
    }
}

fn of_pods(intent: &Intent, pods: &Pods) -> Vec<String> {
    let mut all = Vec::new();
    let client = intent.client_service();
    if let Some(service) = intent.peer_service() {
        let example = match intent.pod_names().first() {
            Some(pod) => format!("{pod}.{}", intent.full_name(&service)),
            None => intent.full_name(&service),
        };
        match (pods.software, pods.kind) {
            (Some(software), PodsKind::StatefulSet) => {
                let name = software.name;
                let discovery = told("find one another by", software.discovery);
                all.push(match pods.replicas {
                    1 => format!(
                        "one replica of {name} has no peers; once there are more, they {discovery}"
                    ),
                    _ => format!("peers of {name} {discovery}"),
                });
                let named = match software.keeps {
                    Keeps::Name => "so each pod needs a name that stays when its address does not",
                    Keeps::Volume | Keeps::Nothing => {
                        "whatever finds it, each pod has a name that stays when its address does not"
                    }
                };
                all.push(format!(
                    "{named}, such as `{example}`: the StatefulSet's pods get it by serviceName, and `{service}`, headless, publishes it"
                ));
            }
            (Some(software), PodsKind::Deployment) => all.push(format!(
                "nodes of {} {}: `{service}`, headless, answers with the address of {}. A Deployment's pods have no names that stay, and none are needed",
                software.name,
                told("find one another by", software.discovery),
                match pods.replicas {
                    1 => "the pod".to_owned(),
                    many => format!("each of the {many} pods"),
                }
            )),
            (None, _) => all.push(format!(
                "a {} keeps each replica apart: `{service}`, headless, gives each pod a name that stays when its address does not, such as `{example}`",
                pods.kind.kind()
            )),
        }
    }
    match (client, pods.software) {
        (Some(client), Some(software)) => all.push(match software.reach {
            Reach::SeedThenPods => format!(
                "clients of {} {}; `{client}` is for the first contact only, where any server will do",
                software.name,
                told("dial", software.client)
            ),
            Reach::Leader { label, value, .. } => format!(
                "clients of {} {}: `{client}` selects {label}={value}, so it moves with the leader and has no endpoint while there is none",
                software.name,
                told("dial", software.client)
            ),
            Reach::Any | Reach::Pods => format!(
                "clients of {} may take any server that is ready, and {}: `{client}` has one address that stays, and each connection goes to a pod that is ready",
                software.name,
                told("dial", software.client)
            ),
        }),
        (Some(client), None) => all.push(format!(
            "clients take any replica that is ready: `{client}` has one address that stays, whatever becomes of the pods"
        )),
        (None, Some(software)) => {
            all.push(format!("clients of {} {}", software.name, told("dial", software.client)));
        }
        (None, None) => all.push(
            "clients choose a replica by its name, so nothing may choose for them".to_owned(),
        ),
    }
    all
}

fn rejected(intent: &Intent) -> Vec<Rejected> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |instead: &str, because: String| all.push((instead.to_owned(), because));
    let name = &intent.name;
    let what = intent.what();
    match (&intent.workload, intent.shape()) {
        (Workload::Pods(pods), shape) => {
            let many = pods.replicas;
            match shape {
                Shape::ClusterIp => {
                    add(
                        "headless (clusterIP: None)",
                        format!(
                            "clients would get the addresses of {many} pods and hold on to them: after each rollout they dial pods that are gone until they look again. It is worth that only where clients balance by themselves, as gRPC can"
                        ),
                    );
                }
                Shape::Headless | Shape::HeadlessAndClient => {
                    let per_peer = match pods.kind {
                        PodsKind::StatefulSet if many > 1 => format!(
                            "its one address leads each connection to any of the {many} pods: a peer that dials `{name}` to reach `{name}-1` meets `{name}-0`, or itself, and membership never settles"
                        ),
                        PodsKind::StatefulSet => "its one address says nothing of the pod behind it; the next replica could not tell the first from itself".to_owned(),
                        PodsKind::Deployment => "its one address says nothing of the pods behind it, which their peers must reach one by one".to_owned(),
                    };
                    add("one ClusterIP Service for all", per_peer);
                    if let (Shape::HeadlessAndClient, Some(service)) =
                        (shape, intent.peer_service())
                    {
                        add(
                            "the headless Service for clients, too",
                            match intent.publishes_not_ready() {
                                true => format!(
                                    "`{service}` answers with pods that are not ready, as peers need it; clients would be sent to them"
                                ),
                                false => format!(
                                    "clients of `{service}` would hold pods' addresses and have to look again after each change"
                                ),
                            },
                        );
                    }
                    let reach = pods.software.map(|software| software.reach);
                    if let (Shape::Headless, Some(reach)) = (shape, reach) {
                        let because = match reach {
                            Reach::Pods => format!(
                                "it would pick a pod for the client; clients of {what} must pick by themselves"
                            ),
                            Reach::Any | Reach::SeedThenPods | Reach::Leader { .. } => {
                                "no port is for clients; with one (--port NAME:NUMBER) they get a Service of their own".to_owned()
                            }
                        };
                        add("a ClusterIP Service for clients", because);
                    }
                }
                Shape::ExternalName | Shape::Addresses(_) => {}
            }
            add(
                "ExternalName",
                format!(
                    "the pods of {what} are in this cluster: there is nothing to alias, and an alias has no endpoints"
                ),
            );
            add("a Service without selector", "its endpoints are kept by hand, and pods get a new address each time they are made".to_owned());
        }
        (Workload::Host(host), _) => {
            add(
                "ClusterIP or headless with a selector",
                format!("no pod of this cluster is behind {host}: it would select nothing"),
            );
            add(
                "a Service without selector, and an EndpointSlice",
                format!(
                    "it needs addresses: those of {host} written down today go stale at its next failover, and nothing would say so. It is the way if the port must change on the way"
                ),
            );
            add(
                "no Service, the host in each client's configuration",
                format!("it works; the alias is for moving `{name}` later without touching them"),
            );
        }
        (Workload::Addresses { addresses, identity }, _) => {
            let example = addresses.first().map(ToString::to_string).unwrap_or_default();
            add(
                "ExternalName",
                format!("it takes a name: `{example}` would be looked up as one, and is NXDOMAIN"),
            );
            match identity {
                Identity::Any => add("headless", "clients would see the addresses themselves, and keep dialling one that you have taken out until they look again; ports could not be changed on the way".to_owned()),
                Identity::Stable => add("a virtual address", "it would choose one for the client".to_owned()),
            }
            add("a selector", "there are no pods to select; with one, the controller would empty the slices that it makes".to_owned());
        }
    }
    if intent.expose != Expose::None && intent.pods().is_some() {
        add(
            "one Service of type LoadBalancer or NodePort that is headless",
            "the API refuses it: those build on a virtual address, and clusterIP: None has none"
                .to_owned(),
        );
    }
    all.into_iter().map(|(instead, because)| Rejected { instead, because }).collect()
}

fn settings(intent: &Intent) -> Vec<Setting> {
    let mut all = Vec::new();
    let mut add = |field: String, value: String, because: String| {
        all.push(Setting { field, value, because });
    };
    let Some(pods) = intent.pods() else { return all };
    if let Some(service) = intent.peer_service() {
        add(
            format!("`{service}`: clusterIP"),
            "None".to_owned(),
            "its name and those below it answer with pods' addresses".to_owned(),
        );
        let publishes = intent.publishes_not_ready();
        let because = match (pods.software, publishes) {
            (Some(software), _) => {
                let check = if software.publish_not_ready.sure().is_some() { "" } else { " (probably; check)" };
                format!("{}{check}", software.why)
            }
            (None, true) => format!("nothing is known of {}: if its peers look for one another before they are ready, they find each other; clients have a Service of their own, which waits for ready", intent.what()),
            (None, false) if intent.client_service().is_some() => {
                "as it is today: clients may look there, too, and should be sent to pods that are ready"
                    .to_owned()
            }
            (None, false) => "clients look here, and should be sent to pods that are ready; if peers must meet before that, set it to true and give clients a Service of their own (--identity any)".to_owned(),
        };
        add(format!("`{service}`: publishNotReadyAddresses"), publishes.to_string(), because);
        if pods.kind == PodsKind::StatefulSet {
            add(
                format!("StatefulSet {}: serviceName", intent.name),
                service,
                "gives the pods host name and subdomain, and cannot be changed later".to_owned(),
            );
            let (policy, because) = management(intent);
            add(
                format!("StatefulSet {}: podManagementPolicy", intent.name),
                policy_name(policy).to_owned(),
                because,
            );
        }
    }
    if let Some(port) = intent.ports.first() {
        let service = intent.peer_service().or_else(|| intent.client_service()).unwrap_or_default();
        add(
            "every port has a name".to_owned(),
            intent.ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", "),
            format!(
                "without one there is no SRV record: `{}.{service}` is made of it",
                port.srv_labels()
            ),
        );
    }
    if let (Some(service), Some(port)) =
        (intent.peer_service(), intent.ports.iter().find(|port| port.number != port.target))
    {
        add(
            format!("`{service}`: port {}", port.name),
            port.target.to_string(),
            format!(
                "no proxy changes it: who has a pod's address dials what the pod listens on, not {}",
                port.number
            ),
        );
    }
    if intent.mesh == Mesh::Istio {
        add(
            "ports: appProtocol".to_owned(),
            "as spoken".to_owned(),
            match intent.peer_service() {
                Some(service) => format!(
                    "Istio need not guess what is spoken on the ports of `{service}`, where it sees addresses alone"
                ),
                None => "Istio need not guess what is spoken".to_owned(),
            },
        );
    }
    all
}
