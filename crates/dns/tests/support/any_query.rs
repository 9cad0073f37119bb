//! What holds for the reply to any octets at all. The fuzz target and the tests call the same check.
#![allow(unreachable_pub, reason = "a module of tests and of the fuzz target")]

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use directory::view::{
    EndpointView, ObjectName, Protocol, ServicePort, ServiceShape, ServiceView, SlicePort,
    SliceView,
};
use directory::{Change, Name, Reader, ZoneConfig};
use dns::wire::{HEADER_LEN, Query};
use dns::{Config, EdeMode, Outcome, Rotation, Transport, respond};

/// One directory for all checks of a process.
pub fn small_directory() -> &'static Reader {
    static READER: LazyLock<Reader> = LazyLock::new(fill);
    &READER
}

/// A headless Service of 40 endpoints (its answers are truncated), one with a cluster IP, an ExternalName
/// Service inside the zone, one outside, and two that point at each other.
fn fill() -> Reader {
    let domain = Name::parse("cluster.local").expect("a name");
    let (mut writer, reader) = directory::new(ZoneConfig::new(domain));
    let id = |name: &str| ObjectName::new("prod", name);
    let service = |name: &str, shape| {
        let port = ServicePort { name: "pg".to_owned(), port: 5432, protocol: Protocol::Tcp };
        Change::Service(ServiceView { id: id(name), shape, ports: vec![port] })
    };
    let alias = |name: &str, target: &str| service(name, ServiceShape::ExternalName(target.into()));
    let endpoint = |n: u8| EndpointView {
        addresses: vec![IpAddr::from([10, 244, 1, n])],
        hostname: Some(format!("db-{n}").into()),
        ready: true,
        serving: true,
        terminating: false,
        pod: None,
        zone: None,
    };
    writer.apply_all([
        Change::Namespace("prod".into()),
        service("db", ServiceShape::Headless),
        Change::Slice(SliceView {
            id: id("db-1"),
            service: Some(Arc::from("db")),
            import: None,
            ports: vec![SlicePort {
                name: "pg".to_owned(),
                port: Some(5432),
                protocol: Protocol::Tcp,
            }],
            endpoints: (0..40).map(endpoint).collect(),
        }),
        service("web", ServiceShape::ClusterIp(vec![IpAddr::from([10, 96, 0, 20])])),
        alias("inside", "db.prod.svc.cluster.local"),
        alias("outside", "db.example.com"),
        alias("one", "two.prod.svc.cluster.local"),
        alias("two", "one.prod.svc.cluster.local"),
    ]);
    writer.set_synced();
    reader
}

/// Panics when a reply breaks a rule.
pub fn check(reader: &Reader, octets: &[u8]) {
    let rotation = Rotation::new(octets.len());
    let mut reply = Vec::new();
    for ede in [EdeMode::Off, EdeMode::Code, EdeMode::Text] {
        let config = Config { ede, ..Config::default() };
        for (transport, longest) in [(Transport::Udp, 1232), (Transport::Tcp, 65_535)] {
            let outcome = respond(&config, reader, &rotation, transport, octets, &mut reply);
            let parsed = Query::parse(octets);
            let no_edns = parsed.as_ref().is_ok_and(|query| query.edns.is_none());
            let longest = if transport == Transport::Udp && no_edns { 512 } else { longest };
            check_reply(octets, &reply, outcome, longest);
        }
    }
}

fn check_reply(octets: &[u8], reply: &[u8], outcome: Outcome, longest: usize) {
    if outcome == Outcome::Dropped {
        assert!(reply.is_empty());
        assert!(octets.len() < HEADER_LEN || octets[2] & 0x80 != 0);
        return;
    }
    assert!((HEADER_LEN..=longest).contains(&reply.len()));
    assert_eq!(reply[..2], octets[..2], "the id goes back");
    assert_eq!(reply[2] & 0xF9, octets[2] & 0x79 | 0x80, "a response; opcode and RD go back");
    assert_eq!(reply[3] & 0xF0, 0, "no RA, Z, AD, CD");
    if reply[5] == 0 {
        assert_eq!(
            reply[4..],
            [0; 8][..reply.len() - 4],
            "an error without a question is a header"
        );
        return;
    }
    // Taken as a query, the reply must have whole records only, and its OPT record in the right place.
    let mut as_query = reply.to_vec();
    as_query[2] &= 0x7F;
    let as_query = Query::parse(&as_query).expect("the reply is well-formed");
    let wire = as_query.question.wire;
    assert_eq!(wire, &octets[HEADER_LEN..][..wire.len()], "the question goes back");
    if let Ok(query) = Query::parse(octets) {
        assert_eq!(as_query.edns.is_some(), query.edns.is_some(), "OPT is for those who sent one");
    }
}
