use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use manifest::read::{Level, Located};

use crate::lint::{Change, Findings, Item, Label, Objects, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    code: "HC040",
    level: Level::Warning,
    title: "a slice's port has another name than the Service's",
    explanation: "\
Ports of a Service and of its slices belong together by name and protocol; numbers do not count, and `targetPort` is not read. A Service
port whose name is in no slice has no backends: kube-proxy refuses connections to it, although the slice lists ready addresses. On a
headless Service addresses answer all the same, but the SRV records have the slice's port names. A Service's only port may have no name;
then the slice's must have none either (`name: \"\"`). The same holds for the ports of Endpoints.",
    remedy: "Give the port in the slice the very name and protocol of the Service's port, and as number the one that the target listens on.",
    sources: &[
        "cilium/cilium#15142",
        "Kubernetes API, discovery/v1 EndpointPort.name",
        "kubernetes/kubernetes pkg/proxy/endpointslicecache.go",
    ],
    check,
};

/// Endpoints or a slice: the ports that it has for a Service.
struct Given<'o> {
    subject: Subject,
    located: &'o Located,
    namespace: &'o str,
    service: &'o str,
    is_slice: bool,
    ports: Vec<Port<'o>>,
    /// Where the ports are; their list's own place says where one is missing.
    list: String,
}

/// A port, as far as it must agree.
struct Port<'o> {
    name: &'o str,
    protocol: &'o str,
    field: String,
}

impl Port<'_> {
    fn agrees(&self, other: &Port<'_>) -> bool {
        (self.name, self.protocol) == (other.name, other.protocol)
    }
}

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    // Several slices may share a Service's ports among them.
    let mut by_service: BTreeMap<(&str, &str), Vec<Given<'_>>> = BTreeMap::new();
    for one in given(objects) {
        by_service.entry((one.namespace, one.service)).or_default().push(one);
    }
    for ((namespace, name), given) in by_service {
        let Some(service) = objects.service(namespace, name) else { continue };
        // Endpoints of a Service with a selector are overwritten, whatever their ports are.
        let count = |one: &Given<'_>| one.is_slice || service.selector().is_none();
        let given: Vec<Given<'_>> = given.into_iter().filter(count).collect();
        if !service.is_external_name() {
            check_service(service, &given, findings);
        }
    }
}

