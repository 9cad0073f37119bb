//! Sessions at the level of their messages.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::serve::Limits;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use rustls_pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::serving::{PODS, Serving, serve};

const PATIENCE: Duration = Duration::from_secs(30);

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Asks for a session; an error is the code and text of the answer.
async fn connect(serving: &Serving, path: &str, protocol: &str) -> Result<Socket, (u16, String)> {
    let mut roots = RootCertStore::empty();
    let ca = serving.credentials.ca_pem().as_bytes();
    roots.add(PemObject::from_pem_slice(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(serving.address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let mut request =
        format!("wss://{}{PODS}/{path}", serving.address).into_client_request().unwrap();
    let bearer = format!("Bearer {}", serving.credentials.token().as_str());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    match timeout(PATIENCE, tokio_tungstenite::client_async(request, stream)).await.unwrap() {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
            Ok(socket)
        }
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
        }
        Err(error) => panic!("{error}"),
    }
}

/// The next message that is not empty; `None` when the server has closed.
async fn next(socket: &mut Socket) -> Option<Bytes> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("the server says something")? {
            Ok(Message::Binary(message)) if message.len() > 1 => return Some(message),
            Ok(Message::Close(frame)) => {
                assert!(frame.is_none_or(|frame| u16::from(frame.code) == 1000));
                return None;
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

async fn say(socket: &mut Socket, message: &[u8]) {
    socket.send(Message::Binary(Bytes::copy_from_slice(message))).await.unwrap();
}

const V4: &str = "v4.channel.k8s.io";
const V5: &str = "v5.channel.k8s.io";
const SUCCESS: &[u8] = b"\x03{\"metadata\":{},\"status\":\"Success\"}";

#[tokio::test]
async fn a_terminal_hears_its_sizes() {
    let serving = serve(Limits::default()).await;
    for protocol in [V4, V5] {
        let query = "p/exec?command=sh&stdin=1&stdout=true&stderr=1&tty=1";
        let mut socket = connect(&serving, query, protocol).await.unwrap();
        say(&mut socket, b"\x04{\"Width\":80,\"Height\":24}").await;
        assert_eq!(next(&mut socket).await.unwrap(), b"\x0180x24\r\n"[..]);
        // What means nothing is passed over.
        say(&mut socket, b"\x04{").await;
        say(&mut socket, b"\x09?").await;
        socket.send(Message::Text("\0hello".into())).await.unwrap();
        assert_eq!(next(&mut socket).await.unwrap(), b"\x01said hello\r\n"[..]);
        say(&mut socket, b"\x04{\"Width\":120,\"Height\":40}").await;
        assert_eq!(next(&mut socket).await.unwrap(), b"\x01120x40\r\n"[..]);
        say(&mut socket, b"\0exit").await;
        assert_eq!(next(&mut socket).await.unwrap(), b"\x01bye\r\n"[..]);
        assert_eq!(next(&mut socket).await.unwrap(), SUCCESS);
        assert_eq!(next(&mut socket).await, None);
    }
}

#[tokio::test]
async fn a_client_can_end_the_input() {
    let serving = serve(Limits::default()).await;
    let mut socket = connect(&serving, "p/exec?command=cat&stdin=1&stdout=1", V5).await.unwrap();
    say(&mut socket, b"\0abc").await;
    assert_eq!(next(&mut socket).await.unwrap(), b"\x01abc"[..]);
    say(&mut socket, b"\xff\0").await;
    assert_eq!(next(&mut socket).await.unwrap(), SUCCESS);
    assert_eq!(next(&mut socket).await, None);
}

#[tokio::test]
async fn what_cannot_begin_is_answered_before_it_does() {
    let serving = serve(Limits::default()).await;
    let refused = async |path: &str, protocol: &str, code: u16, text: &str| {
        let (actual, status) = connect(&serving, path, protocol).await.unwrap_err();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!((actual, status["message"].as_str().unwrap()), (code, text), "{path}");
    };
    refused("x/exec?command=true&stdout=1", V5, 404, "pods \"x\" not found").await;
    let none = "container x is not valid for pod p";
    refused("p/exec?command=true&stdout=1&container=x", V5, 400, none).await;
    let streams = "you must specify at least 1 of stdin, stdout, stderr";
    refused("p/exec?command=true", V5, 400, streams).await;
    refused("p/attach?tty=1&stderr=1", V5, 400, streams).await;
    let command = "you must specify at least one command for the container";
    refused("p/exec?stdout=1", V5, 400, command).await;
    let protocols = "unable to upgrade: unable to negotiate protocol: client supports [channel.k8s.io], server accepts \
                     [v5.channel.k8s.io v4.channel.k8s.io]";
    refused("p/exec?command=true&stdout=1", "channel.k8s.io", 403, protocols).await;
    let gone = "Internal error occurred: unable to upgrade connection: container not found (\"c\")";
    assert_eq!(serving.commands.load(Ordering::Relaxed), 0, "nothing was run");
    refused("p/exec?command=gone&stdout=1", V5, 500, gone).await;
}

#[tokio::test]
async fn sessions_have_a_bound_and_end_with_the_server() {
    let mut serving = serve(Limits { sessions: 1, ..Limits::default() }).await;
    let query = "p/exec?command=cat&stdin=1&stdout=1";
    let mut first = connect(&serving, query, V5).await.unwrap();
    let (code, status) = connect(&serving, query, V5).await.unwrap_err();
    assert!(code == 429 && status.contains("the server has 1 sessions open"), "{code} {status}");
    assert_eq!(serving.commands.load(Ordering::Relaxed), 1, "what has no place is not run");
    // A place is free again when its client has gone.
    first.close(None).await.unwrap();
    drop(first);
    let again = async {
        loop {
            if let Ok(socket) = connect(&serving, query, V5).await {
                return socket;
            }
            tokio::task::yield_now().await;
        }
    };
    let mut second = timeout(PATIENCE, again).await.unwrap();
    serving.stop.take().unwrap().send(()).unwrap();
    assert_eq!(next(&mut second).await, None);
    timeout(PATIENCE, serving.task).await.expect("the server ends").unwrap();
}

#[tokio::test]
async fn a_message_without_end_is_not_kept() {
    let serving = serve(Limits::default()).await;
    let mut socket = connect(&serving, "p/exec?command=cat&stdin=1&stdout=1", V5).await.unwrap();
    let large = Message::Binary(vec![0; 5 * 1024 * 1024].into());
    // The server hangs up, which may be noticed while it is sent.
    _ = timeout(PATIENCE, socket.send(large)).await.unwrap();
    assert_eq!(next(&mut socket).await, None);
}

#[tokio::test]
async fn octets_that_are_no_spdy_end_a_port_forward() {
    let serving = serve(Limits::default()).await;
    let protocol = "SPDY/3.1+portforward.k8s.io";
    for octets in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x80\x03\0\x01\0\xff\xff\xff", b"\0\0\0\0\0\0\0\0"]
    {
        let mut socket = connect(&serving, "p/portforward", protocol).await.unwrap();
        say(&mut socket, octets).await;
        if octets.starts_with(b"GET") {
            // Taken for data of a stream that there is not; it ends with its client.
            socket.close(None).await.unwrap();
        }
        assert_eq!(next(&mut socket).await, None, "{octets:?}");
    }
}
