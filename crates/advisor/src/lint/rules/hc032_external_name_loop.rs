use std::collections::{HashMap, HashSet};
use std::ptr::from_ref;

use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::external_name::{Place, Target};
use crate::lint::{Findings, Item, Objects, Rule, words};

/// The most aliases that this program's DNS server follows; CoreDNS follows ten.
const ALIASES_MAX: usize = 8;
/// How many aliases of a loop are named.
const SHOWN_MAX: usize = 6;
/// How far loops are looked for.
const STEPS_MAX: usize = 64;

pub(super) const RULE: Rule = Rule {
    code: "HC032",
    level: Level::Error,
    title: "ExternalNames lead to one another in a loop, or in too long a chain",
    explanation: "\
An alias may lead to an alias, and a DNS server follows. When the aliases come back to where they began there is no address at the end:
CoreDNS answers with no records, other servers with SERVFAIL. The shortest loop is a Service whose `externalName` is its own full name.
Chains end somewhere, but servers follow only so many links: ten in CoreDNS, eight here.",
    remedy: "Let each alias lead to what is at the end: a Service with endpoints, or a host outside the cluster.",
    sources: &["RFC 1034, section 3.6.2", "coredns/coredns plugin/backend_lookup.go"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let pairs = objects.services.iter();
    let pairs = pairs.filter_map(|service| Some((from_ref(service), target(service, objects)?)));
    let next: HashMap<*const Item<Service>, &Item<Service>> = pairs.collect();
    // A chain is told of where it begins: no other alias leads there.
    let within: HashSet<*const Item<Service>> = next.values().copied().map(from_ref).collect();
    for service in &objects.services {
        let mut chain = vec![service];
        let mut back_at = None;
        while let Some(next) = chain.last().and_then(|last| next.get(&from_ref(*last)).copied()) {
            back_at = chain.iter().position(|earlier| std::ptr::eq(*earlier, next));
            if back_at.is_some() || chain.len() > STEPS_MAX {
                break;
            }
            chain.push(next);
        }
        let is_first = chain.iter().all(|other| order(service) <= order(other));
        let begins = !within.contains(&from_ref(service));
        // One that leads into a loop of others is not on it: those say it.
        if back_at == Some(0) && is_first {
            say_loop(&chain, findings);
        } else if back_at.is_none() && chain.len() > ALIASES_MAX && begins {
            let finding = findings.add(
                service.subject(),
                service.label("spec.externalName", "the chain begins here"),
                format!(
                    "Service {} is at the head of more than {ALIASES_MAX} aliases in a row",
                    service.reference.name
                ),
            );
            finding.level(Level::Warning);
            finding.help(
                "DNS servers give up on a chain of that length: let it lead to its end at once",
            );
        }
    }
}

fn say_loop(chain: &[&Item<Service>], findings: &mut Findings<'_>) {
    let Some((service, others)) = chain.split_first() else { return };
    let name = &service.reference.name;
    let message = match others {
        [] => format!("Service {name} is an alias of itself"),
        others => {
            let names: Vec<&str> =
                others.iter().map(|other| other.reference.name.as_str()).collect();
            format!(
                "Service {name} is an alias of itself by way of {}",
                words::list(&names, SHOWN_MAX)
            )
        }
    };
    let finding = findings.add(
        service.subject(),
        service.label("spec.externalName", "comes back here"),
        message,
    );
    finding.help(
        "no address is at the end: look-ups get no records or SERVFAIL; let one of them \
        lead to a real host",
    );
    for other in others {
        finding.with(other.label("spec.externalName", "leads on"));
    }
}

/// The Service in the cluster that an ExternalName is an alias of; itself an alias or not.
fn target<'o>(service: &Item<Service>, objects: &'o Objects) -> Option<&'o Item<Service>> {
    match Place::of(Target::name_of(service)?, &objects.options.cluster_domain) {
        Place::Service { endpoint: None, service, namespace } => {
            objects.service(namespace, service).filter(|next| next.is_external_name())
        }
        Place::Service { endpoint: Some(_), .. } | Place::Pod | Place::Nowhere | Place::Outside => {
            None
        }
    }
}

fn order(service: &Item<Service>) -> (&str, &str) {
    (&service.reference.namespace, &service.reference.name)
}
