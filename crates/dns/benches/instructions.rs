//! How many instructions an answer takes, by kind of question: a figure that does not depend on the machine's load.
//!
//! `just bench-instructions` (needs valgrind). Each figure is the difference of two runs of this program under
//! callgrind, divided by the questions that one answers more than the other.

#![allow(clippy::print_stdout, reason = "what a benchmark is for")]

use std::error::Error;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;

use directory::view::{
    EndpointView, ObjectName, Protocol, ServicePort, ServiceShape, ServiceView, SlicePort,
    SliceView,
};
use directory::{Change, Name, Reader, RecordType, ZoneConfig};
use dns::{Config, Outcome, Rotation, Transport, respond};

/// Services of each type. The answers must not depend on it.
const SERVICES: u16 = 200;

/// Endpoints of a headless Service.
const ENDPOINTS: u8 = 10;

/// How often a question is asked in one run more than in the other.
const TIMES: usize = 10_000;

/// The kinds of questions: what they are, an example, and how they must end.
const QUESTIONS: [(&str, &str, RecordType, Outcome); 12] = [
    ("cluster IP", "web-7.ns-7.svc.cluster.local", RecordType::A, Outcome::Answered),
    ("cluster IP, no data", "web-7.ns-7.svc.cluster.local", RecordType::AAAA, Outcome::NoData),
    (
        "port of a cluster IP",
        "_p._tcp.web-7.ns-7.svc.cluster.local",
        RecordType::SRV,
        Outcome::Answered,
    ),
    ("10 endpoints", "db-7.ns-7.svc.cluster.local", RecordType::A, Outcome::Answered),
    (
        "port of 10 endpoints",
        "_p._tcp.db-7.ns-7.svc.cluster.local",
        RecordType::SRV,
        Outcome::Answered,
    ),
    ("one endpoint", "db-7-3.db-7.ns-7.svc.cluster.local", RecordType::A, Outcome::Answered),
    ("an endpoint's address", "3.7.0.10.in-addr.arpa", RecordType::PTR, Outcome::Answered),
    ("alias in the cluster", "inside-7.ns-7.svc.cluster.local", RecordType::A, Outcome::Answered),
    ("alias to outside", "outside-7.ns-7.svc.cluster.local", RecordType::A, Outcome::AliasNotOurs),
    ("no such Service", "no-7.ns-7.svc.cluster.local", RecordType::A, Outcome::NoSuchName),
    ("no such namespace", "api.example.com.svc.cluster.local", RecordType::A, Outcome::NoSuchName),
    ("name outside", "api.example.com", RecordType::A, Outcome::NotOurs),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [run, number, times] = &arguments[..]
        && run == "run"
    {
        return answer(number.parse()?, times.parse()?);
    }
    println!("| question | without EDNS | with EDNS |\n|---|---|---|");
    for (number, (what, _, rtype, _)) in QUESTIONS.iter().enumerate() {
        let [plain, edns] = [2 * number, 2 * number + 1].map(instructions);
        println!("| {what}, {rtype} | {} | {} |", plain?, edns?);
    }
    Ok(())
}

/// Instructions of one answer to a question: its number twice, and one more with EDNS.
fn instructions(number: usize) -> Result<u64, Box<dyn Error>> {
    let [more, less] = [2 * TIMES, TIMES].map(|times| collected(number, times));
    Ok((more? - less?) / TIMES as u64)
}

/// Instructions of a whole run.
fn collected(number: usize, times: usize) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", &number.to_string(), &times.to_string()])
        .output()
        .map_err(|error| format!("valgrind could not be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let figure = text.lines().find_map(|line| line.split_once("Collected : ").map(|(_, it)| it));
    match (output.status.success(), figure) {
        (true, Some(figure)) => Ok(figure.trim().parse()?),
        _ => Err(text.into()),
    }
}

/// Answers a question many times.
fn answer(number: usize, times: usize) -> Result<(), Box<dyn Error>> {
    let reader = reader()?;
    let (_, asked, rtype, expected) = QUESTIONS[number / 2];
    let query = query(asked, rtype, !number.is_multiple_of(2))?;
    let (config, rotation) = (Config::default(), Rotation::new(0));
    let mut reply = Vec::with_capacity(4096);
    for _ in 0..times {
        let outcome = respond(&config, &reader, &rotation, Transport::Udp, &query, &mut reply);
        if outcome != expected {
            return Err(format!("{asked} {rtype} ended as {outcome:?}, not {expected:?}").into());
        }
    }
    Ok(())
}

fn query(asked: &str, rtype: RecordType, edns: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)];
    query.extend(Name::parse(asked)?.wire());
    query.extend(rtype.0.to_be_bytes());
    query.extend([0, 1]);
    if edns {
        query.extend([0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0]);
    }
    Ok(query)
}

fn reader() -> Result<Reader, Box<dyn Error>> {
    let mut config = ZoneConfig::new(Name::parse("cluster.local")?);
    config.reverse = vec!["10.0.0.0/8".parse()?];
    let (mut writer, reader) = directory::new(config);
    for number in 0..SERVICES {
        let namespace: Arc<str> = format!("ns-{}", number % 20).into();
        writer.apply(Change::Namespace(namespace.clone()));
        let target = format!("web-{number}.{namespace}.svc.cluster.local");
        let [high, low] = number.to_be_bytes();
        for (kind, shape) in [
            ("web", ServiceShape::ClusterIp(vec![[10, 100, high, low].into()])),
            ("db", ServiceShape::Headless),
            ("inside", ServiceShape::ExternalName(target)),
            ("outside", ServiceShape::ExternalName("api.example.com".to_owned())),
        ] {
            let id = ObjectName::new(namespace.clone(), format!("{kind}-{number}"));
            let ports =
                vec![ServicePort { name: "p".to_owned(), port: 80, protocol: Protocol::Tcp }];
            writer.apply(Change::Service(ServiceView { id, shape, ports }));
        }
        let service: Arc<str> = format!("db-{number}").into();
        writer.apply(Change::Slice(SliceView {
            id: ObjectName::new(namespace, service.clone()),
            import: None,
            ports: vec![SlicePort {
                name: "p".to_owned(),
                port: Some(80),
                protocol: Protocol::Tcp,
            }],
            endpoints: (0..ENDPOINTS)
                .map(|at| EndpointView {
                    addresses: vec![IpAddr::from([10, high, low, at])],
                    hostname: Some(format!("{service}-{at}").into()),
                    ready: true,
                    serving: true,
                    terminating: false,
                    pod: None,
                    zone: None,
                })
                .collect(),
            service: Some(service),
        }));
    }
    writer.set_synced();
    Ok(reader)
}
