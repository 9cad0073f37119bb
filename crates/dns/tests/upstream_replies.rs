//! What upstreams may send, read without sockets.

#[path = "support/any_reply.rs"]
mod any_reply;
#[path = "support/made.rs"]
mod made;

use std::time::Duration;

use directory::{Name, RecordType};
use dns::forward::{CacheConfig, Chance, Question, Reply, Sent, Unbelieved, Wishes};
use made::{In, Made, wire};
use proptest::collection::vec;
use proptest::prelude::*;

fn asked(rtype: RecordType) -> (Question, Sent) {
    let name = Name::parse("www.example.com").expect("a name");
    let question = Question::new(name.wire(), rtype, Wishes::default()).expect("it fits");
    let sent = Sent::new(&question, &Chance { id: 77, case: [0xA5; 32] });
    (question, sent)
}

#[track_caller]
fn check(
    what: &str,
    rtype: RecordType,
    made: impl Fn(Made) -> Made,
    expected: Result<(u64, u8, u8), Unbelieved>,
) {
    let (question, sent) = asked(rtype);
    let octets = made(Made::to(sent.message())).octets();
    let reply = Reply::read(&octets, &sent, &question, &CacheConfig::default());
    let summary = reply.map(|reply| {
        let message = reply.message();
        (reply.ttl.as_secs(), message[7], message[9])
    });
    assert_eq!(summary, expected, "{what}");
}

#[test]
fn replies_are_kept_for_as_long_as_their_records_say() {
    let a = [192, 0, 2, 1];
    let rtype = RecordType::A;
    check("one", rtype, |made| made.a(60, a), Ok((60, 1, 0)));
    check("the least of two", rtype, |made| made.a(60, a).a(20, a), Ok((20, 2, 0)));
    check("a day", rtype, |made| made.a(86_400, a), Ok((3600, 1, 0)));
    check("not at all", rtype, |made| made.a(0, a), Ok((0, 1, 0)));
    check("a negative TTL", rtype, |made| made.a(1 << 31, a), Ok((0, 1, 0)));
    check("no name", rtype, |made| made.rcode(3).soa(60, 20), Ok((20, 0, 1)));
    check("no name, SOA's own TTL less", rtype, |made| made.rcode(3).soa(7, 20), Ok((7, 0, 1)));
    check("no name, long", rtype, |made| made.rcode(3).soa(900, 900), Ok((30, 0, 1)));
    check("no name, no SOA", rtype, |made| made.rcode(3), Ok((0, 0, 0)));
    check("no data", rtype, |made| made.soa(60, 10), Ok((10, 0, 1)));
    let alias = |made: Made| made.alias("www.example.com", 5, "a.example.net");
    check("an alias to no data", rtype, |made| alias(made).soa(60, 10), Ok((5, 1, 1)));
    check("an alias alone", rtype, alias, Ok((0, 1, 0)));
    check("an alias as asked", RecordType::CNAME, alias, Ok((5, 1, 0)));
    check("a failure", rtype, |made| made.rcode(2), Ok((5, 0, 0)));
    check("refused", rtype, |made| made.rcode(5), Ok((5, 0, 0)));
}

#[test]
fn what_is_kept_is_what_was_asked_for() {
    let a = [192, 0, 2, 1];
    let extra = |made: Made| {
        made.a(60, a)
            .record(In::Authority, "example.com", RecordType::NS, 60, &wire("ns.example.com"))
            .record(In::Additional, "ns.example.com", RecordType::A, 60, &a)
            .raw(In::Additional, &[0], RecordType::OPT, 0, &[])
    };
    check("name servers and glue go", RecordType::A, extra, Ok((60, 1, 0)));
    let broken = Err(Unbelieved::Malformed);
    let opt = |made: Made| made.raw(In::Answer, &[0], RecordType::OPT, 0, &[]);
    check("OPT among the answers", RecordType::A, opt, broken);
    let opts = |made: Made| {
        let made = made.raw(In::Additional, &[0], RecordType::OPT, 0, &[]);
        made.raw(In::Additional, &[0], RecordType::OPT, 0, &[])
    };
    check("two of OPT", RecordType::A, opts, broken);
    let bad_version = |made: Made| made.raw(In::Additional, &[0], RecordType::OPT, 1 << 24, &[]);
    check("an error of EDNS", RecordType::A, bad_version, broken);
    let mx =
        |data: &'static [u8]| move |made: Made| made.asked(In::Answer, RecordType::MX, 60, data);
    check("MX", RecordType::MX, mx(&[0, 10, 0xC0, 12]), Ok((60, 1, 0)));
    check("MX with more after it", RecordType::MX, mx(&[0, 10, 0xC0, 12, 0]), broken);
    check("MX without a name", RecordType::MX, mx(&[0, 10]), broken);
    check("a name that is too long", RecordType::MX, mx(&LONG), broken);
}

/// Thousands of names of 127 labels that are nearly the same as others: to find out where each could point to would
/// take minutes. They are written out instead, which is too long.
#[test]
fn names_made_to_take_long_are_not_worth_it() {
    let (question, sent) = asked(RecordType::MX);
    let deep = |count: usize, end: &[u8]| [&[1, b'a'].repeat(count), end, &[0]].concat();
    let preference = [0, 10];
    let mut octets = Made::to(sent.message())
        .asked(In::Answer, RecordType::MX, 60, &[&preference[..], &deep(126, &[])].concat())
        .octets();
    // Where the second name begins.
    let second = octets.len() as u16 + 14;
    let mut made = |data: &[u8]| {
        octets.extend([0xC0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 2 + data.len() as u8, 0, 10]);
        octets.extend(data);
    };
    made(&deep(124, &[1, b'b']));
    let pointer = (0xC000 | second).to_be_bytes();
    for _ in 0..3000 {
        made(&[&[1, b'x'], &pointer[..]].concat());
    }
    octets[6..8].copy_from_slice(&3002_u16.to_be_bytes());
    let reply = Reply::read(&octets, &sent, &question, &CacheConfig::default());
    assert_eq!(reply, Err(Unbelieved::Malformed));
    // A few of them are a reply.
    octets[6..8].copy_from_slice(&100_u16.to_be_bytes());
    let reply = Reply::read(&octets, &sent, &question, &CacheConfig::default());
    assert!(reply.is_ok_and(|reply| reply.message().len() < 65_535));
}

