//! A library decodes our replies to the records that the directory gave.

mod support;

use std::net::{Ipv4Addr, Ipv6Addr};

use directory::view::{ObjectName, Publisher, PublisherKind};
use directory::{Answer, Name, Rdata, Reason, Record, RecordType};
use dns::{Outcome, Transport};
use hickory_proto::op::ResponseCode;
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Always, Decoded, a, addresses, decode, lines, name, negative, query, reply, soa};

const ASKED: &str = "_PG._tcp.Db.prod.svc.cluster.local";

/// What a case expects of its reply, over TCP, with EDNS and EDE text.
struct Expected {
    outcome: Outcome,
    rcode: ResponseCode,
    authoritative: bool,
    answer: Vec<Record>,
    authority: Vec<Record>,
    additional: Vec<Record>,
    ede: Option<(u16, &'static str)>,
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            outcome: Outcome::Answered,
            rcode: ResponseCode::NoError,
            authoritative: true,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            ede: None,
        }
    }
}

#[track_caller]
fn check(answer: Answer, expected: Expected) {
    let query = query(0x1234, &name(ASKED), RecordType::SRV, Some(1232));
    let (outcome, reply) = reply(&Always(answer), Transport::Tcp, &query);
    let Expected { rcode, authoritative, answer, authority, additional, ede, .. } = expected;
    assert_eq!(outcome, expected.outcome);
    let decoded = decode(&reply);
    let expected = Decoded {
        id: 0x1234,
        rcode,
        authoritative,
        truncated: false,
        recursion_desired: true,
        recursion_available: false,
        questions: vec![(name(ASKED), 33, 1)],
        answer,
        authority,
        additional,
        edns: Some((1232, 0, false)),
        ede: ede.map(|(code, text)| (code, text.to_owned())),
    };
    assert_eq!(decoded, expected);
    for (ours, theirs) in [
        (&decoded.answer, &expected.answer),
        (&decoded.authority, &expected.authority),
        (&decoded.additional, &expected.additional),
    ] {
        assert_eq!(lines(ours), lines(theirs), "the case of names is kept");
    }
    assert_eq!(decoded.questions[0].0.wire(), name(ASKED).wire(), "the question's case is echoed");
}

fn record(owner: &str, data: Rdata) -> Record {
    Record { owner: name(owner), ttl: 5, data }
}

fn srv(target: &str) -> Record {
    record(ASKED, Rdata::Srv { priority: 0, weight: 33, port: 5432, target: name(target) })
}

fn db() -> Publisher {
    Publisher { kind: PublisherKind::Service, id: ObjectName::new("prod", "db") }
}

fn missing() -> Reason {
    Reason::ServiceMissing { service: db() }
}

const MISSING: Option<(u16, &str)> = Some((0, "Service prod/db does not exist"));

#[test]
fn records_of_every_type() {
    let target = "db-0.db.prod.svc.cluster.local";
    for data in [
        Rdata::A(Ipv4Addr::new(10, 244, 1, 5)),
        Rdata::Aaaa("fd00:10:244::5".parse().unwrap()),
        Rdata::Cname(name(target)),
        Rdata::Ptr(name(target)),
        Rdata::Ns(name("ns.dns.cluster.local")),
        soa().data,
        Rdata::Txt("1.1.0".to_owned()),
        Rdata::Txt(String::new()),
        Rdata::Hinfo { cpu: "RFC8482".to_owned(), os: String::new() },
        Rdata::Srv { priority: 1, weight: 2, port: 3, target: name(target) },
        Rdata::Srv { priority: 0, weight: 0, port: 0, target: Name::root() },
    ] {
        let records = vec![record(ASKED, data)];
        let answer = Answer::Records { records: records.clone(), additional: Vec::new() };
        check(answer, Expected { answer: records, ..Expected::default() });
    }
}

#[test]
fn srv_targets_bring_their_addresses() {
    let targets = ["db-0.Db.prod.svc.cluster.local", "db-1.Db.prod.svc.cluster.local"];
    let records: Vec<_> = targets.into_iter().map(srv).collect();
    let additional = vec![
        a(targets[0], [10, 244, 1, 5]),
        record(targets[0], Rdata::Aaaa("fd00::5".parse().unwrap())),
        a(targets[1], [10, 244, 2, 5]),
        a(targets[1], [10, 244, 2, 6]),
    ];
    let answer = Answer::Records { records: records.clone(), additional: additional.clone() };
    check(answer, Expected { answer: records, additional, ..Expected::default() });
}

