//! What holds for any objects, in any order, and for any question.

#![allow(clippy::unwrap_used, reason = "tests: a panic is the report")]

#[path = "support/worlds.rs"]
mod worlds;

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use directory::view::{EndpointView, ObjectName, ServiceShape, ServiceView, SliceView};
use directory::{Answer, Change, Name, Rdata, Reader, Record, RecordType, Writer};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use worlds::{TYPES, change, config, names, views};

/// The objects that are there after some changes.
#[derive(Default)]
struct World {
    objects: BTreeMap<(u8, ObjectName), Change>,
}

impl World {
    fn apply(&mut self, change: Change) {
        let key = |kind, id: &ObjectName| (kind, id.clone());
        let namespace = |name: &str| (0, ObjectName::new(name, ""));
        match &change {
            Change::Namespace(name) => self.objects.insert(namespace(name), change),
            Change::NamespaceGone(name) => self.objects.remove(&namespace(name)),
            Change::Service(view) => self.objects.insert(key(1, &view.id), change),
            Change::ServiceGone(id) => self.objects.remove(&key(1, id)),
            Change::Slice(view) => self.objects.insert(key(2, &view.id), change),
            Change::SliceGone(id) => self.objects.remove(&key(2, id)),
            Change::Import(view) => self.objects.insert(key(4, &view.id), change),
            Change::ImportGone(id) => self.objects.remove(&key(4, id)),
            Change::Pod(view) => self.objects.insert(key(3, &view.id), change),
            Change::PodGone(id) => self.objects.remove(&key(3, id)),
        };
    }
}

fn synced() -> (Writer, Reader) {
    let (mut writer, reader) = directory::new(config());
    writer.set_synced();
    (writer, reader)
}

fn records(answer: &mut Answer) -> Vec<&mut Record> {
    match answer {
        Answer::Records { records, additional } => records.iter_mut().chain(additional).collect(),
        Answer::Alias { chain, target } => chain.iter_mut().chain(records(target)).collect(),
        Answer::NoData(negative) | Answer::NoSuchName(negative) => vec![&mut negative.soa],
        Answer::Loop(_) | Answer::NotOurs | Answer::NotSynced => Vec::new(),
    }
}

/// Every answer, without the serial.
fn answers(reader: &Reader, names: &[Name]) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for name in names {
        for rtype in TYPES {
            let mut answer = reader.answer(name, rtype);
            for record in records(&mut answer) {
                if let Rdata::Soa { serial, .. } = &mut record.data {
                    *serial = 0;
                }
            }
            answers.push((format!("{name} {rtype}"), answer));
        }
    }
    answers
}

