use k8s_openapi::api::core::v1::{Service, ServicePort};
use manifest::read::Level;

use crate::lint::{Findings, Item, Objects, Rule};
use crate::peers::Peer;

pub(super) const RULE: Rule = Rule {
    code: "HC012",
    level: Level::Note,
    title: "a headless Service's port has no name, so no SRV record is to be asked for",
    explanation: "\
An SRV record is asked for as `_PORT._PROTOCOL.SERVICE.NAMESPACE.svc`, with the name that the Service gives the port; the API allows the only port of a Service to have none. The addresses of the
pods are answered all the same. Software that finds others by SRV (etcd's discovery, `mongodb+srv`) finds nothing, and clients have to know the
number.",
    remedy: "Name the port: `ports: [{name: http, port: 9200}]`.",
    sources: &[
        "Kubernetes DNS specification, 2.3.2 and 2.4.2",
        "Kubernetes API, core/v1 ServicePort.name",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in objects.services.iter().filter(|service| service.is_headless()) {
        for (at, port) in service.ports().iter().enumerate() {
            if port.name.as_deref().is_some_and(|name| !name.is_empty()) {
                continue;
            }
            let name = fitting_name(objects, service, port);
            let protocol = port.protocol.as_deref().unwrap_or("TCP").to_lowercase();
            let finding = findings.add(
                service.subject(),
                service.label(&format!("spec.ports[{at}].port"), "has no name"),
                format!(
                    "port {} of headless Service {} has no name, and so no SRV name",
                    port.port, service.reference.name
                ),
            );
            finding.help(format!(
                "with name: {name}, _{name}._{protocol}.{} answers the host and port of each pod",
                service.dns_name()
            ));
        }
    }
}

/// The name that the pods give that port, or that the software in them usually has for it.
fn fitting_name(objects: &Objects, service: &Item<Service>, port: &ServicePort) -> String {
    let mut names = objects.selected(service).flat_map(|workload| {
        let number = workload.target_port(port);
        let declared =
            workload.ports().find(move |(_, declared)| Some(declared.container_port) == number);
        let declared = declared.and_then(|(_, declared)| declared.name.clone());
        let images = workload.containers().filter_map(|(_, container)| container.image.as_deref());
        let known = images.filter_map(Peer::by_image).flat_map(|peer| peer.ports);
        let known = known.filter(move |known| Some(i32::from(known.number)) == number);
        declared.into_iter().chain(known.map(|known| known.name.to_owned()))
    });
    names.next().unwrap_or_else(|| "client".to_owned())
}