fn check_service(service: &Item<Service>, given: &[Given<'_>], findings: &mut Findings<'_>) {
    let wanted = ports_of(service);
    let is_given =
        |port: &Port<'_>| given.iter().flat_map(|one| &one.ports).any(|other| other.agrees(port));
    let missing: Vec<&Port<'_>> = wanted.iter().filter(|port| !is_given(port)).collect();
    if missing.is_empty() {
        return;
    }
    let mut is_told = false;
    for one in given {
        let is_strange = |port: &&Port<'_>| !wanted.iter().any(|wanted| wanted.agrees(port));
        let strange: Vec<&Port<'_>> = one.ports.iter().filter(is_strange).collect();
        if !strange.is_empty() {
            compare(one, service, &missing, &strange, findings);
            is_told = true;
        }
    }
    // A headless Service's addresses need no ports, and a selector may bring what is missing.
    let is_whole = service.selector().is_none() && !service.is_headless();
    if let Some(first) = given.first().filter(|_| !is_told && is_whole) {
        compare(first, service, &missing, &[], findings);
    }
}

fn compare(
    one: &Given<'_>,
    service: &Item<Service>,
    missing: &[&Port<'_>],
    strange: &[&Port<'_>],
    findings: &mut Findings<'_>,
) {
    let name = &service.reference.name;
    for (at, port) in missing.iter().enumerate() {
        // The one of the same name or protocol is the likelier mate; else they pair in their order.
        let by_name = strange.iter().find(|other| other.name == port.name);
        let mate = by_name.or_else(|| strange.get(at)).or_else(|| strange.first());
        let has = match mate {
            Some(mate) => Label::new(one.located, &mate.field, "belongs to no port of the Service"),
            None => Label::new(one.located, &one.list, "no port of that name"),
        };
        let (wanted, kind) = (shown(port), if one.is_slice { "slice" } else { "Endpoints" });
        let message = match mate {
            Some(mate) => {
                format!("{} of the {kind} is not {wanted} of Service {name}", shown(mate))
            }
            None => format!("the {kind} has nothing for {wanted} of Service {name}"),
        };
        let finding = findings.add(one.subject.clone(), has, message);
        finding.with(service.label(&port.field, "without backends"));
        let what = match service.is_headless() {
            true => "addresses answer, but SRV records are under the other port's name",
            false => {
                "no connection to it reaches these endpoints, mostly it is refused, for ports \
                 belong together by name and protocol"
            }
        };
        let to = match port.name {
            "" => format!("name: \"\" and protocol: {}", port.protocol),
            named => format!("name: {named} and protocol: {}", port.protocol),
        };
        finding.help(format!("{what}: the {kind} needs a port with {to}"));
        if let ([_], [mate]) = (missing, strange)
            && mate.protocol == port.protocol
        {
            let (parent, key) = (mate.field.trim_end_matches(".name"), "name".to_owned());
            let to = format!("\"{}\"", port.name);
            let field = format!("{parent}.name");
            let change = match one.located.has(&field) {
                true => Change::Set { field, to },
                false => Change::Add { parent: parent.to_owned(), key, value: to },
            };
            finding.fix(
                format!("set the name of the {kind}'s port to {:?}", port.name),
                one.located,
                vec![change],
            );
        }
    }
}

/// A port in words.
fn shown(port: &Port<'_>) -> String {
    match port.name {
        "" => format!("the unnamed port ({})", port.protocol),
        name => format!("port {name} ({})", port.protocol),
    }
}

fn ports_of(service: &Item<Service>) -> Vec<Port<'_>> {
    let ports = service.ports().iter().enumerate();
    let ports = ports.map(|(at, port)| Port {
        name: port.name.as_deref().unwrap_or_default(),
        protocol: port.protocol.as_deref().unwrap_or("TCP"),
        field: format!("spec.ports[{at}].name"),
    });
    ports.collect()
}

/// What people keep by hand, of addresses and thus of ports.
fn given(objects: &Objects) -> impl Iterator<Item = Given<'_>> {
    let slices = objects.slices.iter().filter(|slice| slice.is_by_hand()).filter_map(|slice| {
        let ports = slice.object.ports.iter().flatten().enumerate();
        let ports = ports.map(|(at, port)| Port {
            name: port.name.as_deref().unwrap_or_default(),
            protocol: port.protocol.as_deref().unwrap_or("TCP"),
            field: format!("ports[{at}].name"),
        });
        Some(Given {
            subject: slice.subject(),
            located: &slice.document,
            namespace: &slice.reference.namespace,
            service: slice.service_name()?,
            is_slice: true,
            ports: ports.collect(),
            list: "ports".to_owned(),
        })
    });
    let by_hand = objects.endpoints.iter().filter(|endpoints| endpoints.is_by_hand());
    let endpoints = by_hand.flat_map(|endpoints| {
        let subsets = endpoints.object.subsets.iter().flatten().enumerate();
        subsets.map(move |(subset, of)| {
            let ports = of.ports.iter().flatten().enumerate();
            let ports = ports.map(|(at, port)| Port {
                name: port.name.as_deref().unwrap_or_default(),
                protocol: port.protocol.as_deref().unwrap_or("TCP"),
                field: format!("subsets[{subset}].ports[{at}].name"),
            });
            Given {
                subject: endpoints.subject(),
                located: &endpoints.document,
                namespace: &endpoints.reference.namespace,
                service: &endpoints.reference.name,
                is_slice: false,
                ports: ports.collect(),
                list: format!("subsets[{subset}].ports"),
            }
        })
    });
    slices.chain(endpoints)
}
