//! A hit allocates nothing: every class of answer is asked for under an allocator that counts, and datagrams go round.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use directory::view::{
    EndpointView, ObjectName, PodView, Protocol, ServicePort, ServiceShape, ServiceView, SlicePort,
    SliceView,
};
use directory::{Change, Name, Reader, RecordType, ZoneConfig};
use dns::{Config, EdeMode, Outcome, Rotation, Transport, respond, udp};
use support::{name, query};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A namespace with a Service of each shape.
fn reader() -> Reader {
    let mut config = ZoneConfig::new(name("cluster.local"));
    config.reverse = vec!["10.0.0.0/8".parse().expect("a range")];
    let (mut writer, reader) = directory::new(config);
    let id = |name: &str| ObjectName::new("prod", name);
    let port = || ServicePort { name: "pg".to_owned(), port: 5432, protocol: Protocol::Tcp };
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let service = |name: &str, shape| {
        Change::Service(ServiceView { id: id(name), shape, ports: vec![port()] })
    };
    writer.apply(Change::Namespace("prod".into()));
    writer.apply(service("web", ServiceShape::ClusterIp(vec![address("10.96.0.7")])));
    writer.apply(service("db", ServiceShape::Headless));
    writer.apply(service("empty", ServiceShape::Headless));
    for (from, to) in [("out", "db.example.com"), ("in", "db.prod.svc.cluster.local")] {
        writer.apply(service(from, ServiceShape::ExternalName(to.to_owned())));
    }
    for (slice, first) in [("db-a", 0), ("db-b", 10)] {
        let endpoint = |at: u8| EndpointView {
            addresses: vec![IpAddr::from([10, 244, 1, at])],
            hostname: at.is_multiple_of(2).then(|| format!("db-{at}").into()),
            ready: true,
            serving: true,
            terminating: false,
            pod: None,
            zone: None,
        };
        writer.apply(Change::Slice(SliceView {
            id: id(slice),
            service: Some("db".into()),
            import: None,
            ports: vec![SlicePort {
                name: "pg".to_owned(),
                port: Some(5432),
                protocol: Protocol::Tcp,
            }],
            endpoints: (first..first + 10).map(endpoint).collect(),
        }));
    }
    writer.apply(Change::Pod(PodView {
        id: id("db-0"),
        addresses: vec![address("10.244.1.0")],
        subdomain: Some("db".into()),
    }));
    writer.set_synced();
    reader
}

#[test]
fn a_hit_allocates_nothing() {
    let reader = reader();
    let rotation = Rotation::new(0);
    let mut reply = Vec::with_capacity(65_535);
    for (asked, rtype, outcome) in [
        ("web.prod.svc.cluster.local", RecordType::A, Outcome::Answered),
        ("web.prod.svc.cluster.local", RecordType::AAAA, Outcome::NoData),
        ("web.prod.svc.cluster.local", RecordType::SRV, Outcome::Answered),
        ("web.prod.svc.cluster.local", RecordType::ANY, Outcome::Answered),
        ("WEB.prod.svc.Cluster.local", RecordType::A, Outcome::Answered),
        ("_pg._tcp.web.prod.svc.cluster.local", RecordType::SRV, Outcome::Answered),
        ("db.prod.svc.cluster.local", RecordType::A, Outcome::Answered),
        ("db.prod.svc.cluster.local", RecordType::AAAA, Outcome::NoData),
        ("db.prod.svc.cluster.local", RecordType::SRV, Outcome::Answered),
        ("_pg._tcp.db.prod.svc.cluster.local", RecordType::SRV, Outcome::Answered),
        ("_tcp.db.prod.svc.cluster.local", RecordType::SRV, Outcome::NoData),
        ("_no._tcp.db.prod.svc.cluster.local", RecordType::SRV, Outcome::NoSuchName),
        ("db-0.db.prod.svc.cluster.local", RecordType::A, Outcome::Answered),
        ("db-0.db.prod.svc.cluster.local", RecordType::SRV, Outcome::Answered),
        ("10-244-1-1.db.prod.svc.cluster.local", RecordType::A, Outcome::Answered),
        ("db-9.db.prod.svc.cluster.local", RecordType::A, Outcome::NoSuchName),
        ("empty.prod.svc.cluster.local", RecordType::A, Outcome::NoSuchName),
        ("out.prod.svc.cluster.local", RecordType::A, Outcome::AliasNotOurs),
        ("out.prod.svc.cluster.local", RecordType::CNAME, Outcome::Answered),
        ("in.prod.svc.cluster.local", RecordType::A, Outcome::Answered),
        ("no.prod.svc.cluster.local", RecordType::A, Outcome::NoSuchName),
        ("web.no.svc.cluster.local", RecordType::A, Outcome::NoSuchName),
        ("web.prod.svc.cluster.local.prod.svc.cluster.local", RecordType::A, Outcome::NoSuchName),
        ("prod.svc.cluster.local", RecordType::A, Outcome::NoData),
        ("10-244-1-0.prod.pod.cluster.local", RecordType::A, Outcome::Answered),
        ("0.1.244.10.in-addr.arpa", RecordType::PTR, Outcome::Answered),
        ("7.0.96.10.in-addr.arpa", RecordType::PTR, Outcome::Answered),
        ("cluster.local", RecordType::SOA, Outcome::Answered),
        ("cluster.local", RecordType::NS, Outcome::Answered),
        ("www.example.com", RecordType::A, Outcome::NotOurs),
    ] {
        for (transport, edns, ede) in [
            (Transport::Udp, None, EdeMode::Text),
            (Transport::Udp, Some(1232), EdeMode::Code),
            (Transport::Tcp, Some(1232), EdeMode::Code),
        ] {
            let config = Config { ede, ..Config::default() };
            let query = query(1, &Name::parse(asked).unwrap(), rtype, edns);
            let mut ask = || respond(&config, &reader, &rotation, transport, &query, &mut reply);
            // The first use of a lock-free pointer makes a thread's own record of it.
            let _ = ask();
            let before = COUNT.get();
            let got = ask();
            let allocated = COUNT.get() - before;
            let case = format!("{asked} {rtype} {transport:?} {edns:?}");
            assert_eq!(got, outcome, "{case}");
            assert_eq!(allocated, 0, "{case}");
        }
    }
}

#[test]
fn datagrams_come_and_go_without_an_allocation() {
    for (batch, address) in [(1, "127.0.0.1:0"), (16, "127.0.0.1:0"), (16, "0.0.0.0:0")] {
        let batch = NonZeroUsize::new(batch).unwrap();
        let socket = udp::bind(address.parse().unwrap(), 1).unwrap().remove(0);
        let served = socket.clone();
        let thread = thread::spawn(move || {
            udp::serve(&served, batch, |query, _, reply| {
                reply.extend(query);
                reply.extend(COUNT.get().to_be_bytes());
            });
        });
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_address().unwrap().port();
        client.connect(("127.0.0.1", port)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut counts = Vec::new();
        for burst in [1, 1, 40, 1, 40] {
            for _ in 0..burst {
                client.send(&[0; 1000]).unwrap();
            }
            for _ in 0..burst {
                let mut reply = [0; 2000];
                let length = client.recv(&mut reply).unwrap();
                counts.push(reply[1000..length].to_vec());
            }
        }
        assert!(counts.iter().all(|count| *count == counts[0]), "batch {batch}: {counts:?}");
        socket.stop();
        thread.join().unwrap();
    }
}

#[test]
fn allocations_are_counted() {
    let before = COUNT.get();
    let text = std::hint::black_box(String::with_capacity(1));
    assert_eq!(COUNT.get() - before, 1, "{text}");
}
