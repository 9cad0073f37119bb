use manifest::read::Level;

use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC001",
    level: Level::Warning,
    title: "a StatefulSet's serviceName names no Service",
    explanation: "\
The pods of a StatefulSet take their host names and their subdomain from it, and the names `POD.SERVICE.NAMESPACE.svc` are published by the
Service that `serviceName` names. Nothing creates that Service: without it the pods run, and every one of these names is NXDOMAIN.",
    remedy: "Create a headless Service of that name in the StatefulSet's namespace, whose selector matches the pods' labels.",
    sources: &["Kubernetes API, apps/v1 StatefulSetSpec.serviceName"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for set in &objects.stateful_sets {
        let Some(name) = set.object.spec.as_ref().and_then(|spec| spec.service_name.as_deref()) else {
            continue;
        };
        let namespace = &set.reference.namespace;
        if name.is_empty() || objects.service(namespace, name).is_some() {
            continue;
        }
        let finding = findings.add(
            set.subject(),
            set.label("spec.serviceName", "no such Service"),
            format!("there is no Service {name} in namespace {namespace}"),
        );
        finding.help(format!(
            "without it the names POD.{name}.{namespace}.svc are NXDOMAIN: create it, headless (clusterIP: None), or correct serviceName"
        ));
        let elsewhere = objects.services.iter().find(|service| service.reference.name == name);
        if let Some(elsewhere) = elsewhere {
            let text = format!("one is here, in namespace {}", elsewhere.reference.namespace);
            finding.with(elsewhere.label("metadata.name", text));
        }
    }
}
