//! The server as clients meet it: over TLS, with the kubeconfig that it gives them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;
use std::net::SocketAddr;

use api::serve::{
    Authenticate, BindError, Credentials, DnsAddress, Kubeconfig, Server, Token, write_private,
};
use api::store::Sqlite;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use kube::config::KubeConfigOptions;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::Layer;

type Body = UnsyncBoxBody<Bytes, Infallible>;

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"db-0","namespace":"prod","resourceVersion":"1"}}"#;

/// A list of one pod; a watch that tells of it and then goes on for ever.
async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let whole = |text: String| Full::from(text).boxed_unsync();
    let body = match path {
        "/version" => whole(
            r#"{"major":"1","minor":"36","gitVersion":"v1.36.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#.to_owned(),
        ),
        "/api/v1/pods" if query.contains("watch=true") => {
            let event = format!("{{\"type\":\"ADDED\",\"object\":{POD}}}\n");
            let events = stream::iter([Ok(Frame::data(event.into()))]).chain(stream::pending());
            StreamBody::new(events).boxed_unsync()
        }
        "/api/v1/pods" => whole(format!(
            r#"{{"apiVersion":"v1","kind":"PodList","metadata":{{"resourceVersion":"1"}},"items":[{POD}]}}"#
        )),
        other => panic!("{other}"),
    };
    Ok(Response::new(body))
}

struct Running {
    address: SocketAddr,
    credentials: Credentials,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn run(listen: &str) -> Running {
    let listen: SocketAddr = listen.parse().unwrap();
    let names = Credentials::names(listen.ip(), "cluster.local", &[]);
    let credentials = Credentials::ephemeral(&names, None).unwrap();
    let server = Server::bind(listen, &credentials).await.unwrap();
    let address = server.address();
    let service = Authenticate::new(credentials.token().clone()).layer(tower::service_fn(answer));
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.serve(service, async { _ = stopped.await }));
    Running { address, credentials, stop, task }
}

fn kubeconfig(running: &Running) -> kube::config::Kubeconfig {
    let dns = DnsAddress {
        address: "127.0.0.1:1053".parse().unwrap(),
        domain: "cluster.local".to_owned(),
    };
    let text = Kubeconfig::new(running.address, &running.credentials, Some(dns)).to_string();
    kube::config::Kubeconfig::from_yaml(&text).unwrap()
}

async fn client(kubeconfig: kube::config::Kubeconfig) -> kube::Client {
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

#[tokio::test]
async fn a_client_with_the_kubeconfig_is_served() {
    for listen in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
        let running = run(listen).await;
        let client = client(kubeconfig(&running)).await;
        assert_eq!(client.default_namespace(), "default");
        assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.36.0", "{listen}");
        let pods = Api::<Pod>::all(client).list(&ListParams::default()).await.unwrap();
        assert_eq!(pods.items[0].metadata.name.as_deref(), Some("db-0"));
        running.stop.send(()).unwrap();
        running.task.await.unwrap();
    }
}

#[tokio::test]
async fn the_kubeconfig_carries_the_dns_address() {
    let running = run("127.0.0.1:0").await;
    let kubeconfig = kubeconfig(&running);
    assert_eq!(kubeconfig.current_context.as_deref(), Some("headcount"));
    let cluster = kubeconfig.clusters[0].cluster.as_ref().unwrap();
    let extension = &cluster.extensions.as_ref().unwrap()[0];
    assert_eq!(extension.name, Kubeconfig::DNS_EXTENSION);
    assert_eq!(
        extension.extension,
        serde_json::json!({"address": "127.0.0.1:1053", "domain": "cluster.local"})
    );
}

#[tokio::test]
async fn others_are_refused() {
    let running = run("127.0.0.1:0").await;
    // A wrong token.
    let mut wrong = kubeconfig(&running);
    let user = wrong.auth_infos[0].auth_info.as_mut().unwrap();
    user.token = Some("wrong".to_owned().into());
    let client_with_wrong = client(wrong).await;
    let pods = Api::<Pod>::all(client_with_wrong.clone());
    let error = pods.list(&ListParams::default()).await.unwrap_err();
    let kube::Error::Api(status) = error else { panic!("{error:?}") };
    assert_eq!(
        (status.code, &*status.reason, &*status.message),
        (401, "Unauthorized", "Unauthorized")
    );
    // Not even what is open to strangers, as in Kubernetes.
    let error = client_with_wrong.apiserver_version().await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 401), "{error:?}");
    let mut none = kubeconfig(&running);
    none.auth_infos[0].auth_info.as_mut().unwrap().token = None;
    assert!(client(none).await.apiserver_version().await.is_ok());

    // Another authority: the client does not trust the server.
    let other = run("127.0.0.1:0").await;
    let mut mixed = kubeconfig(&running);
    let ca = kubeconfig(&other).clusters[0].cluster.clone().unwrap();
    mixed.clusters[0].cluster.as_mut().unwrap().certificate_authority_data =
        ca.certificate_authority_data;
    client(mixed).await.apiserver_version().await.unwrap_err();
}

#[tokio::test]
async fn stopping_ends_watches_cleanly() {
    let running = run("127.0.0.1:0").await;
    let pods = Api::<Pod>::all(client(kubeconfig(&running)).await);
    let mut events = pods.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let first = events.try_next().await.unwrap().unwrap();
    assert!(matches!(first, WatchEvent::Added(_)), "{first:?}");
    let start = std::time::Instant::now();
    running.stop.send(()).unwrap();
    assert!(events.try_next().await.unwrap().is_none(), "the end, and no error");
    running.task.await.unwrap();
    assert!(start.elapsed().as_secs_f32() < 1.5, "no waiting for the grace to pass");
    assert!(tokio::net::TcpStream::connect(running.address).await.is_err(), "no one listens");
}

