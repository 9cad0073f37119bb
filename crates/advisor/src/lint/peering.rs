//! StatefulSets of known peer software, and what makes their pods ready.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, Probe, Service};

use super::objects::{Item, Objects};
use super::workload::Workload;
use crate::peers::{Dials, Peer};

/// What was written in place of `publishNotReadyAddresses` once.
pub(super) const TOLERATE_UNREADY: &str = "service.alpha.kubernetes.io/tolerate-unready-endpoints";

/// A StatefulSet as an object and as a workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set<'a> {
    pub(super) item: &'a Item<StatefulSet>,
    pub(super) workload: &'a Workload,
}

/// A StatefulSet whose image is of known peer software.
#[derive(Debug)]
pub(super) struct PeerSet<'a> {
    pub(super) set: Set<'a>,
    pub(super) peer: &'static Peer,
    /// The path of the software's container among the pod's fields.
    pub(super) container: String,
}

/// What a pod must do to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Run: there is no probe.
    Running,
    /// Have its own process up.
    Alone,
    /// Work, which peer software does with its peers.
    WithPeers,
}

/// All StatefulSets.
pub(super) fn sets(objects: &Objects) -> impl Iterator<Item = Set<'_>> {
    let items: HashMap<_, _> =
        objects.stateful_sets.iter().map(|item| (Arc::as_ptr(&item.document), item)).collect();
    objects.workloads.iter().filter_map(move |workload| {
        let item = items.get(&Arc::as_ptr(&workload.document))?;
        Some(Set { item, workload })
    })
}

/// Those of known peer software.
pub(super) fn peer_sets(objects: &Objects) -> impl Iterator<Item = PeerSet<'_>> {
    sets(objects).filter_map(PeerSet::of)
}

/// The ports on which every member of a software dials the others. Some are declared and need not be open: TLS beside the
/// plain port, what tools ask the member itself, other data centres.
pub(super) fn ports(peer: &Peer) -> impl Iterator<Item = i32> {
    const OPTIONAL: &[&str] = &["tls", "jmx", "serf-wan", "status"];
    let dialled = peer.ports.iter().filter(|port| matches!(port.who, Dials::Peers | Dials::Both));
    dialled.filter(|port| !OPTIONAL.contains(&port.name)).map(|port| i32::from(port.number))
}

/// The peer software that a workload's pods run, and the path of its container; what runs beside the main containers is
/// a helper of theirs.
pub(super) fn peer(workload: &Workload) -> Option<(&'static Peer, String)> {
    let mut containers =
        workload.containers().filter(|(path, _)| path.starts_with("spec.containers"));
    containers
        .find_map(|(path, container)| Some((Peer::by_image(container.image.as_deref()?)?, path)))
}

impl<'a> Set<'a> {
    /// Its headless governing Service, where that publishes ready pods alone and is meant to.
    pub(super) fn unpublished(&self, objects: &'a Objects) -> Option<&'a Item<Service>> {
        let service = objects.governing(self.workload)?;
        let annotations = service.object.metadata.annotations.as_ref();
        let by_annotation = annotations.and_then(|all| all.get(TOLERATE_UNREADY));
        (service.is_headless()
            && !service.publishes_not_ready()
            && by_annotation.is_none_or(|value| value != "true"))
        .then_some(service)
    }

    /// How many pods it makes.
    pub(super) fn replicas(&self) -> i32 {
        self.workload.replicas.unwrap_or(1)
    }

    /// Whether its pods start all at once.
    pub(super) fn is_parallel(&self) -> bool {
        let spec = self.item.object.spec.as_ref();
        spec.and_then(|spec| spec.pod_management_policy.as_deref()) == Some("Parallel")
    }

    /// The number of its first pod.
    pub(super) fn first_ordinal(&self) -> i32 {
        let spec = self.item.object.spec.as_ref();
        spec.and_then(|spec| spec.ordinals.as_ref()?.start).unwrap_or(0)
    }

    /// The names of its pods.
    pub(super) fn pods(&self) -> impl Iterator<Item = String> {
        let (name, first) = (self.item.reference.name.clone(), self.first_ordinal());
        (0..self.replicas()).map(move |at| format!("{name}-{}", first.saturating_add(at)))
    }

    /// Whether a change of its template replaces pods by itself.
    pub(super) fn rolls(&self) -> bool {
        let spec = self.item.object.spec.as_ref();
        let strategy = spec.and_then(|spec| spec.update_strategy.as_ref()?.type_.as_deref());
        strategy != Some("OnDelete")
    }
}

impl<'a> PeerSet<'a> {
    /// The set, where its image is of known peer software.
    pub(super) fn of(set: Set<'a>) -> Option<Self> {
        let (peer, container) = peer(set.workload)?;
        Some(Self { set, peer, container })
    }

