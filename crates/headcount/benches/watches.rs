//! What watches cost the server: memory for each, and the time from a write to the last watcher that hears of it.
//!
//! `cargo bench --package headcount --bench watches`; `-- --quick` opens a tenth. With HTTP/1.1 each watch is a connection,
//! so that the limit of open files must allow as many (`ulimit -n`).

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/up/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use support::Up;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const PATH: &str = "/api/v1/namespaces/default/configmaps?watch=true";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// Watches on one connection with HTTP/2.
const STREAMS: usize = 1000;

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let watches = if quick { 1000 } else { 10_000 };
    for (name, accept) in [("objects", "application/json"), ("Tables", TABLE)] {
        let up = Up::ephemeral(&[]);
        let door = Door::of(&up).await;
        let before = up.resident_kib();
        let mut bodies = Vec::new();
        for _ in 0..watches / STREAMS {
            let stream = TokioIo::new(door.connect("h2").await);
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(connection);
            for _ in 0..STREAMS {
                let mut sender = sender.clone();
                sender.ready().await.unwrap();
                let response = sender.send_request(door.request(accept)).await.unwrap();
                bodies.push(body_of(response));
            }
        }
        report(&format!("HTTP/2, {name}"), &up, before, bodies).await;
    }

    let up = Up::ephemeral(&[]);
    let door = Door::of(&up).await;
    let before = up.resident_kib();
    let mut bodies = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..watches {
        let stream = TokioIo::new(door.connect("http/1.1").await);
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(door.request("application/json")).await.unwrap();
        bodies.push(body_of(response));
        senders.push(sender);
    }
    report("HTTP/1.1, a connection each, objects", &up, before, bodies).await;
}

fn body_of(response: Response<Incoming>) -> Incoming {
    assert_eq!(response.status(), 200);
    response.into_body()
}

/// Writes twenty times, and prints what it took until the last watch knew.
async fn report(name: &str, up: &Up, before: u64, bodies: Vec<Incoming>) {
    let watches = bodies.len();
    let memory = (up.resident_kib() - before) as f64 / watches as f64;
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    for mut body in bodies {
        let heard = heard.clone();
        tokio::spawn(async move {
            while let Some(Ok(_)) = body.frame().await {
                heard.send(()).unwrap();
            }
        });
    }
    let maps = Api::<ConfigMap>::default_namespaced(up.client().await);
    let mut times = Vec::new();
    for round in 0..20 {
        let map = serde_json::json!({
            "metadata": { "name": format!("m{round}") }, "data": { "x": "y".repeat(1000) },
        });
        maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
        let acknowledged = Instant::now();
        for _ in 0..watches {
            hears.recv().await.unwrap();
        }
        times.push(acknowledged.elapsed());
        // One write at a time, so that each is an event of its own.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times.sort();
    let after = (up.resident_kib() - before) as f64 / watches as f64;
    println!(
        "{watches} watches ({name}): {memory:.1} KiB each, {after:.1} after 20 events; a write to the last of them {:.0} ms median, {:.0} ms worst",
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() - 1].as_secs_f64() * 1e3,
    );
}

/// Where the API is, and what opens it.
struct Door {
    address: String,
    token: String,
    roots: RootCertStore,
}

impl Door {
    async fn of(up: &Up) -> Self {
        let kubeconfig = kube::config::Kubeconfig::read_from(&up.kubeconfig).unwrap();
        let config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
        let mut roots = RootCertStore::empty();
        for authority in config.root_cert.unwrap() {
            roots.add(authority.into()).unwrap();
        }
        let address = config.cluster_url.authority().unwrap().to_string();
        let text = std::fs::read_to_string(&up.kubeconfig).unwrap();
        let token = text.lines().find_map(|line| line.trim().strip_prefix("token:")).unwrap();
        Self { address, token: token.trim().trim_matches('"').to_owned(), roots }
    }

    async fn connect(&self, protocol: &str) -> TlsStream<TcpStream> {
        let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    fn request(&self, accept: &str) -> Request<Empty<Bytes>> {
        Request::get(format!("https://localhost{PATH}"))
            .header(HOST, "localhost")
            .header(ACCEPT, accept)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Empty::new())
            .unwrap()
    }
}
