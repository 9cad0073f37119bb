use std::collections::HashMap;

use k8s_openapi::api::core::v1::Service;
use manifest::read::{Level, Located};

use crate::lint::mentions::{Pod, each_text, is_pod_name, mentions};
use crate::lint::{Findings, Item, Label, Objects, Rule, Subject, Workload};

pub(super) const RULE: Rule = Rule {
    code: "HC004",
    level: Level::Warning,
    title: "pods are expected under a name that no Service gives them",
    explanation: "\
A pod has the name `HOSTNAME.SERVICE.NAMESPACE.svc` only where both its `hostname` is set and its `subdomain` is the Service's name; a StatefulSet sets them, to the pod's
name and to `serviceName`. Under every other Service that selects the pod, a second headless one included, and with either field missing, the pod is listed
by its address alone: it is named like `10-244-1-7.SERVICE.NAMESPACE.svc`, and the expected name is NXDOMAIN. The pods of a Deployment have one template, hence one
host name for all of them.",
    remedy: "\
Use the names under the Service that `serviceName` or `subdomain` names, or set `hostname` and `subdomain` to match. Pods that each need a stable
name of their own are a StatefulSet's.",
    sources: &[
        "Kubernetes documentation, DNS for Services and Pods: hostname and subdomain fields",
        "Kubernetes, EndpointSlice library: an endpoint has a hostname if the pod's subdomain is the Service's name",
        "CoreDNS, plugin kubernetes: endpoints without a hostname are named by address",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for workload in objects.workloads.iter().filter(|workload| !workload.is("StatefulSet")) {
        match workload.subdomain() {
            Some(subdomain) => with_subdomain(objects, workload, subdomain, findings),
            None => without_subdomain(objects, workload, findings),
        }
    }
    mentioned(objects, findings);
}

fn with_subdomain(
    objects: &Objects,
    workload: &Workload,
    subdomain: &str,
    findings: &mut Findings<'_>,
) {
    let (title, namespace) = (workload.title(), &workload.reference.namespace);
    let selecting = objects.selecting(workload).max_by_key(|service| service.is_headless());
    match objects.governing(workload) {
        Some(service) => {
            let selects = objects.selecting(workload).any(|other| std::ptr::eq(other, service));
            // Where it selects no pod, that is what is wrong.
            if !selects || has_hostname(workload) {
                return;
            }
            let finding = findings.add(
                workload.subject(),
                workload.pod_label("spec.subdomain", "without hostname"),
                format!("{title} sets subdomain {subdomain} and no hostname, and so there is no name under \
                    Service {subdomain}"),
            );
            finding.with(service.label("metadata.name", "lists the pods by address"));
            finding.help(format!(
                "{} answers their addresses, and POD.{0} is NXDOMAIN",
                service.dns_name()
            ));
            finding.help(match workload.is("Pod") {
                true => format!("add hostname: {}", workload.reference.name),
                false => "pods that each need a name are a StatefulSet's; hostname in a template gives all \
                    its pods the same".to_owned(),
            });
        }
        None if objects.known_service(namespace, subdomain).is_some() => {}
        None => {
            let finding = findings.add(
                workload.subject(),
                workload.pod_label("spec.subdomain", "no such Service"),
                format!(
                    "{title} sets subdomain {subdomain}, and no Service {subdomain} in namespace \
                    {namespace} is among these files"
                ),
            );
            let host = workload.first_host().unwrap_or_else(|| "HOSTNAME".to_owned());
            finding.help(format!("{host}.{subdomain}.{namespace}.svc is NXDOMAIN"));
            if let Some(service) = selecting {
                let other = &service.reference.name;
                finding.with(service.label("metadata.name", "selects these pods"));
                finding.help(format!("Service {other} selects them: write subdomain: {other}"));
            }
        }
    }
}

/// A host name alone names nothing; someone wants it to where a headless Service lists the pods.
fn without_subdomain(objects: &Objects, workload: &Workload, findings: &mut Findings<'_>) {
    let Some(hostname) = workload.first_host() else { return };
    let Some(service) = objects.selecting(workload).find(|service| service.is_headless()) else {
        return;
    };
    let name = &service.reference.name;
    let finding = findings.add(
        workload.subject(),
        workload.pod_label("spec.hostname", "without subdomain"),
        format!(
            "{} sets hostname {hostname} and no subdomain, and so there is no name under Service \
            {name}",
            workload.title()
        ),
    );
    finding.with(service.label("metadata.name", "lists the pods by address"));
    finding.help(format!("{hostname}.{} is NXDOMAIN: add subdomain: {name}", service.dns_name()));
}

/// Whether its pods have host names: a Job with indices gives them.
fn has_hostname(workload: &Workload) -> bool {
    let job = &workload.document.value["spec"];
    let mode = if workload.is("CronJob") { &job["jobTemplate"]["spec"] } else { job };
    workload.first_host().is_some() || mode["completionMode"] == "Indexed"
}

/// A StatefulSet and a Service that selects its pods without naming them.
type Nameless<'o> = (&'o Workload, &'o Item<Service>);

/// Texts that name a StatefulSet's pods under a Service that only selects them.
fn mentioned(objects: &Objects, findings: &mut Findings<'_>) {
    let mut nameless: HashMap<(&str, &str), Vec<Nameless<'_>>> = HashMap::new();
    for set in objects.workloads.iter().filter(|workload| workload.is("StatefulSet")) {
        let names = set.subdomain();
        // What is wrong with the Service that is to give the names, other rules say.
        if names.is_some() && !objects.governing(set).is_some_and(Item::is_headless) {
            continue;
        }
        for service in
            objects.selecting(set).filter(|service| Some(service.reference.name.as_str()) != names)
        {
            let key = (set.reference.name.as_str(), service.reference.name.as_str());
            nameless.entry(key).or_default().push((set, service));
        }
    }
    if nameless.is_empty() {
        return;
    }
    let known = objects.all.iter().map(|item| &item.document.located);
    let foreign = objects.foreign.iter().map(|foreign| &foreign.located);
    for located in known.chain(foreign) {
        let namespace = objects.namespace_of(located);
        let mut seen: Vec<&Item<Service>> = Vec::new();
        each_text(&located.value, &mut |path, text| {
            if path.starts_with("metadata.") || !text.contains('.') {
                return;
            }
            for mention in mentions(text) {
                let in_namespace = mention.namespace.unwrap_or(namespace);
                let found = match mention.pod {
                    Pod::Fixed { set, .. } => nameless
                        .get(&(set, mention.service))
                        .into_iter()
                        .flatten()
                        .find(|(set, _)| set.reference.namespace == in_namespace),
                    Pod::Variable(variable) => {
                        nameless.values().flatten().find(|(set, service)| {
                            std::ptr::eq(&set.document.located, located)
                                && service.reference.name == mention.service
                                && set.reference.namespace == in_namespace
                                && is_pod_name(set, variable)
                        })
                    }
                };
                let Some((set, service)) = found else { continue };
                if seen.iter().any(|other| std::ptr::eq(*other, *service)) {
                    continue;
                }
                seen.push(service);
                let name = match mention.pod {
                    Pod::Fixed { name, .. } => name.to_owned(),
                    Pod::Variable(_) => set.first_host().unwrap_or_default(),
                };
                say(located, namespace, path, &name, (set, service), findings);
            }
        });
    }
}

fn say(
    located: &Located,
    namespace: &str,
    path: &str,
    pod: &str,
    (set, service): Nameless<'_>,
    findings: &mut Findings<'_>,
) {
    let other = &service.reference.name;
    let subject = Subject {
        kind: located.value["kind"].as_str().unwrap_or_default().to_owned(),
        namespace: namespace.to_owned(),
        name: located.name().to_owned(),
    };
    let (names, named) = match set.subdomain() {
        Some(names) => (format!("have names under Service {names} only"), "which names the pods"),
        None => ("have no names, for it has no serviceName".to_owned(), "no serviceName"),
    };
    let label = Label::new(located, path, format!("{pod}.{other} is no name"));
    let message =
        format!("{pod}.{} is NXDOMAIN: the pods of {} {names}", service.dns_name(), set.title());
    let finding = findings.add(subject, label, message);
    finding.with(set.label("spec.serviceName", named));
    finding.with(service.label("metadata.name", "selects the pods, and does not name them"));
    finding.help(match set.subdomain() {
        Some(names) => format!("write {names} in place of {other}"),
        None => format!("write serviceName: {other} into {}, before it is created", set.title()),
    });
}
