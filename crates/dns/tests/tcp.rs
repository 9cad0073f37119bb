//! TCP connections: pipelining, and what a client can't do to the server.

mod support;

use std::time::Duration;

use directory::{Answer, RecordType};
use dns::{Config, Server, TcpLimits};
use support::{Always, addresses, config, decode, framed, name, query, read_framed, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ASKED: &str = "db.prod.svc.cluster.local";

fn serve(records: u16, tcp: TcpLimits) -> Server {
    let records = addresses(ASKED, records);
    let answer = Answer::Records { records, additional: Vec::new() };
    server(Always(answer), Config { tcp, ..config() })
}

fn ask_a(id: u16) -> Vec<u8> {
    framed(&query(id, &name(ASKED), RecordType::A, None))
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.local_addresses()[0]).await.expect("connected")
}

/// Reads replies with these ids.
async fn expect(stream: &mut TcpStream, ids: std::ops::Range<u16>) {
    for id in ids {
        let reply = read_framed(stream).await.expect("a reply");
        assert_eq!(decode(&reply).id, id);
    }
}

#[tokio::test]
async fn queries_on_one_connection_are_answered_in_order() {
    let server = serve(3, TcpLimits::default());
    let mut stream = connect(&server).await;
    let queries: Vec<u8> = (0..100).flat_map(ask_a).collect();
    stream.write_all(&queries).await.unwrap();
    expect(&mut stream, 0..100).await;
    // However they are cut.
    stream.set_nodelay(true).unwrap();
    for part in queries[..3 * ask_a(0).len()].chunks(7) {
        stream.write_all(part).await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut stream, 0..3).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_has_said_all_still_gets_its_replies() {
    let server = serve(3, TcpLimits::default());
    let mut stream = connect(&server).await;
    stream.write_all(&(0..10).flat_map(ask_a).collect::<Vec<_>>()).await.unwrap();
    stream.shutdown().await.unwrap();
    expect(&mut stream, 0..10).await;
    assert_eq!(read_framed(&mut stream).await, None);
    server.shutdown().await;
}

#[tokio::test]
async fn replies_longer_than_every_buffer_arrive() {
    let server = serve(4000, TcpLimits::default());
    let mut stream = connect(&server).await;
    stream.write_all(&(0..50).flat_map(ask_a).collect::<Vec<_>>()).await.unwrap();
    expect(&mut stream, 0..50).await;
    server.shutdown().await;
}

#[tokio::test]
async fn what_is_no_query_ends_the_connection() {
    let server = serve(1, TcpLimits::default());
    for octets in [&[][..], &[0; 11], &[0xFF; 12]] {
        let mut stream = connect(&server).await;
        stream.write_all(&ask_a(0)).await.unwrap();
        stream.write_all(&framed(octets)).await.unwrap();
        expect(&mut stream, 0..1).await;
        assert_eq!(read_framed(&mut stream).await, None);
    }
    // An error that can be replied to does not.
    let mut stream = connect(&server).await;
    stream.write_all(&framed(&[0; 12])).await.unwrap();
    stream.write_all(&ask_a(1)).await.unwrap();
    expect(&mut stream, 0..2).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let idle_timeout = Duration::from_millis(50);
    let server = serve(1, TcpLimits { idle_timeout, ..TcpLimits::default() });
    let mut stream = connect(&server).await;
    assert_eq!(read_framed(&mut stream).await, None);
    let mut stream = connect(&server).await;
    stream.write_all(&ask_a(0)).await.unwrap();
    expect(&mut stream, 0..1).await;
    assert_eq!(read_framed(&mut stream).await, None);
    server.shutdown().await;
}

#[tokio::test]
async fn a_message_that_comes_too_slowly_ends_the_connection() {
    let idle_timeout = Duration::from_millis(100);
    let server = serve(1, TcpLimits { idle_timeout, ..TcpLimits::default() });
    let (mut reader, mut writer) = connect(&server).await.into_split();
    // An octet every few milliseconds is never idle for long, but the message never ends.
    let slow = tokio::spawn(async move {
        let mut interval = tokio::time::interval(Duration::from_millis(5));
        while writer.write_all(&[0xFF]).await.is_ok() {
            interval.tick().await;
        }
    });
    let end = tokio::time::timeout(Duration::from_secs(5), reader.read(&mut [0; 16])).await;
    assert!(matches!(end.expect("the server ends it"), Ok(0) | Err(_)));
    slow.await.unwrap();
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_takes_no_replies_is_let_go() {
    let idle_timeout = Duration::from_millis(100);
    let server = serve(4000, TcpLimits { idle_timeout, ..TcpLimits::default() });
    let mut stream = connect(&server).await;
    let queries: Vec<u8> = (0..50).flat_map(ask_a).collect();
    let sent = async { while stream.write_all(&queries).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(10), sent).await.expect("the server ends it");
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_has_so_many_connections_at_most() {
    let server = serve(1, TcpLimits { connections_per_client: 2, ..TcpLimits::default() });
    let (mut one, mut two) = (connect(&server).await, connect(&server).await);
    for stream in [&mut one, &mut two] {
        stream.write_all(&ask_a(0)).await.unwrap();
        expect(stream, 0..1).await;
    }
    let mut three = connect(&server).await;
    assert_eq!(read_framed(&mut three).await, None);
    assert_eq!(server.counters().refused_connections(), 1);
    // Another client is served.
    let from_elsewhere = tokio::net::TcpSocket::new_v4().unwrap();
    from_elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = from_elsewhere.connect(server.local_addresses()[0]).await.unwrap();
    other.write_all(&ask_a(0)).await.unwrap();
    expect(&mut other, 0..1).await;
    // One that ends makes room, once the server has seen it.
    drop(one);
    let again = async {
        loop {
            let mut stream = connect(&server).await;
            if stream.write_all(&ask_a(0)).await.is_ok() && read_framed(&mut stream).await.is_some()
            {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again).await.expect("there is room");
    server.shutdown().await;
}

#[tokio::test]
async fn connections_above_the_total_wait() {
    let server = serve(1, TcpLimits { connections: 1, ..TcpLimits::default() });
    let mut one = connect(&server).await;
    one.write_all(&ask_a(0)).await.unwrap();
    expect(&mut one, 0..1).await;
    let mut two = connect(&server).await;
    two.write_all(&ask_a(0)).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), two.peek(&mut [0])).await;
    assert!(early.is_err(), "the second waits");
    drop(one);
    expect(&mut two, 0..1).await;
    server.shutdown().await;
}
