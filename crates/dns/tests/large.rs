//! Services of thousands of endpoints, over sockets.
//!
//! A message over TCP has at most 65,535 octets, and an address record at least 16: 4,090 of them fit, whoever serves
//! them. What fits comes whole. What does not comes as far as it fits, with TC set: that says that the set is not all there
//! (RFC 2181 §9), clients take what they get (glibc, and Go since golang/go#64896), and CoreDNS does the same. Where answers start
//! rotates, so that every endpoint has its turn.

mod support;

use std::collections::HashSet;
use std::net::IpAddr;

use directory::view::{
    EndpointView, ObjectName, Protocol, ServiceShape, ServiceView, SlicePort, SliceView,
};
use directory::{Change, Rdata, Reader, RecordType, ZoneConfig};
use support::{Decoded, config, decode, framed, name, query, read_framed, server};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const SLICE_ENDPOINTS: u16 = 100;

/// A headless Service `db` of so many endpoints, in slices as Kubernetes' controller fills them.
fn service_of(count: u16) -> Reader {
    let (mut writer, reader) = directory::new(ZoneConfig::new(name("cluster.local")));
    let id = |name: String| ObjectName::new("prod", name);
    writer.apply(Change::Service(ServiceView {
        id: id("db".to_owned()),
        shape: ServiceShape::Headless,
        ports: Vec::new(),
    }));
    let endpoint = |number: u16| EndpointView {
        addresses: vec![address(number)],
        hostname: Some(format!("db-{number}").into()),
        ready: true,
        serving: true,
        terminating: false,
        pod: None,
        zone: None,
    };
    let slice = |first: u16| {
        Change::Slice(SliceView {
            id: id(format!("db-{first}")),
            service: Some("db".into()),
            import: None,
            ports: vec![SlicePort {
                name: "pg".to_owned(),
                port: Some(5432),
                protocol: Protocol::Tcp,
            }],
            endpoints: (first..count.min(first + SLICE_ENDPOINTS)).map(endpoint).collect(),
        })
    };
    writer.apply_all((0..count).step_by(usize::from(SLICE_ENDPOINTS)).map(slice));
    writer.set_synced();
    reader
}

fn address(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    [10, 244, high, low].into()
}

const ADDRESSES: (&str, RecordType) = ("db.prod.svc.cluster.local", RecordType::A);
const PORTS: (&str, RecordType) = ("_pg._tcp.db.prod.svc.cluster.local", RecordType::SRV);

/// Asks a server of so many endpoints over one TCP connection until `enough`; gives the replies.
async fn ask(
    endpoints: u16,
    (asked, rtype): (&str, RecordType),
    mut enough: impl FnMut(&Decoded) -> bool,
) {
    let server = server(service_of(endpoints), config());
    let mut stream = TcpStream::connect(server.local_addresses()[0]).await.expect("connected");
    let query = framed(&query(7, &name(asked), rtype, Some(1232)));
    loop {
        stream.write_all(&query).await.expect("sent");
        let reply = read_framed(&mut stream).await.expect("a reply");
        if enough(&decode(&reply)) {
            break;
        }
    }
    server.shutdown().await;
}

/// What a record of the answer says, each different.
fn values(reply: &Decoded) -> HashSet<String> {
    let values: HashSet<String> =
        reply.answer.iter().map(|record| record.data.to_string()).collect();
    assert_eq!(values.len(), reply.answer.len(), "each record once");
    values
}

#[tokio::test]
async fn four_thousand_addresses_are_whole() {
    let mut whole = HashSet::new();
    ask(4_000, ADDRESSES, |reply| {
        assert!(!reply.truncated);
        whole = values(reply);
        true
    })
    .await;
    let expected: HashSet<String> = (0..4_000).map(|number| address(number).to_string()).collect();
    assert_eq!(whole, expected);
}

#[tokio::test]
async fn five_thousand_addresses_fill_a_message_and_all_have_their_turn() {
    let mut seen = HashSet::new();
    let mut asked = 0;
    ask(5_000, ADDRESSES, |reply| {
        assert!(reply.truncated, "not all of them are there");
        assert!((4_080..=4_095).contains(&reply.answer.len()), "{}", reply.answer.len());
        seen.extend(values(reply));
        asked += 1;
        assert!(asked <= 100, "{} of 5,000 after {asked} answers", seen.len());
        seen.len() == 5_000
    })
    .await;
}

#[tokio::test]
async fn a_thousand_ports_are_whole_and_glue_gives_way() {
    let mut targets = HashSet::new();
    ask(1_000, PORTS, |reply| {
        assert!(!reply.truncated);
        assert!(reply.additional.len() < reply.answer.len(), "there is no room for all glue");
        for record in &reply.answer {
            let Rdata::Srv { target, .. } = &record.data else { panic!("{record}") };
            targets.insert(target.to_string());
        }
        true
    })
    .await;
    assert_eq!(targets.len(), 1_000);
}

#[tokio::test]
async fn five_thousand_ports_come_as_far_as_they_fit() {
    ask(5_000, PORTS, |reply| {
        assert!(reply.truncated);
        assert!(reply.additional.is_empty(), "no glue where ports are missing");
        assert!(values(reply).len() > 1_000);
        true
    })
    .await;
}
