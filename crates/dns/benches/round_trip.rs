//! How fast answers come: the time of one query on loopback, and how many a second.
//!
//! `cargo bench --package dns --bench round_trip`

#![allow(clippy::print_stdout, reason = "what a benchmark is for")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use directory::view::{EndpointView, ObjectName, ServiceShape, ServiceView, SliceView};
use directory::{Change, Name, Reader, RecordType, ZoneConfig};
use dns::{Config, Rotation, Server, Transport, respond};

const ENDPOINTS: [u8; 2] = [3, 50];

fn reader() -> Reader {
    let domain = Name::parse("cluster.local").expect("a name");
    let (mut writer, reader) = directory::new(ZoneConfig::new(domain));
    writer.apply(Change::Namespace("prod".into()));
    for count in ENDPOINTS {
        let service = format!("db-{count}");
        let id = ObjectName::new("prod", service.as_str());
        let shape = ServiceShape::Headless;
        writer.apply(Change::Service(ServiceView { id: id.clone(), shape, ports: Vec::new() }));
        let endpoint = |n: u8| EndpointView {
            addresses: vec![IpAddr::from([10, 244, count, n])],
            hostname: None,
            ready: true,
            serving: true,
            terminating: false,
            pod: None,
            zone: None,
        };
        let endpoints = (0..count).map(endpoint).collect();
        let service = Arc::from(service);
        writer.apply(Change::Slice(SliceView {
            id,
            service: Some(service),
            import: None,
            ports: Vec::new(),
            endpoints,
        }));
    }
    writer.set_synced();
    reader
}

fn query(endpoints: u8) -> Vec<u8> {
    let asked = Name::parse(&format!("db-{endpoints}.prod.svc.cluster.local")).expect("a name");
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    query.extend(asked.wire());
    query.extend(RecordType::A.0.to_be_bytes());
    query.extend([0, 1, 0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0]);
    query
}

/// Runs `ask` many times, a pause before each, and prints the distribution.
fn time(what: &str, count: usize, pause: Duration, mut ask: impl FnMut()) {
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            thread::sleep(pause);
            let started = Instant::now();
            ask();
            started.elapsed()
        })
        .collect();
    times.sort();
    let at = |part: usize| times[(count - 1) * part / 1000].as_secs_f64() * 1e6;
    println!("{what:<44} p50 {:7.1} µs   p99 {:7.1} µs", at(500), at(990));
}

/// Asks over `clients` sockets, each with `window` queries under way, and prints the rate.
fn rate(address: SocketAddr, endpoints: u8, clients: usize, window: usize) {
    let length = Duration::from_secs(2);
    let started = Instant::now();
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            thread::spawn(move || {
                let socket = connect(address);
                let query = query(endpoints);
                let mut reply = [0; 2048];
                let mut count = 0u64;
                for _ in 0..window {
                    socket.send(&query).expect("sent");
                }
                while started.elapsed() < length {
                    match socket.recv(&mut reply) {
                        Ok(_) => count += 1,
                        // Lost, as datagrams may be.
                        Err(_) => println!("a reply was lost"),
                    }
                    socket.send(&query).expect("sent");
                }
                count
            })
        })
        .collect();
    let count: u64 = threads.into_iter().map(|thread| thread.join().expect("a client")).sum();
    println!(
        "UDP, {endpoints} endpoints, {clients} clients with {window} queries under way: {:.0} queries/s",
        count as f64 / started.elapsed().as_secs_f64()
    );
}

fn connect(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(address).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    socket
}

#[tokio::main]
async fn main() {
    let reader = reader();
    let config = Config::default();
    for endpoints in ENDPOINTS {
        let (query, rotation) = (query(endpoints), Rotation::new(0));
        let mut reply = Vec::new();
        let count = 200_000;
        let started = Instant::now();
        for _ in 0..count {
            let _ = respond(&config, &reader, &rotation, Transport::Udp, &query, &mut reply);
        }
        let took = started.elapsed().as_secs_f64() / f64::from(count);
        println!("respond(), {endpoints} endpoints: {:.0} ns", took * 1e9);
    }

    let address = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind(&[address], config, reader).expect("the server starts");
    let address = server.local_addresses()[0];
    let clients = tokio::task::spawn_blocking(move || {
        let mut reply = [0; 2048];
        for (what, count, pause) in [
            ("one after the other", 20_000, Duration::ZERO),
            ("idle, a query every 2 ms", 1000, Duration::from_millis(2)),
        ] {
            let (socket, query) = (connect(address), query(3));
            time(&format!("UDP, {what}"), count, pause, || {
                socket.send(&query).expect("sent");
                socket.recv(&mut reply).expect("a reply");
            });
            let mut stream = TcpStream::connect(address).expect("connected");
            stream.set_nodelay(true).expect("nodelay");
            let framed = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
            time(&format!("TCP, {what}"), count, pause, || {
                stream.write_all(&framed).expect("sent");
                let mut length = [0; 2];
                stream.read_exact(&mut length).expect("a reply");
                let length = usize::from(u16::from_be_bytes(length));
                stream.read_exact(&mut reply[..length]).expect("a reply");
            });
        }
        for endpoints in ENDPOINTS {
            rate(address, endpoints, 4, 16);
        }
    });
    clients.await.expect("the clients end");
    server.shutdown().await;
}