/// Preference, then labels of 63 octets and no end.
const LONG: [u8; 258] = {
    let mut long = [63; 258];
    long[0] = 0;
    long
};

#[test]
fn only_the_reply_is_the_reply() {
    let (question, sent) = asked(RecordType::A);
    let right = Made::to(sent.message()).a(60, [192, 0, 2, 1]).octets();
    let read = |octets: &[u8]| Reply::read(octets, &sent, &question, &CacheConfig::default());
    assert!(read(&right).is_ok());
    let with = |at: usize, change: u8| {
        let mut octets = right.clone();
        octets[at] ^= change;
        read(&octets).err()
    };
    let end = 12 + sent.question().len();
    for at in [0, 1] {
        assert_eq!(with(at, 0x10), Some(Unbelieved::Stranger), "id");
    }
    assert_eq!(with(2, 0x80), Some(Unbelieved::Stranger), "a query");
    assert_eq!(with(2, 0x08), Some(Unbelieved::Stranger), "another opcode");
    assert_eq!(with(5, 1), Some(Unbelieved::Stranger), "no question");
    assert_eq!(with(5, 3), Some(Unbelieved::Stranger), "two questions");
    for at in [end - 1, end - 2, end - 3, end - 4] {
        assert_eq!(with(at, 0x02), Some(Unbelieved::Stranger), "class and type");
    }
    for at in (12..end - 4).filter(|at| right[*at].is_ascii_alphabetic()) {
        assert_eq!(with(at, 0x20), Some(Unbelieved::CaseChanged), "case at {at}");
        assert_eq!(with(at, 0x01), Some(Unbelieved::Stranger), "letter at {at}");
    }
    assert_eq!(with(2, 0x02), Some(Unbelieved::Truncated));
    for length in 0..right.len() {
        assert!(read(&right[..length]).is_err(), "cut at {length}");
    }
    // A server that could not read the query.
    let bare = [&right[..2], &[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let reply = read(&bare).expect("it is one");
    assert_eq!((reply.rcode(), reply.ttl), (1, Duration::from_secs(5)));
}

#[test]
fn names_come_in_the_case_they_were_asked_in_before_chance_changed_it() {
    let (question, sent) = asked(RecordType::A);
    let reply = Made::to(sent.message()).soa(60, 60);
    // A pointer into the question.
    let pointer = [0xC0, 16];
    let reply = reply.raw(In::Authority, &pointer, RecordType::NS, 60, &pointer).octets();
    let reply = Reply::read(&reply, &sent, &question, &CacheConfig::default()).expect("a reply");
    let mut named = reply.message().windows(7).filter(|part| part.eq_ignore_ascii_case(b"example"));
    assert_eq!(named.next(), Some(&b"example"[..]), "in the question");
    assert_eq!(named.next(), None, "all else points to it");
}

/// Octets that look like records now and then.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just(vec![0xC0, 12]),
        Just(vec![0xC0, 16]),
        Just(vec![0]),
        any::<u8>().prop_map(|at| vec![0xC0, at]),
        vec(any::<u8>(), 0..5)
            .prop_map(|label| { [&[label.len() as u8], &*label, &[0xC0, 12]].concat() }),
    ];
    let types = prop_oneof![
        proptest::sample::select(vec![
            1, 2, 5, 6, 12, 14, 15, 17, 18, 26, 28, 33, 35, 39, 41, 46, 64
        ]),
        any::<u8>(),
    ];
    let data = prop_oneof![
        vec(any::<u8>(), 0..24),
        name.clone(),
        (vec(any::<u8>(), 0..7), name.clone()).prop_map(|(head, name)| [head, name].concat()),
        (name.clone(), name.clone(), vec(any::<u8>(), 20))
            .prop_map(|(one, two, numbers)| [one, two, numbers].concat()),
    ];
    let record = (name, types, 0..100_u8, data).prop_map(|(name, rtype, ttl, data)| {
        let fixed = [0, rtype, 0, 1, 0, 0, 0, ttl, 0, data.len() as u8];
        [&name[..], &fixed, &data].concat()
    });
    vec(record, 0..6).prop_map(|records| records.concat())
}

proptest! {
    #[test]
    fn any_octets_are_a_reply_or_not(octets in vec(any::<u8>(), 0..600)) {
        any_reply::check(&octets);
    }

    #[test]
    fn any_records_are_kept_or_not(
        choice in any::<u8>(),
        code in 0..6_u8,
        counts in [0..5_u8, 0..3, 0..3],
        records in records(),
    ) {
        let [answer, authority, additional] = counts;
        let head = [choice, 0, code, 0, answer, 0, authority, 0, additional];
        any_reply::check(&[&head[..], &records].concat());
    }
}

#[test]
fn seeds_of_the_fuzz_target() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/upstream_reply");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of seeds") {
        let octets = std::fs::read(entry.expect("an entry").path()).expect("a seed");
        any_reply::check(&octets);
        count += 1;
    }
    assert!(count >= 8, "{count} seeds");
}
