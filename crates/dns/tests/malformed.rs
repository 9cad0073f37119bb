//! Input that is no proper query: an error, or no reply, never a panic.

#[path = "support/any_query.rs"]
mod any_query;
mod support;

use directory::{Answer, Name, RecordType};
use dns::wire::Query;
use dns::{Outcome, Transport};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Always, addresses, decode, name, query, reply};

/// id 1, no flags, and the four counts.
fn header(counts: [u8; 4]) -> Vec<u8> {
    let mut header = vec![0, 1, 0, 0];
    header.extend(counts.into_iter().flat_map(|count| [0, count]));
    header
}

/// `a. A IN`.
const QUESTION: &[u8] = &[1, b'a', 0, 0, 1, 0, 1];
/// An OPT record: 1232 octets, version 0.
const OPT: &[u8] = &[0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0];

fn message(counts: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    [header(counts), parts.concat()].concat()
}

/// An OPT record with this data.
fn opt(data: &[u8]) -> Vec<u8> {
    let mut opt = OPT.to_vec();
    opt[10] = data.len() as u8;
    opt.extend(data);
    opt
}

/// Sets octets of a well-formed query.
fn with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut message = message([1, 0, 0, 1], &[QUESTION, OPT]);
    for &(at, octet) in changes {
        message[at] = octet;
    }
    message
}

/// The outcome, the RCODE with EDNS' upper bits, and how many questions and OPT records the reply has.
#[track_caller]
fn check(what: &str, octets: &[u8], outcome: Outcome, expected: Option<(u16, usize, usize)>) {
    let answer = Answer::Records { records: addresses("a", 1), additional: Vec::new() };
    for transport in [Transport::Udp, Transport::Tcp] {
        let (got, reply) = reply(&Always(answer.clone()), transport, octets);
        assert_eq!(got, outcome, "{what}");
        let Some((rcode, questions, opts)) = expected else {
            assert!(reply.is_empty(), "{what}");
            continue;
        };
        let decoded = decode(&reply);
        assert_eq!(u16::from(decoded.rcode), rcode, "{what}");
        assert_eq!(decoded.questions.len(), questions, "{what}");
        assert_eq!(usize::from(decoded.edns.is_some()), opts, "{what}");
        assert_eq!(decoded.answer.len(), usize::from(outcome == Outcome::Answered), "{what}");
        assert_eq!(decoded.authoritative, outcome == Outcome::Answered, "{what}");
    }
}

#[test]
fn what_is_dropped() {
    for length in 0..12 {
        check("too short", &vec![0; length], Outcome::Dropped, None);
    }
    check("a response", &with(&[(2, 0x80)]), Outcome::Dropped, None);
    check("a response of another opcode", &with(&[(2, 0xA8)]), Outcome::Dropped, None);
}

#[test]
fn what_is_refused() {
    let ok = Some((0, 1, 1));
    check("well-formed", &with(&[]), Outcome::Answered, ok);
    check("class CH", &with(&[(18, 3)]), Outcome::Refused, Some((5, 1, 1)));
    check("class ANY", &with(&[(18, 255)]), Outcome::Refused, Some((5, 1, 1)));
    check("AXFR", &with(&[(16, 252)]), Outcome::Refused, Some((5, 1, 1)));
    check("IXFR", &with(&[(16, 251)]), Outcome::Refused, Some((5, 1, 1)));
    for opcode in 1..16 {
        let octets = with(&[(2, opcode << 3)]);
        check("another opcode", &octets, Outcome::NotImplemented, Some((4, 0, 0)));
    }
    for version in [1, 255] {
        let octets = with(&[(25, version)]);
        check("EDNS of another version", &octets, Outcome::BadVersion, Some((16, 1, 1)));
    }
}