/// A moderate number of cases; `PROPTEST_CASES` asks for more.
fn config_of_cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(24), failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(config_of_cases())]

    #[test]
    fn incremental_equals_rebuilt(
        batches in prop::collection::vec(prop::collection::vec(change(), 1..4), 1..24),
        order in prop::collection::vec(any::<Index>(), 32),
    ) {
        let names = [names(), views()].concat();
        let (mut writer, reader) = synced();
        let mut world = World::default();
        for batch in batches {
            for change in &batch {
                world.apply(change.clone());
            }
            writer.apply_all(batch);
        }
        let (mut rebuilt, from_scratch) = synced();
        let mut rest: Vec<_> = world.objects.values().cloned().collect();
        for index in order.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            rebuilt.apply(rest.swap_remove(index.index(rest.len())));
        }
        for (one, other) in answers(&reader, &names).iter().zip(&answers(&from_scratch, &names)) {
            prop_assert_eq!(one, other);
        }
        prop_assert_eq!(reader.service_count(), from_scratch.service_count());
        prop_assert_eq!(reader.import_count(), from_scratch.import_count());
        prop_assert_eq!(reader.endpoint_count(), from_scratch.endpoint_count());

        // A relist of the same objects changes nothing, not even the serial.
        let serial = reader.serial();
        writer.apply_all(world.objects.values().cloned());
        let listed = |kind, id: &ObjectName| world.objects.contains_key(&(kind, id.clone()));
        writer.retain_namespaces(|name| listed(0, &ObjectName::new(name, "")));
        writer.retain_services(|id| listed(1, id));
        writer.retain_imports(|id| listed(4, id));
        writer.retain_slices(|id| listed(2, id));
        writer.retain_pods(|id| listed(3, id));
        prop_assert_eq!(reader.serial(), serial);

        // And one of nothing leaves nothing.
        writer.retain_services(|_| false);
        writer.retain_imports(|_| false);
        writer.retain_slices(|_| false);
        writer.retain_pods(|_| false);
        writer.retain_namespaces(|_| false);
        prop_assert_eq!(answers(&reader, &names), answers(&synced().1, &names));
        prop_assert_eq!((reader.service_count(), reader.endpoint_count()), (0, 0));
    }

    #[test]
    fn every_answer_is_sound(changes in prop::collection::vec(change(), 0..20)) {
        let names = names();
        let (mut writer, reader) = synced();
        let mut before = answers(&reader, &names);
        for change in changes {
            let serial = reader.serial();
            writer.apply(change);
            if reader.serial() == serial {
                prop_assert_eq!(&answers(&reader, &names), &before, "the serial stood still");
            }
            before = answers(&reader, &names);
        }
        for name in &names {
            let mut exists = Vec::new();
            for rtype in TYPES {
                let answer = reader.answer(name, rtype);
                check_sound(name, &answer)?;
                match answer {
                    Answer::NotOurs => {}
                    Answer::NoSuchName(_) => exists.push(false),
                    _ => exists.push(true),
                }
            }
            prop_assert!(exists.windows(2).all(|pair| pair[0] == pair[1]), "{name} exists by type");
            // RFC 8020 §2: nothing exists below a name that does not.
            let labels: Vec<_> = name.labels().collect();
            for start in 1..labels.len() {
                let text: Vec<_> =
                    labels[start..].iter().map(|label| String::from_utf8_lossy(label)).collect();
                let ancestor = Name::parse(&text.join(".")).unwrap();
                if let Answer::NoSuchName(_) = reader.answer(&ancestor, RecordType::A) {
                    prop_assert!(!exists.contains(&true), "{name} exists, {ancestor} does not");
                }
            }
        }
    }

    #[test]
    fn the_names_that_own_records_are_enumerated(
        changes in prop::collection::vec(change(), 0..20),
    ) {
        let (mut writer, reader) = synced();
        writer.apply_all(changes);
        let mut owners = reader.owners();
        owners.extend(reader.owners_of_imports());
        owners.extend(reader.reverse_zones().into_iter().flat_map(|(_, owners)| owners));
        let enumerated: HashSet<Name> = owners.iter().map(|owner| owner.name.clone()).collect();
        prop_assert_eq!(enumerated.len(), owners.len());
        for name in &enumerated {
            prop_assert!(!reader.records(name).is_empty(), "{name} owns nothing");
        }
        for name in names() {
            let owned = reader.records(&name);
            prop_assert_eq!(enumerated.contains(&name), !owned.is_empty(), "{}", name);
            for rtype in TYPES.into_iter().filter(|rtype| *rtype != RecordType::ANY) {
                let answered = match reader.answer(&name, rtype) {
                    Answer::Records { records, .. } => records,
                    _ => Vec::new(),
                };
                let of_type: Vec<_> =
                    owned.iter().filter(|record| record.data.rtype() == rtype).cloned().collect();
                prop_assert_eq!(of_type, answered, "{} {}", name, rtype);
            }
        }
    }

    #[test]
    fn any_octets_are_answered(
        labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..64), 0..4),
        suffix in select(vec![
            "cluster.local", "svc.cluster.local", "prod.svc.cluster.local",
            "db.prod.svc.cluster.local", "prod.pod.cluster.local", "244.10.in-addr.arpa",
            "0.0.1.0.0.0.0.d.f.ip6.arpa", "in-addr.arpa", "com", ".",
        ]),
        rtype in any::<u16>(),
    ) {
        let (mut writer, reader) = synced();
        writer.apply(Change::Service(ServiceView {
            id: ObjectName::new("prod", "db"),
            shape: ServiceShape::ClusterIp(Vec::new()),
            ports: Vec::new(),
        }));
        let mut wire = Vec::new();
        for label in &labels {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        wire.extend_from_slice(Name::parse(suffix).unwrap().wire());
        if let Ok(name) = Name::from_wire(&wire) {
            prop_assert_eq!(&Name::parse(&name.to_string()).unwrap(), &name);
            check_sound(&name, &reader.answer(&name, RecordType(rtype)))?;
        }
    }
}

