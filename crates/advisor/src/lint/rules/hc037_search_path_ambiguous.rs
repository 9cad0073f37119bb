use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::external_name::DOMAINS;
use crate::lint::{Findings, Item, Label, Objects, Rule, Subject, Version};

/// The label between a namespace and the cluster's domain.
const SVC: &str = "svc";
/// The first with a CoreDNS (1.10.1) that answers nothing one label below an ExternalName.
const NOTHING_BELOW: Version = Version { major: 1, minor: 27 };
/// The first with a CoreDNS (1.11) that answers nothing two labels below one either.
const NOTHING_DEEPER: Version = Version { major: 1, minor: 29 };

pub(super) const RULE: Rule = Rule {
    code: "HC037",
    level: Level::Warning,
    title: "a name takes over other names by way of the search path",
    explanation: "\
A pod's resolver tries a name of few dots with the search domains first, `NAMESPACE.svc.cluster.local` and `svc.cluster.local`. So a
Service `google` in a namespace `com` is what all pods get for `google.com`, and a namespace `svc` comes before `db.prod.svc`. With older
DNS servers an ExternalName takes over more, for they answer every name below it: in its namespace one called `com` is the answer to
`www.google.com` (until the CoreDNS of Kubernetes 1.29), and one called like a namespace `prod` the answer to `db.prod` (until that of
1.27). Namespaces called like other top-level domains (`dev`, `prod`) are left alone, for they are common and seldom hurt.",
    remedy: "Rename the namespace or the Service. Clients are safe with full names that end in a dot: `google.com.`.",
    sources: &[
        "kubernetes/kubernetes#60534, #120922",
        "coredns/coredns#5733 (fixed in 1.10.1), #6161 (fixed in 1.11.0)",
        "CVE-2022-2835, CVE-2022-2837",
        "Kubernetes documentation, Namespaces and DNS",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    namespaces(objects, findings);
    let made = objects.namespaces.iter().map(|namespace| namespace.reference.name.as_str());
    let used = objects.all.iter().map(|item| item.reference.namespace.as_str());
    let known: BTreeSet<&str> = made.chain(used).filter(|name| !name.is_empty()).collect();
    for service in objects.services.iter().filter(|service| service.is_external_name()) {
        alias(service, &known, objects.options.kubernetes, findings);
    }
}

/// Every namespace of such a name once, where it is made or else where a Service is put into it.
fn namespaces(objects: &Objects, findings: &mut Findings<'_>) {
    let is_bad = |name: &str| name == SVC || DOMAINS.contains(&name);
    let mut bad: BTreeMap<&str, (Subject, Label, Option<&str>)> = BTreeMap::new();
    for namespace in &objects.namespaces {
        let name = namespace.reference.name.as_str();
        if is_bad(name) {
            let label = namespace.label("metadata.name", "comes before names that end so");
            bad.entry(name).or_insert_with(|| (namespace.subject(), label, None));
        }
    }
    for service in &objects.services {
        let name = service.reference.namespace.as_str();
        if is_bad(name) {
            let label = || service.label("metadata.namespace", "comes before names that end so");
            let entry = bad.entry(name).or_insert_with(|| (service.subject(), label(), None));
            entry.2.get_or_insert(service.reference.name.as_str());
        }
    }
    for (name, (subject, label, service)) in bad {
        let service = service.unwrap_or("NAME");
        let (message, help) = match name {
            SVC => (
                format!(
                    "a namespace called {SVC} comes before the names SERVICE.NAMESPACE.{SVC} in \
                     every pod's search path"
                ),
                format!(
                    "NAME.{service}.{SVC} may be answered from here instead of from namespace \
                     {service}: rename the namespace"
                ),
            ),
            name => (
                format!(
                    "a namespace called {name} takes over names of the internet that end in \
                     .{name}, in all pods"
                ),
                format!(
                    "pods that ask for {service}.{name} get the Service {service} of this \
                     namespace: rename it, or let nobody else create Services there"
                ),
            ),
        };
        findings.add(subject, label, message).help(help);
    }
}

fn alias(
    service: &Item<Service>,
    known: &BTreeSet<&str>,
    version: Version,
    findings: &mut Findings<'_>,
) {
    let (name, own) = (service.reference.name.as_str(), service.reference.namespace.as_str());
    let (like, lost) = if DOMAINS.contains(&name) && version < NOTHING_DEEPER {
        (format!("the top-level domain .{name}"), format!("www.example.{name}"))
    } else if name == SVC && version < NOTHING_DEEPER {
        ("the label of all Services".to_owned(), format!("db.prod.{SVC}"))
    } else if known.contains(name) && version < NOTHING_BELOW {
        let which = if name == own { "its own namespace" } else { "a namespace" };
        (which.to_owned(), format!("OTHER.{name}"))
    } else {
        return;
    };
    findings
        .add(
            service.subject(),
            service.label("metadata.name", "names below it are taken over"),
            format!("ExternalName {name} is called like {like}"),
        )
        .help(format!(
            "with the CoreDNS of Kubernetes {version}, pods in namespace {own} that ask for \
             {lost} get this alias's target: rename the Service"
        ));
}