#[tokio::test]
async fn stopping_does_not_wait_for_idle_or_silent_connections() {
    let running = run("127.0.0.1:0").await;
    let pods = Api::<Pod>::all(client(kubeconfig(&running)).await);
    pods.list(&ListParams::default()).await.unwrap();
    // One that never begins its handshake.
    let _silent = tokio::net::TcpStream::connect(running.address).await.unwrap();
    pods.list(&ListParams::default()).await.unwrap();
    let start = std::time::Instant::now();
    running.stop.send(()).unwrap();
    running.task.await.unwrap();
    assert!(start.elapsed().as_secs_f32() < 1.5);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let running = run("127.0.0.1:0").await;
    let error = Server::bind(running.address, &running.credentials).await.err().unwrap();
    assert!(matches!(error, BindError::Taken(_)));
    let expected = format!(
        "the address {} is taken by another program: stop that one, or name another address with --api-listen",
        running.address
    );
    assert_eq!(error.to_string(), expected);
    let elsewhere = "203.0.113.7:0".parse().unwrap();
    let error = Server::bind(elsewhere, &running.credentials).await.err().unwrap().to_string();
    assert!(error.starts_with("cannot listen on 203.0.113.7:0: "), "{error}");
    assert!(error.ends_with("; name another address with --api-listen"), "{error}");
}

#[tokio::test]
async fn both_http_versions_are_spoken() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
    let running = run("127.0.0.1:0").await;
    let mut roots = RootCertStore::empty();
    let ca = running.credentials.ca_pem().as_bytes();
    roots.add(rustls_pki_types::pem::PemObject::from_pem_slice(ca).unwrap()).unwrap();
    for protocol in ["h2", "http/1.1"] {
        let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let stream = tokio::net::TcpStream::connect(running.address).await.unwrap();
        let name = "kubernetes.default.svc".try_into().unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        let request = Request::builder()
            .uri("https://kubernetes.default.svc/version")
            .header("host", "kubernetes.default.svc")
            .body(String::new())
            .unwrap();
        let response = if protocol == "h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        assert_eq!(response.status(), 200, "{protocol}");
        assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}

#[test]
fn a_given_token_is_quoted_in_the_kubeconfig() {
    let names = Credentials::names("127.0.0.1".parse().unwrap(), "cluster.local", &[]);
    let token = Token::new(r#"a":#{}'\b"#).unwrap();
    let credentials = Credentials::ephemeral(&names, Some(token.clone())).unwrap();
    let text = Kubeconfig::new("127.0.0.1:6443".parse().unwrap(), &credentials, None).to_string();
    let read: serde_json::Value =
        serde_json::to_value(kube::config::Kubeconfig::from_yaml(&text).unwrap()).unwrap();
    assert_eq!(read["clusters"][0]["cluster"]["server"], "https://127.0.0.1:6443");
    assert!(text.contains(&format!("token: {}", serde_json::json!(token.as_str()))), "{text}");
}

/// Store, API and server on a data folder, as `headcount up` puts them together.
async fn whole(folder: &std::path::Path, listen: SocketAddr) -> (Running, std::sync::Arc<Sqlite>) {
    let store = std::sync::Arc::new(Sqlite::open(folder).unwrap());
    let names = Credentials::names(listen.ip(), "cluster.local", &["10.96.0.1".parse().unwrap()]);
    let credentials = Credentials::load_or_create(folder, &names, None).unwrap();
    let server = Server::bind(listen, &credentials).await.unwrap();
    let address = server.address();
    let config = api::Config::new(vec!["10.96.0.0/12".parse().unwrap()], address);
    let api = api::ApiServer::new(store.clone(), config).unwrap();
    let service = Authenticate::new(credentials.token().clone()).layer(api);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.serve(service, async { _ = stopped.await }));
    (Running { address, credentials, stop, task }, store)
}

#[tokio::test]
async fn a_client_finds_its_objects_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data");
    let path = root.path().join("kubeconfig");
    let (running, store) = whole(&folder, "127.0.0.1:0".parse().unwrap()).await;
    let text = Kubeconfig::new(running.address, &running.credentials, None).to_string();
    write_private(&path, text.as_bytes()).unwrap();
    let read = || client(kube::config::Kubeconfig::read_from(&path).unwrap());

    let namespaces = Api::<Namespace>::all(read().await);
    let create = async |name: &str| {
        let namespace = serde_json::json!({"metadata": {"name": name}});
        let namespace = serde_json::from_value(namespace).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap()
    };
    create("first").await;
    let made = create("prod").await;
    let version = made.metadata.resource_version.clone().unwrap();
    let mut events = namespaces.watch(&WatchParams::default(), &version).await.unwrap().boxed();
    running.stop.send(()).unwrap();
    assert!(events.try_next().await.unwrap().is_none(), "the watch ends");
    running.task.await.unwrap();
    store.close().await;
    drop(store);

    let (running, _store) = whole(&folder, running.address).await;
    let namespaces = Api::<Namespace>::all(read().await);
    assert_eq!(namespaces.get("prod").await.unwrap(), made, "by the same kubeconfig");
    // The history is gone with the first process.
    let mut events = namespaces.watch(&WatchParams::default(), "1").await.unwrap().boxed();
    let told = events.try_next().await.unwrap().unwrap();
    let WatchEvent::Error(status) = told else { panic!("{told:?}") };
    assert_eq!((status.code, &*status.reason), (410, "Expired"));
    running.stop.send(()).unwrap();
    running.task.await.unwrap();
}