/// What every answer to `name` has in common.
fn check_sound(name: &Name, answer: &Answer) -> Result<(), TestCaseError> {
    if let Some(reason) = answer.reason() {
        let text = reason.to_string();
        prop_assert!(text.len() <= 200 && text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
    match answer {
        Answer::Records { records, additional } => {
            prop_assert!(!records.is_empty(), "{name}");
            for (at, record) in records.iter().enumerate() {
                prop_assert_eq!(record.owner.wire(), name.wire());
                prop_assert!(!records[..at].contains(record), "{record} twice");
            }
            for (at, record) in additional.iter().enumerate() {
                prop_assert!(!additional[..at].contains(record), "{record} twice");
            }
        }
        Answer::NoData(negative) | Answer::NoSuchName(negative) => {
            let Rdata::Soa { minimum, .. } = negative.soa.data else {
                panic!("{}", negative.soa);
            };
            prop_assert_eq!(minimum, negative.soa.ttl);
            prop_assert!(name.is_within(&negative.soa.owner), "{name}: {}", negative.soa);
        }
        Answer::Alias { chain, target } => {
            prop_assert!((1..=8).contains(&chain.len()), "{name}");
            prop_assert_eq!(chain[0].owner.wire(), name.wire());
            let Rdata::Cname(last) = &chain[chain.len() - 1].data else {
                panic!("{chain:?}");
            };
            prop_assert!(!matches!(**target, Answer::Alias { .. }), "an alias within an alias");
            // An ExternalName that is an address answers for its own name.
            check_sound(last, target)?;
        }
        Answer::Loop(_) | Answer::NotOurs | Answer::NotSynced => {}
    }
    Ok(())
}

#[test]
fn an_endpoint_that_moves_between_slices_is_never_missed() {
    let (mut writer, reader) = synced();
    let slice = |name: &str, last: &[u8]| {
        let endpoint = |last: &u8| EndpointView {
            addresses: vec![IpAddr::from([10, 244, 1, *last])],
            hostname: None,
            ready: true,
            serving: true,
            terminating: false,
            pod: None,
            zone: None,
        };
        Change::Slice(SliceView {
            id: ObjectName::new("prod", name),
            service: Some("db".into()),
            import: None,
            ports: Vec::new(),
            endpoints: last.iter().map(endpoint).collect(),
        })
    };
    writer.apply(Change::Service(ServiceView {
        id: ObjectName::new("prod", "db"),
        shape: ServiceShape::Headless,
        ports: Vec::new(),
    }));
    writer.apply_all([slice("one", &[1, 2, 3]), slice("two", &[4])]);
    let done = AtomicBool::new(false);
    let name = Name::parse("db.prod.svc.cluster.local").unwrap();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0u32;
            while !done.load(Ordering::Relaxed) {
                let Answer::Records { records, .. } = reader.answer(&name, RecordType::A) else {
                    panic!("no records");
                };
                assert_eq!(records.len(), 4);
                asked += 1;
            }
            asked
        });
        for _ in 0..2000 {
            writer.apply_all([slice("one", &[1, 2]), slice("two", &[3, 4])]);
            writer.apply_all([slice("two", &[4]), slice("one", &[1, 2, 3])]);
        }
        done.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 0);
    });
}
