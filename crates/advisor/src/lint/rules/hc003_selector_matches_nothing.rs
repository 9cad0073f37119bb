use std::collections::{BTreeMap, HashMap, HashSet};

use k8s_openapi::api::core::v1::Service;
use manifest::labels::SERVICE_NAME;
use manifest::read::Level;
use manifest::selector::nearest;

use crate::lint::candidates::Candidates;
use crate::lint::{Finding, Findings, Item, Objects, Rule, Workload, words};
use crate::peers::{Peer, Reach, peers};

/// Labels that the StatefulSet controller gives to each pod.
const OF_ONE_POD: &[&str] = &["statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"];

/// Keys of labels that software gives to its own pods while they run: Vault's service registration, Spilo, Bitnami's Redis
/// with Sentinel. Beside those of [`Reach::Leader`].
const WHILE_THEY_RUN: &[&str] = &[
    "vault-active",
    "vault-initialized",
    "vault-perf-standby",
    "vault-sealed",
    "vault-version",
    "spilo-role",
    "isMaster",
];

pub(super) const RULE: Rule = Rule {
    code: "HC003",
    level: Level::Warning,
    title: "a Service's selector does not match the pods",
    explanation: "\
A Service finds its pods by their labels alone, which are those under `spec.template.metadata.labels` of the workload; the name and the labels of the workload
itself do not count. Where nothing matches, the Service is accepted and has no endpoints, and no Event tells of it. A headless Service without endpoints
is NXDOMAIN, with every name below it; one with a cluster IP keeps answering its address, and connections to that are refused.",
    remedy: "\
Write into the Service's selector what the pods' template has, in the same namespace. `kubectl get endpointslices -l kubernetes.io/service-name=SERVICE`
shows the addresses as soon as it matches.",
    sources: &[
        "Kubernetes API, core/v1 ServiceSpec.selector",
        "Kubernetes DNS specification, 2.4.1",
        "kube-proxy: reject rules of Services without endpoints",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let mut governed: HashMap<(&str, &str), Vec<&Workload>> = HashMap::new();
    let candidates = Candidates::of(objects);
    let mut with_workloads: HashSet<&str> = HashSet::new();
    for workload in &objects.workloads {
        let namespace = workload.reference.namespace.as_str();
        with_workloads.insert(namespace);
        if let Some(name) = workload.subdomain() {
            governed.entry((namespace, name)).or_default().push(workload);
        }
    }
    for service in objects.services.iter().filter(|service| !service.is_external_name()) {
        let namespace = service.reference.namespace.as_str();
        let governed = governed.get(&(namespace, service.reference.name.as_str()));
        let governed = governed.map(Vec::as_slice).unwrap_or_default();
        let Some(selector) = service.selector() else {
            without_selector(objects, service, governed, findings);
            continue;
        };
        let missed: Vec<&Workload> = governed
            .iter()
            .copied()
            .filter(|workload| !takes(selector, &workload.labels))
            .collect();
        match missed.split_first() {
            Some((first, others)) if !candidates.hides(namespace, selector) => {
                let finding = misses_its_own(service, selector, first, others, findings);
                let selects = objects.selected(service).next().is_some();
                follows(service, Some(first), selects, finding);
                finding.help(write_selector(governed));
            }
            None if objects.selected(service).next().is_none() => {
                if selects_by_given_labels(objects, namespace, selector) {
                    continue;
                }
                let is_alone = !with_workloads.contains(namespace);
                selects_nothing(objects, &candidates, service, selector, is_alone, findings);
            }
            Some(_) | None => {}
        }
    }
}

/// A Service that is to name pods, and has neither selector nor endpoints of its own.
fn without_selector(
    objects: &Objects,
    service: &Item<Service>,
    governed: &[&Workload],
    findings: &mut Findings<'_>,
) {
    let Some(workload) = governed.first() else { return };
    if has_endpoints(objects, service)
        || objects.live.as_deref().is_some_and(|live| has_endpoints(live, service))
    {
        return;
    }
    let name = &service.reference.name;
    let finding = findings.add(
        service.subject(),
        service.label("spec.selector", "no selector"),
        format!("Service {name}, which is to name {}, has no selector", workload.pods()),
    );
    finding.with(workload.pod_label("metadata.labels", words::labels(&workload.labels)));
    follows(service, Some(workload), false, finding);
    finding.help(write_selector(governed));
}

fn has_endpoints(objects: &Objects, service: &Item<Service>) -> bool {
    let reference = &service.reference;
    objects.endpoints.iter().any(|endpoints| {
        (&endpoints.reference.namespace, &endpoints.reference.name)
            == (&reference.namespace, &reference.name)
    }) || objects.slices.iter().any(|slice| {
        let labels = slice.object.metadata.labels.as_ref();
        slice.reference.namespace == reference.namespace
            && labels.and_then(|labels| labels.get(SERVICE_NAME)) == Some(&reference.name)
    })
}

/// A Service that is to name pods, and selects none of them.
fn misses_its_own<'f>(
    service: &Item<Service>,
    selector: &BTreeMap<String, String>,
    workload: &Workload,
    others: &[&Workload],
    findings: &'f mut Findings<'_>,
) -> &'f mut Finding {
    let asked = words::labels(selector);
    let labels = words::labels(&workload.labels);
    let finding = findings.add(
        service.subject(),
        service.label("spec.selector", format!("asks for {asked}")),
        format!(
            "Service {} does not select {}, which it is to name: it asks for {asked}, and the labels are {labels}",
            service.reference.name,
            workload.pods()
        ),
    );
    finding.with(workload.pod_label("metadata.labels", labels));
    for other in others {
        finding.with(other.pod_label("metadata.labels", format!("nor these of {}", other.title())));
    }
    finding
}

