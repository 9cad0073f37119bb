//! An ensemble of ZooKeeper servers.

use crate::members::{Death, Members, becomes};
use crate::support::who::Who;

/// What each server says that it is.
fn modes(members: &Members) -> Vec<String> {
    let mode = |ordinal| {
        let srvr = "printf srvr | nc -w 2 127.0.0.1 2181";
        let text = members.exec_in(ordinal, "zookeeper", &["sh", "-c", srvr]);
        text.lines().find_map(|line| line.strip_prefix("Mode: ")).unwrap_or_default().to_owned()
    };
    (0..3).map(mode).collect()
}

/// One leads and two follow; the ordinal of the leader.
#[track_caller]
fn leader(members: &Members) -> usize {
    let sorted = || {
        let mut modes = modes(members);
        modes.sort();
        modes
    };
    let expected = ["follower", "follower", "leader"].map(str::to_owned).to_vec();
    becomes("one leads and two follow", expected, sorted);
    modes(members).iter().position(|mode| mode == "leader").expect("it leads still")
}

/// What a client says last that speaks to one server.
fn client(members: &Members, ordinal: usize, command: &[&str]) -> String {
    let words = [&["zkCli.sh", "-server", "127.0.0.1:2181"], command].concat();
    let text = members.exec_in(ordinal, "zookeeper", &words);
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn zookeeper_forms_by_fixed_names() {
    let members = Members::form(Who::Me, "zookeeper", "zookeeper", "zookeeper-peers");
    let first = leader(&members);
    let followers: Vec<_> = (0..3).filter(|ordinal| *ordinal != first).collect();
    let motto = || "names outlive addresses".to_owned();

    client(&members, followers[0], &["create", "/motto", &motto()]);
    becomes("the other has it", motto(), || client(&members, followers[1], &["get", "/motto"]));

    members.kill(followers[0], Death::Asked);
    assert_eq!(leader(&members), first);
    becomes("it has it again", motto(), || client(&members, followers[0], &["get", "/motto"]));

    members.kill(first, Death::Forced);
    // Whoever that is: it may be back before the others have chosen.
    leader(&members);
    becomes("it has it again", motto(), || client(&members, first, &["get", "/motto"]));
    let through_service = "printf srvr | nc -w 2 zookeeper 2181";
    assert!(members.run(&["sh", "-c", through_service]).contains("\nMode: "));
}
