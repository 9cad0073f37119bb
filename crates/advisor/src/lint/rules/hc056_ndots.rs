use manifest::read::Level;

use crate::lint::told::{Host, Texts};
use crate::lint::workload::Workload;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC056",
    level: Level::Note,
    title: "a pod's ndots does not go with the names that it asks for",
    explanation: "\
A name with fewer dots than `ndots` is first tried under every domain of the search list, and only then as it stands; a pod of Kubernetes has `ndots:5` and
three domains, so that a name of the outside costs three vain questions (for A and AAAA each) before the right one. That is usual, and not told. Told is a
`dnsConfig` that makes it worse, and one that went too far the other way: with `ndots:2` a name such as `db.prod.svc` is tried as it stands first, which
asks the outside about it, and which on Alpine is the only try, for musl walks no search list for a name with that many dots.",
    remedy: "End names of the outside with a dot where the program takes that; lower `ndots` to 2 only where names of the cluster have fewer dots or are whole.",
    sources: &["resolv.conf(5)", "musl, src/network/lookup_name.c: name_from_dns_search"],
    check,
};

/// What pods have unless they say otherwise.
const USUAL: u32 = 5;
/// The domains that the kubelet puts into a pod's search list: `NAMESPACE.svc.DOMAIN`, `svc.DOMAIN`, `DOMAIN`.
const SEARCHED: usize = 3;

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let texts = Texts::new(objects);
    let domain = &objects.options.cluster_domain;
    for workload in &objects.workloads {
        let Some((at, ndots, searches)) = configured(workload) else { continue };
        let namespace = &workload.reference.namespace;
        let worse = ndots >= USUAL;
        let texts = texts.of(workload);
        let asked = texts.iter().find_map(|text| {
            let host = text.hosts().find(|host| {
                let named =
                    host.is_of_cluster(domain) || host.service(objects, namespace).is_some();
                let is_whole = host.absolute || host.name.ends_with(domain.as_str());
                // What stands before the dot of `$(POD).db` has no dots itself.
                let dots = u32::try_from(host.name.matches('.').count()).unwrap_or(u32::MAX);
                match worse {
                    true => !named && !is_whole && dots < ndots && is_outside(host),
                    false => named && !is_whole && dots >= ndots,
                }
            })?;
            Some((text, host))
        });
        let Some((text, host)) = asked else { continue };
        let name = format!("{}{}", if host.name.starts_with('.') { "POD" } else { "" }, host.name);
        let of = &workload.reference.name;
        if worse {
            let domains = SEARCHED + searches;
            let message = format!(
                "the pods of {of} look for {name} under {domains} domains before they ask for it"
            );
            let label = workload.pod_label(&at, "makes it so");
            let finding = findings.add(workload.subject(), label, message);
            finding.with(text.label_of(&host, "a name of the outside"));
            finding.help(format!(
                "that is {} questions in place of 2 (A and AAAA); write {name}. with a dot at its end, or set ndots to 2 (spec.dnsConfig.options)",
                2 * (domains + 1)
            ));
        } else {
            let alpine = workload.containers().any(|(_, container)| {
                container.image.as_deref().is_some_and(|image| image.contains("alpine"))
            });
            let message = match alpine {
                true => format!(
                    "with ndots:{ndots} the pods of {of} never find {name}: musl asks for it only as it stands"
                ),
                false => format!(
                    "with ndots:{ndots} the pods of {of} ask for {name} as it stands before they search for it"
                ),
            };
            let finding =
                findings.add(workload.subject(), workload.pod_label(&at, "too few"), message);
            finding.with(text.label_of(&host, "a name of the cluster that is not whole"));
            if alpine {
                finding.level(Level::Warning);
            }
            finding.help(format!(
                "the first answer is NXDOMAIN, from outside the cluster; write the whole name ({name}.{}), or leave ndots at {USUAL}",
                if name.ends_with(".svc") { domain.clone() } else { format!("svc.{domain}") }
            ));
        }
    }
}

/// Where a workload's own `dnsConfig` says how its names are searched, its `ndots`, and how many domains it adds.
fn configured(workload: &Workload) -> Option<(String, u32, usize)> {
    let pod = &workload.pod;
    if !pod.dns_policy.as_deref().is_none_or(|policy| policy.starts_with("ClusterFirst")) {
        return None;
    }
    let config = pod.dns_config.as_ref()?;
    let options = config.options.iter().flatten().enumerate();
    let ndots = options.into_iter().find_map(|(at, option)| {
        let number = option.value.as_deref()?.parse().ok()?;
        (option.name.as_deref() == Some("ndots")).then_some((at, number))
    });
    let searches = config.searches.as_ref().map_or(0, Vec::len);
    match ndots {
        Some((at, ndots)) => Some((format!("spec.dnsConfig.options[{at}].value"), ndots, searches)),
        None if searches > 0 => Some(("spec.dnsConfig.searches".to_owned(), USUAL, searches)),
        None => None,
    }
}

/// Whether a host that is dialled is evidently one of the outside: `api.example.com`.
fn is_outside(host: &Host<'_>) -> bool {
    let last = host.name.rsplit('.').next().unwrap_or_default();
    host.dialled
        && host.name.contains('.')
        && !host.name.starts_with('.')
        && last.len() > 1
        && last.bytes().all(|byte| byte.is_ascii_alphabetic())
}
