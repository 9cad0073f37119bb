//! What one client may take of a server, over TLS.

#![allow(clippy::unwrap_used)]

mod tls;

use std::time::Duration;

use api::serve::Limits;
use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tls::{CONFIG_MAPS, PROTOCOLS, Protocol, SentBody, Served, serve, sized, unsized_body, whole};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long anything may take before a test calls it broken.
const PATIENCE: Duration = Duration::from_secs(30);

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn without_the_token_there_is_nothing_to_see() {
    let served = serve(Limits::default()).await;
    let closed = [
        "/",
        "/api",
        "/apis",
        "/api/v1",
        "/api/v1/pods",
        "/api/v1/pods?watch=true",
        "/apis/apps/v1",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/api/v1",
        "/metrics",
        "/healthz/ping",
        "/none",
        "/version/../api",
        "//version",
    ];
    let open = ["/healthz", "/livez", "/readyz", "/version"];
    for protocol in PROTOCOLS {
        let mut none = served.connect(protocol).await.with_token(None);
        let mut wrong = served.connect(protocol).await.with_token(Some("wrong"));
        for (paths, code_without) in [(&closed[..], 401), (&open, 200)] {
            for path in paths {
                let (code, status) = none.get(path).await;
                assert_eq!(code, code_without, "{protocol:?} {path}");
                assert!(code == 200 || status["reason"] == "Unauthorized", "{status}");
                assert_eq!(wrong.get(path).await.0, 401, "{protocol:?} {path}");
            }
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "X"] {
            let head = format!("{method} {CONFIG_MAPS}");
            let answer = none.send(&head, &[], sized("{}")).await.unwrap();
            assert_eq!(whole(answer).await.0, 401, "{protocol:?} {head}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered() {
    let served = serve(Limits::default()).await;
    let frames = |mib| vec![Bytes::from(vec![b' '; 64 * 1024]); mib * 16];
    let create = format!("POST {CONFIG_MAPS}");
    for protocol in PROTOCOLS {
        for mib in [4, 20] {
            for body in [sized(vec![b' '; mib * MIB]), unsized_body(frames(mib))] {
                let mut client = served.connect(protocol).await;
                let response = client.send(&create, &[], body).await.unwrap();
                let (code, status) = whole(response).await;
                let said = (code, &status["reason"], &status["message"]);
                let message = json!("Request entity too large: limit is 3145728");
                assert_eq!(said, (413, &json!("RequestEntityTooLarge"), &message), "{protocol:?}");
                if protocol == Protocol::Http2 {
                    // Others on the connection do not notice. (With HTTP/1.1 hyper's client gives it up.)
                    assert_eq!(client.get("/api").await.0, 200);
                }
            }
        }
        // What is refused for another reason is answered just so.
        let large = || sized(vec![b' '; 2 * MIB]);
        let mut client = served.connect(protocol).await;
        let response = client.send("POST /none", &[], large()).await.unwrap();
        assert_eq!(whole(response).await.0, 405, "{protocol:?}");
        let mut stranger = served.connect(protocol).await.with_token(Some("wrong"));
        let response = stranger.send(&create, &[], large()).await.unwrap();
        assert_eq!(whole(response).await.0, 401, "{protocol:?}");
    }
}

#[tokio::test]
async fn what_is_not_json_as_it_stands_is_refused() {
    let served = serve(Limits::default()).await;
    for protocol in PROTOCOLS {
        let mut client = served.connect(protocol).await;
        let head = format!("POST {CONFIG_MAPS}");
        let gzip = [("content-encoding", "gzip")];
        let (code, status) = whole(client.send(&head, &gzip, sized("\x1f")).await.unwrap()).await;
        let message = "the body's Content-Encoding \"gzip\" is not supported; send it as it is";
        assert_eq!((code, &status["message"]), (415, &json!(message)), "{protocol:?}");
        let identity = [("content-encoding", "identity")];
        let body = json!({ "metadata": { "generateName": "a-" } }).to_string();
        let response = client.send(&head, &identity, sized(body)).await.unwrap();
        assert_eq!(whole(response).await.0, 201, "{protocol:?}");
    }
}

#[tokio::test]
async fn heads_have_a_bound() {
    let served = serve(Limits::default()).await;
    for protocol in PROTOCOLS {
        let mut client = served.connect(protocol).await;
        // Selectors as long as a path may be.
        let requirements = vec!["a!=b"; 12_000].join(",");
        let (code, list) = client.get(&format!("{CONFIG_MAPS}?labelSelector={requirements}")).await;
        assert_eq!((code, &list["kind"]), (200, &json!("ConfigMapList")), "{protocol:?}");
        let many = vec!["a=b"; 10_000].join("&");
        assert_eq!(client.get(&format!("{CONFIG_MAPS}?{many}")).await.0, 200, "{protocol:?}");
        // And beyond what a head may have.
        let huge = "x".repeat(MIB);
        let huge = [("x-huge", huge.as_str())];
        let answer = client.send("GET /api", &huge, sized("")).await;
        if let Ok(response) = answer {
            assert_eq!(response.status(), 431, "{protocol:?}");
        }
        assert_eq!(served.connect(protocol).await.get("/api").await.0, 200, "{protocol:?}");
    }
}

/// Waits until a connection that nothing is read from is closed by the server.
async fn closed(served: &Served, protocol: Protocol) -> Duration {
    let mut silent = served.tls(protocol).await;
    let start = Instant::now();
    let mut seen = Vec::new();
    // An end without TLS's word of farewell is an end, too.
    _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut seen)).await.unwrap();
    start.elapsed()
}

#[tokio::test]
async fn idle_connections_stay_longer_than_silent_ones() {
    let (greeting, idle) = (Duration::from_millis(600), Duration::from_secs(3));
    let limits = Limits { greeting, idle, ..Limits::default() };
    let served = serve(limits).await;
    let check = async |protocol| {
        let silent = closed(&served, protocol).await;
        assert!(silent < idle, "{protocol:?} {silent:?}");

        let mut client = served.connect(protocol).await;
        assert_eq!(client.get("/api").await.0, 200);
        // Another silent connection comes and goes; ours is still there.
        closed(&served, protocol).await;
        assert_eq!(client.get("/api").await.0, 200, "{protocol:?}");
        let start = Instant::now();
        tokio::time::timeout(PATIENCE, &mut client.connection).await.unwrap().unwrap();
        let waited = start.elapsed();
        assert!(waited >= idle - Duration::from_millis(50), "{protocol:?} {waited:?}");
    };
    join_all(PROTOCOLS.map(check)).await;
}

#[tokio::test]
async fn a_watch_is_no_idle_connection() {
    let brief = Duration::from_millis(500);
    let limits = Limits { greeting: brief, idle: brief, stall: brief, ..Limits::default() };
    let served = serve(limits).await;
    let check = async |protocol| {
        let mut client = served.connect(protocol).await;
        let path = format!("GET {CONFIG_MAPS}?watch=true&timeoutSeconds=2");
        let response = client.send(&path, &[], sized("")).await.unwrap();
        let start = Instant::now();
        assert_eq!(whole(response).await.0, 200);
        assert!(start.elapsed() > brief * 3, "{protocol:?}: it lasts for its two seconds");
    };
    join_all(PROTOCOLS.map(check)).await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    for protocol in PROTOCOLS {
        let served = serve(Limits { connections: 2, ..Limits::default() }).await;
        let mut first = served.connect(protocol).await;
        let mut second = served.connect(protocol).await;
        assert_eq!(first.get("/api").await.0, 200);
        assert_eq!(second.get("/api").await.0, 200);
        let mut third = served.connect(protocol).await;
        let response = third.send("GET /api", &[], sized("")).await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        let (code, status) = whole(response).await;
        assert_eq!((code, &status["reason"]), (429, &json!("TooManyRequests")), "{protocol:?}");
        assert_eq!(status["details"]["retryAfterSeconds"], 1);
        let message = status["message"].as_str().unwrap();
        assert!(message.ends_with("the server has 2 connections open"), "{message}");
        // Its connection closes, so that others can be told.
        tokio::time::timeout(PATIENCE, third.connection).await.unwrap().unwrap();
        // The others are served as before, and where one goes, there is room for one.
        assert_eq!(second.get("/api").await.0, 200);
        drop(first);
        until_room(&served, protocol).await;
    }
}

/// A connection that was refused for want of room finds some in the end.
async fn until_room(served: &Served, protocol: Protocol) {
    let start = Instant::now();
    while served.connect(protocol).await.get("/api").await.0 != 200 {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_watch_too_many_is_told_so() {
    let served = serve(Limits { watches: 2, ..Limits::default() }).await;
    let client = served.connect(Protocol::Http2).await;
    let watch = format!("GET {CONFIG_MAPS}?watch=true");
    let open = async || client.another().send(&watch, &[], sized("")).await.unwrap();
    let (first, _second) = (open().await, open().await);
    let (code, status) = whole(open().await).await;
    assert_eq!(code, 429);
    let message = status["message"].as_str().unwrap();
    assert!(message.ends_with("the server has 2 watches open"), "{message}");
    assert_eq!(client.another().get(CONFIG_MAPS).await.0, 200);
    drop(first);
    let start = Instant::now();
    while open().await.status() != 200 {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

/// A body that begins so, and never ends.
fn endless_body(begin: impl Into<Bytes>) -> SentBody {
    let begin = stream::iter([Ok(Frame::data(begin.into()))]);
    BodyExt::boxed(StreamBody::new(begin.chain(stream::pending())))
}

#[tokio::test]
async fn only_a_watch_that_is_allowed_counts_as_one() {
    let served = serve(Limits { watches: 1, ..Limits::default() }).await;
    // No body is taken, so that each answer stays with the server.
    let stranger = served.connect_with_window(0).await.with_token(None);
    let friend = served.connect_with_window(0).await;
    let mut unread = Vec::new();
    for (client, path, code) in [
        (&stranger, CONFIG_MAPS, 401),
        (&stranger, "/healthz", 200),
        (&stranger, "/version", 200),
        (&friend, "/healthz", 200),
        (&friend, "/none", 404),
        (&friend, "/api/v1/namespaces", 200),
    ] {
        let head = format!("GET {path}?watch=true");
        let response = client.another().send(&head, &[], sized("")).await.unwrap();
        assert_eq!(response.status(), code, "{path}");
        unread.push(response);
    }
    // The last one was a watch.
    let watch = format!("GET {CONFIG_MAPS}?watch=true");
    let mut other = served.connect(Protocol::Http2).await;
    let response = other.send(&watch, &[], sized("")).await.unwrap();
    assert_eq!(response.status(), 429);
    unread.pop();
    let start = Instant::now();
    while other.send(&watch, &[], sized("")).await.unwrap().status() != 200 {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

/// The client answers PINGs, and leaves the window of an answer shut.
#[tokio::test]
async fn a_stream_of_which_nothing_is_taken_is_given_up() {
    let stall = Duration::from_millis(500);
    let served = serve(Limits { stall, ..Limits::default() }).await;
    served.connect(Protocol::Http1).await.create("large", MIB).await;
    let object = format!("GET {CONFIG_MAPS}/large");
    let list = format!("GET {CONFIG_MAPS}");
    let watch = format!("GET {CONFIG_MAPS}?watch=true");
    let quiet = "GET /api/v1/services?watch=true&fieldSelector=metadata.name=none";
    let check = async |window: u32, head: &str, given_up: bool| {
        let client = served.connect_with_window(window).await;
        let start = Instant::now();
        let response = client.another().send(head, &[], sized("")).await.unwrap();
        assert_eq!(response.status(), 200, "{head}");
        let patience = if given_up { PATIENCE } else { stall * 4 };
        let ended = tokio::time::timeout(patience, client.connection).await;
        assert_eq!(ended.is_ok(), given_up, "{window} {head}");
        assert!(start.elapsed() >= stall, "{window} {head} {:?}", start.elapsed());
    };
    tokio::join!(
        check(0, &object, true),
        // Here, all of the answer is with hyper, and its body is gone.
        check(1, &object, true),
        check(0, &list, true),
        check(1000, &list, true),
        check(0, &watch, true),
        check(1000, &watch, true),
        // What waits for the server is not stalled.
        check(0, quiet, false),
        // Neither is what was taken, and not read by who asked.
        check(4 * MIB as u32, &object, false),
        check(4 * MIB as u32, &watch, false),
    );
}

#[tokio::test]
async fn a_body_that_does_not_come_keeps_nobody_from_his_turn() {
    let served = serve(Limits { requests: 1, ..Limits::default() }).await;
    let silent = served.connect(Protocol::Http2).await;
    let mut sent = JoinSet::new();
    for _ in 0..4 {
        let mut client = silent.another();
        let head = format!("POST {CONFIG_MAPS}");
        sent.spawn(async move { client.send(&head, &[], endless_body("{")).await });
    }
    for protocol in PROTOCOLS {
        let mut other = served.connect(protocol).await;
        let all = async {
            for path in ["/healthz", "/api", CONFIG_MAPS] {
                assert_eq!(other.get(path).await.0, 200, "{protocol:?} {path}");
            }
            other.create(&format!("{protocol:?}").to_lowercase(), 1).await;
        };
        tokio::time::timeout(PATIENCE, all).await.unwrap();
    }
    // They still wait.
    assert!(sent.try_join_next().is_none());
}

#[tokio::test]
async fn bodies_have_a_bound_together() {
    let served = serve(Limits { bodies: MIB, ..Limits::default() }).await;
    let mut client = served.connect(Protocol::Http2).await;
    let mut silent = served.connect(Protocol::Http2).await;
    let head = format!("POST {CONFIG_MAPS}");
    let half = head.clone();
    let sent = tokio::spawn(async move {
        // Until it is the other one that finds no room.
        while silent.send(&half, &[], endless_body(" ".repeat(MIB / 2))).await.is_ok() {}
    });
    let body = || sized(" ".repeat(3 * MIB / 4));
    let start = Instant::now();
    let refused = loop {
        // Blanks are no JSON: 400 while there is room.
        let response = client.send(&head, &[], body()).await.unwrap();
        match response.status().as_u16() {
            400 => assert!(start.elapsed() < PATIENCE),
            _ => break response,
        }
    };
    assert_eq!(refused.headers()["retry-after"], "1");
    let (code, status) = whole(refused).await;
    assert_eq!((code, &status["reason"]), (429, &json!("TooManyRequests")));
    // Small ones have room, and what takes none.
    client.create("small", 1000).await;
    assert_eq!(client.get(CONFIG_MAPS).await.0, 200);
    sent.abort();
    while client.send(&head, &[], body()).await.unwrap().status() != 400 {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

/// A client that reads nothing has the last free connection; it is closed, and the next one is served.
#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    let stall = Duration::from_millis(500);
    let served = serve(Limits { connections: 2, stall, ..Limits::default() }).await;
    let mut other = served.connect(Protocol::Http1).await;
    for index in 0..16 {
        other.create(&format!("m{index}"), MIB / 2).await;
    }

    // By hand, for hyper's client would read ahead.
    let mut silent = served.tls(Protocol::Http1).await;
    let request = format!(
        "GET {CONFIG_MAPS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        served.token()
    );
    silent.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    silent.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    assert_eq!(other.get("/api").await.0, 200);
    until_room(&served, Protocol::Http1).await;
    let mut rest = Vec::new();
    _ = silent.read_to_end(&mut rest).await;
    assert!(rest.len() < 8 * MIB, "the end is missing: {}", rest.len());
}