#[test]
fn malformed_questions() {
    let header_only = Some((1, 0, 0));
    let check = |what: &str, octets: &[u8]| check(what, octets, Outcome::Malformed, header_only);
    check("no question", &message([0, 0, 0, 0], &[]));
    check("no question, OPT", &message([0, 0, 0, 1], &[OPT]));
    check("two questions", &message([2, 0, 0, 0], &[QUESTION, QUESTION]));
    check("the question is missing", &message([1, 0, 0, 0], &[]));
    check("the name has no end", &message([1, 0, 0, 0], &[b"\x03abc"]));
    check("the label has no end", &message([1, 0, 0, 0], &[b"\x3fabc"]));
    check("no type", &message([1, 0, 0, 0], &[&[0, 0]]));
    check("no class", &message([1, 0, 0, 0], &[&[0, 0, 1, 0]]));
    check("a pointer to itself", &message([1, 0, 0, 0], &[&[0xC0, 12, 0, 1, 0, 1]]));
    check("a pointer to the header", &message([1, 0, 0, 0], &[&[0xC0, 4, 0, 1, 0, 1]]));
    check("a pointer after a label", &message([1, 0, 0, 0], &[&[1, b'a', 0xC0, 12, 0, 1, 0, 1]]));
    check("label type 01", &message([1, 0, 0, 0], &[&[0x41, 1, 0, 0, 1, 0, 1]]));
    check("label type 10", &message([1, 0, 0, 0], &[&[0x80, 1, 0, 0, 1, 0, 1]]));
    let long = [&[63; 64][..], &[63; 64], &[63; 64], &[62; 63], &[0, 0, 1, 0, 1]].concat();
    check("a name of 256 octets", &message([1, 0, 0, 0], &[&long]));
}

