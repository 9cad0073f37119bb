//! Replies that are forged or broken.

use super::*;

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
