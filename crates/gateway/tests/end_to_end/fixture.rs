//! A gateway over an API in the process, on loopback: ports of the gateway are ports that the system chose, and so are
//! the addresses of Services.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::store::Memory;
use api::{ApiServer, Config};
use bytes::Bytes;
use cluster::{RunningWatches, Watches, apply};
use futures::future::BoxFuture;
use gateway::{Gateway, Network};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::core::DynamicObject;
use manifest::Kind;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

/// Where the gateway believes that it is.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 255, 1));

#[derive(Default)]
pub(crate) struct Loopback {
    /// Where the gateway's ports are.
    listens: Mutex<HashMap<SocketAddr, SocketAddr>>,
    /// Where Services and pods are.
    pub(crate) backends: Mutex<HashMap<SocketAddr, SocketAddr>>,
    /// The ports that were still taken when they were listened on.
    pub(crate) taken: Mutex<Vec<SocketAddr>>,
}

impl Network for Loopback {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        let at = self.backends.lock().unwrap().get(&to).copied();
        Box::pin(async move {
            match at {
                Some(at) => TcpStream::connect(at).await,
                None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }

    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<TcpListener>> {
        Box::pin(async move {
            if at.port() == 6666 {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            // As in the cluster's network, what is listened on is taken.
            let before = self.listens.lock().unwrap().get(&at).copied();
            let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let listener = TcpListener::bind(before.unwrap_or(loopback))
                .await
                .inspect_err(|_| self.taken.lock().unwrap().push(at))?;
            self.listens.lock().unwrap().insert(at, listener.local_addr()?);
            Ok(listener)
        })
    }
}

pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) network: Arc<Loopback>,
    watches: RunningWatches,
    _gateway: Gateway,
}

impl Cluster {
    /// Starts on an empty store, with these objects, and waits until they are acted on.
    pub(crate) async fn start(objects: &[Value]) -> Self {
        let config =
            Config::new(vec!["10.96.0.0/12".parse().unwrap()], "127.0.0.1:6443".parse().unwrap());
        let server = ApiServer::new(Arc::new(Memory::new()), config).unwrap();
        server.bootstrap().await.unwrap();
        let client = Client::new(server, "default");
        let mut watches = Watches::new(client.clone());
        let network = Arc::new(Loopback::default());
        let config = gateway::Config { address: ADDRESS, http_port: 80, https_port: 443 };
        let gateway = Gateway::start(&mut watches, network.clone(), config);
        let cluster = Self { client, network, watches: watches.start(), _gateway: gateway };
        cluster.apply(objects).await;
        cluster
    }

    /// Applies objects, and waits until they are acted on.
    pub(crate) async fn apply(&self, objects: &[Value]) {
        for object in objects {
            let text = |field: &str| object[field].as_str().unwrap();
            let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
            match apply(&self.client, kind, object, "default").await {
                Ok(applied) => applied.await_in(self.watches.activity()),
                Err(error) => panic!("{error}: {:?}", error.causes()),
            }
        }
        self.idle().await;
    }

    pub(crate) async fn idle(&self) {
        let idle = tokio::time::timeout(Duration::from_secs(30), self.watches.idle());
        assert!(idle.await.is_ok(), "not idle: {:?}", self.watches.activity());
    }

    /// A Service with a fixed address and one ready endpoint, which is this socket.
    pub(crate) async fn serve(&self, name: &str, last: u8, at: SocketAddr) {
        let address: IpAddr = [10, 96, 1, last].into();
        self.network.backends.lock().unwrap().insert(SocketAddr::new(address, 80), at);
        self.apply(&service(name, &address.to_string(), true)).await;
    }

    /// An object as it is now.
    pub(crate) async fn get(&self, api_version: &str, kind: &str, name: &str) -> Value {
        let kind = Kind::by_type(api_version, kind).unwrap();
        let resource = kube::core::ApiResource {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            api_version: api_version.to_owned(),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
        };
        let api: kube::Api<DynamicObject> = match kind.namespaced {
            true => kube::Api::namespaced_with(self.client.clone(), "default", &resource),
            false => kube::Api::all_with(self.client.clone(), &resource),
        };
        serde_json::to_value(api.get(name).await.unwrap()).unwrap()
    }

    /// A connection to a port of the gateway.
    pub(crate) async fn connect(&self, port: u16) -> TcpStream {
        let at = SocketAddr::new(ADDRESS, port);
        let at = *self.network.listens.lock().unwrap().get(&at).expect("the port is listened on");
        TcpStream::connect(at).await.unwrap()
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn send<B>(&self, port: u16, request: Request<B>) -> Response<Incoming>
    where
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = TokioIo::new(self.connect(port).await);
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    /// GET of `host/path` with headers: the answer and its text.
    pub(crate) async fn get_url(
        &self,
        url: &str,
        headers: &[(&str, &str)],
    ) -> (Response<()>, String) {
        let (host, path) = url.split_at(url.find('/').unwrap());
        let mut request = Request::get(path);
        if !host.is_empty() {
            request = request.header("host", host);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = http_body_util::Empty::<Bytes>::new();
        let response = self.send(80, request.body(body).unwrap()).await;
        let (parts, body) = response.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(parts, ()), String::from_utf8(text.to_vec()).unwrap())
    }

    /// Checks the answer's code and how its text begins.
    pub(crate) async fn check(&self, url: &str, headers: &[(&str, &str)], code: u16, text: &str) {
        let (response, got) = self.get_url(url, headers).await;
        assert_eq!(response.status(), code, "{url}: {got}");
        assert!(got.starts_with(text), "{url}: {got} does not begin with {text}");
    }
}

/// A Service at an address, and its slice with one endpoint.
pub(crate) fn service(name: &str, address: &str, ready: bool) -> [Value; 2] {
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"clusterIP": address, "selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "", "port": 8080}],
            "endpoints": [{"addresses": ["10.244.1.2"], "conditions": {"ready": ready}}]}),
    ]
}

pub(crate) fn ingress(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec})
}

pub(crate) fn gateway(listeners: Value) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "web"},
        "spec": {"gatewayClassName": "headcount", "listeners": listeners}})
}

pub(crate) fn route(name: &str, rules: Value) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "web"}], "rules": rules}})
}
