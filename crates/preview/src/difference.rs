//! What changed between two looks at the same Services.

use std::collections::HashMap;

use directory::Record;

use crate::records::{Change, NamedRecord, ServiceRecords};

/// The Services as they are now, with the records that are gone in their places.
pub(crate) fn between(
    before: Vec<ServiceRecords>,
    mut now: Vec<ServiceRecords>,
) -> Vec<ServiceRecords> {
    let mut before: HashMap<_, _> =
        before.into_iter().map(|earlier| (earlier.service.clone(), earlier)).collect();
    for service in &mut now {
        let Some(earlier) = before.remove(&service.service) else { continue };
        service.endpoints_before = Some(earlier.endpoints);
        service.records = merge(earlier.records, std::mem::take(&mut service.records));
    }
    now
}

/// Both lists in one: each set of records (one name, one type) first as it was, then what is new in it.
fn merge(before: Vec<NamedRecord>, now: Vec<NamedRecord>) -> Vec<NamedRecord> {
    let set_of = |record: &Record| (record.owner.clone(), record.data.rtype());
    let mut sets: Vec<Set> = Vec::new();
    let mut places = HashMap::new();
    let mut place = |sets: &mut Vec<Set>, record: &Record| {
        let place = *places.entry(set_of(record)).or_insert(sets.len());
        if place == sets.len() {
            sets.push(Set::default());
        }
        place
    };
    for named in before {
        let at = place(&mut sets, &named.record);
        sets[at].before.push(named);
    }
    for named in now {
        let at = place(&mut sets, &named.record);
        sets[at].now.push(named);
    }
    sets.into_iter().flat_map(Set::merge).collect()
}

/// The records of one name and type.
#[derive(Default)]
struct Set {
    before: Vec<NamedRecord>,
    now: Vec<NamedRecord>,
}

impl Set {
    fn merge(self) -> Vec<NamedRecord> {
        let mut now: HashMap<String, NamedRecord> =
            self.now.iter().map(|named| (identity(named), named.clone())).collect();
        let mut merged = Vec::new();
        for mut earlier in self.before {
            match now.remove(&identity(&earlier)) {
                Some(same) if same.record.data == earlier.record.data => merged.push(same),
                Some(mut other) => {
                    other.change = Change::Reweighted { was: earlier.data };
                    merged.push(other);
                }
                None => {
                    earlier.change = Change::Removed;
                    merged.push(earlier);
                }
            }
        }
        for mut named in self.now {
            if now.remove(&identity(&named)).is_some() {
                named.change = Change::Added;
                merged.push(named);
            }
        }
        merged
    }
}

/// What of a record's data makes it the same one, within its set: all, but for an SRV record's weight.
fn identity(named: &NamedRecord) -> String {
    match named.weightless() {
        Some((priority, port, target)) => format!("{priority} {port} {target}"),
        None => named.record.data.to_string(),
    }
}
