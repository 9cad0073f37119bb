use std::cell::LazyCell;

use manifest::read::Level;

use crate::lint::external_name::{Proxied, Target, number};
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC033",
    level: Level::Warning,
    title: "an ExternalName maps a port, which nothing does",
    explanation: "\
An ExternalName Service is a name in DNS and nothing else: there is no address of its own and no proxy, so clients connect straight to
the target, on the port that they were told. Ports listed in such a Service are a note to readers; a `targetPort` that differs from
`port` promises a mapping that does not happen, and connections to `port` are refused or time out. Some ingress controllers read these
ports for their own connections, so a Service that an Ingress or a route sends to is left alone.",
    remedy: "\
Give clients the target's real port, and list that as `port`. Where the port must differ, use a ClusterIP Service without selector and an
EndpointSlice with the target's addresses: that one maps ports.",
    sources: &["Kubernetes documentation, Service, type ExternalName", "kubernetes/kubernetes#13748"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let proxied = LazyCell::new(|| Proxied::new(objects));
    for service in &objects.services {
        let Some(target) = Target::name_of(service) else { continue };
        let mapped = service.ports().iter().enumerate().filter_map(|(at, port)| {
            let to = port.target_port.as_ref().and_then(number)?;
            (to != port.port).then_some((at, port.port, to))
        });
        let mapped: Vec<_> = mapped.collect();
        if mapped.is_empty() || proxied.has(service) {
            continue;
        }
        let name = &service.reference.name;
        for (at, port, to) in mapped {
            findings
                .add(
                    service.subject(),
                    service
                        .label(&format!("spec.ports[{at}].targetPort"), "nothing maps ports here"),
                    format!("connections to {name}:{port} go to {target}:{port}, not to port {to}"),
                )
                .with(
                    service.label(&format!("spec.ports[{at}].port"), "the port that clients dial"),
                )
                .help(format!(
                    "an alias is DNS only, so expect refused connections or time-outs: clients \
                     dial {name}:{to}, or a Service without selector with a slice of the target's \
                     addresses maps {port} to {to}"
                ));
        }
    }
}