    /// What makes its pods ready, and the path of the probe that says so.
    pub(super) fn readiness(&self, objects: &Objects) -> (Readiness, String) {
        let path = self.container.clone();
        let Some(container) = self.container() else { return (Readiness::Running, path) };
        let has_quorum = self.has_quorum(objects) || !self.peer.quorum;
        let startup = container.startup_probe.as_ref().map(|probe| ("startupProbe", probe));
        let ready = container.readiness_probe.as_ref().map(|probe| ("readinessProbe", probe));
        let mut alone = None;
        for (field, probe) in ready.into_iter().chain(startup) {
            let field = format!("{path}.{field}");
            if has_quorum && !self.looks_at_itself(probe) {
                return (Readiness::WithPeers, field);
            }
            alone.get_or_insert(field);
        }
        match alone {
            Some(field) => (Readiness::Alone, field),
            None => (Readiness::Running, path),
        }
    }

    /// Whether a probe passes for a member that has not found its peers.
    fn looks_at_itself(&self, probe: &Probe) -> bool {
        let name = self.peer.name;
        if let Some(command) = probe.exec.as_ref().and_then(|exec| exec.command.as_ref()) {
            let text = command.join(" ").to_lowercase();
            let is_ping =
                text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "ping");
            // zookeeper-ready is the script of Kubernetes' own image, and asks ruok.
            let is_ruok = text.contains("ruok") || text.contains("zookeeper-ready");
            return (is_ping && !text.contains("cluster")) || is_ruok;
        }
        if let Some(http) = &probe.http_get {
            let path = http.path.as_deref().unwrap_or("/");
            return match name {
                "CockroachDB" => path == "/health" || path == "/health/",
                // Kubernetes' convention: what is asked is whether the process lives.
                _ => path.starts_with("/livez"),
            };
        }
        // These open their ports before they have found anyone.
        probe.tcp_socket.is_some()
            && (name.starts_with("Redis")
                || matches!(
                    name,
                    "Elasticsearch"
                        | "OpenSearch"
                        | "ZooKeeper"
                        | "NATS"
                        | "Consul"
                        | "Vault"
                        | "MongoDB replica set"
                ))
    }

    /// Whether these very pods need a majority of one another, which some software does in a certain role only.
    pub(super) fn has_quorum(&self, objects: &Objects) -> bool {
        let variable = |end: &str| self.variable(end);
        self.peer.quorum
            && match self.peer.name {
                "NATS" => self.mentions(objects, &["jetstream", "-js"]),
                "Vault" => self.mentions(objects, &["raft"]),
                // Brokers need the controllers, or ZooKeeper, and not one another.
                "Kafka" => {
                    variable("process_roles").is_none_or(|roles| roles.contains("controller"))
                        && variable("zookeeper_connect").is_none()
                }
                // So do nodes for data, and the masters are not theirs.
                "Elasticsearch" | "OpenSearch" => variable("node.roles").is_none_or(|roles| {
                    roles.contains("master") || roles.contains("cluster_manager")
                }),
                _ => true,
            }
    }

