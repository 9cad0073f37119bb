use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::by_hand;
use crate::lint::external_name::Target;
use crate::lint::{Findings, Item, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC027",
    level: Level::Error,
    title: "an ExternalName is an IP address",
    explanation: "\
An ExternalName Service is answered with a CNAME, and a CNAME leads to a name. An IPv4 address passes the API's check, for it reads as a
name of four labels; but no name like that exists, and looking the Service up ends in NXDOMAIN. An IPv6 address is refused at once, since
colons are not allowed. The old kube-dns answered such Services with the address; CoreDNS never did.",
    remedy: "\
For addresses write a Service without `type`, `externalName` and `selector`, with its ports, and an EndpointSlice labelled
`kubernetes.io/service-name` that lists them. Where the machine has a DNS name, use that.",
    sources: &[
        "coredns/coredns#2164, #2324",
        "Kubernetes DNS-Based Service Discovery 1.1.0, section 2.5",
        "Kubernetes documentation, Service, type ExternalName",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        let Some(Target::Address(address)) = Target::of(service) else { continue };
        let name = &service.reference.name;
        let finding = findings.add(
            service.subject(),
            service.label("spec.externalName", "an address, where a name is due"),
            format!(
                "Service {name} is an alias of the address {address}, and an alias leads to a name"
            ),
        );
        let written = service.object.spec.as_ref().and_then(|spec| spec.external_name.as_deref());
        let is_accepted = address.is_ipv4()
            && written.is_some_and(|text| text.bytes().all(|b| b == b'.' || b.is_ascii_digit()));
        finding.help(match is_accepted {
            true => format!("the API takes it, and every look-up of {name} is NXDOMAIN"),
            false => "the API refuses it: spec.externalName is a DNS name".to_owned(),
        });
        finding.help(mending(service, address));
    }
}

fn mending(service: &Item<Service>, address: IpAddr) -> String {
    if by_hand::why_unreachable(address).is_some() {
        return format!(
            "{address} cannot be an endpoint either: each pod and node has that address to \
             itself; clients on the same host use it directly"
        );
    }
    let name = &service.reference.name;
    let ports = by_hand::ports_for(service);
    let slice = by_hand::slice_yaml(&service.document, name, &ports, &[address]);
    format!(
        "remove type and externalName, list the ports, and add the addresses in a slice: {slice}"
    )
}
