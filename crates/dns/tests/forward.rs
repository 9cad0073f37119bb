//! Names outside our zones, asked over sockets of upstreams that behave in every way.

#[allow(dead_code, reason = "the directory alone")]
#[path = "support/any_query.rs"]
mod any_query;
#[path = "support/made.rs"]
mod made;
mod support;
#[path = "support/upstream.rs"]
mod upstream;

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

/// As few waits as a machine under load allows; where nothing is lost, none is waited for.
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
    let cases: [(Says, ResponseCode, &[&str]); 5] = [
        (
            |query| Made::to(query).a(60, ADDRESS),
            ResponseCode::NoError,
            &[own, "db.example.com. 60 IN A 192.0.2.7"],
        ),
        (|query| Made::to(query).rcode(3).soa(9, 9), ResponseCode::NXDomain, &[own]),
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
            assert!(reply.authoritative, "the first record is ours");
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

/// 100 address records: 1,600 octets and more.
fn many(query: &[u8]) -> Made {
    (0..100).fold(Made::to(query), |made, n| made.a(60, [192, 0, 2, n]))
}

#[tokio::test]
async fn what_is_too_long_for_a_datagram_comes_over_tcp() {
    let upstream = FakeUpstream::start(|query, by| match by {
        By::Udp => Does::Send(vec![Made::to(query).flags(0x02, 0).octets()]),
        By::Tcp => Does::Send(vec![many(query).octets()]),
    })
    .await;
    let server = serve(forward(&[upstream.address]));
    let reply = udp(&server, "many.example.com").await;
    assert!(reply.truncated);
    assert!((50..80).contains(&reply.answer.len()), "whole records, as many as fit");
    let query = query(9, &name("many.example.com"), RecordType::A, None);
    let whole = decode(&ask_tcp(server.local_addresses()[0], &query).await);
    assert_eq!((whole.truncated, whole.answer.len()), (false, 100));
    let short = ask_udp(server.local_addresses()[0], &query).await;
    assert!(decode(&short).truncated && short.len() <= 512);
    assert_eq!((upstream.asked(By::Udp), upstream.asked(By::Tcp)), (1, 1));
    server.shutdown().await;
}

/// What comes over UDP, and whether the question then goes over TCP.
async fn check_liar(what: &str, lie: fn(&[u8]) -> Vec<Vec<u8>>, goes_over_tcp: bool) {
    let upstream = FakeUpstream::start(move |query, by| match by {
        By::Udp => Does::Send(lie(query)),
        By::Tcp => Does::Send(vec![Made::to(query).a(60, ADDRESS).octets()]),
    })
    .await;
    let server = serve(forward(&[upstream.address]));
    let reply = udp(&server, "www.example.com").await;
    assert_eq!(lines(&reply.answer), ["www.example.com. 60 IN A 192.0.2.7"], "{what}");
    assert_eq!(upstream.asked(By::Udp), 1, "{what}");
    assert_eq!(upstream.asked(By::Tcp), usize::from(goes_over_tcp), "{what}");
    server.shutdown().await;
}

const LIE: [u8; 4] = [203, 0, 113, 66];

fn lie(query: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut lie = Made::to(query).a(60, LIE).octets();
    change(&mut lie);
    lie
}

fn right(query: &[u8]) -> Vec<u8> {
    Made::to(query).a(60, ADDRESS).octets()
}

#[tokio::test]
async fn forged_replies_are_not_believed() {
    let wrong_id = |query: &[u8]| vec![lie(query, |lie| lie[1] ^= 1), right(query)];
    check_liar("another id, then the reply", wrong_id, false).await;
    let wrong_name = |query: &[u8]| vec![lie(query, |lie| lie[13] = b'x'), right(query)];
    check_liar("another name, then the reply", wrong_name, false).await;
    let wrong_type = |query: &[u8]| {
        let end = 12 + 17;
        vec![lie(query, |lie| lie[end + 1] = 28), right(query)]
    };
    check_liar("another type, then the reply", wrong_type, false).await;
    let short = |query: &[u8]| vec![vec![0; 5], Vec::new(), right(query)];
    check_liar("no message, then the reply", short, false).await;
    let question = |query: &[u8]| vec![query.to_vec(), right(query)];
    check_liar("the question itself, then the reply", question, false).await;
    let guesses = |query: &[u8]| vec![lie(query, |lie| lie[1] ^= 1); 4];
    check_liar("one guess after another", guesses, true).await;
    let folded = |query: &[u8]| vec![lie(query, |lie| lie[13] ^= 0x20)];
    check_liar("the question in another case", folded, true).await;
}

#[tokio::test]
async fn replies_that_are_broken_are_asked_for_over_tcp() {
    let looped = |query: &[u8]| {
        let end = query.len() - 11;
        let pointer = [0xC0, end as u8];
        vec![Made::to(query).raw(In::Answer, &pointer, RecordType::A, 60, &LIE).octets()]
    };
    check_liar("a pointer to itself", looped, true).await;
    let ahead = |query: &[u8]| {
        vec![Made::to(query).raw(In::Answer, &[0xC0, 0xFF], RecordType::A, 60, &LIE).octets()]
    };
    check_liar("a pointer ahead", ahead, true).await;
    let alias = |query: &[u8]| {
        vec![Made::to(query).asked(In::Answer, RecordType::CNAME, 60, &[3, b'a']).octets()]
    };
    check_liar("an alias that is cut", alias, true).await;
    let counted = |query: &[u8]| vec![lie(query, |lie| lie[7] = 200)];
    check_liar("records that are not there", counted, true).await;
    let huge = |query: &[u8]| {
        let made = (0..40).fold(Made::to(query), |made, _| {
            made.asked(In::Answer, RecordType(99), 60, &[0; 1000])
        });
        vec![made.octets()]
    };
    check_liar("a datagram longer than what we take", huge, true).await;
}

#[tokio::test]
async fn replies_from_elsewhere_are_not_seen() {
    let upstream =
        FakeUpstream::start(|query, _| Does::FromElsewhere(Made::to(query).a(60, LIE).octets()))
            .await;
    let attempt_timeout = Duration::from_millis(50);
    let server = serve(ForwardConfig { attempt_timeout, ..forward(&[upstream.address]) });
    let reply = udp(&server, "www.example.com").await;
    check(&reply, ResponseCode::ServFail, &[]);
    assert_eq!(reply.ede.map(|(code, _)| code), Some(22));
    server.shutdown().await;
}

#[tokio::test]
async fn another_upstream_stands_in_for_one_that_fails() {
    let silent = FakeUpstream::start(|_, _| Does::Nothing).await;
    let refuses =
        FakeUpstream::start(|query, _| Does::Send(vec![Made::to(query).rcode(5).octets()])).await;
    // Nobody is at this port.
    let closed = {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.local_addr().expect("an address")
    };
    let works = FakeUpstream::start(address).await;
    let upstreams = [silent.address, closed, refuses.address, works.address];
    let attempt_timeout = Duration::from_secs(1);
    let server = serve(ForwardConfig { attempt_timeout, ..forward(&upstreams) });
    let answer = ["www.example.com. 60 IN A 192.0.2.7"];
    check(&udp(&server, "www.example.com").await, ResponseCode::NoError, &answer);
    assert_eq!((refuses.asked(By::Udp), works.asked(By::Udp)), (1, 1));
    server.shutdown().await;

    // Where all fail, the reply says so, and what a server says of itself counts.
    for (upstreams, rcode) in [
        (&[closed][..], ResponseCode::ServFail),
        (&[closed, refuses.address], ResponseCode::Refused),
    ] {
        let server = serve(forward(upstreams));
        let reply = udp(&server, "www.example.com").await;
        check(&reply, rcode, &[]);
        assert_eq!(reply.ede.map(|(code, _)| code), Some(22));
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

#[tokio::test]
async fn those_who_wait_for_the_same_share_one_question() {
    let (upstream, told) = told().await;
    let server = serve(forward(&[upstream.address]));
    let joined = async {
        until(&server, ForwardEvent::Joined, 19).await;
        told.notify_one();
    };
    let (replies, ()) = tokio::join!(udp_all(&server, &["www.example.com"; 20]), joined);
    for reply in replies {
        check(&reply, ResponseCode::NoError, &["www.example.com. 60 IN A 192.0.2.7"]);
    }
    assert_eq!(upstream.asked(By::Udp), 1);
    server.shutdown().await;
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

#[tokio::test]
async fn what_is_too_much_is_answered_at_once() {
    let upstream = FakeUpstream::start(|_, _| Does::Nothing).await;
    for limited in [
        ForwardConfig { waiting_max: 1, ..forward(&[upstream.address]) },
        ForwardConfig { concurrent_max: 1, ..forward(&[upstream.address]) },
    ] {
        let server = serve(limited);
        let waits = query(1, &name("a.example.com"), RecordType::A, None);
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.send_to(&waits, server.local_addresses()[0]).await.expect("sent");
        until(&server, ForwardEvent::Miss, 1).await;
        let reply = udp(&server, "b.example.com").await;
        check(&reply, ResponseCode::ServFail, &[]);
        let (code, text) = reply.ede.expect("a reason");
        assert_eq!((code, text.contains("too many")), (0, true), "{text}");
        assert_eq!(event(&server, ForwardEvent::Busy), 1);
        drop(server);
    }
}

#[tokio::test]
async fn a_slow_upstream_holds_up_nobody_on_a_connection() {
    let told = Arc::new(Notify::new());
    let script = told.clone();
    let upstream = FakeUpstream::start(move |query, _| {
        let reply = Made::to(query).a(60, ADDRESS).octets();
        // "slow" has four letters.
        if query[12] == 4 { Does::When(script.clone(), reply) } else { Does::Send(vec![reply]) }
    })
    .await;
    let server = serve(forward(&[upstream.address]));
    let mut stream = TcpStream::connect(server.local_addresses()[0]).await.expect("connected");
    let ask = |id, asked: &str| framed(&query(id, &name(asked), RecordType::A, None));
    let queries = [
        ask(1, "slow.example.com"),
        ask(2, "web.prod.svc.cluster.local"),
        ask(3, "quick.example.com"),
    ];
    stream.write_all(&queries.concat()).await.expect("sent");
    // What the client has said all of is still answered.
    stream.shutdown().await.expect("shut down");
    for (id, address) in [(2, "10.96.0.20"), (3, "192.0.2.7"), (1, "192.0.2.7")] {
        let reply = decode(&read_framed(&mut stream).await.expect("a reply"));
        assert_eq!(reply.id, id);
        assert!(reply.answer[0].to_string().ends_with(address));
        if id == 3 {
            told.notify_one();
        }
    }
    assert_eq!(read_framed(&mut stream).await, None);
    server.shutdown().await;
}

#[tokio::test]
async fn more_than_a_connection_may_wait_for_come_in_turn() {
    let upstream = FakeUpstream::start(|query, _| {
        Does::Later(Duration::from_millis(20), Made::to(query).a(60, ADDRESS).octets())
    })
    .await;
    let server = serve(forward(&[upstream.address]));
    let mut stream = TcpStream::connect(server.local_addresses()[0]).await.expect("connected");
    let ask =
        |id: u16| framed(&query(id, &name(&format!("n{id}.example.com")), RecordType::A, None));
    stream.write_all(&(0..250).flat_map(ask).collect::<Vec<_>>()).await.expect("sent");
    let mut ids = Vec::new();
    for _ in 0..250 {
        ids.push(decode(&read_framed(&mut stream).await.expect("a reply")).id);
    }
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..250));
    server.shutdown().await;
}

#[tokio::test]
async fn replies_under_way_are_sent_before_the_server_ends() {
    let (upstream, told) = told().await;
    let server = serve(forward(&[upstream.address]));
    let address = server.local_addresses()[0];
    let query = query(1, &name("www.example.com"), RecordType::A, None);
    let by_udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    by_udp.connect(address).await.expect("connected");
    by_udp.send(&query).await.expect("sent");
    let mut by_tcp = TcpStream::connect(address).await.expect("connected");
    by_tcp.write_all(&framed(&query)).await.expect("sent");
    until(&server, ForwardEvent::Miss, 2).await;
    let stopping = async {
        tokio::task::yield_now().await;
        told.notify_one();
    };
    tokio::join!(server.shutdown(), stopping);
    assert_eq!(decode(&support::receive(&by_udp).await).answer.len(), 1);
    assert_eq!(decode(&read_framed(&mut by_tcp).await.expect("a reply")).answer.len(), 1);
}

#[tokio::test]
async fn one_connection_serves_many_questions() {
    let upstream = FakeUpstream::start(|query, _| {
        // Replies in the order opposite to that of the questions.
        let wait = 40 - 10 * u64::from(query[13] - b'0');
        Does::Later(Duration::from_millis(wait), Made::to(query).a(60, ADDRESS).octets())
    })
    .await;
    let tcp = format!("tcp://{}", upstream.address).parse().expect("an upstream");
    let server = serve(ForwardConfig { upstreams: vec![tcp], ..ForwardConfig::default() });
    let names = ["0.example.com", "1.example.com", "2.example.com"];
    for reply in udp_all(&server, &names).await {
        assert_eq!(reply.answer.len(), 1);
        assert_eq!(reply.answer[0].owner, reply.questions[0].0);
    }
    assert_eq!((upstream.asked(By::Tcp), upstream.connections()), (3, 1));
    server.shutdown().await;
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_is_made_anew() {
    let upstream = FakeUpstream::start(|query, _| {
        // "bye" is the last that a connection answers.
        if query[12] == 3 {
            Does::Close
        } else {
            Does::Send(vec![Made::to(query).a(0, ADDRESS).octets()])
        }
    })
    .await;
    let tcp = format!("tcp://{}", upstream.address).parse().expect("an upstream");
    let server = serve(ForwardConfig { upstreams: vec![tcp], ..ForwardConfig::default() });
    assert_eq!(udp(&server, "first.example.com").await.answer.len(), 1);
    check(&udp(&server, "bye.example.com").await, ResponseCode::ServFail, &[]);
    assert_eq!(udp(&server, "second.example.com").await.answer.len(), 1);
    assert!(upstream.connections() >= 2);
    server.shutdown().await;
}

#[tokio::test]
async fn other_settings_hold_from_the_next_query_on() {
    let (one, two) = (
        FakeUpstream::start(address).await,
        FakeUpstream::start(|query, _| {
            Does::Send(vec![Made::to(query).a(60, [192, 0, 2, 8]).octets()])
        })
        .await,
    );
    let server = serve(forward(&[one.address]));
    let first = udp(&server, "www.example.com").await;
    assert_eq!(lines(&first.answer), ["www.example.com. 60 IN A 192.0.2.7"]);
    // Limits alone: what is kept stays.
    let limits = ForwardConfig { waiting_max: 10, ..forward(&[one.address]) };
    server.set_forwarding(limits).expect("set");
    assert_eq!(udp(&server, "www.example.com").await.answer, first.answer);
    assert_eq!(one.asked(By::Udp), 1);
    // Ourselves are left out.
    let own = server.local_addresses()[0];
    server.set_forwarding(forward(&[own, two.address])).expect("set");
    let second = udp(&server, "www.example.com").await;
    assert_eq!(lines(&second.answer), ["www.example.com. 60 IN A 192.0.2.8"]);
    let states = server.forwarder().expect("it forwards").upstreams();
    assert_eq!(states.len(), 1);
    assert_eq!(
        (states[0].upstream.address, states[0].asked, states[0].failed),
        (two.address, 1, 0)
    );
    server.shutdown().await;
}
