use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use super::hc061_peers_behind_cluster_ip;
use crate::lint::{Findings, Item, Label, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC002",
    level: Level::Warning,
    title: "a StatefulSet's serviceName names a Service that is not headless",
    explanation: "\
The name of a Service with a cluster IP answers that one address, and connections to it land on any pod: the list of the pods is not to be
had from it. The names of the single pods, `POD.SERVICE.NAMESPACE.svc`, do answer under CoreDNS, which publishes them for every Service; the DNS
specification promises them for headless Services only, and other cluster DNS servers such as kube-dns have none. An ExternalName Service has no endpoints
at all, and no name below it answers anywhere.",
    remedy: "\
Give the StatefulSet a headless Service (`clusterIP: None`) to name its pods, and keep the one with the cluster IP, under another name, for clients.
No update turns a cluster IP into `None` or changes `serviceName`: a StatefulSet that exists is deleted with `--cascade=orphan` and created again.",
    sources: &[
        "Kubernetes documentation, StatefulSet: limitations",
        "Kubernetes DNS specification, 2.3 and 2.4",
        "CoreDNS, plugin kubernetes: endpoint names of any Service",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for set in objects.workloads.iter().filter(|workload| workload.is("StatefulSet")) {
        let Some(service) = objects.governing(set) else { continue };
        let headless = objects.selecting(set).find(|service| service.is_headless());
        // That peers have nothing but a balanced address to find one another by is HC061's to say.
        if service.is_headless() || hc061_peers_behind_cluster_ip::governing(set, objects).is_some()
        {
            continue;
        }
        let (name, type_name) = (&service.reference.name, service.type_name());
        let external = service.is_external_name();
        let message = match external {
            true => format!(
                "Service {name}, which is to name the pods of {}, is of type ExternalName and has no endpoints",
                set.title()
            ),
            false => format!(
                "Service {name}, which names the pods of {}, is not headless: {} answers one address",
                set.title(),
                service.dns_name()
            ),
        };
        let finding =
            findings.add(set.subject(), set.label("spec.serviceName", "not headless"), message);
        finding.with(type_label(service, type_name));
        let pod = set.first_host().unwrap_or_default();
        match external {
            true => finding.level(Level::Error).help(format!("{pod}.{} is NXDOMAIN", service.dns_name())),
            false => finding.help(format!(
                "{pod}.{} answers under CoreDNS, but no specification promises it and kube-dns does not",
                service.dns_name()
            )),
        };
        match headless {
            Some(headless) => {
                let other = &headless.reference.name;
                finding.with(headless.label("metadata.name", "headless, and selects these pods"));
                finding.help(format!(
                    "Service {other} is headless and selects the same pods: write \
                    serviceName: {other}"
                ));
            }
            None => {
                finding.help(format!(
                    "write serviceName: {name}-headless, with a Service of that name that \
                    has clusterIP: None, and keep {name} for clients"
                ));
            }
        }
    }
}

/// The place that makes it another Service than a headless one, or its name where nothing was written.
fn type_label(service: &Item<Service>, type_name: &str) -> Label {
    let written =
        ["spec.clusterIP", "spec.type"].into_iter().find(|field| service.document.has(field));
    service.label(written.unwrap_or("metadata.name"), format!("of type {type_name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::tests::found;

    #[track_caller]
    fn check(service: &str, expected: Level, help: &str) {
        let findings = found(
            &RULE,
            &format!(
                "
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec: {{containers: [{{name: db, image: example.org/db:1}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: db}}
spec: {{{service}}}
"
            ),
        );
        let [finding] = findings.as_slice() else { panic!("{service}: {findings:?}") };
        assert_eq!(finding.level, expected, "{service}");
        assert_eq!(finding.help[0], help, "{service}");
    }

    /// Pods have names under a Service that is not headless; only ExternalName gives none.
    #[test]
    fn the_names_of_the_pods_are_not_denied() {
        let answers = "db-0.db.default.svc answers under CoreDNS, but no specification promises it and \
            kube-dns does not";
        check("selector: {app: db}, ports: [{port: 5432}]", Level::Warning, answers);
        check(
            "type: LoadBalancer, selector: {app: db}, ports: [{port: 5432}]",
            Level::Warning,
            answers,
        );
        check(
            "type: ExternalName, externalName: db.example.com",
            Level::Error,
            "db-0.db.default.svc is NXDOMAIN",
        );
    }
}
