use std::collections::HashMap;

use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::objects::Item;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC057",
    level: Level::Note,
    title: "a headless Service has one family of addresses, where others have two",
    explanation: "\
A Service that says nothing has the cluster's first family alone, in a cluster with two as well (`ipFamilyPolicy: SingleStack`). A headless one then has
slices of that family, and answers no AAAA (or no A) records, though each of its pods has an address of both. A client with the other family alone, or a
peer that was told to prefer it, does not find them. This is told where another Service of the same namespace asks for both families; who writes
`SingleStack` or `ipFamilies` means it, and a headless Service without selector has both by itself.",
    remedy: "Set `ipFamilyPolicy: PreferDualStack`, which is taken in clusters of one family, too.",
    sources: &["Kubernetes, pkg/registry/core/service: initIPFamilyFields", "KEP-563, dual-stack"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let mut dual: HashMap<&str, &Item<Service>> = HashMap::new();
    for service in objects.services.iter().filter(|service| wants_both(service)) {
        dual.entry(&service.reference.namespace).or_insert(service);
    }
    for service in objects.services.iter().filter(|service| says_nothing(service)) {
        let Some(near) = dual.get(service.reference.namespace.as_str()) else { continue };
        if !service.is_headless() || service.selector().is_none() {
            continue;
        }
        let others = objects.selected(service).flat_map(|workload| objects.selecting(workload));
        let same = others.into_iter().find(|other| wants_both(other));
        let other = same.unwrap_or(near);
        let (name, other_name) = (&service.reference.name, &other.reference.name);
        let finding = findings.add(
            service.subject(),
            service.label("spec.clusterIP", "of the first family alone"),
            match same {
                Some(_) => format!("headless Service {name} answers one family of addresses, and {other_name}, for the same pods, both"),
                None => format!("headless Service {name} answers one family of addresses, and {other_name} both"),
            },
        );
        finding.with(other.label("spec.ipFamilyPolicy", "both families"));
        if same.is_some() {
            finding.level(Level::Warning);
        }
        finding.help("AAAA (or A) queries for it and its pods get no records, not NXDOMAIN: set ipFamilyPolicy: PreferDualStack");
    }
}

fn wants_both(service: &Item<Service>) -> bool {
    let spec = service.object.spec.as_ref();
    let policy = spec.and_then(|spec| spec.ip_family_policy.as_deref());
    matches!(policy, Some("PreferDualStack" | "RequireDualStack"))
}

/// Whether its author left the families to the cluster.
fn says_nothing(service: &Item<Service>) -> bool {
    ["spec.ipFamilyPolicy", "spec.ipFamilies", "spec.clusterIPs"]
        .iter()
        .all(|field| !service.document.has(field))
}
