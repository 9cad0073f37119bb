//! The directory's answers against those of a second implementation.

#![allow(clippy::unwrap_used, reason = "tests: a panic is the report")]

#[path = "reference/mod.rs"]
mod reference;
#[path = "support/worlds.rs"]
mod worlds;

use std::collections::BTreeSet;
use std::net::IpAddr;

use directory::script::{Action, Outcome, Script, Step};
use directory::view::{ObjectName, ServiceShape};
use directory::{Change, Name, Reader, RecordType, ZoneConfig};
use proptest::prelude::*;
use reference::{Reference, Said};
use worlds::{TYPES, any_config, any_name, change, names, views};

/// How the two differ about a name.
fn difference(
    reader: &Reader,
    reference: &Reference,
    name: &Name,
    rtype: RecordType,
) -> Option<String> {
    let said = Said::of(&Outcome::of(&reader.answer(name, rtype)));
    let expected = reference.answer(name, rtype);
    (said != expected).then(|| format!("{name} {rtype}\n  {said:?}\n  not {expected:?}"))
}

directory::each_script!(run);

/// After every step of a script, asks for all names of the script and of its objects.
fn run(script: &str, text: &str) {
    let Script { config, steps } = Script::parse(text).unwrap();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for Step { line: _, action } in &steps {
        match action {
            Action::Apply(change) => names.extend(names_of(change, &config)),
            Action::Sync => {}
            Action::Ask { name, .. } => {
                names.insert(name.to_string());
            }
        }
    }
    let names: Vec<Name> = names.iter().map(|name| Name::parse(name).unwrap()).collect();
    let (mut writer, reader) = directory::new(config.clone());
    let mut reference = Reference::new(config);
    let mut compared = 0;
    for Step { line, action } in steps {
        match action {
            Action::Apply(change) => {
                reference.apply(change.clone());
                writer.apply(change);
                continue;
            }
            Action::Sync => {
                reference.set_synced();
                writer.set_synced();
            }
            // The first question after a change; those that follow ask the same objects.
            Action::Ask { .. } => {}
        }
        for name in &names {
            for rtype in TYPES.into_iter().chain([RecordType::NS, RecordType::TXT]) {
                if let Some(difference) = difference(&reader, &reference, name, rtype) {
                    panic!("{script}.script:{line}: {difference}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 0, "{script}.script");
}

/// The names that an object may publish, and some beside them.
fn names_of(change: &Change, config: &ZoneConfig) -> Vec<String> {
    let domain = &config.domain;
    let of_service = |name: &str, namespace: &str| format!("{name}.{namespace}.svc.{domain}");
    let mut names = Vec::new();
    let ports = |service: &str, names: &mut Vec<String>, ports: Vec<(&str, &str)>| {
        for (port, protocol) in ports.into_iter().chain([("nope", "TCP")]) {
            names.push(format!("_{protocol}.{service}"));
            names.extend((!port.is_empty()).then(|| format!("_{port}._{protocol}.{service}")));
        }
    };
    let is_plain = |text: &str| !text.contains('.') && (1..64).contains(&text.len());
    let dashed = |address: &IpAddr| directory::dashed(*address);
    match change {
        Change::Namespace(name) => {
            names.push(format!("{name}.svc.{domain}"));
            names.push(format!("{name}.pod.{domain}"));
        }
        Change::Service(view) if is_plain(&view.id.name) => {
            let service = of_service(&view.id.name, &view.id.namespace);
            let own = view.ports.iter().map(|port| (port.name.as_str(), port.protocol.as_str()));
            ports(&service, &mut names, own.collect());
            if let ServiceShape::ClusterIp(own) = &view.shape {
                names.extend(own.iter().map(reverse_name));
            }
            names.push(service);
        }
        Change::Import(view) if is_plain(&view.id.name) => {
            let Some(domain) = &config.cluster_set_domain else { return names };
            let service = format!("{}.{}.svc.{domain}", view.id.name, view.id.namespace);
            let own = view.ports.iter().map(|port| (port.name.as_str(), port.protocol.as_str()));
            ports(&service, &mut names, own.collect());
            if let ServiceShape::ClusterIp(own) = &view.shape {
                names.extend(own.iter().map(reverse_name));
            }
            names.push(service);
        }
        Change::Slice(view) => {
            let namespace = &view.id.namespace;
            let mut parents = Vec::new();
            if let Some(service) = &view.service {
                let service = of_service(service, namespace);
                parents.push((service.clone(), service));
            }
            if let (Some(from), Some(domain)) = (&view.import, &config.cluster_set_domain) {
                let import = format!("{}.{namespace}.svc.{domain}", from.import);
                parents.push((import.clone(), format!("{}.{import}", from.cluster)));
            }
            for (service, below) in parents {
                let own = view.ports.iter();
                let own = own.map(|port| (port.name.as_str(), port.protocol.as_str()));
                ports(&service, &mut names, own.collect());
                for endpoint in &view.endpoints {
                    names.extend(endpoint.addresses.iter().map(reverse_name));
                    let labels = endpoint.addresses.iter().map(dashed);
                    let given = [&endpoint.hostname, &endpoint.pod].into_iter().flatten();
                    let given =
                        given.map(|label| label.to_string()).filter(|label| is_plain(label));
                    names.extend(labels.chain(given).map(|label| format!("{label}.{below}")));
                }
                names.push(below);
            }
        }
        Change::Pod(view) => {
            let ObjectName { namespace, .. } = &view.id;
            for address in &view.addresses {
                names.push(format!("{}.{namespace}.pod.{domain}", dashed(address)));
                names.push(reverse_name(address));
            }
        }
        Change::Service(_)
        | Change::Import(_)
        | Change::ImportGone(_)
        | Change::NamespaceGone(_)
        | Change::ServiceGone(_)
        | Change::SliceGone(_)
        | Change::PodGone(_) => {}
    }
    names
}

fn reverse_name(address: &IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let nibbles: String =
                format!("{:032x}", v6.to_bits()).chars().rev().flat_map(|one| [one, '.']).collect();
            nibbles + "ip6.arpa"
        }
    }
}

/// A moderate number of cases; `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(32), failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_world(
        config in any_config(),
        batches in prop::collection::vec(prop::collection::vec(change(), 1..24), 1..3),
        more in prop::collection::vec(any_name(), 100),
    ) {
        let names = [names(), views(), more].concat();
        let (mut writer, reader) = directory::new(config.clone());
        let mut reference = Reference::new(config);
        writer.set_synced();
        reference.set_synced();
        for batch in batches {
            for change in &batch {
                reference.apply(change.clone());
            }
            writer.apply_all(batch);
            for name in &names {
                for rtype in TYPES {
                    let difference = difference(&reader, &reference, name, rtype);
                    prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
                }
            }
        }
    }
}
