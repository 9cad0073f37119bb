//! Every name that answers with records of its own is enumerated, and every name that is enumerated answers: after each
//! step of every behaviour script.

#![allow(clippy::unwrap_used, reason = "tests: a panic is the report")]

use std::collections::HashSet;

use directory::script::{Action, Script, Step};
use directory::{Answer, Name, PodMode, Reader, RecordType, Role};

directory::each_script!(run);

/// The names that are enumerated; each answers with what it is said to own.
fn enumerated(reader: &Reader, at: &str) -> HashSet<Name> {
    let mut owners = reader.owners();
    let of_services: Vec<_> =
        reader.services().iter().flat_map(|service| reader.owners_of(service)).collect();
    let belongs =
        |role: &Role| matches!(role, Role::Service(_) | Role::Endpoint { .. } | Role::Port { .. });
    let among: Vec<_> = owners.iter().filter(|owner| belongs(&owner.role)).cloned().collect();
    assert_eq!(among, of_services, "{at}: the zone's names of Services are theirs");
    owners.extend(reader.owners_of_imports());
    for (apex, names) in reader.reverse_zones() {
        for owner in &names {
            assert!(owner.name.is_within(&apex), "{at}: {} is not in {apex}", owner.name);
        }
        owners.extend(names);
    }
    let mut names = HashSet::new();
    for owner in owners {
        let records = reader.records(&owner.name);
        assert!(!records.is_empty(), "{at}: {} owns nothing", owner.name);
        for record in records {
            let rtype = record.data.rtype();
            let Answer::Records { records, .. } = reader.answer(&owner.name, rtype) else {
                panic!("{at}: {} {rtype} has no records", owner.name);
            };
            assert!(records.contains(&record), "{at}: {} {rtype}", owner.name);
        }
        assert!(names.insert(owner.name.clone()), "{at}: {} twice", owner.name);
    }
    names
}

fn run(script: &str, text: &str) {
    let Script { config, steps } = Script::parse(text).unwrap();
    // Who echoes any address cannot list them.
    let echoes = config.pods == PodMode::Insecure;
    let pods = Name::parse(&format!("pod.{}", config.domain)).unwrap();
    // Names without number, each another way to ask for those that are listed.
    let views = |name: &Name| name.labels().any(|label| label == b"_zone" || label == b"search");
    let (mut writer, reader) = directory::new(config);
    let mut names = HashSet::new();
    for Step { line, action } in steps {
        let at = format!("{script}.script:{line}");
        match action {
            Action::Apply(change) => {
                writer.apply(change);
                names = enumerated(&reader, &at);
            }
            Action::Sync => writer.set_synced(),
            Action::Ask { name, rtype, expected: _ } => {
                let owns = match reader.answer(&name, rtype) {
                    Answer::Records { .. } => rtype != RecordType::ANY || exists(&reader, &name),
                    Answer::Alias { .. } => true,
                    _ => false,
                };
                // Before the first object the zone has its own names.
                let is_listed = names.contains(&name)
                    || (echoes && name.is_within(&pods))
                    || views(&name)
                    || enumerated(&reader, &at).contains(&name)
                    || (name.is_within(&pods) && another_spelling(&reader, &name, &names));
                assert!(!owns || is_listed, "{at}: {name} answers {rtype} and is not enumerated");
            }
        }
    }
}

/// The minimal answer to ANY says no more than that the name is there.
fn exists(reader: &Reader, name: &Name) -> bool {
    !reader.records(name).is_empty()
}

/// A pod is found by any spelling of its address; the one that is listed has the same records.
fn another_spelling(reader: &Reader, name: &Name, names: &HashSet<Name>) -> bool {
    let data = |name: &Name| -> Vec<_> {
        reader.records(name).into_iter().map(|record| record.data).collect()
    };
    let wanted = data(name);
    names.iter().any(|listed| data(listed) == wanted)
}
