//! A whole cluster in the process: API over memory, watches, feed, controllers, nodes and pods.

use std::sync::Arc;
use std::time::Duration;

use api::allocate::dns_address;
use api::store::{Memory, Store};
use api::{ApiServer, Config};
use cluster::{
    Applied, Controllers, Feed, Outcome, Recorder, RunningWatches, Watches, apply, bootstrap,
};
use directory::{Answer, Name, Rdata, Reader, RecordType, ZoneConfig};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use manifest::Kind;
use node::{Logs, Outlets, Simulation};
use serde_json::{Value, json};

/// A running cluster.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) reader: Reader,
    pub(crate) logs: Logs,
    pub(crate) watches: RunningWatches,
    feed: Feed,
    controllers: Controllers,
    simulation: Simulation,
}

impl Cluster {
    /// Starts on an empty store, and waits until it has settled.
    pub(crate) async fn start() -> Self {
        Self::on(Arc::new(Memory::new()), &["10.244.0.0/16"], &["10.96.0.0/12"]).await
    }

    pub(crate) async fn dual_stack() -> Self {
        let store = Arc::new(Memory::new());
        Self::on(
            store,
            &["10.244.0.0/16", "fd00:10:244::/56"],
            &["10.96.0.0/12", "fd00:10:96::/112"],
        )
        .await
    }

    pub(crate) async fn on(store: Arc<dyn Store>, pods: &[&str], services: &[&str]) -> Self {
        let service_cidrs: Vec<_> = services.iter().map(|range| range.parse().unwrap()).collect();
        let config = Config::new(service_cidrs.clone(), "127.0.0.1:6443".parse().unwrap());
        let server = ApiServer::new(store, config).unwrap();
        server.bootstrap().await.unwrap();
        let client = Client::new(server, "default");

        let (writer, reader) = directory::new(ZoneConfig {
            reverse: pods.iter().map(|range| range.parse().unwrap()).collect(),
            ..ZoneConfig::new(Name::parse("cluster.local").unwrap())
        });
        let mut watches = Watches::new(client.clone());
        let feed = Feed::start(&mut watches, writer, Arc::new(()));
        let recorder = Recorder::start(client.clone(), watches.activity().clone());
        let controllers = Controllers::start(&mut watches, recorder.clone());
        let pod_ranges = pods.iter().map(|range| range.parse().unwrap()).collect();
        let config = node::Config { nodes: 3, pod_ranges };
        let logs = Logs::default();
        let outlets = Outlets { recorder, logs: logs.clone() };
        let simulation = Simulation::start(&mut watches, &config, outlets, None).await.unwrap();
        let dns: Vec<_> = service_cidrs.iter().filter_map(dns_address).collect();
        bootstrap(&client, &dns).await.unwrap();
        let cluster =
            Self { client, reader, logs, watches: watches.start(), feed, controllers, simulation };
        cluster.idle().await;
        cluster
    }

    /// Waits until all that was written has been acted on.
    pub(crate) async fn idle(&self) {
        let idle = tokio::time::timeout(Duration::from_secs(30), self.watches.idle());
        if idle.await.is_err() {
            panic!("not idle: {:?}", self.watches.activity());
        }
    }

    pub(crate) async fn apply_all(&self, manifests: &[Value]) {
        for manifest in manifests {
            self.apply(manifest).await;
        }
    }

    pub(crate) async fn apply(&self, manifest: &Value) -> Outcome {
        let applied = self.try_apply(manifest).await;
        applied.unwrap_or_else(|error| panic!("{error}: {:?}", error.causes())).outcome
    }

    pub(crate) async fn try_apply(&self, manifest: &Value) -> Result<Applied, cluster::ApplyError> {
        let kind = Kind::by_type(
            manifest["apiVersion"].as_str().unwrap(),
            manifest["kind"].as_str().unwrap(),
        );
        let applied = apply(&self.client, kind.unwrap(), manifest, "default").await?;
        applied.await_in(self.watches.activity());
        Ok(applied)
    }

    pub(crate) fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Plays "not ready" or "ready" with a pod, and waits for what follows.
    pub(crate) async fn annotate_ready(&self, pod: &str, ready: bool) {
        let patch =
            json!({"metadata": {"annotations": {node::READY_ANNOTATION: ready.to_string()}}});
        let pod = self
            .pods("default")
            .patch(pod, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
        self.watches
            .activity()
            .wrote(manifest::KindId::Pod, pod.metadata.resource_version.as_deref());
        self.idle().await;
    }

    /// The data of the answer, sorted; or what kind of negative it is.
    pub(crate) fn ask(&self, name: &str, rtype: RecordType) -> Vec<String> {
        let records = match self.reader.answer(&Name::parse(name).unwrap(), rtype) {
            Answer::Records { records, .. } => records,
            Answer::Alias { chain, .. } => chain,
            Answer::NoData(_) => return vec!["NODATA".into()],
            Answer::NoSuchName(_) => return vec!["NXDOMAIN".into()],
            other => return vec![format!("{other:?}")],
        };
        let mut data: Vec<String> =
            records.into_iter().map(|record| presentation(record.data)).collect();
        data.sort();
        data
    }

    #[track_caller]
    pub(crate) fn check(&self, name: &str, rtype: RecordType, expected: &[&str]) {
        assert_eq!(self.ask(name, rtype), expected, "{name}");
    }

    pub(crate) async fn shutdown(self) {
        let Self { client: _, reader: _, logs: _, watches, feed, controllers, simulation } = self;
        controllers.shutdown().await;
        simulation.shutdown().await;
        drop((watches, feed));
    }
}

fn presentation(data: Rdata) -> String {
    match data {
        Rdata::A(address) => address.to_string(),
        Rdata::Aaaa(address) => address.to_string(),
        Rdata::Cname(name) | Rdata::Ptr(name) | Rdata::Ns(name) => name.to_string(),
        Rdata::Srv { priority, weight, port, target } => {
            format!("{priority} {weight} {port} {target}")
        }
        other => format!("{other:?}"),
    }
}

/// A headless Service and its StatefulSet.
pub(crate) fn stateful(name: &str, service: &str, replicas: usize, extra: Value) -> [Value; 2] {
    let mut spec = json!({
        "serviceName": service,
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": name, "image": name, "ports": [{"containerPort": 6379}]}]},
        },
    });
    for (key, value) in extra.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    [
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": service},
            "spec": {"clusterIP": "None", "selector": {"app": name}, "ports": [{"name": "tcp", "port": 6379}]},
        }),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}),
    ]
}
