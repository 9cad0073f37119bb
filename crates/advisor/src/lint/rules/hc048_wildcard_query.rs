use manifest::read::Level;

use crate::lint::told::{Host, Texts};
use crate::lint::{Findings, Objects, Rule, Version};

pub(super) const RULE: Rule = Rule {
    code: "HC048",
    level: Level::Warning,
    title: "a wildcard is asked for, which the cluster's DNS no longer knows",
    explanation: "\
Older cluster DNS servers took `*` or `any` in a name for every endpoint, every Service or every namespace: `*.db.prod.svc`, `_sql._tcp.*.prod.svc`,
`any.prod.svc`. It was never part of the Kubernetes DNS specification, and CoreDNS took it out in 1.9, which came with Kubernetes 1.25. Such a name is now
an ordinary one that nobody has: the answer is NXDOMAIN. Wildcards in certificates and in lists such as `NO_PROXY` are matched by the client, and have
nothing to do with this.",
    remedy: "Ask for the headless Service's own name, which answers all its ready endpoints, or its SRV records; or list the names.",
    sources: &["coredns/coredns#5019", "Kubernetes DNS-Based Service Discovery 1.1.0"],
    check,
};

/// The first Kubernetes whose CoreDNS is without wildcards.
const REMOVED: Version = Version { major: 1, minor: 25 };

/// What keys of lists have in them that the client matches by itself.
const MATCHED_BY_CLIENT: &[&str] =
    &["proxy", "origin", "allow", "cors", "san", "cert", "redirect", "domains", "tls"];

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let version = objects.options.kubernetes;
    let texts = Texts::new(objects);
    for workload in &objects.workloads {
        for text in texts.of(workload) {
            let key = text.key.to_ascii_lowercase();
            if MATCHED_BY_CLIENT.iter().any(|word| key.contains(word)) {
                continue;
            }
            let Some((host, wildcard)) = text
                .hosts()
                .find_map(|host| Some((host, asked(&host, &objects.options.cluster_domain)?)))
            else {
                continue;
            };
            let name = host.name;
            let message = match version < REMOVED {
                true => format!(
                    "{name} asks for a wildcard, which CoreDNS 1.9, of Kubernetes {REMOVED}, takes for an ordinary name"
                ),
                false => format!(
                    "{name} is no wildcard to the cluster's DNS, but a name that does not exist"
                ),
            };
            let place = text.label_of(&host, format!("{wildcard} stands for nothing"));
            let finding = findings.add(workload.subject(), place, message);
            if version < REMOVED {
                finding.level(Level::Note);
            }
            // `*.db.prod.svc`: the wildcard stands for the endpoints of one Service.
            let service =
                name.strip_prefix("*.").filter(|rest| rest.split('.').nth(2) == Some("svc"));
            finding.help(match service {
                Some(service) => format!(
                    "it answers NXDOMAIN: ask for {service}, which answers all ready endpoints when the Service is headless"
                ),
                None => "it answers NXDOMAIN: ask for each Service by its name".to_owned(),
            });
        }
    }
}

/// The wildcard in a name of the cluster that is evidently asked for.
fn asked(host: &Host<'_>, domain: &str) -> Option<&'static str> {
    if !host.is_of_cluster(domain) {
        return None;
    }
    let labels: Vec<&str> = host.name.split('.').take_while(|label| *label != "svc").collect();
    let at = labels.iter().position(|label| matches!(*label, "*" | "any"))?;
    let is_srv = labels[0].starts_with('_');
    match labels[at] {
        // `*.db.prod.svc` alone may be in a certificate or a list of exceptions.
        "*" if host.dialled || is_srv || at > 0 => Some("*"),
        "any" if host.dialled || is_srv => Some("any"),
        _ => None,
    }
}
