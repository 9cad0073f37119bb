//! A whole server over TLS, and clients that decide what they read and when.
// Each test binary uses its part; a test may unwrap.
#![allow(dead_code, clippy::unwrap_used)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use api::serve::{Authenticate, Credentials, Limits, Server};
use api::store::Memory;
use api::{ApiServer, Config};
use bytes::Bytes;
use futures::stream;
use http::header::{AUTHORIZATION, HOST};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tower::Layer as _;

pub(crate) type SentBody = BoxBody<Bytes, Infallible>;

pub(crate) const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A running server over the memory store.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    credentials: Credentials,
    _stop: oneshot::Sender<()>,
}

pub(crate) async fn serve(limits: Limits) -> Served {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let credentials =
        Credentials::ephemeral(&Credentials::names(listen.ip(), "cluster.local", &[]), None)
            .unwrap();
    let server = Server::bind(listen, &credentials).await.unwrap().with_limits(limits);
    let address = server.address();
    let config = Config::new(vec!["10.96.0.0/12".parse().unwrap()], address);
    let api = ApiServer::new(Arc::new(Memory::new()), config).unwrap();
    api.bootstrap().await.unwrap();
    let service = Authenticate::new(credentials.token().clone()).layer(api);
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(server.serve(service, async { _ = stopped.await }));
    Served { address, credentials, _stop: stop }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

enum Sender {
    Http1(http1::SendRequest<SentBody>),
    Http2(http2::SendRequest<SentBody>),
}

/// One connection.
pub(crate) struct Client {
    sender: Sender,
    token: Option<String>,
    /// Ends with the connection.
    pub(crate) connection: JoinHandle<()>,
}

impl Served {
    pub(crate) fn token(&self) -> &str {
        self.credentials.token().as_str()
    }

    /// A connection on which nothing was asked yet.
    pub(crate) async fn tls(&self, protocol: Protocol) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        let ca = self.credentials.ca_pem().as_bytes();
        roots.add(rustls_pki_types::pem::PemObject::from_pem_slice(ca).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![match protocol {
            Protocol::Http1 => b"http/1.1".to_vec(),
            Protocol::Http2 => b"h2".to_vec(),
        }];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.unwrap()
    }

    pub(crate) async fn connect(&self, protocol: Protocol) -> Client {
        let stream = TokioIo::new(self.tls(protocol).await);
        let token = Some(self.token().to_owned());
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(stream).await.unwrap();
                let connection = tokio::spawn(async move { _ = connection.await });
                Client { sender: Sender::Http1(sender), token, connection }
            }
            Protocol::Http2 => {
                let (sender, connection) =
                    http2::handshake(TokioExecutor::new(), stream).await.unwrap();
                let connection = tokio::spawn(async move { _ = connection.await });
                Client { sender: Sender::Http2(sender), token, connection }
            }
        }
    }

    /// An HTTP/2 connection that takes so many bytes of each answer before it has read some.
    pub(crate) async fn connect_with_window(&self, bytes: u32) -> Client {
        let stream = TokioIo::new(self.tls(Protocol::Http2).await);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) =
            builder.initial_stream_window_size(bytes).handshake(stream).await.unwrap();
        let connection = tokio::spawn(async move { _ = connection.await });
        Client { sender: Sender::Http2(sender), token: Some(self.token().to_owned()), connection }
    }
}

/// A body of this length that says it.
pub(crate) fn sized(bytes: impl Into<Bytes>) -> SentBody {
    Full::new(bytes.into()).boxed()
}

/// A body that does not say its length.
pub(crate) fn unsized_body(frames: Vec<Bytes>) -> SentBody {
    StreamBody::new(stream::iter(frames.into_iter().map(|bytes| Ok(Frame::data(bytes))))).boxed()
}

impl Client {
    /// Sends a request; `head` is `METHOD path`, `headers` come on top of the token.
    pub(crate) async fn send(
        &mut self,
        head: &str,
        headers: &[(&str, &str)],
        body: SentBody,
    ) -> hyper::Result<Response<Incoming>> {
        let (method, path) = head.split_once(' ').unwrap();
        let mut request = Request::builder().method(method);
        request = match self.sender {
            Sender::Http1(_) => request.uri(path).header(HOST, "localhost"),
            Sender::Http2(_) => request.uri(format!("https://localhost{path}")),
        };
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// Another way to send on the same connection, with HTTP/2.
    pub(crate) fn another(&self) -> Self {
        let Sender::Http2(sender) = &self.sender else { panic!("one request at a time") };
        let (sender, token) = (Sender::Http2(sender.clone()), self.token.clone());
        Self { sender, token, connection: tokio::spawn(async {}) }
    }

    /// With another token, or none.
    pub(crate) fn with_token(self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self }
    }

    pub(crate) async fn get(&mut self, path: &str) -> (u16, Value) {
        whole(self.send(&format!("GET {path}"), &[], sized("")).await.unwrap()).await
    }

    /// Creates a ConfigMap that holds so many bytes.
    pub(crate) async fn create(&mut self, name: &str, bytes: usize) {
        let body =
            serde_json::json!({ "metadata": { "name": name }, "data": { "x": "y".repeat(bytes) } });
        let head = format!("POST {CONFIG_MAPS}");
        let response = self.send(&head, &[], sized(body.to_string())).await.unwrap();
        assert_eq!(whole(response).await.0, 201, "{name}");
    }
}

/// Code and body of an answer.
pub(crate) async fn whole(response: Response<Incoming>) -> (u16, Value) {
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&body).unwrap_or_default())
}

/// The process's resident memory in bytes.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
