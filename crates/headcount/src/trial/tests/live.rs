//! A cluster that is there already is asked, and only read.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::serve::{Authenticate, Credentials, DnsAddress, Kubeconfig, Server, write_private};
use clap::Parser;
use directory::Name;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tempfile::TempDir;
use tower::ServiceBuilder;

use super::plans::{self, Case};
use crate::live::LiveCluster;
use crate::local::LocalCluster;
use crate::trial::live::{Cluster, compare};
use crate::trial::{LiveArgs, Outcome, Report, steps, verify_live};

/// A cluster that holds a plan, and whose API is served as `up` serves it.
pub(super) struct Running {
    pub(super) cluster: LocalCluster,
    folder: TempDir,
}

impl Running {
    pub(super) async fn start(case: &Case) -> Self {
        let domain = Name::parse("cluster.local").expect("a name");
        let cluster =
            LocalCluster::start(steps::settings(&domain, false)).await.expect("a cluster");
        let apply = async |kind: &str, object: &serde_json::Value| {
            let kind = manifest::Kind::by_name(kind).expect("a kind");
            let applied = cluster::apply(&cluster.client, kind, object, case.namespace).await;
            applied.expect("applied").await_in(cluster.watches.activity());
        };
        apply("Namespace", &json!({ "metadata": { "name": case.namespace } })).await;
        for object in case.objects() {
            let kind = object["kind"].as_str().expect("a kind").to_owned();
            apply(&kind, &object).await;
        }
        cluster.watches.idle().await;
        Self { cluster, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Serves the API, and says in a kubeconfig where it is, and perhaps where DNS is.
    async fn kubeconfig(&self, dns: bool) -> LiveArgs {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let names = Credentials::names(loopback.ip(), "cluster.local", &[]);
        let credentials = Credentials::ephemeral(&names, None).expect("credentials");
        let listener = Server::bind(loopback, &credentials).await.expect("a port");
        let address = listener.address();
        let service = ServiceBuilder::new()
            .layer(Authenticate::new(credentials.token().clone()))
            .service(self.cluster.api.clone());
        tokio::spawn(listener.serve(service, std::future::pending()));
        let dns = dns.then(|| DnsAddress {
            address: self.cluster.dns_listen(),
            domain: "cluster.local".to_owned(),
        });
        let text = Kubeconfig::new(address, &credentials, dns).to_string();
        let path = self.folder.path().join("kubeconfig");
        write_private(&path, text.as_bytes()).expect("written");
        let cluster = LiveCluster { kubeconfig: Some(path), context: None };
        LiveArgs { verify_against_cluster: true, cluster, dns_server: None }
    }

    /// What is found without pauses.
    pub(super) async fn compared(&self, case: &Case) -> Report {
        let (client, dns) = (self.cluster.client.clone(), Some(self.cluster.dns_listen()));
        let cluster = Cluster { client, dns, domain: None };
        case.plan(async |plan| compare(plan, &cluster, Duration::ZERO).await.expect("a report"))
            .await
    }

    async fn change(&self, namespace: &str, pod: &str, metadata: serde_json::Value) {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        let pod = pods.patch(pod, &PatchParams::default(), &patch).await.expect("patched");
        let version = pod.metadata.resource_version;
        self.cluster.watches.activity().wrote(manifest::KindId::Pod, version.as_deref());
        self.cluster.watches.idle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_a_kubeconfig_is_asked() {
    let case = plans::stateful();
    let running = Running::start(&case).await;
    let args = running.kubeconfig(true).await;
    let report = case.plan(async |plan| verify_live(plan, &args).await.expect("a report")).await;
    assert_eq!(report.outcome, Outcome::Passed, "{:#?}", report.lines());
    assert!(report.checks.iter().all(|check| check.when == "as the cluster is now"));
    assert_eq!(
        report.notes,
        ["pods turned not ready, and deleted, were not tried: the cluster is only read"]
    );
    assert!(
        report.summary().starts_with("Asked the cluster, read-only: 12 answers as expected, in")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_dns_cannot_be_asked_nothing_is_verified() {
    let case = plans::stateful();
    let running = Running::start(&case).await;
    let mut args = running.kubeconfig(false).await;
    let report = case.plan(async |plan| verify_live(plan, &args).await.expect("a report")).await;
    assert_eq!(report.outcome, Outcome::Incomplete);
    let note = report.notes.last().expect("a note");
    assert!(
        note.contains("--dns-server")
            && note.ends_with("-- nslookup db-peers.prod.svc.cluster.local."),
        "{note}"
    );
    // What the API says of slices was compared.
    assert_eq!(report.checks.len(), 5);

    // Nobody answers there.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let nobody = socket.local_addr().expect("an address");
    drop(socket);
    args.dns_server = Some(nobody);
    let report = case.plan(async |plan| verify_live(plan, &args).await.expect("a report")).await;
    assert_eq!(report.outcome, Outcome::Failed);
    let failures: Vec<&str> = report.failures().map(|check| check.asked.as_str()).collect();
    assert_eq!(failures, [format!("the DNS server {nobody}")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_in_the_cluster_is_found() {
    let wrong = plans::stateful().with("targetPort: 2380", "targetPort: 2381");
    let running = Running::start(&wrong).await;
    let report = running.compared(&plans::stateful()).await;
    let failures: Vec<String> = report.failures().map(|check| check.asked.clone()).collect();
    assert_eq!(failures, ["SRV _peer._tcp.db-peers.prod.svc.cluster.local."]);
}

/// A pod that is not ready is told of; that its names follow it is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_are_not_ready_are_told_of() {
    let case = plans::one_by_one();
    let running = Running::start(&case).await;
    let annotations = json!({ "annotations": { node::READY_ANNOTATION: "false" } });
    running.change("prod", "db-1", annotations).await;
    let report = running.compared(&case).await;
    let failures: Vec<String> = report.failures().map(|check| check.line()).collect();
    assert_eq!(
        failures,
        [
            "  FAILED  pods db-0, db-1 and db-2: expected there and ready; answered db-1 is not ready: \
          containers with unready status: [db]"
        ]
    );
}

/// Who leads is the software's to say, and that one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_the_one_with_the_label() {
    let case = plans::leader();
    let running = Running::start(&case).await;
    let report = running.compared(&case).await;
    let failures: Vec<String> = report.failures().map(|check| check.line()).collect();
    assert_eq!(
        failures,
        [
            "  FAILED  the pod with the label role=leader: expected one of db-0, db-1 and db-2; answered nothing"
        ]
    );
    running.change("prod", "db-1", json!({ "labels": { "role": "leader" } })).await;
    let report = running.compared(&case).await;
    assert_eq!(report.outcome, Outcome::Passed, "{:#?}", report.lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_only_read() {
    let case = plans::stateful();
    let running = Running::start(&case).await;
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let api = running.cluster.api.clone();
    let seen = asked.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let line = format!("{} {}", request.method(), request.uri().path());
        seen.lock().expect("no panic").push(line);
        tower::ServiceExt::oneshot(api.clone(), request)
    });
    let client = Client::new(service, "default");
    let cluster = Cluster { client, dns: Some(running.cluster.dns_listen()), domain: None };
    let report = case
        .plan(async |plan| compare(plan, &cluster, Duration::ZERO).await.expect("a report"))
        .await;
    assert!(report.passed());
    let mut asked = asked.lock().expect("no panic").clone();
    asked.sort();
    assert_eq!(
        asked,
        [
            "GET /api/v1/namespaces/prod/pods",
            "GET /api/v1/namespaces/prod/services",
            "GET /api/v1/namespaces/prod/services/db",
            "GET /api/v1/namespaces/prod/services/db-peers",
            "GET /apis/apps/v1/namespaces/prod/replicasets",
            "GET /apis/apps/v1/namespaces/prod/statefulsets/db",
            "GET /apis/discovery.k8s.io/v1/namespaces/prod/endpointslices",
        ]
    );
}

#[test]
fn arguments() {
    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        live: LiveArgs,
    }
    let check = |text: &str, expected: Option<&str>| {
        let words = ["design", "--verify-against-cluster", "--dns-server", text];
        let seen = Command::try_parse_from(words).ok().and_then(|parsed| parsed.live.dns_server);
        assert_eq!(seen.map(|address| address.to_string()).as_deref(), expected, "{text}");
    };
    check("10.96.0.10", Some("10.96.0.10:53"));
    check("127.0.0.1:1053", Some("127.0.0.1:1053"));
    check("fd00::a", Some("[fd00::a]:53"));
    check("[fd00::a]", Some("[fd00::a]:53"));
    check("[fd00::a]:1053", Some("[fd00::a]:1053"));
    check("dns.example.com", None);
    let named = Command::try_parse_from(["design", "--context", "prod"]).expect("it can be read");
    assert!(named.live.is_wanted().is_err());
    let wanted = |words: &[&str]| {
        Command::try_parse_from(words)
            .expect("it can be read")
            .live
            .is_wanted()
            .expect("no trouble")
    };
    assert!(!wanted(&["design"]));
    assert!(wanted(&["design", "--verify-against-cluster", "--context", "prod"]));
}
