use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::external_name::{
    DOMAINS, Place, SYSTEM_NAMESPACES, Target, known_namespaces, own_host,
};
use crate::lint::{Change, Findings, Item, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC030",
    level: Level::Warning,
    title: "an ExternalName is a short name, which is never searched",
    explanation: "\
Pods find a Service as `db` or `db.prod` because their resolver appends the search domains of its `resolv.conf`. The target of a CNAME is
not treated so: it is complete as it stands. An alias to `db.prod` asks for a host `db` in a top-level domain `prod`, and ends in
NXDOMAIN, or at a stranger's machine where there is such a domain.",
    remedy: "Write the Service's full name, with the cluster's domain: `db.prod.svc.cluster.local`.",
    sources: &["Kubernetes DNS-Based Service Discovery 1.1.0, section 2.5", "RFC 1034, section 3.6.2"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let mut namespaces = known_namespaces(objects);
    namespaces.extend(objects.services.iter().map(|item| item.reference.namespace.as_str()));
    namespaces.extend(SYSTEM_NAMESPACES);
    // Whatever is called so here, `example.com` is a name of the internet.
    namespaces.retain(|name| !DOMAINS.contains(name));
    for service in &objects.services {
        let Some(name) = Target::name_of(service) else { continue };
        if own_host(name).is_some() {
            continue;
        }
        let Some(short) = Short::of(name, service, objects, &namespaces) else { continue };
        let finding = findings.add(
            service.subject(),
            service.label("spec.externalName", "taken as it stands, never searched"),
            format!(
                "the target {name} of Service {} is a short name, and an alias's target is \
                not searched",
                service.reference.name
            ),
        );
        finding.help(match &short.full {
            Some(full) => format!(
                "{name} is asked for as a name of the internet, mostly NXDOMAIN: write \
                 externalName: {full}"
            ),
            None => format!(
                "{name} is asked for as a name of the internet, mostly NXDOMAIN: write the full \
                 name of what is meant"
            ),
        });
        if let Some(meant) = short.meant {
            finding.with(meant.label("metadata.name", "perhaps this one is meant"));
            // Nothing is left to guess where the namespace was written.
            if let Some(to) = short.full.filter(|_| name.contains('.')) {
                let title = format!("set externalName to {to}");
                let set = Change::Set { field: "spec.externalName".to_owned(), to };
                finding.fix(title, &service.document, vec![set]);
            }
        }
    }
}

/// A name that only a search would complete.
struct Short<'o> {
    /// The Service that it would lead to.
    meant: Option<&'o Item<Service>>,
    /// The full name, where it can be known.
    full: Option<String>,
}

impl<'o> Short<'o> {
    fn of(
        name: &str,
        service: &Item<Service>,
        objects: &'o Objects,
        namespaces: &BTreeSet<&str>,
    ) -> Option<Self> {
        let domain = &objects.options.cluster_domain;
        if Place::of(name, domain) != Place::Outside {
            return None;
        }
        // The Service itself is not what it should be an alias of.
        let find = |namespace: &str, name: &str| {
            let found = objects.service(namespace, name);
            found.filter(|found| found.reference != service.reference)
        };
        let own = (service.reference.name.as_str(), service.reference.namespace.as_str());
        let labels: Vec<&str> = name.split('.').collect();
        match labels[..] {
            [only] => {
                let mut others = objects.services.iter().filter(|other| {
                    other.reference.name == only && other.reference.namespace != own.1
                });
                let meant = find(own.1, only).or_else(|| others.next());
                let full =
                    meant.map(|meant| format!("{only}.{}.svc.{domain}", meant.reference.namespace));
                Some(Self { meant, full })
            }
            [name, namespace] => {
                let meant = find(namespace, name);
                let full = format!("{name}.{namespace}.svc.{domain}");
                let full = ((name, namespace) != own).then_some(full);
                (meant.is_some() || namespaces.contains(namespace)).then_some(Self { meant, full })
            }
            [_, service, namespace] if find(namespace, service).is_some() => Some(Self {
                meant: find(namespace, service),
                full: Some(format!("{name}.svc.{domain}")),
            }),
            // `db.prod.svc`, `db.prod.svc.cluster`: the zone's name is cut off.
            _ => {
                let starts =
                    (0..domain.len()).filter(|at| *at == 0 || domain.as_bytes()[at - 1] == b'.');
                let mut whole = starts.map(|at| format!("{name}.{}", &domain[at..]));
                let full = whole.find(|whole| {
                    matches!(Place::of(whole, domain), Place::Service { .. } | Place::Pod)
                })?;
                let meant = match Place::of(&full, domain) {
                    Place::Service { service, namespace, .. } => find(namespace, service),
                    Place::Pod | Place::Nowhere | Place::Outside => None,
                };
                Some(Self { meant, full: Some(full) })
            }
        }
    }
}
