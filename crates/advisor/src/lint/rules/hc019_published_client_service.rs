use std::collections::{HashMap, HashSet};

use manifest::read::Level;

use super::hc018_readiness_waits_for_peers::misplaced;
use crate::lint::siblings::Siblings;
use crate::lint::{Findings, Item, Label, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC019",
    level: Level::Warning,
    title: "a Service for clients publishes pods that are not ready",
    explanation: "\
`publishNotReadyAddresses` is not about DNS alone. It makes the condition `ready` true in the Service's EndpointSlices for every pod, one that
starts, one that fails its probe and one that terminates, and kube-proxy, Ingress controllers and Gateways send traffic to whatever is `ready`
there. Clients of a Service with a cluster IP then get refused connections and errors for as long as any pod behind it is not ready, above all in
every rollout.",
    remedy: "Publish such pods on the headless Service of the peers only; take the field out of the Service that clients use.",
    sources: &[
        "kubernetes/kubernetes#124914",
        "kubernetes/kubernetes: endpointslice podToEndpoint",
    ],
    check,
};

/// Labels that only one pod of a StatefulSet has: who asks for one pod wants that one, ready or not.
const OF_ONE_POD: &[&str] = &["statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"];

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let governing: HashSet<_> = objects
        .workloads
        .iter()
        .filter_map(|workload| Some((workload.reference.namespace.as_str(), workload.subdomain()?)))
        .collect();
    let backends = backends(objects);
    let misplaced = misplaced(objects);
    let siblings = Siblings::of(objects);
    for service in objects.services.iter().filter(|service| service.publishes_not_ready()) {
        let Some(selector) = service.selector() else { continue };
        if OF_ONE_POD.iter().any(|label| selector.contains_key(*label)) {
            continue;
        }
        let (namespace, name) = (&service.reference.namespace, &service.reference.name);
        let key = (namespace.as_str(), name.as_str());
        let place = service
            .label("spec.publishNotReadyAddresses", "also routes to pods that are not ready");
        if !service.is_headless() {
            // One that pods name as their governing Service lacks clusterIP: None, and one that has the field in place of
            // the peers' is told of with that: each is one fault.
            let is_misplaced = || misplaced.iter().any(|other| std::ptr::eq(*other, service));
            if governing.contains(&key) || is_misplaced() {
                continue;
            }
            let finding = findings.add(
                service.subject(),
                place,
                format!("Service {name} has a cluster IP and routes its clients to pods that are not ready"),
            );
            let headless = siblings.find(service, Item::is_headless);
            match headless {
                Some(other) => finding
                    .with(other.label("metadata.name", "the headless Service of the same pods"))
                    .help(format!(
                        "remove it here; {} is the one whose names peers need before they are ready",
                        other.reference.name
                    )),
                None => finding.help(
                    "remove it; if peers need one another's names before they are ready, give them a headless Service of their own that has it",
                ),
            }
            .help("until then clients get refused connections while a pod starts, fails its probe or terminates");
        } else if let Some(backend) = backends.get(&key) {
            findings
                .add(
                    service.subject(),
                    place,
                    format!("Service {name} is a way in from outside, and gives pods that are not ready as its backends"),
                )
                .with(backend.clone())
                .help("requests fail with 502 or 503 while a pod starts or terminates: route to a second Service, without publishNotReadyAddresses");
        }
    }
}

/// The Services that Ingresses and routes of Gateways lead to, and where the first says so.
pub(super) fn backends(objects: &Objects) -> HashMap<(&str, &str), Label> {
    let mut found = HashMap::new();
    for ingress in &objects.ingresses {
        let namespace = ingress.reference.namespace.as_str();
        let Some(spec) = &ingress.object.spec else { continue };
        let default =
            spec.default_backend.iter().map(|backend| ("spec.defaultBackend".to_owned(), backend));
        let by_path = spec.rules.iter().flatten().enumerate().flat_map(|(rule, of_host)| {
            let paths = of_host.http.iter().flat_map(|http| http.paths.iter().enumerate());
            paths.map(move |(at, path)| {
                (format!("spec.rules[{rule}].http.paths[{at}].backend"), &path.backend)
            })
        });
        for (field, backend) in default.chain(by_path) {
            if let Some(service) = &backend.service {
                let label =
                    ingress.label(&format!("{field}.service.name"), "an Ingress leads to it");
                found.entry((namespace, service.name.as_str())).or_insert(label);
            }
        }
    }
    for (kind, route) in objects.gateway_api() {
        if !kind.ends_with("Route") {
            continue;
        }
        let own = match route.namespace() {
            "" => objects.options.namespace.as_str(),
            namespace => namespace,
        };
        let rules = route.value["spec"]["rules"].as_array().into_iter().flatten().enumerate();
        for (rule, value) in rules {
            let refs = value["backendRefs"].as_array().into_iter().flatten().enumerate();
            for (at, backend) in refs {
                let Some(name) = backend["name"].as_str() else { continue };
                let namespace = backend["namespace"].as_str().unwrap_or(own);
                let field = format!("spec.rules[{rule}].backendRefs[{at}].name");
                let label = Label::new(route, &field, "a route leads to it");
                found.entry((namespace, name)).or_insert(label);
            }
        }
    }
    found
}
