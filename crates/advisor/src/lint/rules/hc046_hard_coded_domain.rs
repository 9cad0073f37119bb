use std::ops::Range;

use k8s_openapi::api::core::v1::Service;
use manifest::read::Level;

use crate::lint::finding::Subject;
use crate::lint::objects::{Item, subject};
use crate::lint::told::{Text, config_maps, data, own};
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC046",
    level: Level::Warning,
    title: "a name ends with cluster.local in a cluster of another domain",
    explanation: "\
The last labels of a cluster's names are its own: `cluster.local` is only the usual choice, made when the cluster is set up. A name written out to the end
resolves in clusters of that domain alone; elsewhere the DNS server takes it for a name of the outside, and the answer is NXDOMAIN. This is told only
where the domain is known to be another (`--cluster-domain`): a full name in a cluster of that very domain is right, and saves queries.",
    remedy: "End the name with `.svc`, which the pod's search list completes, or take the domain from a value that is set once for each cluster.",
    sources: &["Kubernetes DNS-Based Service Discovery 2.1", "Kubernetes, pkg/kubelet/network/dns: generateSearchesForDNSClusterFirst"],
    check,
};

const USUAL: &str = "svc.cluster.local";
/// How many further places of one object are shown.
const SHOWN: usize = 3;

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let domain = &objects.options.cluster_domain;
    if domain == "cluster.local" {
        return;
    }
    for workload in &objects.workloads {
        tell(domain, workload.subject(), own(workload), findings);
    }
    for item in config_maps(objects) {
        tell(domain, subject(&item.reference), data(item), findings);
    }
    for service in objects.services.iter().filter(|service| service.is_external_name()) {
        tell(domain, service.subject(), target(service), findings);
    }
}

fn target(service: &Item<Service>) -> Option<Text<'_>> {
    let text = service.object.spec.as_ref()?.external_name.as_deref()?;
    Some(Text { document: &service.document, field: "spec.externalName".to_owned(), key: "", text })
}

/// Where in a text the first name stands that ends with the usual domain.
fn written(text: &str) -> Option<Range<usize>> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    text.match_indices(USUAL).find_map(|(at, _)| {
        let end = at + USUAL.len();
        let begins = text[..at].rfind(|c| !is_of_name(c));
        let start =
            begins.map_or(0, |last| last + text[last..].chars().next().map_or(1, char::len_utf8));
        let after = text[end..].trim_start_matches('.');
        let is_whole = at == start || text[..at].ends_with('.');
        (is_whole && !after.starts_with(is_of_name)).then_some(start..end)
    })
}

fn tell<'a>(
    domain: &str,
    subject: Subject,
    texts: impl IntoIterator<Item = Text<'a>>,
    findings: &mut Findings<'_>,
) {
    let texts = texts.into_iter();
    let mut places = texts.filter_map(|text| written(text.text).map(|part| (text, part)));
    let Some((first, part)) = places.next() else { return };
    let name = first.text[part.clone()].trim_start_matches('.');
    let better = name.strip_suffix(".cluster.local").unwrap_or(name);
    let label = first.label_at(part.clone(), "ends with cluster.local");
    let message = format!("{name} cannot resolve in a cluster whose domain is {domain}");
    let finding = findings.add(subject, label, message);
    for (text, part) in places.take(SHOWN) {
        finding.with(text.label_at(part, "and here"));
    }
    finding.help(format!(
        "the answer is NXDOMAIN; write {better}, which the search list completes in every cluster, or {better}.{domain}"
    ));
}
