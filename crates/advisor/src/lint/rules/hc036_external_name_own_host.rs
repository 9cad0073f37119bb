use manifest::read::Level;

use crate::lint::external_name::{OwnHost, Target, own_host};
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC036",
    level: Level::Warning,
    title: "an ExternalName leads to localhost or to a cloud's metadata server",
    explanation: "\
`localhost` is whoever asks: each client of such a Service connects to itself. A metadata server is asked per machine, and hands out the
machine's credentials. Both are harmful where a proxy follows the alias in its own name, as ingress controllers do: the Service's author
then reaches what only the proxy could, its admin port or its node's credentials. Several controllers therefore ignore ExternalNames
unless told otherwise.",
    remedy: "\
Name the host that is meant. A container beside yours in the same pod is at `localhost` without any Service; a pod that needs the
metadata server asks it directly.",
    sources: &["CVE-2021-32783 (GHSA-5ph6-qq5x-7jwc, Contour)", "RFC 6761, section 6.3"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        let Some(target) = Target::name_of(service) else { continue };
        let Some(own) = own_host(target) else { continue };
        let name = &service.reference.name;
        let (there, message, help) = match own {
            OwnHost::Localhost => (
                "whoever asks",
                format!("Service {name} is an alias of {target}, which is each client itself"),
                format!(
                    "clients connect to themselves and are mostly refused, a proxy that follows \
                     {name} to its own ports: name the host that is meant"
                ),
            ),
            OwnHost::Metadata => (
                "a cloud's metadata server",
                format!(
                    "Service {name} is an alias of {target}, which hands out the credentials of \
                     the machine that asks"
                ),
                format!(
                    "whoever reaches a proxy that follows {name} gets that machine's credentials: \
                     let the pods that need it ask {target} directly, and remove the Service"
                ),
            ),
        };
        findings
            .add(service.subject(), service.label("spec.externalName", there), message)
            .help(help);
    }
}