#[test]
fn negative_answers_carry_the_soa_and_the_reason() {
    check(
        Answer::NoData(negative(Reason::OnlyNamesBelow)),
        Expected {
            outcome: Outcome::NoData,
            authority: vec![soa()],
            ede: Some((0, "the name only has names below it")),
            ..Expected::default()
        },
    );
    check(
        Answer::NoSuchName(negative(missing())),
        Expected {
            outcome: Outcome::NoSuchName,
            rcode: ResponseCode::NXDomain,
            authority: vec![soa()],
            ede: MISSING,
            ..Expected::default()
        },
    );
}

#[test]
fn aliases_end_as_their_target_does() {
    let target = "old.prod.svc.cluster.local";
    let chain = vec![
        record(ASKED, Rdata::Cname(name(target))),
        record(target, Rdata::Cname(name("db.prod.svc.cluster.local"))),
    ];
    let alias = |target| Answer::Alias { chain: chain.clone(), target: Box::new(target) };

    let end = a("db.prod.svc.cluster.local", [10, 244, 1, 5]);
    let answer = [chain.clone(), vec![end.clone()]].concat();
    check(
        alias(Answer::Records { records: vec![end], additional: Vec::new() }),
        Expected { answer, ..Expected::default() },
    );
    check(
        alias(Answer::NoSuchName(negative(missing()))),
        Expected {
            outcome: Outcome::NoSuchName,
            rcode: ResponseCode::NXDomain,
            answer: chain.clone(),
            authority: vec![soa()],
            ede: MISSING,
            ..Expected::default()
        },
    );
    check(
        alias(Answer::NoData(negative(missing()))),
        Expected {
            outcome: Outcome::NoData,
            answer: chain.clone(),
            authority: vec![soa()],
            ede: MISSING,
            ..Expected::default()
        },
    );
    check(
        alias(Answer::NotOurs),
        Expected { outcome: Outcome::AliasNotOurs, answer: chain.clone(), ..Expected::default() },
    );
    check(
        alias(Answer::NotSynced),
        Expected {
            outcome: Outcome::NotSynced,
            rcode: ResponseCode::ServFail,
            authoritative: false,
            ede: Some((14, "objects are still being read")),
            ..Expected::default()
        },
    );
}

#[test]
fn failures_carry_no_records() {
    check(
        Answer::Loop(Reason::AliasLoop { service: db() }),
        Expected {
            outcome: Outcome::Loop,
            rcode: ResponseCode::ServFail,
            authoritative: false,
            ede: Some((0, "ExternalName Service prod/db is part of a loop")),
            ..Expected::default()
        },
    );
    check(
        Answer::NotSynced,
        Expected {
            outcome: Outcome::NotSynced,
            rcode: ResponseCode::ServFail,
            authoritative: false,
            ede: Some((14, "objects are still being read")),
            ..Expected::default()
        },
    );
    check(
        Answer::NotOurs,
        Expected {
            outcome: Outcome::NotOurs,
            rcode: ResponseCode::Refused,
            authoritative: false,
            ede: Some((
                20,
                "the name is outside the zones served here, and no upstream server is set up for it",
            )),
            ..Expected::default()
        },
    );
}

#[test]
fn owners_point_to_the_question() {
    let owner = "db.prod.svc.cluster.local";
    let answer = Answer::Records { records: addresses(owner, 3), additional: Vec::new() };
    let query = query(1, &name(owner), RecordType::A, None);
    let (_, reply) = reply(&Always(answer), Transport::Udp, &query);
    assert_eq!(reply.len(), query.len() + 3 * 16);
    assert_eq!(reply[query.len()..][..4], [0xC0, 0x0C, 0, 1]);
}

#[test]
fn srv_targets_are_written_out() {
    let target = "db-0.db.prod.svc.cluster.local";
    let answer = Answer::Records { records: vec![srv(target)], additional: Vec::new() };
    let query = query(1, &name(ASKED), RecordType::SRV, None);
    let (_, reply) = reply(&Always(answer), Transport::Udp, &query);
    assert!(reply.ends_with(name(target).wire()));
}

/// Labels of any octets, few enough different ones that names share endings.
fn any_name() -> impl Strategy<Value = Name> {
    let label = prop_oneof![
        4 => proptest::sample::select(vec!["db", "Db", "prod", "svc", "cluster", "local"])
            .prop_map(|label| label.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..=63),
    ];
    vec(label, 0..8).prop_map(|labels| {
        let mut wire = Vec::new();
        for label in labels {
            if wire.len() + label.len() + 2 <= 255 {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
        }
        wire.push(0);
        Name::from_wire(&wire).expect("a name")
    })
}

fn any_address() -> impl Strategy<Value = Rdata> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Rdata::A(octets.into())),
        any::<u128>().prop_map(|bits| Rdata::Aaaa(Ipv6Addr::from_bits(bits))),
    ]
}

