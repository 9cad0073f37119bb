use manifest::read::Level;

use crate::lint::{Finding, Findings, Objects, Rule, Workload, words};

pub(super) const RULE: Rule = Rule {
    code: "HC001",
    level: Level::Warning,
    title: "a StatefulSet's serviceName names no Service",
    explanation: "\
The pods of a StatefulSet take `serviceName` as their subdomain, and the Service of that name publishes them as `POD.SERVICE.NAMESPACE.svc`.
Nothing creates that Service, and nothing complains when it is missing: the pods run and become ready, and every one of these names is NXDOMAIN,
so peers that look for one another by name never meet. `serviceName` itself is optional; a StatefulSet whose pods need no names does without.",
    remedy: "\
Create a headless Service of that name in the StatefulSet's namespace, with a selector that matches the pods' labels. If `serviceName` is
misspelt, correct it before the first apply: it cannot be changed later.",
    sources: &[
        "Kubernetes API, apps/v1 StatefulSetSpec.serviceName",
        "Kubernetes DNS specification, 2.4.1",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for set in objects.workloads.iter().filter(|workload| workload.is("StatefulSet")) {
        let Some(name) = set.subdomain() else { continue };
        let namespace = &set.reference.namespace;
        if objects.known_service(namespace, name).is_some() {
            continue;
        }
        let known = match objects.live {
            Some(_) => "neither among these files nor in the cluster",
            None => "not among these files",
        };
        let finding = findings.add(
            set.subject(),
            set.label("spec.serviceName", "no such Service"),
            format!("Service {name} in namespace {namespace}, which is to name the pods of {}, is {known}", set.title()),
        );
        if let Some(pod) = set.first_host() {
            finding.help(format!(
                "without it {pod}.{name}.{namespace}.svc is NXDOMAIN, for peers and clients alike"
            ));
        }
        mend(objects, set, name, finding);
    }
}

/// Says what was probably meant: another Service, another namespace, or a Service still to be written.
fn mend(objects: &Objects, set: &Workload, name: &str, finding: &mut Finding) {
    let namespace = &set.reference.namespace;
    let selecting = objects.selecting(set).max_by_key(|service| service.is_headless());
    let elsewhere = objects.services.iter().find(|service| service.reference.name == name);
    if let Some(service) = selecting.filter(|service| service.is_headless()) {
        let other = &service.reference.name;
        finding.with(service.label("metadata.name", "headless, and selects these pods"));
        finding.help(format!("if Service {other} is meant, write serviceName: {other}"));
    } else if let Some(service) = elsewhere {
        let other = &service.reference.namespace;
        finding.with(service.label("metadata.name", format!("in namespace {other}")));
        finding.help(format!(
            "a Service names pods of its own namespace only: put both into {namespace} or \
            both into {other}"
        ));
    } else {
        finding.help(format!(
            "create it: {{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: \
             {namespace}}}, spec: {{clusterIP: None, selector: {}}}}}",
            words::yaml(&set.identity()),
        ));
    }
}
