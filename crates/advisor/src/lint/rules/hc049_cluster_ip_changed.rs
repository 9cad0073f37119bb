use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::objects::Item;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC049",
    level: Level::Error,
    title: "an upgrade turns a Service headless, or back, which is refused",
    explanation: "\
A Service keeps its `clusterIP`: a change from an address to `None`, from `None` to an address, or to another address is refused (`may not change once
set`), and with it the whole `kubectl apply` or Helm upgrade of that object. Leaving `clusterIP` out or empty is not refused, but changes nothing: the
Service that is headless silently stays so. Only a Service of type ExternalName has no address to keep, so that the way to and from that type is open.",
    remedy: "Delete the Service and create it anew (`kubectl replace --force`), which interrupts its name for a moment, or give the new one another name and
move the clients.",
    sources: &["Kubernetes, pkg/apis/core/validation: ValidateServiceUpdate", "Kubernetes, pkg/registry/core/service: patchAllocatedValues"],
    check,
};

/// What a Service's manifest says of its address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Address<'a> {
    /// Nothing, or an empty text.
    Open,
    Headless,
    Fixed(&'a str),
}

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let Some(live) = objects.live.as_deref() else { return };
    for service in &objects.services {
        let reference = &service.reference;
        let Some(old) = live.service(&reference.namespace, &reference.name) else { continue };
        if service.is_external_name() || old.is_external_name() {
            continue;
        }
        let name = &reference.name;
        let (before, after) = (address(old), address(service));
        let message = match (before, after) {
            (Address::Headless, Address::Fixed(ip)) => {
                format!(
                    "Service {name} is headless in the cluster, and cannot be given the address {ip}"
                )
            }
            (Address::Headless, Address::Open) if service.type_name() != "ClusterIP" => {
                format!(
                    "Service {name} is headless in the cluster, and stays so: it cannot become a {}",
                    service.type_name()
                )
            }
            (Address::Headless, Address::Open) => {
                format!(
                    "Service {name} is headless in the cluster, and stays so: leaving clusterIP out gives it no address"
                )
            }
            (Address::Fixed(ip), Address::Headless) => {
                format!(
                    "Service {name} has the address {ip} in the cluster, and cannot become headless"
                )
            }
            (Address::Open, Address::Headless) => {
                format!("Service {name} has an address in the cluster, and cannot become headless")
            }
            (Address::Fixed(old), Address::Fixed(new)) if old != new => {
                format!(
                    "Service {name} has the address {old} in the cluster, and cannot be given {new}"
                )
            }
            (Address::Open, _)
            | (Address::Headless, Address::Headless)
            | (Address::Fixed(_), _) => continue,
        };
        let finding =
            findings.add(service.subject(), service.label("spec.clusterIP", "wanted"), message);
        finding.with(old.label("spec.clusterIP", "in the cluster now"));
        match (after, service.type_name()) {
            (Address::Open, "ClusterIP") => {
                finding.level(Level::Warning);
                finding.help(
                    "kubectl apply is content, and the name goes on answering the pods' addresses",
                );
            }
            (Address::Open, kind) => {
                finding.help(format!(
                    "kubectl apply is refused: spec.clusterIPs[0]: Invalid value: may not be set to 'None' for {kind} services"
                ));
            }
            (Address::Headless | Address::Fixed(_), _) => {
                finding.help("kubectl apply is refused: spec.clusterIPs[0]: Invalid value: may not change once set");
            }
        }
        finding.help(format!(
            "create it anew: kubectl replace --force -f FILE (or kubectl delete service {name} -n {}, then apply), or write clusterIP as it is",
            reference.namespace
        ));
    }
}

fn address(service: &Item<Service>) -> Address<'_> {
    let spec = service.object.spec.as_ref();
    let first = spec.and_then(|spec| spec.cluster_ips.as_ref()?.first());
    let written = spec.and_then(|spec| spec.cluster_ip.as_ref()).filter(|ip| !ip.is_empty());
    match written.or(first).map_or("", String::as_str) {
        "" => Address::Open,
        "None" => Address::Headless,
        ip => Address::Fixed(ip),
    }
}