fn any_data() -> impl Strategy<Value = Rdata> {
    let text = || "\\PC{0,60}";
    prop_oneof![
        any_address(),
        any_name().prop_map(Rdata::Cname),
        any_name().prop_map(Rdata::Ptr),
        any_name().prop_map(Rdata::Ns),
        (any::<[u16; 3]>(), any_name()).prop_map(|([priority, weight, port], target)| {
            Rdata::Srv { priority, weight, port, target }
        }),
        (any_name(), any_name(), any::<[u32; 5]>()).prop_map(
            |(mname, rname, [serial, refresh, retry, expire, minimum])| Rdata::Soa {
                mname,
                rname,
                serial,
                refresh,
                retry,
                expire,
                minimum
            }
        ),
        text().prop_map(Rdata::Txt),
        (text(), text()).prop_map(|(cpu, os)| Rdata::Hinfo { cpu, os }),
    ]
}

fn any_record(data: impl Strategy<Value = Rdata>) -> impl Strategy<Value = Record> {
    (any_name(), any::<u32>(), data).prop_map(|(owner, ttl, data)| Record { owner, ttl, data })
}

fn any_end() -> impl Strategy<Value = Answer> {
    let negative =
        || any_record(any_data()).prop_map(|soa| directory::Negative { soa, reason: missing() });
    let records = vec(any_record(any_data()), 0..40);
    let glue = vec(any_record(any_address()), 0..20);
    prop_oneof![
        6 => (records, glue)
            .prop_map(|(records, additional)| Answer::Records { records, additional }),
        1 => negative().prop_map(Answer::NoData),
        1 => negative().prop_map(Answer::NoSuchName),
        1 => Just(Answer::NotOurs),
    ]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let alias = (vec(any_record(any_name().prop_map(Rdata::Cname)), 1..8), any_end())
        .prop_map(|(chain, end)| Answer::Alias { chain, target: Box::new(end) });
    prop_oneof![any_end(), alias]
}

/// Sections that an answer should fill, when nothing has to be left out.
fn sections(answer: &Answer) -> [Vec<Record>; 3] {
    match answer {
        Answer::Records { records, additional } => {
            [records.clone(), Vec::new(), additional.clone()]
        }
        Answer::Alias { chain, target } => {
            let [answer, authority, additional] = sections(target);
            [[chain.clone(), answer].concat(), authority, additional]
        }
        Answer::NoData(negative) | Answer::NoSuchName(negative) => {
            [Vec::new(), vec![negative.soa.clone()], Vec::new()]
        }
        Answer::Loop(_) | Answer::NotOurs | Answer::NotSynced => Default::default(),
    }
}

proptest! {
    #[test]
    fn any_answer_is_decoded_to_its_records(
        asked in any_name(),
        answer in any_answer(),
        edns in proptest::option::of(any::<u16>()),
        over_tcp in any::<bool>(),
    ) {
        let transport = if over_tcp { Transport::Tcp } else { Transport::Udp };
        let query = query(7, &asked, RecordType::A, edns);
        let (_, reply) = reply(&Always(answer.clone()), transport, &query);
        let limit = match (transport, edns) {
            (Transport::Tcp, _) => 65_535,
            (Transport::Udp, size) => usize::from(size.unwrap_or(512).clamp(512, 1232)),
        };
        prop_assert!(reply.len() <= limit);
        let decoded = decode(&reply);
        let [records, authority, additional] = sections(&answer);
        prop_assert_eq!(decoded.questions[0].0.wire(), asked.wire());
        prop_assert_eq!(decoded.edns.is_some(), edns.is_some());
        if decoded.truncated {
            prop_assert!(!over_tcp);
            let left_out = decoded.answer.len() < records.len()
                || decoded.authority.len() < authority.len();
            prop_assert!(left_out);
            prop_assert!(decoded.answer.iter().all(|record| records.contains(record)));
            prop_assert!(decoded.authority.is_empty() && decoded.additional.is_empty());
        } else {
            // The first rotation starts with the first record.
            prop_assert_eq!(lines(&decoded.answer), lines(&records));
            prop_assert_eq!(lines(&decoded.authority), lines(&authority));
            let kept = decoded.additional.len();
            prop_assert_eq!(lines(&decoded.additional), lines(&additional[..kept]));
            prop_assert!(!over_tcp || kept == additional.len());
        }
    }
}
