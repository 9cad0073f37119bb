//! DNS over TLS and over HTTPS, for clients and to upstreams.

#[allow(dead_code, reason = "the directory alone")]
#[path = "support/any_query.rs"]
mod any_query;
mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use directory::RecordType;
use dns::forward::{Authorities, ForwardConfig, ForwardError, StubZone};
use dns::{BindError, Config, EncryptedConfig, Server, TcpLimits};
use hickory_proto::op::ResponseCode;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{ask_udp, config, decode, framed, lines, name, query, read_framed, server};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A certificate for `dns.example` that signs itself, and its key.
struct Identity {
    folder: TempDir,
}

impl Identity {
    fn new() -> Self {
        let identity = Self { folder: TempDir::new().expect("a folder") };
        identity.renew();
        identity
    }

    /// Another certificate in the same files.
    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(["dns.example".to_owned()]).expect("made");
        std::fs::write(self.certificate(), made.cert.pem()).expect("written");
        std::fs::write(self.key(), made.signing_key.serialize_pem()).expect("written");
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }

    fn config(&self) -> EncryptedConfig {
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        EncryptedConfig {
            tls: vec![any],
            https: vec![any],
            certificate: self.certificate(),
            key: self.key(),
        }
    }
}

fn serve(identity: &Identity, tcp: TcpLimits) -> Server {
    let config = Config { encrypted: Some(identity.config()), tcp, ..config() };
    server(any_query::small_directory().clone(), config)
}

