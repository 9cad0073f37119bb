//! Zone transfers: who gets one, and that it is the whole zone.

mod support;

use std::net::SocketAddr;

use directory::view::{
    EndpointView, ImportedFrom, ObjectName, ServiceShape, ServiceView, SliceView,
};
use directory::{Change, Reader, Record, RecordType, ZoneConfig};
use dns::Config;
use hickory_proto::op::ResponseCode;
use support::{ask_tcp, config, decode, lines, name, query, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A zone of several messages.
fn reader() -> Reader {
    let mut config = ZoneConfig::new(name("cluster.local"));
    config.cluster_set_domain = Some(name("clusterset.local"));
    config.reverse = vec!["10.244.0.0/16".parse().expect("a range")];
    let (mut writer, reader) = directory::new(config);
    let id = ObjectName::new("prod", "db");
    let shape = ServiceShape::Headless;
    let view = ServiceView { id: id.clone(), shape, ports: Vec::new() };
    writer.apply_all([Change::Service(view.clone()), Change::Import(view)]);
    let endpoint = |at: u16| EndpointView {
        addresses: vec![[10, 244, (at / 250) as u8, (at % 250) as u8].into()],
        hostname: Some(format!("a-longer-name-than-most-{at}").into()),
        ready: true,
        serving: true,
        terminating: false,
        pod: None,
        zone: None,
    };
    writer.apply(Change::Slice(SliceView {
        id,
        service: Some("db".into()),
        import: Some(ImportedFrom { import: "db".into(), cluster: "east".into() }),
        ports: Vec::new(),
        endpoints: (0..1000).map(endpoint).collect(),
    }));
    writer.set_synced();
    reader
}

/// Asks for a zone, and reads until its SOA record has come twice. The records, and how many messages there were.
async fn transferred(server: SocketAddr, zone: &str, rtype: RecordType) -> (Vec<Record>, usize) {
    let query = query(7, &name(zone), rtype, Some(1232));
    let mut stream = TcpStream::connect(server).await.expect("connected");
    stream
        .write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat())
        .await
        .expect("sent");
    let (mut records, mut messages) = (Vec::new(), 0);
    let ends = |records: &[Record]| {
        records.iter().filter(|record| record.data.rtype() == RecordType::SOA).count()
    };
    while ends(&records) < 2 {
        let mut message = vec![0; stream.read_u16().await.expect("a length").into()];
        stream.read_exact(&mut message).await.expect("a message");
        let reply = decode(&message);
        assert_eq!((reply.id, reply.rcode, reply.authoritative), (7, ResponseCode::NoError, true));
        assert!(!reply.truncated && !reply.answer.is_empty());
        records.extend(reply.answer);
        messages += 1;
    }
    // The connection serves on.
    let again = support::query(8, &name("db.prod.svc.cluster.local"), RecordType::TXT, None);
    stream
        .write_all(&[&(again.len() as u16).to_be_bytes()[..], &again].concat())
        .await
        .expect("sent");
    let mut message = vec![0; stream.read_u16().await.expect("a length").into()];
    stream.read_exact(&mut message).await.expect("a message");
    assert_eq!(decode(&message).id, 8);
    (records, messages)
}

fn granted(range: &str) -> Config {
    Config { transfer_to: vec![range.parse().expect("a range")], ..config() }
}

#[tokio::test]
async fn a_whole_zone_is_given_to_those_who_may_have_it() {
    let reader = reader();
    let server = server(reader.clone(), granted("127.0.0.0/8"));
    let address = server.local_addresses()[0];
    for (zone, rtype, least) in [
        ("cluster.local", RecordType::AXFR, 1000),
        ("Cluster.LOCAL", RecordType::AXFR, 1000),
        ("cluster.local", RecordType(251), 1000),
        ("clusterset.local", RecordType::AXFR, 1000),
        ("244.10.in-addr.arpa", RecordType::AXFR, 1000),
    ] {
        let (records, messages) = transferred(address, zone, rtype).await;
        let (first, rest) = records.split_first().unwrap();
        let (last, middle) = rest.split_last().unwrap();
        assert_eq!(first.data.rtype(), RecordType::SOA);
        assert_eq!(first, last);
        let own = reader.zone_records((&name(zone)).into()).unwrap();
        let own: Vec<Record> =
            own.into_iter().filter(|record| record.data.rtype() != RecordType::SOA).collect();
        assert!(own.len() > least && messages > 1, "{zone}: {} in {messages}", own.len());
        assert_eq!(lines(middle), lines(&own), "{zone}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn others_and_other_names_are_refused() {
    for (range, zone) in [
        ("192.0.2.0/24", "cluster.local"),
        ("127.0.0.0/8", "svc.cluster.local"),
        ("127.0.0.0/8", "example.com"),
        ("127.0.0.0/8", "10.in-addr.arpa"),
    ] {
        let server = server(reader(), granted(range));
        let query = query(1, &name(zone), RecordType::AXFR, None);
        let reply = decode(&ask_tcp(server.local_addresses()[0], &query).await);
        assert_eq!((reply.rcode, reply.answer), (ResponseCode::Refused, vec![]), "{range} {zone}");
        server.shutdown().await;
    }
}

#[tokio::test]
async fn a_zone_never_goes_over_udp() {
    let server = server(reader(), granted("0.0.0.0/0"));
    let query = query(1, &name("cluster.local"), RecordType::AXFR, None);
    let reply = support::ask_udp(server.local_addresses()[0], &query).await;
    assert_eq!(decode(&reply).rcode, ResponseCode::Refused);
    server.shutdown().await;
}