    fn container(&self) -> Option<&'a Container> {
        let mut containers = self.set.workload.containers();
        containers.find(|(path, _)| *path == self.container).map(|(_, container)| container)
    }

    /// The value of the variable whose name ends so, in lower case.
    fn variable(&self, end: &str) -> Option<&'a str> {
        let mut variables = self.container()?.env.iter().flatten();
        let found = variables.find(|variable| variable.name.to_lowercase().ends_with(end));
        found.and_then(|variable| variable.value.as_deref())
    }

    /// Whether its arguments, its environment or the ConfigMaps that it mounts have one of these words.
    fn mentions(&self, objects: &Objects, words: &[&str]) -> bool {
        let has = |text: &str| words.iter().any(|word| text.to_lowercase().contains(word));
        let Some(container) = self.container() else { return false };
        let mut texts = container.args.iter().chain(&container.command).flatten();
        let mut values =
            container.env.iter().flatten().filter_map(|variable| variable.value.as_deref());
        let volumes = self.set.workload.pod.volumes.iter().flatten();
        let mut mounted = volumes.filter_map(|volume| volume.config_map.as_ref());
        texts.any(|text| has(text))
            || values.any(has)
            || mounted.any(|map| {
                objects.all.iter().any(|item| {
                    item.reference.kind == "ConfigMap"
                        && item.reference.namespace == self.set.item.reference.namespace
                        && item.reference.name == map.name
                        && has(&item.object["data"].to_string())
                })
            })
    }
}

/// What the cluster has of a StatefulSet that is about to be applied, while some of its pods are not ready.
#[derive(Debug)]
pub(super) struct Rollout<'a> {
    /// The StatefulSet as the cluster has it.
    pub(super) live: &'a Item<StatefulSet>,
    /// How many of its pods are ready.
    pub(super) ready: i32,
    /// How many it has.
    pub(super) replicas: i32,
    /// The names of those that are not, as far as the cluster's pods are given.
    pub(super) not_ready: Vec<String>,
    /// Whether what is applied has another template.
    pub(super) changes: bool,
}

/// The StatefulSets that are about to be applied while some of their pods are not ready.
pub(super) fn rollouts(objects: &Objects) -> impl Iterator<Item = (Set<'_>, Rollout<'_>)> {
    let live = objects.live.as_deref();
    let items: HashMap<_, _> = live
        .iter()
        .flat_map(|live| live.stateful_sets.iter().map(|item| (&item.reference, item)))
        .collect();
    sets(objects).filter_map(move |set| {
        let item = items.get(&set.item.reference)?;
        Some((set, Rollout::of(&set, item, live?)?))
    })
}

impl<'a> Rollout<'a> {
    /// `None` where pods are replaced by hand alone, or all are ready.
    fn of(set: &Set<'_>, item: &'a Item<StatefulSet>, live: &Objects) -> Option<Self> {
        let reference = &set.item.reference;
        let status = item.object.status.as_ref()?;
        let replicas = item.object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let ready = status.ready_replicas.unwrap_or(0);
        if !set.rolls() || ready >= replicas {
            return None;
        }
        let names: Vec<_> = set.pods().collect();
        let pods = live.all.iter().filter(|pod| {
            pod.reference.kind == "Pod"
                && pod.reference.namespace == reference.namespace
                && names.contains(&pod.reference.name)
        });
        let not_ready = pods.filter(|pod| {
            let conditions = pod.object["status"]["conditions"].as_array().into_iter().flatten();
            !conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
        });
        let template = |item: &Item<StatefulSet>| {
            let mut template = item.object.spec.as_ref()?.template.clone();
            if let Some(metadata) = template.metadata.as_mut() {
                // A restart by kubectl leaves this mark, and applying leaves it there.
                let annotations = metadata.annotations.get_or_insert_default();
                annotations.remove("kubectl.kubernetes.io/restartedAt");
            }
            Some(template)
        };
        Some(Self {
            live: item,
            ready,
            replicas,
            not_ready: not_ready.map(|pod| pod.reference.name.clone()).collect(),
            changes: template(set.item) != template(item),
        })
    }
}

#[cfg(test)]
mod tests {
    use manifest::read::read_any;

    use super::*;
    use crate::lint::Options;

