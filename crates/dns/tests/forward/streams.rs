//! TCP, on both sides.

use super::*;

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
