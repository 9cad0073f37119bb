//! What must answer, from the intent.

use super::expectation::{Backends, Expectation, Expected, Targets, WhileNotReady};
use super::intent::{Intent, Pods, PodsKind, Port, Shape, Workload};
use crate::peers::Reach;

/// What must answer once an intent is fulfilled. Nothing here looks at a plan: names follow from replicas, ports and
/// namespace.
pub fn expectations(intent: &Intent) -> Vec<Expectation> {
    let mut all = match &intent.workload {
        Workload::Pods(pods) => of_pods(intent, pods),
        Workload::Host(host) => vec![Expectation {
            name: absolute(intent, &intent.name),
            answer: Expected::Alias(format!("{host}.")),
            purpose: format!("the alias of {host}"),
            not_ready: WhileNotReady::Unaffected,
        }],
        Workload::Addresses { addresses, .. } => {
            let backends = Backends::Addresses(addresses.clone());
            match intent.shape() {
                Shape::Addresses(super::Identity::Stable) => {
                    headless(intent, &intent.name, &backends, WhileNotReady::Unaffected)
                }
                _ => virtual_address(intent, &intent.name, &backends, WhileNotReady::Unaffected),
            }
        }
    };
    all.sort_by_key(|expectation| matches!(expectation.answer, Expected::Ports { .. }));
    all
}

fn of_pods(intent: &Intent, pods: &Pods) -> Vec<Expectation> {
    let backends = match pods.kind {
        PodsKind::StatefulSet => Backends::Pods(intent.pod_names()),
        PodsKind::Deployment => {
            Backends::Deployment { name: intent.name.clone(), replicas: pods.replicas }
        }
    };
    let mut all = Vec::new();
    if let Some(service) = intent.peer_service() {
        let not_ready = match intent.publishes_not_ready() {
            true => WhileNotReady::Stays,
            false => WhileNotReady::Leaves,
        };
        all.extend(headless(intent, &service, &backends, not_ready));
        for pod in intent.pod_names() {
            all.push(Expectation {
                name: absolute(intent, &format!("{pod}.{service}")),
                answer: Expected::Each(Backends::Pods(vec![pod.clone()])),
                purpose: format!("{pod} by its name"),
                not_ready,
            });
        }
    }
    if let Some(service) = intent.client_service() {
        let behind = match pods.software.map(|software| software.reach) {
            Some(Reach::Leader { label, value, .. }) => Backends::Leader {
                pods: intent.pod_names(),
                label: label.to_owned(),
                value: value.to_owned(),
            },
            Some(Reach::Any | Reach::SeedThenPods | Reach::Pods) | None => backends,
        };
        all.extend(virtual_address(intent, &service, &behind, WhileNotReady::Leaves));
    }
    all
}

fn headless(
    intent: &Intent,
    service: &str,
    backends: &Backends,
    not_ready: WhileNotReady,
) -> Vec<Expectation> {
    let name = absolute(intent, service);
    let all = Expectation {
        name: name.clone(),
        answer: Expected::Each(backends.clone()),
        purpose: "everyone behind the headless Service".to_owned(),
        not_ready,
    };
    let ports = intent.listened().map(|port| Expectation {
        name: format!("{}.{name}", port.srv_labels()),
        answer: Expected::Ports {
            targets: Targets::Each { of: backends.clone(), below: name.clone() },
            port: port.target,
        },
        purpose: format!("names and port {} of everyone", port.name),
        not_ready,
    });
    std::iter::once(all).chain(ports).collect()
}

fn virtual_address(
    intent: &Intent,
    service: &str,
    behind: &Backends,
    not_ready: WhileNotReady,
) -> Vec<Expectation> {
    let name = absolute(intent, service);
    let ports: Vec<&Port> = intent.client_ports().collect();
    let address = Expectation {
        name: name.clone(),
        answer: Expected::Virtual {
            service: service.to_owned(),
            behind: behind.clone(),
            ports: ports.iter().map(|port| port.target).collect(),
        },
        purpose: "any that is ready".to_owned(),
        not_ready,
    };
    let ports = ports.into_iter().map(|port| Expectation {
        name: format!("{}.{name}", port.srv_labels()),
        answer: Expected::Ports { targets: Targets::Service(name.clone()), port: port.number },
        purpose: format!("the port {}", port.name),
        not_ready: WhileNotReady::Unaffected,
    });
    std::iter::once(address).chain(ports).collect()
}

fn absolute(intent: &Intent, name: &str) -> String {
    format!("{}.", intent.full_name(name))
}