    #[track_caller]
    fn check(image: &str, probe: &str, expected: Readiness) {
        let text = format!(
            "
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: a}}
spec:
  selector: {{matchLabels: {{app: a}}}}
  template:
    metadata: {{labels: {{app: a}}}}
    spec: {{containers: [{{name: a, image: {image:?}, {probe}}}]}}
"
        );
        let reading = read_any("set.yaml", &text);
        assert_eq!(reading.problems, []);
        let objects = Objects::new(reading.documents, reading.foreign, Options::default());
        let found = peer_sets(&objects).next().expect("known software").readiness(&objects).0;
        assert_eq!(found, expected, "{image}: {probe}");
    }

    #[test]
    fn what_makes_pods_ready() {
        use Readiness::{Alone, Running, WithPeers};
        let http =
            |path: &str| format!("readinessProbe: {{httpGet: {{port: 80, path: {path:?}}}}}");
        let exec =
            |command: &str| format!("readinessProbe: {{exec: {{command: [sh, -c, {command:?}]}}}}");
        let env = |name: &str, value: &str, probe: &str| {
            format!("env: [{{name: {name}, value: {value:?}}}], {probe}")
        };
        let tcp = "readinessProbe: {tcpSocket: {port: 80}}";
        let liveness = "livenessProbe: {tcpSocket: {port: 80}}";
        for (image, probe, expected) in [
            ("etcd", liveness.to_owned(), Running),
            ("etcd", http("/readyz"), WithPeers),
            ("etcd", http("/livez"), Alone),
            ("etcd", tcp.to_owned(), WithPeers),
            ("etcd", "startupProbe: {grpc: {port: 80}}".to_owned(), WithPeers),
            (
                "etcd",
                format!("{}, {}", http("/livez"), "startupProbe: {tcpSocket: {port: 80}}"),
                WithPeers,
            ),
            ("zookeeper", tcp.to_owned(), Alone),
            ("zookeeper", exec("echo ruok | nc 127.0.0.1 2181"), Alone),
            ("kubernetes-zookeeper", exec("zookeeper-ready 2181"), Alone),
            ("zookeeper", exec("zkServer.sh status"), WithPeers),
            ("rabbitmq", exec("rabbitmq-diagnostics ping"), Alone),
            ("rabbitmq", exec("rabbitmq-diagnostics check_running"), WithPeers),
            ("bitnami/redis-cluster", exec("redis-cli ping"), Alone),
            (
                "bitnami/redis-cluster",
                exec("redis-cli ping && redis-cli cluster info | grep state:ok"),
                WithPeers,
            ),
            ("elasticsearch", tcp.to_owned(), Alone),
            ("elasticsearch", http("/_cluster/health?local=true"), WithPeers),
            ("cockroachdb/cockroach", http("/health?ready=1"), WithPeers),
            ("cockroachdb/cockroach", http("/health"), Alone),
            // Without JetStream no majority is needed.
            ("nats", http("/healthz"), Alone),
            ("nats", format!("args: [--jetstream], {}", http("/healthz")), WithPeers),
            ("apache/kafka", tcp.to_owned(), WithPeers),
            ("apache/kafka", env("KAFKA_PROCESS_ROLES", "broker,controller", tcp), WithPeers),
            ("apache/kafka", env("KAFKA_PROCESS_ROLES", "broker", tcp), Alone),
            ("cp-kafka", env("KAFKA_ZOOKEEPER_CONNECT", "zookeeper:2181", tcp), Alone),
            ("elasticsearch", env("node.roles", "master", &http("/_cluster/health")), WithPeers),
            ("elasticsearch", env("node.roles", "data,ingest", &http("/_cluster/health")), Alone),
            (
                "hashicorp/vault",
                env("VAULT_LOCAL_CONFIG", "storage raft {}", &exec("vault status")),
                WithPeers,
            ),
            ("hashicorp/vault", exec("vault status"), Alone),
            // No quorum system, and ready in the ring of the others all the same.
            ("cassandra", exec("nodetool status"), WithPeers),
        ] {
            check(image, &probe, expected);
        }
    }
}
