//! What changed between two looks at the same Services.

use std::collections::{HashMap, HashSet};

use directory::{Name, Record};

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
    let key = |record: &Record| (record.owner.clone(), record.data.rtype());
    let whole =
        |record: &Record| -> (Name, String) { (record.owner.clone(), record.data.to_string()) };
    let stay: HashSet<_> = now.iter().map(|named| whole(&named.record)).collect();
    let were: HashSet<_> = before.iter().map(|named| whole(&named.record)).collect();
    let mut sets: Vec<Vec<NamedRecord>> = Vec::new();
    let mut places = HashMap::new();
    let mut put = |named: NamedRecord| {
        let place = *places.entry(key(&named.record)).or_insert(sets.len());
        if place == sets.len() {
            sets.push(Vec::new());
        }
        sets[place].push(named);
    };
    for mut named in before {
        if !stay.contains(&whole(&named.record)) {
            named.change = Change::Removed;
        }
        put(named);
    }
    for mut named in now {
        if !were.contains(&whole(&named.record)) {
            named.change = Change::Added;
            put(named);
        }
    }
    sets.into_iter().flatten().collect()
}
