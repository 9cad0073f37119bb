//! Names outside our zones, asked over sockets of upstreams that behave in every way.

#[allow(dead_code, reason = "the directory alone")]
#[path = "../support/any_query.rs"]
mod any_query;
#[path = "../support/made.rs"]
mod made;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/upstream.rs"]
mod upstream;

mod forged;
mod streams;
mod together;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use directory::RecordType;
use dns::forward::{ForwardConfig, ForwardEvent, Order, StubZone, Upstream};
use dns::{Config, Server};
use hickory_proto::op::ResponseCode;
use made::{In, Made};
use support::{
    Decoded, ask_tcp, ask_udp, config, decode, framed, lines, name, query, read_framed, server,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use upstream::{By, Does, FakeUpstream};

const ADDRESS: [u8; 4] = [192, 0, 2, 7];

/// Asks these servers, the first one first.
fn forward(upstreams: &[SocketAddr]) -> ForwardConfig {
    ForwardConfig {
        upstreams: upstreams.iter().map(|address| Upstream::udp(*address)).collect(),
        order: Order::AsListed,
        ..ForwardConfig::default()
    }
}

/// A server of the small directory that forwards.
fn serve(forward: ForwardConfig) -> Server {
    let config = Config { forward: Some(forward), ..config() };
    server(any_query::small_directory().clone(), config)
}

fn event(server: &Server, event: ForwardEvent) -> u64 {
    server.forwarder().expect("it forwards").counters().get(event)
}

async fn udp(server: &Server, asked: &str) -> Decoded {
    let query = query(7, &name(asked), RecordType::A, Some(1232));
    decode(&ask_udp(server.local_addresses()[0], &query).await)
}

/// The records and the response code of an answer over UDP.
#[track_caller]
fn check(reply: &Decoded, rcode: ResponseCode, answer: &[&str]) {
    assert_eq!(
        (reply.rcode, &*lines(&reply.answer)),
        (rcode, &*answer.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    );
    assert!(reply.recursion_available);
}

fn address(query: &[u8], _: By) -> Does {
    Does::Send(vec![Made::to(query).a(60, ADDRESS).octets()])
}

#[tokio::test]
async fn a_name_outside_is_asked_of_the_upstream_once() {
    let upstream = FakeUpstream::start(address).await;
    let server = serve(forward(&[upstream.address]));
    for asked in ["www.Example.com", "WWW.example.com"] {
        let reply = udp(&server, asked).await;
        // In the case that it was asked in.
        check(&reply, ResponseCode::NoError, &[&format!("{asked}. 60 IN A 192.0.2.7")]);
        assert_eq!(reply.id, 7);
        assert_eq!(reply.questions[0].0.to_string(), format!("{asked}."));
        assert!(reply.recursion_desired && !reply.authoritative && !reply.truncated);
        assert_eq!(reply.edns, Some((1232, 0, false)));
    }
    assert_eq!((upstream.asked(By::Udp), upstream.asked(By::Tcp)), (1, 0));
    assert_eq!((event(&server, ForwardEvent::Miss), event(&server, ForwardEvent::Hit)), (1, 1));
    // Without EDNS, and over TCP.
    let plain = query(1, &name("www.example.com"), RecordType::A, None);
    for reply in [
        ask_udp(server.local_addresses()[0], &plain).await,
        ask_tcp(server.local_addresses()[0], &plain).await,
    ] {
        let reply = decode(&reply);
        assert_eq!((reply.answer.len(), reply.edns), (1, None));
    }
    server.shutdown().await;
}

#[tokio::test]
async fn addresses_take_turns_at_being_first() {
    let upstream = FakeUpstream::start(|query, _| {
        let made = Made::to(query).alias("www.example.com", 60, "a.example.com");
        let made = (0..4).fold(made, |made, n| {
            made.record(In::Answer, "a.example.com", RecordType::A, 60, &[192, 0, 2, n])
        });
        Does::Send(vec![made.octets()])
    })
    .await;
    let server = serve(forward(&[upstream.address]));
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let answer = lines(&udp(&server, "www.example.com").await.answer);
        assert_eq!(answer[0], "www.example.com. 60 IN CNAME a.example.com.");
        firsts.insert(answer[1].clone());
        let all: std::collections::BTreeSet<_> = answer.iter().collect();
        assert_eq!(all.len(), 5);
    }
    assert_eq!((firsts.len(), upstream.asked(By::Udp)), (4, 1));
    server.shutdown().await;
}

#[tokio::test]
async fn own_names_never_go_out() {
    let upstream = FakeUpstream::start(address).await;
    let server = serve(forward(&[upstream.address]));
    for (asked, rcode) in [
        ("web.prod.svc.cluster.local", ResponseCode::NoError),
        ("missing.prod.svc.cluster.local", ResponseCode::NXDomain),
        ("a.b.cluster.local", ResponseCode::NXDomain),
        ("inside.prod.svc.cluster.local", ResponseCode::NoError),
    ] {
        let reply = udp(&server, asked).await;
        assert_eq!(reply.rcode, rcode, "{asked}");
        assert!(reply.recursion_available && reply.authoritative, "{asked}");
    }
    assert_eq!(upstream.asked(By::Udp), 0);
    server.shutdown().await;
}

#[tokio::test]
async fn negative_answers_keep_their_code_and_are_kept() {
    let upstream = FakeUpstream::start(|query, _| {
        let missing = query[12] == 7;
        let rcode = if missing { 3 } else { 0 };
        Does::Send(vec![Made::to(query).rcode(rcode).soa(900, 20).octets()])
    })
    .await;
    let server = serve(forward(&[upstream.address]));
    for _ in 0..2 {
        let missing = udp(&server, "missing.example.com").await;
        check(&missing, ResponseCode::NXDomain, &[]);
        assert_eq!(missing.authority.len(), 1);
        assert_eq!(missing.authority[0].ttl, 20, "the lesser of SOA's two");
        let empty = udp(&server, "empty.example.com").await;
        check(&empty, ResponseCode::NoError, &[]);
        assert_eq!(empty.authority.len(), 1);
    }
    assert_eq!(upstream.asked(By::Udp), 2);
    server.shutdown().await;
}

#[tokio::test]
async fn stub_zones_have_upstreams_of_their_own_and_the_rest_is_refused() {
    let upstream = FakeUpstream::start(address).await;
    let stub =
        StubZone { zone: name("corp.example"), upstreams: vec![Upstream::udp(upstream.address)] };
    let server = serve(ForwardConfig { stub_zones: vec![stub], ..ForwardConfig::default() });
    let inside = udp(&server, "db.corp.example").await;
    check(&inside, ResponseCode::NoError, &["db.corp.example. 60 IN A 192.0.2.7"]);
    check(&udp(&server, "db.example").await, ResponseCode::Refused, &[]);
    // An alias whose target nobody is asked for stands alone.
    let alias = udp(&server, "outside.prod.svc.cluster.local").await;
    assert_eq!((alias.rcode, alias.answer.len()), (ResponseCode::NoError, 1));
    server.shutdown().await;
}

#[tokio::test]
async fn aliases_get_the_targets_records_and_code() {
    let own = "outside.prod.svc.cluster.local. 5 IN CNAME db.example.com.";
    type Says = fn(&[u8]) -> Made;
    let cases: [(Says, ResponseCode, &[&str]); 6] = [
        (
            |query| Made::to(query).a(60, ADDRESS),
            ResponseCode::NoError,
            &[own, "db.example.com. 60 IN A 192.0.2.7"],
        ),
        (|query| Made::to(query).rcode(3).soa(9, 9), ResponseCode::NXDomain, &[own]),
        (|query| Made::to(query).rcode(2), ResponseCode::ServFail, &[]),
        (|query| Made::to(query).soa(9, 9), ResponseCode::NoError, &[own]),
        (
            |query| {
                Made::to(query).alias("db.example.com", 60, "host.example.net").record(
                    In::Answer,
                    "host.example.net",
                    RecordType::A,
                    30,
                    &ADDRESS,
                )
            },
            ResponseCode::NoError,
            &[
                own,
                // Both are kept as long as the one that goes first.
                "db.example.com. 30 IN CNAME host.example.net.",
                "host.example.net. 30 IN A 192.0.2.7",
            ],
        ),
        // Back into our zone, of which the upstream tells lies.
        (
            |query| {
                Made::to(query).alias("db.example.com", 60, "web.prod.svc.cluster.local").record(
                    In::Answer,
                    "web.prod.svc.cluster.local",
                    RecordType::A,
                    60,
                    &ADDRESS,
                )
            },
            ResponseCode::NoError,
            &[
                own,
                "db.example.com. 60 IN CNAME web.prod.svc.cluster.local.",
                "web.prod.svc.cluster.local. 5 IN A 10.96.0.20",
            ],
        ),
    ];
    for (made, rcode, answer) in cases {
        let upstream =
            FakeUpstream::start(move |query, _| Does::Send(vec![made(query).octets()])).await;
        let server = serve(forward(&[upstream.address]));
        // From the upstream, then from the cache.
        for _ in 0..2 {
            let reply = udp(&server, "outside.prod.svc.cluster.local").await;
            check(&reply, rcode, answer);
            assert_eq!(reply.authoritative, !answer.is_empty(), "the first record is ours");
        }
        assert_eq!(upstream.asked(By::Udp), 1);
        server.shutdown().await;
    }
}

#[tokio::test]
async fn aliases_that_go_round_fail_and_say_so() {
    let cases: [fn(&[u8]) -> Made; 2] = [
        |query| Made::to(query).alias("db.example.com", 60, "outside.prod.svc.cluster.local"),
        |query| {
            Made::to(query).alias("db.example.com", 60, "b.example.com").alias(
                "b.example.com",
                60,
                "db.example.com",
            )
        },
    ];
    for made in cases {
        let upstream =
            FakeUpstream::start(move |query, _| Does::Send(vec![made(query).octets()])).await;
        let server = serve(forward(&[upstream.address]));
        let reply = udp(&server, "outside.prod.svc.cluster.local").await;
        check(&reply, ResponseCode::ServFail, &[]);
        let (code, text) = reply.ede.expect("a reason");
        assert_eq!((code, text.contains("loop")), (0, true), "{text}");
        server.shutdown().await;
    }
}

/// Until so many of this have come about.
async fn until(server: &Server, what: ForwardEvent, count: u64) {
    let counted = async {
        while event(server, what) < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), counted).await.expect("it comes about");
}

/// An upstream that answers when told.
async fn told() -> (FakeUpstream, Arc<Notify>) {
    let told = Arc::new(Notify::new());
    let script = told.clone();
    let upstream = FakeUpstream::start(move |query, _| {
        Does::When(script.clone(), Made::to(query).a(60, ADDRESS).octets())
    });
    (upstream.await, told)
}

/// Asks for several names at once; the replies come in any order.
async fn udp_all(server: &Server, names: &[&str]) -> Vec<Decoded> {
    let address = server.local_addresses()[0];
    let mut asked = tokio::task::JoinSet::new();
    for one in names {
        let query = query(7, &name(one), RecordType::A, Some(1232));
        asked.spawn(async move { decode(&ask_udp(address, &query).await) });
    }
    asked.join_all().await
}