/// A selector that takes all of them: what their own selectors have in common.
fn write_selector(workloads: &[&Workload]) -> String {
    let common = workloads.iter().map(|workload| workload.identity()).reduce(|common, labels| {
        common.into_iter().filter(|(key, value)| labels.get(key) == Some(value)).collect()
    });
    match common.filter(|common| !common.is_empty()) {
        Some(common) => format!("write selector: {}", words::yaml(&common)),
        None => "give the pods a label that they have in common, and ask for it".to_owned(),
    }
}

/// A Service that selects none of the workloads in its namespace; `is_alone` is whether there are none.
fn selects_nothing(
    objects: &Objects,
    candidates: &Candidates<'_>,
    service: &Item<Service>,
    selector: &BTreeMap<String, String>,
    is_alone: bool,
    findings: &mut Findings<'_>,
) {
    let namespace = &service.reference.namespace;
    let is_live = objects.live.as_deref().is_some_and(|live| {
        live.workloads.iter().any(|workload| {
            workload.reference.namespace == *namespace && takes(selector, &workload.labels)
        })
    });
    if is_live
        || candidates.hides(namespace, selector)
        || candidates.is_of_an_operator(namespace, selector)
    {
        return;
    }
    let elsewhere = candidates.labelled(selector);
    let near = candidates.near(namespace, selector);
    let near = nearest(selector, near.map(|workload| (workload, &workload.labels)));
    if elsewhere.is_none() && near.is_none() && (is_alone || !objects.foreign.is_empty()) {
        // Its pods are in other files, or made by something of a kind that is not known here.
        return;
    }
    let asked = words::labels(selector);
    let finding = findings.add(
        service.subject(),
        service.label("spec.selector", format!("asks for {asked}")),
        format!(
            "Service {} selects no pod of these files: none in namespace {namespace} is labelled {asked}",
            service.reference.name
        ),
    );
    if let Some(workload) = elsewhere {
        let other = &workload.reference.namespace;
        finding.with(workload.pod_label("metadata.labels", format!("in namespace {other}")));
        finding.help(format!(
            "{} is, but in namespace {other}, and a Service selects pods of its own namespace only",
            workload.title()
        ));
    } else if let Some((workload, differences)) = near {
        finding.with(workload.pod_label("metadata.labels", format!("has {differences}")));
        finding.help(format!("the nearest are {}, with {differences}", workload.pods()));
    } else {
        finding.level(Level::Note);
    }
    follows(service, None, false, finding);
}

/// Says how that shows; `selects` is whether it has other pods.
fn follows(
    service: &Item<Service>,
    governed: Option<&Workload>,
    selects: bool,
    finding: &mut Finding,
) {
    let name = service.dns_name();
    let host = governed.and_then(Workload::first_host).map(|host| format!("{host}.{name}"));
    // The name of a Service with a cluster IP is there as long as the Service is.
    let address = format!("{name} resolves to its cluster IP, where connections are refused");
    finding.help(match (host, selects, service.is_headless()) {
        (Some(host), true, _) => format!("until it selects them, {host} is NXDOMAIN"),
        (Some(host), false, true) => {
            format!("until it selects them, {name} and {host} are NXDOMAIN")
        }
        (Some(host), false, false) => {
            format!("until it selects them, {address}, and {host} is NXDOMAIN")
        }
        (None, _, true) => format!("until it selects some, {name} is NXDOMAIN"),
        (None, _, false) => format!("until it selects some, {address}"),
    });
}

/// Whether a selector asks for some pods of a workload here, by a label that no template has: the controller gives it, or what
/// runs in the pods.
fn selects_by_given_labels(
    objects: &Objects,
    namespace: &str,
    selector: &BTreeMap<String, String>,
) -> bool {
    let here = objects.workloads.iter().filter(|it| it.reference.namespace == namespace);
    here.into_iter().any(|workload| {
        let (written, missing): (Vec<_>, Vec<_>) =
            selector.iter().partition(|(key, value)| workload.labels.get(*key) == Some(value));
        !written.is_empty()
            && missing.iter().all(|(key, value)| {
                !workload.labels.contains_key(*key) && is_given(workload, key, value)
            })
    })
}

/// Whether a workload's pods get this label after they are made.
fn is_given(workload: &Workload, key: &str, value: &str) -> bool {
    let is_of_leader = |peer: &Peer| match peer.reach {
        Reach::Leader { label, value: leads, .. } => (key, value) == (label, leads),
        Reach::Any | Reach::SeedThenPods | Reach::Pods => false,
    };
    workload.is("StatefulSet") && OF_ONE_POD.contains(&key)
        || WHILE_THEY_RUN.contains(&key)
        || peers().any(is_of_leader)
}

fn takes(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::tests::found;

    const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.org/web:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
";

    #[track_caller]
    fn check(spec: &str, level: Level, help: &str) {
        let findings = found(&RULE, &format!("{WEB}spec: {{{spec}, ports: [{{port: 80}}]}}"));
        let [finding] = findings.as_slice() else { panic!("{spec}: {findings:?}") };
        assert_eq!(finding.level, level, "{spec}");
        assert!(finding.help.iter().any(|line| line == help), "{spec}: {:?}", finding.help);
    }

    /// Only a headless Service without endpoints is NXDOMAIN.
    #[test]
    fn how_a_service_without_endpoints_shows() {
        check(
            "clusterIP: None, selector: {app: www}",
            Level::Warning,
            "until it selects some, web.default.svc is NXDOMAIN",
        );
        let refused = "until it selects some, web.default.svc resolves to its cluster IP, where connections \
            are refused";
        check("selector: {app: www}", Level::Warning, refused);
        check("type: NodePort, selector: {app: www}", Level::Warning, refused);
        check("selector: {role: cache}", Level::Note, refused);
    }
}
