use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use manifest::read::{Level, Located};

use crate::lint::by_hand::why_unreachable;
use crate::lint::external_name::is_name;
use crate::lint::{Findings, Item, Label, Objects, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    code: "HC043",
    level: Level::Error,
    title: "an endpoint has an address that cannot be one",
    explanation: "\
An endpoint's address is where nodes send packets, so the API refuses those that mean something else on each host: loopback
(127.0.0.0/8, ::1), link-local (169.254.0.0/16, fe80::/10), the unspecified address and link-local groups; and whatever is no address of
the slice's `addressType`. Slices of type FQDN are accepted and then used by nobody: kube-proxy and DNS take IPv4 and IPv6 alone. The
cluster IP of another Service is accepted, too, but kube-proxy does not send to an address that is only there to be rewritten.",
    remedy: "\
Write an address that every node can reach. For a host that is known by name use an ExternalName Service; for another Service use its
name, or the addresses of its pods.",
    sources: &[
        "Kubernetes API validation of endpoint addresses (ValidateEndpointIP)",
        "Kubernetes API, discovery/v1 EndpointSlice.addressType",
        "Kubernetes documentation, Services without selectors",
    ],
    check,
};

/// An address, where it stands and which family it must have.
struct Written<'o> {
    subject: Subject,
    located: &'o Located,
    field: String,
    text: &'o str,
    family: Option<&'o str>,
}

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for slice in objects.slices.iter().filter(|slice| slice.object.address_type == "FQDN") {
        findings
            .add(
                slice.subject(),
                slice.label("addressType", "used by nobody"),
                format!(
                    "nobody uses slices of host names, so the endpoints of {} do not count",
                    slice.reference.name
                ),
            )
            .level(Level::Warning)
            .help(
                "kube-proxy and DNS take IPv4 and IPv6 alone: for a host's name use a Service \
                of type ExternalName, or list its addresses",
            );
    }
    let cluster_ips = cluster_ips(objects);
    for written in written(objects) {
        judge(&written, &cluster_ips, findings);
    }
}

fn judge(
    written: &Written<'_>,
    cluster_ips: &BTreeMap<IpAddr, &Item<Service>>,
    findings: &mut Findings<'_>,
) {
    let Written { subject, located, field, text, family } = written;
    let label = |there: &str| Label::new(located, field, there);
    let Ok(address) = text.parse::<IpAddr>() else {
        let help = match is_name(text) && text.contains(|c: char| c.is_ascii_alphabetic()) {
            true => format!(
                "the API refuses it; for a name use a Service with type: ExternalName and \
                 externalName: {text}"
            ),
            false => "the API refuses it".to_owned(),
        };
        findings
            .add(
                subject.clone(),
                label("no address"),
                format!("an endpoint has an IP address, and {text:?} is none"),
            )
            .help(help);
        return;
    };
    let own = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    if let Some(why) = why_unreachable(address) {
        findings
            .add(
                subject.clone(),
                label("no endpoint's address"),
                format!("{address} is {why}, and cannot be an endpoint"),
            )
            .help("the API refuses it: write the address at which other hosts reach the target");
    } else if family.is_some_and(|family| family != own) {
        let family = family.unwrap_or_default();
        findings
            .add(
                subject.clone(),
                label("of the other family"),
                format!("{address} is an {own} address, in a slice of {family}"),
            )
            .with(Label::new(located, "addressType", "one family a slice"))
            .help(format!("the API refuses it: write a second slice with addressType: {own}"));
    } else if let Some(service) = cluster_ips.get(&address) {
        let (name, namespace) = (&service.reference.name, &service.reference.namespace);
        findings
            .add(
                subject.clone(),
                label("a Service's address"),
                format!("{address} is the cluster IP of Service {name}, and not a host"),
            )
            .level(Level::Warning)
            .with(service.label("spec.clusterIP", "its address"))
            .help(format!(
                "kube-proxy does not send on to a cluster IP, so expect time-outs: use \
                the name {name}.{namespace}, or the selector of {name}"
            ));
    }
}

fn written(objects: &Objects) -> impl Iterator<Item = Written<'_>> {
    let slices = objects
        .slices
        .iter()
        .filter(|slice| matches!(slice.object.address_type.as_str(), "IPv4" | "IPv6"));
    let slices = slices.flat_map(|slice| {
        let endpoints = slice.object.endpoints.iter().flatten().enumerate();
        endpoints.flat_map(move |(endpoint, of)| {
            of.addresses.iter().enumerate().map(move |(at, text)| Written {
                subject: slice.subject(),
                located: &slice.document,
                field: format!("endpoints[{endpoint}].addresses[{at}]"),
                text,
                family: Some(&slice.object.address_type),
            })
        })
    });
    let endpoints = objects.endpoints.iter().flat_map(|endpoints| {
        let subsets = endpoints.object.subsets.iter().flatten().enumerate();
        subsets.flat_map(move |(subset, of)| {
            let ready = of.addresses.iter().flatten().enumerate();
            let ready = ready.map(|(at, address)| ("addresses", at, address));
            let others = of.not_ready_addresses.iter().flatten().enumerate();
            let others = others.map(|(at, address)| ("notReadyAddresses", at, address));
            ready.chain(others).map(move |(list, at, address)| Written {
                subject: endpoints.subject(),
                located: &endpoints.document,
                field: format!("subsets[{subset}].{list}[{at}].ip"),
                text: &address.ip,
                family: None,
            })
        })
    });
    slices.chain(endpoints)
}

fn cluster_ips(objects: &Objects) -> BTreeMap<IpAddr, &Item<Service>> {
    let all = objects.services.iter().flat_map(|service| {
        let spec = service.object.spec.as_ref();
        let one = spec.and_then(|spec| spec.cluster_ip.as_deref());
        let several = spec.and_then(|spec| spec.cluster_ips.as_deref()).unwrap_or_default();
        let texts = one.into_iter().chain(several.iter().map(String::as_str));
        texts.filter_map(move |text| Some((text.parse().ok()?, service)))
    });
    all.collect()
}
