//! Zones as text.

use directory::{Name, RecordType};
use preview::zone_text;

use crate::{PLAIN, peers, settled};

/// Every line of a zone's text is a record that the directory answers, a comment or nothing; and none is missing.
#[test]
fn a_zone_holds_what_is_answered_and_no_more() {
    let settled = settled(&peers("db", 2, PLAIN), &["db-1"]);
    let reader = settled.now.reader();
    let mut zones = vec![(reader.config().domain.clone(), reader.owners())];
    zones.extend(reader.reverse_zones());
    assert!(zones.len() > 1);
    for (apex, owners) in zones {
        let text = zone_text(&settled.now, Some(&apex), &[]).unwrap();
        assert!(text.contains(&format!("$ORIGIN {apex}\n")), "{text}");
        let mut lines: Vec<&str> = text
            .lines()
            .map(|line| line.split(" ; ").next().unwrap())
            .filter(|line| !line.is_empty() && !line.starts_with([';', '$']))
            .collect();
        let mut records: Vec<String> = owners
            .iter()
            .flat_map(|owner| reader.records(&owner.name))
            .map(|record| record.to_string())
            .collect();
        assert!(records[0].contains(" IN SOA "), "{apex}");
        lines.sort_unstable();
        records.sort_unstable();
        assert_eq!(lines, records, "{apex}");
    }
    let gone: Vec<_> = settled.services().into_iter().flat_map(|service| service.records).collect();
    let text = zone_text(&settled.now, None, &gone).unwrap();
    let (_, gone) = text.split_once("\n; gone:\n").unwrap();
    assert!(
        gone.lines()
            .all(|line| line.starts_with("; ") && line.contains("db-1") || line.contains(" IN A ")),
        "{gone}"
    );
    // Not the reverse name, which is of another zone: the address twice, the ports of db-1 three times.
    assert_eq!(gone.lines().count(), 5, "{gone}");
}

#[test]
fn a_zone_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let settled = settled(&peers("db", 1, PLAIN), &[]);
    let zone = Name::parse("example.com").unwrap();
    let error = zone_text(&settled.now, Some(&zone), &[]).unwrap_err().to_string();
    assert!(
        error.starts_with("there is no zone example.com.; there are cluster.local., "),
        "{error}"
    );
    let missing = Name::parse("x.cluster.local").unwrap();
    assert!(settled.now.reader().answer(&missing, RecordType::A).reason().is_some());
}
