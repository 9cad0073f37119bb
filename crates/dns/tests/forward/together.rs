//! Several clients, several upstreams, and the server's end.

use super::*;

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

#[tokio::test]
async fn an_upstream_from_before_edns_is_asked_without() {
    let upstream = FakeUpstream::start(|query, _| {
        let has_opt = query[11] == 1;
        let reply = Made::to(query);
        Does::Send(vec![if has_opt { reply.rcode(1) } else { reply.a(60, ADDRESS) }.octets()])
    })
    .await;
    let server = serve(forward(&[upstream.address]));
    let reply = udp(&server, "www.example.com").await;
    check(&reply, ResponseCode::NoError, &["www.example.com. 60 IN A 192.0.2.7"]);
    assert_eq!(reply.edns, Some((1232, 0, false)), "between us and the client");
    assert_eq!(upstream.asked(By::Udp), 2);
    server.shutdown().await;
}

#[tokio::test]
async fn servers_that_forward_to_each_other_do_not_run_hot() {
    let quick = |upstream: SocketAddr| ForwardConfig {
        timeout: Duration::from_millis(600),
        attempt_timeout: Duration::from_millis(200),
        ..forward(&[upstream])
    };
    let one = serve(quick("127.0.0.1:1".parse().expect("an address")));
    let two = serve(quick(one.local_addresses()[0]));
    one.set_forwarding(quick(two.local_addresses()[0])).expect("set");
    let reply = udp(&one, "www.example.com").await;
    check(&reply, ResponseCode::ServFail, &[]);
    for server in [&one, &two] {
        let [state] = &server.forwarder().expect("it forwards").upstreams()[..] else {
            panic!("one upstream");
        };
        assert!((1..=4).contains(&state.asked), "{state:?}");
    }
    one.shutdown().await;
    two.shutdown().await;
}
