use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use manifest::read::{Foreign, Level};

use crate::lint::peering::{Set, peer, sets};
use crate::lint::{Findings, Label, Objects, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    code: "HC058",
    level: Level::Warning,
    title: "a certificate that pods present has no names of single pods",
    explanation: "\
Who dials `db-0.db-peers.prod.svc.cluster.local` checks that the certificate has that name. A wildcard covers one label, so
`*.db-peers.prod.svc.cluster.local` covers every pod of the headless Service db-peers, and `db-peers.prod.svc.cluster.local` covers none of them.
The handshake fails between peers, and for clients that were told the pods' names, while those that use the Service's own name connect.",
    remedy: "\
Add `*.SVC.NS.svc.DOMAIN` to the certificate's `dnsNames`, and `*.SVC.NS.svc`, `*.SVC` where shorter names are dialled, beside the names of the
client Service.",
    sources: &["RFC 9525 §6.3", "cert-manager API: Certificate spec.dnsNames"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let certificates: Vec<_> = objects.foreign.iter().filter(|one| serves(one)).collect();
    if certificates.is_empty() {
        return;
    }
    for set in sets(objects) {
        let Some(service) = objects.governing(set.workload).filter(|service| service.is_headless())
        else {
            continue;
        };
        let secrets = secrets(&set.workload.pod);
        for certificate in &certificates {
            let spec = &certificate.located.value["spec"];
            let namespace = match certificate.located.namespace() {
                "" => &objects.options.namespace,
                namespace => namespace,
            };
            let secret = spec["secretName"].as_str().unwrap_or_default();
            let Some(mounted) = secrets
                .iter()
                .find(|(_, name)| *name == secret && namespace == service.reference.namespace)
            else {
                continue;
            };
            let names: Vec<&str> = spec["dnsNames"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str())
                .collect();
            let forms = forms(&service.reference.name, namespace, &objects.options.cluster_domain);
            // What nobody dials by the pods' names need not have them.
            let is_for_peers =
                peer(set.workload).is_some_and(|(peer, _)| peer.publish_not_ready.value());
            if !is_for_peers && !names.iter().any(|name| forms.iter().any(|form| form == name)) {
                continue;
            }
            let Some(missing) = missing(&set, &forms, &names) else { continue };
            let (name, governing) = (certificate.located.name(), &service.reference.name);
            let wildcard = format!("*.{}", forms.last().map_or("", String::as_str));
            findings
                .add(
                    Subject {
                        kind: certificate.kind().to_owned(),
                        namespace: namespace.to_owned(),
                        name: name.to_owned(),
                    },
                    Label::new(&certificate.located, "spec.dnsNames", format!("not {missing}.{governing}…")),
                    format!(
                        "the pods of {} present Certificate {name}, and it has no name of {missing}",
                        set.item.reference.name
                    ),
                )
                .with(set.workload.pod_label(&mounted.0, "mounted here"))
                .with(service.label("metadata.name", "the Service of the pods' names"))
                .help(format!(
                    "TLS to {missing}.{governing}.{namespace}.svc fails: add \"{wildcard}\" to dnsNames, which covers every pod"
                ));
        }
    }
}

/// Whether it is a Certificate of cert-manager for a server.
fn serves(certificate: &Foreign) -> bool {
    let spec = &certificate.located.value["spec"];
    let has = |usage: &str| {
        spec["usages"].as_array().is_some_and(|usages| usages.iter().any(|one| one == usage))
    };
    certificate.kind() == "Certificate"
        && certificate.api_version().starts_with("cert-manager.io/")
        && spec["isCA"] != true
        && (has("server auth") || !has("client auth"))
}

/// The Secrets that a pod mounts, each with the path of its name among the pod's fields.
fn secrets(pod: &PodSpec) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for (at, volume) in pod.volumes.iter().flatten().enumerate() {
        if let Some(name) = volume.secret.as_ref().and_then(|secret| secret.secret_name.as_deref())
        {
            found.push((format!("spec.volumes[{at}].secret.secretName"), name));
        }
        let sources =
            volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        for (source, projection) in sources.enumerate() {
            if let Some(secret) = &projection.secret {
                let field = format!("spec.volumes[{at}].projected.sources[{source}].secret.name");
                found.push((field, secret.name.as_str()));
            }
        }
    }
    found
}

/// The names by which a Service can be asked for, the shortest first.
fn forms(service: &str, namespace: &str, domain: &str) -> [String; 4] {
    [
        service.to_owned(),
        format!("{service}.{namespace}"),
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.{domain}"),
    ]
}

/// The first pod that the certificate has no name of, in any form.
fn missing(set: &Set<'_>, forms: &[String], names: &[&str]) -> Option<String> {
    let names: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    if forms.iter().any(|form| names.contains(&format!("*.{form}"))) {
        return None;
    }
    set.pods().find(|pod| !forms.iter().any(|form| names.contains(&format!("{pod}.{form}"))))
}