#[test]
fn malformed_records() {
    let with_opt = |what: &str, octets: &[u8]| {
        check(what, octets, Outcome::Malformed, Some((1, 1, 1)));
    };
    let without = |what: &str, octets: &[u8]| {
        check(what, octets, Outcome::Malformed, Some((1, 1, 0)));
    };
    without("OPT is missing", &message([1, 0, 0, 1], &[QUESTION]));
    without("OPT is cut", &message([1, 0, 0, 1], &[QUESTION, &OPT[..10]]));
    without("OPT's data is cut", &message([1, 0, 0, 1], &[QUESTION, &opt(&[0, 3, 0, 0])[..13]]));
    without("an option is cut", &message([1, 0, 0, 1], &[QUESTION, &opt(&[0, 3, 0, 9, 1])]));
    without("half an option", &message([1, 0, 0, 1], &[QUESTION, &opt(&[0, 3, 0])]));
    let named = [&[1, b'a'], OPT].concat();
    without("OPT has a name", &message([1, 0, 0, 1], &[QUESTION, &named]));
    without("OPT as an answer", &message([1, 1, 0, 0], &[QUESTION, OPT]));
    without("OPT as authority", &message([1, 0, 1, 0], &[QUESTION, OPT]));
    without("the answer is missing", &message([1, 1, 0, 0], &[QUESTION]));
    without("65,535 records that are not there", &{
        let mut octets = message([1, 0, 0, 0], &[QUESTION]);
        octets[6..12].fill(0xFF);
        octets
    });
    with_opt("two OPTs", &message([1, 0, 0, 2], &[QUESTION, OPT, OPT]));
    with_opt("a second record is missing", &message([1, 0, 0, 2], &[QUESTION, OPT]));
    let forward = [0xC0, 0xFF, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
    with_opt("a pointer forward", &message([1, 0, 0, 2], &[QUESTION, OPT, &forward]));
}

#[test]
fn what_is_read_past() {
    let check = |what: &str, octets: &[u8], opts| {
        check(what, octets, Outcome::Answered, Some((0, 1, opts)));
    };
    let record = [&[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4], &[10, 0, 0, 1][..]].concat();
    check("octets after the message", &message([1, 0, 0, 1], &[QUESTION, OPT, b"\0more"]), 1);
    check(
        "records of every section",
        &message([1, 1, 1, 1], &[QUESTION, &record, &record, &record]),
        0,
    );
    check("OPT is not last", &message([1, 0, 0, 2], &[QUESTION, OPT, &record]), 1);
    // A cookie, padding, an option that nobody knows.
    let options = [&[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 12, 0, 2, 0, 0, 0xFF, 0xF0, 0, 0][..]];
    check("options", &message([1, 0, 0, 1], &[QUESTION, &opt(&options.concat())]), 1);
    check("AD, CD and Z", &with(&[(3, 0x70)]), 1);
}

#[test]
fn the_do_flag_goes_back() {
    let (_, reply) = reply(&Always(Answer::NotOurs), Transport::Udp, &with(&[(26, 0x80)]));
    assert_eq!(decode(&reply).edns, Some((1232, 0, true)));
}

#[test]
fn octets_that_once_mattered() {
    let reader = any_query::small_directory();
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/query");
    let mut count = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        any_query::check(reader, &std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the seeds are there");
}

/// Names of any octets, up to the 255 that a name can have.
fn any_name() -> impl Strategy<Value = Name> {
    (vec(vec(any::<u8>(), 1..=63), 0..=127), 1..=255usize).prop_map(|(labels, longest)| {
        let mut wire = Vec::new();
        for label in labels {
            let room = longest.saturating_sub(wire.len() + 2);
            let label = &label[..label.len().min(room)];
            if !label.is_empty() {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
        }
        wire.push(0);
        Name::from_wire(&wire).expect("a name")
    })
}

#[test]
fn the_longest_name_is_answered() {
    let wire = [&[63; 64][..], &[63; 64], &[63; 64], &[61; 62], &[0]].concat();
    let query = query(1, &Name::from_wire(&wire).unwrap(), RecordType::A, None);
    let (outcome, _) = reply(any_query::small_directory(), Transport::Udp, &query);
    assert_eq!(outcome, Outcome::NotOurs);
    assert_eq!(wire.len(), 255);
}

proptest! {
    #[test]
    fn any_octets_are_survived(octets in vec(any::<u8>(), 0..600)) {
        any_query::check(any_query::small_directory(), &octets);
    }

    #[test]
    fn any_octets_after_a_header_are_survived(
        counts in any::<[bool; 4]>(),
        octets in vec(prop_oneof![0..4u8, any::<u8>()], 0..100),
    ) {
        let octets = message(counts.map(u8::from), &[&octets]);
        any_query::check(any_query::small_directory(), &octets);
    }

    #[test]
    fn any_change_to_a_query_is_survived(
        asked in proptest::sample::select(vec![
            "db.prod.svc.cluster.local", "_pg._tcp.db.prod.svc.cluster.local",
            "inside.prod.svc.cluster.local", "outside.prod.svc.cluster.local",
            "one.prod.svc.cluster.local", "web.prod.svc.cluster.local", "cluster.local", "x.cluster.local",
        ]),
        rtype in proptest::sample::select(vec![1, 28, 33, 255]),
        edns in proptest::option::of(any::<u16>()),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut octets = query(1, &name(asked), RecordType(rtype), edns);
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if !whole {
            octets.truncate(cut.index(octets.len()));
        }
        any_query::check(any_query::small_directory(), &octets);
    }

    #[test]
    fn a_query_is_read_as_it_was_written(
        id: u16,
        asked in any_name(),
        rtype: u16,
        edns in proptest::option::of(any::<u16>()),
    ) {
        let octets = query(id, &asked, RecordType(rtype), edns);
        let read = Query::parse(&octets).unwrap();
        prop_assert_eq!(read.header.id, id);
        prop_assert!(read.header.recursion_desired);
        prop_assert_eq!(read.question.name.wire(), asked.wire());
        prop_assert_eq!(read.question.rtype, RecordType(rtype));
        prop_assert_eq!(read.question.class, 1);
        prop_assert_eq!(read.edns.map(|edns| edns.udp_size), edns);
    }
}