async fn connect(
    address: SocketAddr,
    authority: &Path,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("added");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("dns.example").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn queries_come_over_tls() {
    let identity = Identity::new();
    let server = serve(&identity, TcpLimits::default());
    let address = server.tls_addresses()[0];
    for protocols in [&["dot"][..], &[]] {
        let mut stream = connect(address, &identity.certificate(), protocols).await.expect("TLS");
        let ask = |id| framed(&query(id, &name("db.prod.svc.cluster.local"), RecordType::A, None));
        stream.write_all(&(0..5).flat_map(ask).collect::<Vec<_>>()).await.expect("sent");
        for id in 0..5 {
            let reply = decode(&read_framed(&mut stream).await.expect("a reply"));
            assert_eq!((reply.id, reply.answer.len()), (id, 40), "whole, as over TCP");
        }
    }
    assert!(connect(address, &identity.certificate(), &["h2"]).await.is_err(), "no HTTP here");
    // One who speaks no TLS is let go.
    let mut plain = TcpStream::connect(address).await.expect("connected");
    plain.write_all(&[0; 64]).await.expect("sent");
    let _alert = support::read_to_end(&mut plain).await;
    server.shutdown().await;
}

#[tokio::test]
async fn who_is_silent_over_tls_or_https_is_let_go() {
    let identity = Identity::new();
    let idle_timeout = Duration::from_millis(100);
    let server = serve(&identity, TcpLimits { idle_timeout, ..TcpLimits::default() });
    let (tls, https) = (server.tls_addresses()[0], server.https_addresses()[0]);
    for address in [tls, https] {
        // Before TLS, and after.
        let mut stream = TcpStream::connect(address).await.expect("connected");
        support::read_to_end(&mut stream).await;
    }
    for (address, protocols) in [(tls, &["dot"][..]), (https, &["h2"]), (https, &["http/1.1"])] {
        let mut stream = connect(address, &identity.certificate(), protocols).await.expect("TLS");
        support::read_to_end(&mut stream).await;
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_certificate_is_read_again_when_told() {
    let identity = Identity::new();
    let server = serve(&identity, TcpLimits::default());
    let address = server.tls_addresses()[0];
    let old = identity.folder.path().join("old.crt");
    std::fs::copy(identity.certificate(), &old).expect("copied");
    identity.renew();
    assert!(connect(address, &old, &["dot"]).await.is_ok());
    server.reload_certificate().expect("read again");
    assert!(connect(address, &old, &["dot"]).await.is_err());
    assert!(connect(address, &identity.certificate(), &["dot"]).await.is_ok());
    // One that can't be used changes nothing.
    std::fs::write(identity.key(), "nothing").expect("written");
    let error = server.reload_certificate().expect_err("no key").to_string();
    assert!(error.contains("cannot read the key") && error.contains("tls.key"), "{error}");
    assert!(connect(address, &identity.certificate(), &["dot"]).await.is_ok());
    server.shutdown().await;
}

#[tokio::test]
async fn certificates_that_can_not_be_used_are_said_why() {
    let (identity, other) = (Identity::new(), Identity::new());
    let check = |encrypted: EncryptedConfig, expected: &str| {
        let config = Config { encrypted: Some(encrypted), ..config() };
        let any = "127.0.0.1:0".parse().expect("an address");
        let bound = Server::bind(&[any], config, any_query::small_directory().clone());
        let error = bound.err().expect("it can't be").to_string();
        assert!(error.contains(expected), "{error}");
    };
    let missing = identity.folder.path().join("missing.pem");
    check(EncryptedConfig { certificate: missing.clone(), ..identity.config() }, "missing.pem");
    check(EncryptedConfig { key: missing, ..identity.config() }, "the key");
    check(EncryptedConfig { certificate: identity.key(), ..identity.config() }, "no certificate");
    check(EncryptedConfig { key: other.key(), ..identity.config() }, "with the key in");
}

/// A request over the protocol that was agreed on.
async fn request(
    address: SocketAddr,
    identity: &Identity,
    protocol: &str,
    request: Request<Full<Bytes>>,
) -> (Response<()>, Bytes) {
    let stream = connect(address, &identity.certificate(), &[protocol]).await.expect("TLS");
    let stream = TokioIo::new(stream);
    let response: Response<Incoming> = if protocol == "h2" {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("h2");
        tokio::spawn(connection);
        sender.send_request(request).await.expect("a response")
    } else {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        sender.send_request(request).await.expect("a response")
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (Response::from_parts(head, ()), body)
}

fn to(method: Method, path: &str, media_type: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("https://dns.example{path}"))
        .header("host", "dns.example")
        .header("content-type", media_type)
        .body(Full::new(body.into()))
        .expect("a request")
}

const MESSAGE: &str = "application/dns-message";

#[tokio::test]
async fn queries_come_over_https() {
    let identity = Identity::new();
    let server = serve(&identity, TcpLimits::default());
    let address = server.https_addresses()[0];
    // The query of RFC 8484 §4.1.1's example, for another name.
    let db = query(0, &name("db.prod.svc.cluster.local"), RecordType::A, None);
    let missing = query(0, &name("missing.prod.svc.cluster.local"), RecordType::A, None);
    let in_address = |query: &[u8]| {
        use base64::Engine;
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(query);
        to(Method::GET, &format!("/dns-query?dns={text}"), "", Vec::new())
    };
    for protocol in ["h2", "http/1.1"] {
        for (asked, code, answers) in
            [(&db, ResponseCode::NoError, 40), (&missing, ResponseCode::NXDomain, 0)]
        {
            for sent in [to(Method::POST, "/dns-query", MESSAGE, asked.clone()), in_address(asked)]
            {
                let (head, body) = request(address, &identity, protocol, sent).await;
                assert_eq!(head.status(), StatusCode::OK);
                assert_eq!(head.headers()["content-type"], MESSAGE);
                assert_eq!(head.headers()["cache-control"], "max-age=5", "as the records say");
                let reply = decode(&body);
                assert_eq!((reply.rcode, reply.answer.len()), (code, answers));
            }
        }
    }
    server.shutdown().await;
}

/// Whoever takes no reply in, by the windows of HTTP/2, gets no more of them made; whoever does gets all.
#[tokio::test]
async fn replies_that_are_not_taken_in_do_not_pile_up() {
    const ASKED: usize = 90;
    let identity = Identity::new();
    let server = serve(&identity, TcpLimits::default());
    let stream = connect(server.https_addresses()[0], &identity.certificate(), &["h2"]).await;
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(100)
        .handshake(TokioIo::new(stream.expect("TLS")))
        .await
        .expect("h2");
    tokio::spawn(connection);
    let asked = query(0, &name("db.prod.svc.cluster.local"), RecordType::SRV, None);
    let (heads, mut answered) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..ASKED {
        let (mut sender, heads) = (sender.clone(), heads.clone());
        let sent = to(Method::POST, "/dns-query", MESSAGE, asked.clone());
        tokio::spawn(async move { heads.send(sender.send_request(sent).await.expect("a head")) });
    }
    let mut waiting = Vec::new();
    let pause = Duration::from_millis(300);
    while let Ok(Some(response)) = tokio::time::timeout(pause, answered.recv()).await {
        waiting.push(response);
    }
    assert!((1..ASKED).contains(&waiting.len()), "{} replies are made", waiting.len());
    for _ in 0..ASKED {
        let response = match waiting.pop() {
            Some(response) => response,
            None => answered.recv().await.expect("a response"),
        };
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(decode(&body).answer.len(), 40);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn requests_that_hold_no_query_are_told_so() {
    let identity = Identity::new();
    let server = serve(&identity, TcpLimits::default());
    let address = server.https_addresses()[0];
    let db = query(0, &name("db.prod.svc.cluster.local"), RecordType::A, None);
    let post = |path: &str, media_type: &str, body: &[u8]| {
        to(Method::POST, path, media_type, body.to_vec())
    };
    let get = |path: &str| to(Method::GET, path, "", Vec::new());
    for (sent, status) in [
        (post("/", MESSAGE, &db), 404),
        (post("/dns-query", "text/plain", &db), 415),
        (post("/dns-query", MESSAGE, &[]), 400),
        (post("/dns-query", MESSAGE, &[0xFF; 12]), 400),
        (post("/dns-query", MESSAGE, &vec![0; 65_536]), 413),
        (get("/dns-query"), 400),
        (get("/dns-query?dns=a+b"), 400),
        (get("/dns-query?dns=AAAA"), 400),
        (to(Method::PUT, "/dns-query", MESSAGE, db.clone()), 405),
    ] {
        let what = format!("{} {}", sent.method(), sent.uri());
        let (head, body) = request(address, &identity, "h2", sent).await;
        assert_eq!((head.status().as_u16(), body.len()), (status, 0), "{what}");
    }
    // What is a message, but no good query, is answered in DNS.
    let (head, body) =
        request(address, &identity, "h2", post("/dns-query", MESSAGE, &[0; 12])).await;
    assert_eq!((head.status(), decode(&body).rcode), (StatusCode::OK, ResponseCode::FormErr));
    server.shutdown().await;
}

#[tokio::test]
async fn upstreams_are_asked_over_tls() {
    let identity = Identity::new();
    let upstream = serve(&identity, TcpLimits::default());
    let tls = upstream.tls_addresses()[0];
    // Another cluster, which has none of the names.
    let domain = name("other.local");
    let (mut writer, reader) = directory::new(directory::ZoneConfig::new(domain));
    writer.set_synced();
    let forward = |server_name: &str| ForwardConfig {
        stub_zones: vec![StubZone {
            zone: name("cluster.local"),
            upstreams: vec![format!("tls://{tls}#{server_name}").parse().expect("an upstream")],
        }],
        authorities: Authorities::File(identity.certificate()),
        ..ForwardConfig::default()
    };
    let asked = query(3, &name("web.prod.svc.cluster.local"), RecordType::A, Some(1232));
    let config = Config { forward: Some(forward("dns.example")), ..config() };
    let server = server(reader, config);
    let address = server.local_addresses()[0];
    let reply = decode(&ask_udp(address, &asked).await);
    assert_eq!(lines(&reply.answer), ["web.prod.svc.cluster.local. 5 IN A 10.96.0.20"]);
    // A certificate for another name is not believed.
    server.set_forwarding(forward("other.example")).expect("set");
    let reply = decode(&ask_udp(address, &asked).await);
    assert_eq!((reply.rcode, reply.answer.len()), (ResponseCode::ServFail, 0));
    server.shutdown().await;
    upstream.shutdown().await;
}

#[tokio::test]
async fn authorities_that_can_not_be_read_are_said_why() {
    let identity = Identity::new();
    for (path, expected) in [
        (identity.folder.path().join("missing.pem"), "missing.pem"),
        (identity.key(), "no certificate"),
    ] {
        let forward = ForwardConfig {
            upstreams: vec!["tls://127.0.0.1#dns.example".parse().expect("an upstream")],
            authorities: Authorities::File(path),
            ..ForwardConfig::default()
        };
        let config = Config { forward: Some(forward), ..config() };
        let any = "127.0.0.1:0".parse().expect("an address");
        let bound = Server::bind(&[any], config, any_query::small_directory().clone());
        match bound.err().expect("it can't be") {
            BindError::Forward(error @ (ForwardError::File { .. } | ForwardError::None(_))) => {
                let error = error.to_string();
                assert!(error.contains(expected), "{error}");
            }
            other => panic!("{other}"),
        }
    }
}
