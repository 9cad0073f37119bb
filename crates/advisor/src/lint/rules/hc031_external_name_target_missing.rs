use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::external_name::{Place, Target, known_namespaces};
use crate::lint::{Findings, Item, Label, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC031",
    level: Level::Warning,
    title: "an ExternalName leads to nothing in the cluster's zone",
    explanation: "\
An alias of a name in the cluster's own zone is answered from the Services that are there. A Service that is missing, an endpoint that no
pod has, a name below another alias, or a name that forgets the label `svc` gives an empty answer or NXDOMAIN, while the alias itself
looks healthy in `kubectl get svc`. Only namespaces whose content is among the given files are looked at.",
    remedy: "Correct `externalName` to `SERVICE.NAMESPACE.svc.DOMAIN` of a Service that exists, or create that Service.",
    sources: &["Kubernetes DNS-Based Service Discovery 1.1.0, sections 2.1 to 2.5", "coredns/coredns#2492"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let namespaces = known_namespaces(objects);
    for service in &objects.services {
        let Some(name) = Target::name_of(service) else { continue };
        let Some(Missing { message, there, help, with }) = missing(name, objects, &namespaces)
        else {
            continue;
        };
        let finding =
            findings.add(service.subject(), service.label("spec.externalName", there), message);
        finding.help(format!(
            "look-ups of {} give no records or NXDOMAIN: {help}",
            service.reference.name
        ));
        finding.secondary.extend(with);
    }
}

struct Missing {
    message: String,
    there: &'static str,
    help: String,
    with: Option<Label>,
}

fn missing(name: &str, objects: &Objects, namespaces: &BTreeSet<&str>) -> Option<Missing> {
    match Place::of(name, &objects.options.cluster_domain) {
        Place::Outside | Place::Pod => None,
        Place::Nowhere => nowhere(name, objects),
        Place::Service { endpoint, service, namespace } => {
            match objects.service(namespace, service) {
                Some(found) => no_endpoint(endpoint?, found, objects),
                None => (namespaces.contains(namespace)
                    && !is_of_every_cluster(namespace, service))
                .then(|| no_service(namespace, service, objects)),
            }
        }
    }
}

/// The API's own Service and that of DNS come with the cluster.
fn is_of_every_cluster(namespace: &str, name: &str) -> bool {
    matches!((namespace, name), ("default", "kubernetes") | ("kube-system", "kube-dns"))
}

fn nowhere(name: &str, objects: &Objects) -> Option<Missing> {
    let domain = &objects.options.cluster_domain;
    let labels: Vec<&str> = name.strip_suffix(domain.as_str())?.split_terminator('.').collect();
    let (help, with) = match labels[..] {
        [service, namespace] if namespace != "svc" && namespace != "pod" => {
            let found = objects.service(namespace, service);
            let with = found.map(|found| found.label("metadata.name", "perhaps this one is meant"));
            (format!("write {service}.{namespace}.svc.{domain}"), with)
        }
        _ => (format!("names of Services are SERVICE.NAMESPACE.svc.{domain}"), None),
    };
    let message = format!("{name} is in the cluster's zone {domain}, where no such name can be");
    Some(Missing { message, there: "no such name can be", help, with })
}

fn no_service(namespace: &str, name: &str, objects: &Objects) -> Missing {
    let elsewhere = objects.services.iter().find(|service| service.reference.name == name);
    Missing {
        message: format!("there is no Service {name} in namespace {namespace} among these files"),
        there: "no such Service",
        help: format!("create Service {name} in {namespace}, or correct the target"),
        with: elsewhere.map(|found| {
            found.label(
                "metadata.name",
                format!("one is here, in namespace {}", found.reference.namespace),
            )
        }),
    }
}

/// What is certain about an endpoint's name: below an alias there is none, and a StatefulSet counts its pods.
fn no_endpoint(host: &str, service: &Item<Service>, objects: &Objects) -> Option<Missing> {
    let name = &service.reference.name;
    if service.is_external_name() {
        return Some(Missing {
            message: format!("Service {name} is an alias itself, and no names are below an alias"),
            there: "below an alias",
            help: format!("name the host behind {name} directly"),
            with: Some(service.label("spec.type", "an alias")),
        });
    }
    let set = objects.stateful_sets.iter().find(|set| {
        let ordinal = host.strip_prefix(set.reference.name.as_str());
        set.reference.namespace == service.reference.namespace
            && ordinal.is_some_and(|rest| rest.strip_prefix('-').is_some_and(is_number))
    })?;
    let spec = set.object.spec.as_ref()?;
    // Without a number of its own it may be an autoscaler's.
    let replicas = spec.replicas.filter(|_| set.document.has("spec.replicas"))?;
    let first = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0);
    let ordinal: i64 = host.rsplit_once('-')?.1.parse().ok()?;
    let pods = i64::from(first)..i64::from(first) + i64::from(replicas);
    (spec.service_name.as_deref() == Some(name) && !pods.contains(&ordinal)).then(|| Missing {
        message: format!(
            "StatefulSet {} has {replicas} {}, and {host} is none of them",
            set.reference.name,
            if replicas == 1 { "pod" } else { "pods" }
        ),
        there: "no such pod",
        help: match pods.is_empty() {
            true => "give it replicas".to_owned(),
            false => format!(
                "its pods are {0}-{1} to {0}-{2}",
                set.reference.name,
                pods.start,
                pods.end - 1
            ),
        },
        with: Some(set.label("spec.replicas", "so many")),
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
