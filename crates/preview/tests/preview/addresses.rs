//! The addresses that nobody has allotted.

use std::collections::BTreeMap;

use preview::{Settled, settle};

use crate::{PLAIN, objects, peers, settings, settled};

/// What each symbol stands for.
fn addresses(settled: &Settled) -> BTreeMap<String, String> {
    let mut addresses = BTreeMap::new();
    for service in settled.services() {
        for named in service.records.iter().filter(|named| named.data.starts_with('<')) {
            let text = named.record.data.to_string();
            let known = addresses.insert(named.data.clone(), text.clone());
            assert!(known.is_none_or(|known| known == text), "{} has two", named.data);
        }
    }
    addresses
}

#[test]
fn the_order_of_the_manifests_decides_nothing() {
    let text = format!("{}{}", peers("db", 5, PLAIN), peers("web", 5, PLAIN));
    let mut values = objects(&text);
    let forwards = settle(values.clone(), &settings(&[])).unwrap();
    values.reverse();
    let backwards = settle(values, &settings(&[])).unwrap();
    assert_eq!(forwards.services(), backwards.services());
    assert_eq!(addresses(&forwards).len(), 10);
}

#[test]
fn more_objects_leave_the_others_where_they_are() {
    let before = addresses(&settled(&peers("db", 5, PLAIN), &[]));
    let text = format!("{}{}", peers("db", 7, PLAIN), peers("web", 3, PLAIN));
    let after = addresses(&settled(&text, &[]));
    let moved = before.iter().filter(|(symbol, address)| after.get(*symbol) != Some(*address));
    assert_eq!(moved.count(), 0);
    assert_eq!(after.len(), 10);
}

#[test]
fn a_pod_has_an_address_of_each_family_that_a_service_asks_for() {
    let dual = settled(&peers("db", 1, ["", "ipFamilyPolicy: PreferDualStack", ""]), &[]);
    let symbols: Vec<String> = addresses(&dual).into_keys().collect();
    assert_eq!(symbols, ["<ipv4 of db-0>", "<ipv6 of db-0>"]);
    let v6 = settled(&peers("db", 1, ["", "ipFamilies: [IPv6]", ""]), &[]);
    let seen = addresses(&v6);
    assert_eq!(seen.len(), 1);
    assert!(seen["<ipv6 of db-0>"].starts_with("2001:db8::"), "{seen:?}");
}

#[test]
fn beyond_the_documentation_ranges_others_are_taken_and_the_zone_says_so() {
    let text = peers("db", 800, ["podManagementPolicy: Parallel", "", ""]);
    let many = settled(&text, &[]);
    let seen = addresses(&many);
    assert_eq!(seen.len(), 800);
    let benchmarks = seen
        .values()
        .filter(|address| address.starts_with("198.18.") || address.starts_with("198.19."));
    // Among the 762 is the DNS server's, too, or not.
    assert!((38..=39).contains(&benchmarks.count()));
    let zone = preview::zone_text(&many.now, None, &[]).unwrap();
    assert!(
        zone.contains("198.18.0.0/15, the range for benchmarks (RFC 2544)"),
        "{}",
        &zone[..500]
    );
}
