//! A server over TLS whose pods run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use api::serve::{Authenticate, Credentials, Kubeconfig, Limits, Server};
use api::store::Memory;
use api::{ApiServer, Config};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::{Layer as _, Service as _};

use crate::kubelet::Host;

pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Credentials,
    /// How many commands were run.
    pub(crate) commands: Arc<AtomicUsize>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Serving {
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

async fn send(server: &ApiServer, method: &str, path: &str, body: &Value) -> u16 {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    let body = Full::new(Bytes::from(body.to_string()));
    server.clone().call(request.body(body).unwrap()).await.unwrap().status().as_u16()
}

/// A server with the running pods `p` and `pending`, and a Service of the first.
pub(crate) async fn serve(limits: Limits) -> Serving {
    let host = Host::default();
    let commands = host.commands.clone();
    let mut config = Config::new(
        vec!["10.96.0.0/12".parse().unwrap()],
        SocketAddr::from(([192, 0, 2, 1], 6443)),
    );
    config.kubelet = Some(Arc::new(host));
    let api = ApiServer::new(Arc::new(Memory::new()), config).unwrap();
    api.bootstrap().await.unwrap();
    for name in ["p", "pending"] {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "labels": { "app": name } },
            "spec": { "containers": [{
                "name": "c", "image": "i", "stdin": true, "tty": true,
                "ports": [{ "name": "http", "containerPort": 8080 }],
            }] },
        });
        assert_eq!(send(&api, "POST", PODS, &pod).await, 201);
        pod["status"] = json!({ "phase": "Running" });
        assert_eq!(send(&api, "PUT", &format!("{PODS}/{name}/status"), &pod).await, 200);
    }

    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let names = Credentials::names(listen.ip(), "cluster.local", &[]);
    let credentials = Credentials::ephemeral(&names, None).unwrap();
    let server = Server::bind(listen, &credentials).await.unwrap().with_limits(limits);
    let address = server.address();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = Kubeconfig::new(address, &credentials, None).to_string();
    std::fs::write(folder.path().join("kubeconfig"), kubeconfig).unwrap();
    let service = Authenticate::new(credentials.token().clone()).layer(api);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.serve(service, async { _ = stopped.await }));
    Serving { address, credentials, commands, stop: Some(stop), task, folder }
}
