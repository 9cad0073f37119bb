//! Pods that are not ready.

use crate::{NOT_READY, PLAIN, check, lines, peers, settled, try_settle};

#[test]
fn a_pod_that_is_not_ready_leaves_and_the_others_stay() {
    check(
        &peers("db", 3, PLAIN),
        &["db-1"],
        "
default/db-peers headless 2/3
  db-peers A <ip of db-0> (all ready peers)
  - db-peers A <ip of db-1> (all ready peers)
  db-peers A <ip of db-2> (all ready peers)
  ~ db-peers SRV 0 50 7000 db-0.db-peers (ports of all ready peers (SRV))
  - db-peers SRV 0 33 7000 db-1.db-peers (ports of all ready peers (SRV))
  ~ db-peers SRV 0 50 7000 db-2.db-peers (ports of all ready peers (SRV))
  db-0.db-peers A <ip of db-0> (one peer by its name)
  db-0.db-peers SRV 0 100 7000 db-0.db-peers (its ports (SRV))
  - db-1.db-peers A <ip of db-1> (one peer by its name)
  - db-1.db-peers SRV 0 100 7000 db-1.db-peers (its ports (SRV))
  db-2.db-peers A <ip of db-2> (one peer by its name)
  db-2.db-peers SRV 0 100 7000 db-2.db-peers (its ports (SRV))
  ~ _peer._tcp.db-peers SRV 0 50 7000 db-0.db-peers (port peer of all ready peers (SRV))
  - _peer._tcp.db-peers SRV 0 33 7000 db-1.db-peers (port peer of all ready peers (SRV))
  ~ _peer._tcp.db-peers SRV 0 50 7000 db-2.db-peers (port peer of all ready peers (SRV))
  <reverse name of ip of db-0> PTR db-0.db-peers (from an address to its name)
  - <reverse name of ip of db-1> PTR db-1.db-peers (from an address to its name)
  <reverse name of ip of db-2> PTR db-2.db-peers (from an address to its name)
  no db-1.db-peers: it is not ready
",
    );
}

#[test]
fn when_none_is_ready_nothing_is_left() {
    let settled = settled(&peers("db", 2, PLAIN), &["db-0", "default/db-1"]);
    assert_eq!(settled.not_ready, ["default/db-0", "default/db-1"]);
    let seen = lines(&settled);
    let gone = seen.iter().filter(|line| line.starts_with("  - ")).count();
    assert_eq!(gone, 12, "{seen:?}");
    assert_eq!(seen[13], "  nothing: headless Service default/db-peers: 0 of 2 endpoints ready");
    assert_eq!(seen.len(), 14, "{seen:?}");
}

#[test]
fn a_service_that_publishes_them_changes_nothing() {
    let settled = settled(&peers("db", 2, ["", "publishNotReadyAddresses: true", ""]), &["db-0"]);
    let services = settled.services();
    assert!(services[0].records.iter().all(|named| named.change == preview::Change::Same));
    assert_eq!(services[0].records[0].purpose, "all peers, ready or not");
    assert_eq!((services[0].endpoints, services[0].endpoints_before), ((2, 2), Some((2, 2))));
}

#[test]
fn a_set_in_order_waits_for_a_pod_that_never_was_ready() {
    let seen = lines(&settled(&peers("db", 4, ["", "", NOT_READY]), &[]));
    assert_eq!(
        seen,
        [
            "default/db-peers headless 0/1",
            "  nothing: headless Service default/db-peers: 0 of 1 endpoints ready",
            "  note: db-1 to db-3 are not there: StatefulSet db makes its pods in order (podManagementPolicy: OrderedReady), each when the one before is ready, and db-0 is not",
        ]
    );
    let parallel = ["podManagementPolicy: Parallel", "", NOT_READY];
    let seen = lines(&settled(&peers("db", 4, parallel), &[]));
    assert_eq!(seen[0], "default/db-peers headless 0/4");
    assert_eq!(seen.len(), 2, "{seen:?}");
}

/// Time passes where a set waits for its pods to be ready for long enough.
#[test]
fn a_set_in_order_waits_as_long_as_it_says() {
    let seen = lines(&settled(&peers("db", 3, ["minReadySeconds: 600", "", ""]), &[]));
    assert_eq!(seen[0], "default/db-peers headless 3/3");
}

#[track_caller]
fn check_error(text: &str, pod: &str, expected: &str) {
    assert_eq!(try_settle(text, &[pod]).unwrap_err().to_string(), expected);
}

#[test]
fn a_pod_must_be_there_and_be_the_only_one_meant() {
    let one = peers("db", 2, PLAIN);
    check_error(&one, "db-7", "there is no pod db-7; there are default/db-0, default/db-1");
    check_error(&one, "dev/db-0", "there is no pod dev/db-0; there are default/db-0, default/db-1");
    let other = one.replace("metadata: { name: db", "metadata: { namespace: dev, name: db");
    let both = format!("{one}{other}");
    check_error(&both, "db-0", "db-0 may be any of the pods default/db-0, dev/db-0; say which");
    assert_eq!(settled(&both, &["dev/db-0"]).not_ready, ["dev/db-0"]);
    check_error("", "db-0", "there is no pod db-0; the manifests make none");
    for text in ["", "/", "a/", "/a", "a/b/c"] {
        assert!(text.parse::<preview::PodName>().is_err(), "{text}");
    }
}
