//! Loads many Services, endpoints and pods and prints time, memory and the cost of an answer.
//!
//! `cargo run --release -p directory --example load [SERVICES [ENDPOINTS_EACH]]`, by default 10,000
//! Services of which every second one is headless with 20 endpoints.

use std::fmt::Display;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use directory::view::{
    EndpointView, ObjectName, PodView, Protocol, ServicePort, ServiceShape, ServiceView, SlicePort,
    SliceView,
};
use directory::{Change, Name, RecordType, ZoneConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let services = arguments.next().transpose()?.unwrap_or(10_000);
    let endpoints = arguments.next().transpose()?.unwrap_or(20);

    let mut config = ZoneConfig::new(Name::parse("cluster.local")?);
    config.reverse = vec!["10.0.0.0/8".parse()?];
    let (mut writer, reader) = directory::new(config);
    let before = resident_kib();
    let start = Instant::now();
    for index in 0..services {
        for change in objects(index, services, endpoints) {
            writer.apply(change);
        }
    }
    writer.set_synced();
    show("services", reader.service_count());
    show("published endpoints", reader.endpoint_count());
    show("load, ms", start.elapsed().as_millis());
    let resident = resident_kib().saturating_sub(before);
    show("memory, KiB", resident);
    show("memory per endpoint, octets", resident * 1024 / reader.endpoint_count().max(1));

    let headless: Vec<u32> = (0..services).filter(|index| is_headless(*index)).collect();
    let others: Vec<u32> = (0..services).filter(|index| !is_headless(*index)).collect();
    let name = |index: &u32| format!("svc-{index}.ns-{}.svc.cluster.local", index % 20);
    let endpoint = |index: &u32| address(*index * endpoints + index % endpoints.max(1));
    let octets = |index: &u32| endpoint(index).octets();
    let time = |what: &str, rtype: RecordType, names: &mut dyn Iterator<Item = String>| {
        let names: Result<Vec<_>, _> = names.map(|name| Name::parse(&name)).collect();
        let names = names?;
        // The fastest of many short runs: what other processes take away is not the answer's cost.
        let mut fastest = f64::INFINITY;
        let end = Instant::now() + Duration::from_millis(500);
        for run in names.chunks(100).cycle().take_while(|_| Instant::now() < end) {
            let start = Instant::now();
            for name in run {
                black_box(reader.answer(name, rtype));
            }
            fastest = fastest.min(start.elapsed().as_nanos() as f64 / run.len() as f64);
        }
        show(&format!("{what}, ns"), fastest.round());
        Ok::<_, directory::NameError>(())
    };
    time("cluster IP A", RecordType::A, &mut others.iter().map(name))?;
    time("cluster IP AAAA (no data)", RecordType::AAAA, &mut others.iter().map(name))?;
    time("headless A", RecordType::A, &mut headless.iter().map(name))?;
    let srv = |index: &u32| format!("_pg._tcp.{}", name(index));
    time("headless SRV", RecordType::SRV, &mut headless.iter().map(srv))?;
    let of_endpoint = |index: &u32| format!("pod-{}.{}", index % endpoints.max(1), name(index));
    time("endpoint A", RecordType::A, &mut headless.iter().map(of_endpoint))?;
    let reverse = |index: &u32| {
        let [a, b, c, d] = octets(index);
        format!("{d}.{c}.{b}.{a}.in-addr.arpa")
    };
    time("endpoint PTR", RecordType::PTR, &mut headless.iter().map(reverse))?;
    let missing = |index: &u32| format!("no-{index}.ns-{}.svc.cluster.local", index % 20);
    time("missing Service", RecordType::A, &mut others.iter().map(missing))?;

    let start = Instant::now();
    let mut changes = 0u32;
    for index in &headless {
        for change in objects(*index, services, endpoints - 1) {
            writer.apply(change);
            changes += 1;
        }
    }
    show("change of a slice or pod, ns", start.elapsed().as_nanos() / u128::from(changes.max(1)));
    Ok(())
}

fn is_headless(index: u32) -> bool {
    index.is_multiple_of(2)
}

fn address(index: u32) -> Ipv4Addr {
    // Spread like pods over nodes, so that a Service's endpoints are not neighbours.
    Ipv4Addr::from_bits(0x0a00_0000 + index.wrapping_mul(7919) % (1 << 23))
}

/// A Service and, when it is headless, its slices and pods.
fn objects(index: u32, services: u32, endpoints: u32) -> Vec<Change> {
    let namespace = format!("ns-{}", index % 20);
    let id = ObjectName::new(namespace.as_str(), format!("svc-{index}"));
    let port = ServicePort { name: "pg".to_owned(), port: 5432, protocol: Protocol::Tcp };
    let shape = match is_headless(index) {
        true => ServiceShape::Headless,
        false => ServiceShape::ClusterIp(vec![IpAddr::from(address(services * 64 + index))]),
    };
    let service = ServiceView { id: id.clone(), shape, ports: vec![port] };
    let mut changes = vec![Change::Namespace(namespace.as_str().into()), Change::Service(service)];
    if !is_headless(index) {
        return changes;
    }
    let of_service = index * endpoints;
    for first in (0..endpoints).step_by(100) {
        let range = first..endpoints.min(first + 100);
        let endpoint = |at: u32| EndpointView {
            addresses: vec![address(of_service + at).into()],
            hostname: Some(format!("pod-{at}").into()),
            ready: true,
            serving: true,
            terminating: false,
            pod: Some(format!("svc-{index}-pod-{at}").into()),
            zone: None,
        };
        let port = SlicePort { name: "pg".to_owned(), port: Some(5432), protocol: Protocol::Tcp };
        changes.push(Change::Slice(SliceView {
            id: ObjectName::new(namespace.as_str(), format!("svc-{index}-{first}")),
            service: Some(id.name.clone()),
            import: None,
            ports: vec![port],
            endpoints: range.map(endpoint).collect(),
        }));
    }
    changes.extend((0..endpoints).map(|at| {
        Change::Pod(PodView {
            id: ObjectName::new(namespace.as_str(), format!("svc-{index}-pod-{at}")),
            addresses: vec![address(of_service + at).into()],
            subdomain: Some(id.name.clone()),
        })
    }));
    changes
}

/// Resident memory of this process; 0 where `/proc` is not at hand.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[allow(clippy::print_stdout)]
fn show(what: &str, value: impl Display) {
    println!("{what:32} {value:>10}");
}
