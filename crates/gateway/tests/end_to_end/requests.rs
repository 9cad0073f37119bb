//! How requests and answers pass.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty, Full};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use crate::backend::{PART, PARTS, WEBSOCKET_KEY, echo, read_head, shout};
use crate::fixture::{Cluster, ingress};

async fn cluster_to(at: std::net::SocketAddr) -> Cluster {
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let cluster = Cluster::start(&[ingress("a", json!({"defaultBackend": backend}))]).await;
    cluster.serve("web", 1, at).await;
    cluster
}

#[tokio::test]
async fn headers_are_those_of_one_who_passes_on() {
    let cluster = cluster_to(echo("web", Arc::default()).await).await;
    let claims = [
        ("connection", "x-for-this-hop"),
        ("x-for-this-hop", "1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-other", "stays"),
    ];
    let (answer, text) = cluster.get_url("a.example.com:8000/", &claims).await;
    for line in [
        "host: a.example.com:8000",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: a.example.com:8000",
        "x-forwarded-port: 80",
        "x-forwarded-proto: http",
        "x-other: stays",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is missing in {text}");
    }
    assert!(!text.contains("x-for-this-hop") && !text.contains("192.0.2.1"), "{text}");
    assert!(!answer.headers().contains_key("keep-alive"), "{answer:?}");
}

#[tokio::test]
async fn bodies_pass_as_they_come() {
    let go_on = Arc::new(Notify::new());
    let cluster = cluster_to(echo("web", go_on.clone()).await).await;
    let get =
        |path: &str| Request::get(path).header("host", "x").body(Empty::<Bytes>::new()).unwrap();

    let mut parts = cluster.send(80, get("/parts")).await.into_body();
    let first = parts.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first ");
    go_on.notify_one();
    assert_eq!(parts.collect().await.unwrap().to_bytes(), "second");

    let mut large = cluster.send(80, get("/large")).await.into_body();
    let mut bytes = 0;
    while let Some(frame) = large.frame().await {
        bytes += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(bytes, PART * PARTS);

    let sent = Full::new(Bytes::from(vec![b'y'; 8 * 1024 * 1024]));
    let request = Request::post("/up").header("host", "x").body(sent).unwrap();
    let told = cluster.send(80, request).await.into_body().collect().await.unwrap().to_bytes();
    assert!(told.starts_with(b"web POST /up 8388608 bytes"), "{told:?}");
}

#[tokio::test]
async fn web_sockets_pass() {
    let cluster = cluster_to(shout().await).await;
    let mut stream = cluster.connect(80).await;
    let asked = format!(
        "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {WEBSOCKET_KEY}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    );
    stream.write_all(asked.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-protocol: chat"), "{head}");
    for text in ["hello", "again"] {
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, text.to_ascii_uppercase().as_bytes());
    }
}

/// What is no request is refused, and the next one is answered.
#[tokio::test]
async fn what_is_no_request_is_refused() {
    let cluster = cluster_to(echo("web", Arc::default()).await).await;
    let check = async |request: &str, wanted: &str| {
        let mut stream = cluster.connect(80).await;
        // Who is refused early need not have been read to the end.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        let shown: String = request.chars().take(80).collect();
        assert!(answer.starts_with(wanted), "{shown:?}: {answer:?} instead of {wanted:?}");
    };
    check("nonsense\r\n\r\n", "HTTP/1.1 400 ").await;
    check("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 ").await;
    check("GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", "HTTP/1.1 400 ").await;
    check("CONNECT x:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 ").await;
    check(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 400 ",
    )
    .await;
    check("GET / HTTP/1.1\r\nHost: x\u{1}\r\n\r\n", "HTTP/1.1 400 ").await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nLong: {}\r\n\r\n", "x".repeat(200_000));
    check(&long, "HTTP/1.1 431 ").await;
    let many: String = (0..300).map(|number| format!("H{number}: 1\r\n")).collect();
    check(&format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), "HTTP/1.1 431 ").await;
    check(
        "GET http://other.example.com/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 ",
    )
    .await;
    check("GET / HTTP/1.0\r\nHost: x\r\n\r\n", "HTTP/1.0 200 ").await;
    check("GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 ").await;
}
