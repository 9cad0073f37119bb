//! How each software is told the names of its peers: in the variables and arguments of its official image, or in words
//! where that takes its own configuration file.

use super::intent::Intent;
use super::yaml::Map;
use crate::peers::{Peer, is_of, repository};

/// What a pod's container is given.
#[derive(Debug, Default)]
pub(super) struct Wiring {
    /// Environment variables, in order: those that later ones refer to come first.
    pub(super) env: Vec<Map>,
    /// Arguments of the image's own entry point.
    pub(super) args: Vec<String>,
    /// What is left to do, in words.
    pub(super) todo: Vec<String>,
}

/// The official image, in a version that was current when this was written.
pub(super) fn image(software: &Peer) -> Option<&'static str> {
    Some(match software.name {
        "etcd" => "quay.io/coreos/etcd:v3.5.21",
        "ZooKeeper" => "zookeeper:3.9",
        "Kafka" => "apache/kafka:4.1.0",
        "Cassandra" => "cassandra:5.0",
        "Elasticsearch" => "docker.elastic.co/elasticsearch/elasticsearch:9.0.1",
        "OpenSearch" => "opensearchproject/opensearch:3",
        "MongoDB replica set" => "mongo:8.0",
        "Redis with Sentinel" | "Redis Cluster" => "redis:7.4",
        "RabbitMQ" => "rabbitmq:4.1-management",
        "CockroachDB" => "cockroachdb/cockroach:v25.2.0",
        "Galera" => "mariadb:11.4",
        "MySQL Group Replication" => "mysql:8.4",
        "PostgreSQL with Patroni" => "ghcr.io/zalando/spilo-17:4.0-p2",
        "Consul" => "hashicorp/consul:1.21",
        "Vault" => "hashicorp/vault:1.19",
        "NATS" => "nats:2.11",
        "MinIO" => "quay.io/minio/minio:latest",
        "ClickHouse Keeper" => "clickhouse/clickhouse-keeper:25.3",
        "Hazelcast" => "hazelcast/hazelcast:5.5.0",
        "Temporal" => "temporalio/server:1.27.2",
        "TiDB PD" => "pingcap/pd:v8.5.1",
        "TiKV" => "pingcap/tikv:v8.5.1",
        "Dgraph Alpha" | "Dgraph Zero" => "dgraph/dgraph:v24.0.5",
        _ => return None,
    })
}

/// Whether this is the official image, wherever it is kept: an image of another family has variables of its own.
pub(super) fn is_official(software: &Peer, image: &str) -> bool {
    let path = repository(image);
    let path = path.strip_prefix("docker.io/").unwrap_or(path);
    families(software).iter().any(|family| {
        // What Docker Hub keeps as its own is written without a folder, too.
        is_of(path, family) || family.strip_prefix("library/") == Some(path)
    })
}

/// The repositories of the official image, without the registry.
fn families(software: &Peer) -> &'static [&'static str] {
    match software.name {
        "etcd" => &["coreos/etcd", "etcd-development/etcd"],
        "ZooKeeper" => &["library/zookeeper"],
        "Kafka" => &["apache/kafka", "apache/kafka-native"],
        "Cassandra" => &["library/cassandra"],
        "Elasticsearch" => &[
            "elasticsearch/elasticsearch",
            "elasticsearch/elasticsearch-wolfi",
            "library/elasticsearch",
        ],
        "OpenSearch" => &["opensearchproject/opensearch"],
        "MongoDB replica set" => &["library/mongo"],
        "Redis with Sentinel" | "Redis Cluster" => &["library/redis"],
        "RabbitMQ" => &["library/rabbitmq"],
        "CockroachDB" => &["cockroachdb/cockroach"],
        "Galera" => &["library/mariadb"],
        "MySQL Group Replication" => &["library/mysql"],
        "PostgreSQL with Patroni" => {
            &["acid/spilo-15", "acid/spilo-16", "zalando/spilo-16", "zalando/spilo-17"]
        }
        "Consul" => &["hashicorp/consul", "library/consul"],
        "Vault" => &["hashicorp/vault", "library/vault"],
        "NATS" => &["library/nats"],
        "MinIO" => &["minio/minio"],
        "Dgraph Alpha" | "Dgraph Zero" => &["dgraph/dgraph"],
        // Of these nothing is written that an image would have to know.
        _ => &[],
    }
}

fn value(name: &str, value: impl Into<String>) -> Map {
    Map::new().set("name", name).set("value", value.into())
}

fn field(name: &str, path: &str) -> Map {
    let path = Map::new().set("fieldPath", path);
    Map::new().set("name", name).set("valueFrom", Map::new().set("fieldRef", path))
}

fn pod_name() -> Map {
    field("POD_NAME", "metadata.name")
}

/// The peers' names as the image wants them, or in words for who knows the image.
pub(super) fn wiring(intent: &Intent) -> Wiring {
    let (Some(software), Some(pods)) = (intent.software(), intent.pods()) else {
        return Wiring::default();
    };
    let mut wiring = official(intent);
    let is_of_image = !wiring.env.is_empty() || !wiring.args.is_empty();
    if is_of_image && !is_official(software, &pods.image) {
        wiring =
            Wiring { todo: vec![in_words(intent, software, &pods.image)], ..Wiring::default() };
    }
    wiring.todo.extend(outside(intent, software));
    wiring
}

/// What an image of another family must be told, by whatever means it has.
fn in_words(intent: &Intent, software: &Peer, image: &str) -> String {
    let family = repository(image);
    if software.name == "PostgreSQL with Patroni" {
        return format!(
            "{family} has variables of its own, so none are written here: Patroni's scope is {}, its store is the Kubernetes API, and the label role tells who leads",
            intent.name
        );
    }
    let service = intent.peer_service().unwrap_or_default();
    let port = intent.ports.iter().find(|port| port.for_peers);
    let port =
        port.map_or(String::new(), |port| format!(" (on port {}, {})", port.target, port.name));
    let names: Vec<String> = intent
        .pod_names()
        .iter()
        .map(|pod| format!("{pod}.{service}.{}.svc", intent.namespace))
        .collect();
    format!(
        "{family} has variables of its own, so none are written here: in its own way tell each pod its own name among these, and those of its peers{port}: {}",
        names.join(", ")
    )
}

/// What clients outside need beyond Services, where they are told single servers.
fn outside(intent: &Intent, software: &Peer) -> Option<String> {
    if !intent.exposes_each_pod() {
        return None;
    }
    let pod = intent.pod_names().into_iter().next()?;
    let own = format!("{pod}-external");
    let port = intent.client_ports().next().map_or(0, |port| port.target);
    Some(match software.name {
        "Kafka" => format!(
            "for clients outside, a listener of its own on each broker, beside that on {port}, which advertises names of the cluster: in listeners EXTERNAL://:19092, say; in advertised.listeners the address that the broker's own Service (`{own}` for {pod}) has got; in listener.security.protocol.map its protocol. Then let the targetPort of these Services be 19092, and the port in a policy: until then they lead to {port}, whose answers send clients to names that they cannot resolve"
        ),
        "MongoDB replica set" => format!(
            "for clients outside, horizons in the replica set's configuration: for each member the address that its own Service (`{own}` for {pod}) has got. MongoDB chooses among them by the name in TLS, so TLS is needed; until then clients outside are sent to names that they cannot resolve"
        ),
        name => format!(
            "for clients outside, each server of {name} must tell them the address that its own Service (`{own}` for {pod}) has got: until then they are sent to names or addresses of the cluster"
        ),
    })
}

/// What the official image is given. Names end at `svc`: the pods' search path adds the cluster's domain, so that the
/// manifest fits every cluster.
fn official(intent: &Intent) -> Wiring {
    let (Some(software), Some(service)) = (intent.software(), intent.peer_service()) else {
        return Wiring::default();
    };
    let below = format!("{service}.{}.svc", intent.namespace);
    let own = format!("$(POD_NAME).{below}");
    let pods = intent.pod_names();
    let each = |format: &dyn Fn(usize, &str) -> String| -> Vec<String> {
        let names = pods.iter().enumerate();
        names.map(|(at, pod)| format(at, &format!("{pod}.{below}"))).collect()
    };
    let list = |port: u16| each(&|_, name| format!("{name}:{port}")).join(",");
    let mut names: Vec<String> = each(&|_, name| name.to_owned());
    let all = names.join(",");
    // Enough to find the rest by.
    names.truncate(3);
    let first = names.join(",");
    let told = |todo: String| vec![todo];
    let port = |name: &str| {
        // One that was given another name keeps its number.
        let usual = software.ports.iter().find(|port| port.name == name);
        let given = intent.ports.iter().find(|port| port.name == name);
        given.map(|port| port.target).or(usual.map(|port| port.number)).unwrap_or_default()
    };
    match software.name {
        "etcd" => {
            let (client, peer) = (port("client"), port("peer"));
            let cluster = pods.iter().map(|pod| format!("{pod}=http://{pod}.{below}:{peer}"));
            Wiring {
                env: vec![
                    pod_name(),
                    value("ETCD_NAME", "$(POD_NAME)"),
                    value("ETCD_INITIAL_CLUSTER", cluster.collect::<Vec<_>>().join(",")),
                    value("ETCD_INITIAL_CLUSTER_TOKEN", format!("{}-{}", intent.namespace, intent.name)),
                    value("ETCD_INITIAL_ADVERTISE_PEER_URLS", format!("http://{own}:{peer}")),
                    value("ETCD_ADVERTISE_CLIENT_URLS", format!("http://{own}:{client}")),
                    value("ETCD_LISTEN_PEER_URLS", format!("http://0.0.0.0:{peer}")),
                    value("ETCD_LISTEN_CLIENT_URLS", format!("http://0.0.0.0:{client}")),
                ],
                ..Wiring::default()
            }
        }
        "Kafka" => {
            let (client, controller, inner) = (port("client"), port("controller"), port("interbroker"));
            let voters = each(&|at, name| format!("{at}@{name}:{controller}")).join(",");
            let mut wiring = Wiring {
                env: vec![
                    pod_name(),
                    field("KAFKA_NODE_ID", "metadata.labels['apps.kubernetes.io/pod-index']"),
                    value("KAFKA_PROCESS_ROLES", "broker,controller"),
                    value("KAFKA_CONTROLLER_QUORUM_VOTERS", voters),
                    value("KAFKA_LISTENERS", format!("CLIENT://:{client},CONTROLLER://:{controller},INTERBROKER://:{inner}")),
                    value("KAFKA_ADVERTISED_LISTENERS", format!("CLIENT://{own}:{client},INTERBROKER://{own}:{inner}")),
                    value("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,INTERBROKER:PLAINTEXT"),
                    value("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
                    value("KAFKA_INTER_BROKER_LISTENER_NAME", "INTERBROKER"),
                ],
                todo: told("CLUSTER_ID, the same for all brokers, is yours to add (kafka-storage random-uuid)".to_owned()),
                ..Wiring::default()
            };
            // Kafka's own topics have three copies, of which two must be written, unless it is told otherwise.
            if pods.len() < 3 {
                let copies = pods.len().to_string();
                for topic in ["OFFSETS_TOPIC", "TRANSACTION_STATE_LOG", "SHARE_COORDINATOR_STATE_TOPIC"] {
                    wiring.env.push(value(&format!("KAFKA_{topic}_REPLICATION_FACTOR"), &*copies));
                }
                for topic in ["TRANSACTION_STATE_LOG", "SHARE_COORDINATOR_STATE_TOPIC"] {
                    wiring.env.push(value(&format!("KAFKA_{topic}_MIN_ISR"), "1"));
                }
            }
            wiring
        }
        "ZooKeeper" => {
            let (follower, election) = (port("follower"), port("election"));
            let servers = each(&|at, name| {
                format!("server.{}={name}:{follower}:{election};{}", at + 1, port("client"))
            });
            Wiring {
                env: vec![value("ZOO_SERVERS", servers.join(" "))],
                todo: told("each server's myid (ZOO_MY_ID) is its pod's ordinal plus 1; set it in a start script".to_owned()),
                ..Wiring::default()
            }
        }
        "Cassandra" => Wiring {
            env: vec![value("CASSANDRA_SEEDS", names.iter().take(2).cloned().collect::<Vec<_>>().join(","))],
            ..Wiring::default()
        },
        "Elasticsearch" | "OpenSearch" => {
            let is_elastic = software.name == "Elasticsearch";
            let initial = match is_elastic {
                true => "cluster.initial_master_nodes",
                false => "cluster.initial_cluster_manager_nodes",
            };
            let mut env = vec![
                field("node.name", "metadata.name"),
                value("discovery.seed_hosts", below.clone()),
                value(initial, pods.join(",")),
            ];
            let mut todo = told(format!("{initial} is for the first start only: take it out once the cluster has formed"));
            if is_elastic {
                todo.push("security is on since Elasticsearch 8, and a node of several starts only with TLS between nodes: certificates and xpack.security.transport.ssl.* are yours to add; for a trial, xpack.security.enabled=false".to_owned());
            } else {
                let secret = format!("{}-admin", intent.name);
                let key = Map::new().set("name", &secret).set("key", "password");
                env.push(
                    Map::new()
                        .set("name", "OPENSEARCH_INITIAL_ADMIN_PASSWORD")
                        .set("valueFrom", Map::new().set("secretKeyRef", key)),
                );
                todo.push(format!("since 2.12 OpenSearch starts for the first time only with a strong password for its admin: kubectl -n {} create secret generic {secret} --from-literal=password=…", intent.namespace));
            }
            Wiring { env, todo, ..Wiring::default() }
        }
        "MongoDB replica set" => {
            let members = each(&|at, name| format!("{{_id: {at}, host: \"{name}:{}\"}}", port("mongodb")));
            Wiring {
                args: vec!["--replSet".to_owned(), intent.name.clone(), "--bind_ip_all".to_owned()],
                todo: told(format!("once, in one of the pods: rs.initiate({{_id: \"{}\", members: [{}]}})", intent.name, members.join(", "))),
                ..Wiring::default()
            }
        }
        "Redis with Sentinel" => Wiring {
            env: vec![pod_name()],
            todo: told(format!("a second container of the pod runs redis-sentinel. In the configuration of the Sentinels: sentinel resolve-hostnames yes, sentinel announce-hostnames yes, and as the master's name that of a pod, at first {}; of the replicas: replica-announce-ip with the pod's own name", pods.first().map(|pod| format!("{pod}.{below}")).unwrap_or_default())),
            ..Wiring::default()
        },
        "Redis Cluster" => Wiring {
            env: vec![pod_name()],
            args: vec![
                "--cluster-enabled".to_owned(), "yes".to_owned(),
                "--cluster-announce-hostname".to_owned(), own,
                "--cluster-preferred-endpoint-type".to_owned(), "hostname".to_owned(),
            ],
            todo: told(format!(
                "once, from one of the pods (redis-cli takes names since 7.0): redis-cli --cluster create {} --cluster-replicas {}{}",
                list(port("redis")).replace(',', " "),
                usize::from(pods.len() >= 6),
                if pods.len() < 3 { "; with fewer than three nodes it refuses" } else { "" },
            )),
        },
        "RabbitMQ" => Wiring {
            env: vec![
                pod_name(),
                value("RABBITMQ_USE_LONGNAME", "true"),
                value("RABBITMQ_NODENAME", format!("rabbit@{own}")),
            ],
            todo: told(format!("in rabbitmq.conf: cluster_formation.peer_discovery_backend = classic_config, and cluster_formation.classic_config.nodes.1 = rabbit@{} and so on; or the plugin rabbitmq_peer_discovery_k8s. All nodes share one Erlang cookie", names.first().cloned().unwrap_or_default())),
            ..Wiring::default()
        },
        "CockroachDB" => Wiring {
            env: vec![pod_name()],
            args: vec![
                "start".to_owned(),
                format!("--join={first}"),
                format!("--advertise-host={own}"),
                "--insecure".to_owned(),
            ],
            todo: told("--insecure is for a trial: with certificates give --certs-dir in its place. Once, in one of the pods: cockroach init".to_owned()),
        },
        "Galera" => Wiring {
            todo: told(format!("in the server's configuration: wsrep_cluster_address = gcomm://{all}, and wsrep_node_address with the pod's own name. The first start of all is that of one node with --wsrep-new-cluster")),
            ..Wiring::default()
        },
        "MySQL Group Replication" => Wiring {
            todo: told(format!("in the server's configuration: group_replication_group_seeds = {}, report_host and group_replication_local_address with the pod's own name", list(port("xcom")))),
            ..Wiring::default()
        },
        "Consul" => Wiring {
            args: vec![
                "agent".to_owned(), "-server".to_owned(),
                format!("-bootstrap-expect={}", pods.len()),
                format!("-retry-join={below}"),
                "-client=0.0.0.0".to_owned(),
                // Off unless it is given a port.
                format!("-grpc-port={}", port("grpc")),
                "-data-dir=/consul/data".to_owned(),
            ],
            ..Wiring::default()
        },
        "Vault" => {
            let joins = each(&|_, name| format!("retry_join {{ leader_api_addr = \"http://{name}:{}\" }}", port("http")));
            Wiring {
                env: vec![
                    pod_name(),
                    value("VAULT_API_ADDR", format!("http://{own}:{}", port("http"))),
                    value("VAULT_CLUSTER_ADDR", format!("https://{own}:{}", port("internal"))),
                    field("VAULT_K8S_POD_NAME", "metadata.name"),
                    field("VAULT_K8S_NAMESPACE", "metadata.namespace"),
                ],
                // Without it the image starts a server for development, which keeps nothing.
                args: vec!["server".to_owned()],
                todo: vec![
                    format!("a configuration in /vault/config: a listener; storage \"raft\" with a path and, probably, one retry_join for each server (check with Vault's manual): {}; and service_registration \"kubernetes\" {{}}, which sets the label vault-active", joins.join(" ")),
                    "a ServiceAccount that may get, update and patch pods, for that label; then vault operator init once, and unseal each server".to_owned(),
                ],
            }
        }
        "NATS" => Wiring {
            env: vec![pod_name()],
            args: vec![
                "--name".to_owned(), "$(POD_NAME)".to_owned(),
                "--cluster_name".to_owned(), intent.name.clone(),
                "--cluster".to_owned(), format!("nats://0.0.0.0:{}", port("cluster")),
                "--routes".to_owned(), each(&|_, name| format!("nats://{name}:{}", port("cluster"))).join(","),
                "--http_port".to_owned(), port("monitor").to_string(),
            ],
            todo: told("for JetStream, --jetstream with --store_dir on a volume".to_owned()),
        },
        "MinIO" => {
            let volumes = match pods.len() {
                1 => "/data".to_owned(),
                many => format!("http://{}-{{0...{}}}.{below}:{}/data", intent.name, many.saturating_sub(1), port("minio")),
            };
            Wiring { args: vec!["server".to_owned(), volumes], ..Wiring::default() }
        }
        "ClickHouse Keeper" => {
            let servers = each(&|at, name| format!("server {} {name}:{}", at + 1, port("raft")));
            Wiring {
                todo: told(format!("in keeper_config.xml, raft_configuration: {}; server_id is the pod's ordinal plus 1", servers.join(", "))),
                ..Wiring::default()
            }
        }
        "Hazelcast" => Wiring {
            todo: told(format!("in hazelcast.yaml, network.join.kubernetes: service-dns {}, or service-name {service} to ask the Kubernetes API", intent.full_name(&service))),
            ..Wiring::default()
        },
        "Pekko" | "Akka" => {
            let library = software.name.to_lowercase();
            Wiring {
                todo: told(format!("in application.conf, for discovery by SRV: {library}.management.cluster.bootstrap.contact-point-discovery with discovery-method {library}-dns, service-name {}, port-name management, protocol tcp; each node's own canonical.hostname is its pod's address", intent.full_name(&service))),
                ..Wiring::default()
            }
        }
        "PostgreSQL with Patroni" => {
            let labels = serde_json::json!(intent.labels()).to_string();
            let scope = &*intent.name;
            Wiring {
                env: vec![
                    value("SCOPE", scope),
                    field("POD_IP", "status.podIP"),
                    field("POD_NAMESPACE", "metadata.namespace"),
                    value("DCS_ENABLE_KUBERNETES_API", "true"),
                    value("KUBERNETES_LABELS", labels),
                    value("KUBERNETES_SCOPE_LABEL", "app.kubernetes.io/name"),
                    value("KUBERNETES_ROLE_LABEL", "role"),
                    // In Endpoints it would meet the controller, which writes those of the Service of this name.
                    value("KUBERNETES_USE_CONFIGMAPS", "true"),
                ],
                todo: told("a ServiceAccount that may create, get, list, watch and patch pods and ConfigMaps: peers are found there, not in DNS. Patroni before 4.0 calls the leader's role master".to_owned()),
                ..Wiring::default()
            }
        }
        "Temporal" => Wiring {
            todo: told("the database, which Temporal reads from its configuration; members probably find one another there, where each writes its address (check with its manual), and the headless Service is then for looking at single pods".to_owned()),
            ..Wiring::default()
        },
        "TiDB PD" => Wiring {
            todo: told(format!("TiDB Operator makes the workload and its Services; this is what they come to. By hand, the server's arguments: --name with the pod's own name, --advertise-client-urls and --advertise-peer-urls with its full one, and --initial-cluster {}", each(&|at, name| format!("{}-{at}=http://{name}:{}", intent.name, port("peer"))).join(","))),
            ..Wiring::default()
        },
        "TiKV" => Wiring {
            todo: told(format!("TiDB Operator makes the workload and its Services; this is what they come to. By hand, the server's arguments: --pd-endpoints with PD's client Service, --addr 0.0.0.0:{server}, and --advertise-addr with the pod's own name and port {server}", server = port("server"))),
            ..Wiring::default()
        },
        "Dgraph Alpha" => Wiring {
            env: vec![pod_name()],
            args: vec![
                "dgraph".to_owned(), "alpha".to_owned(),
                format!("--my={own}:{}", port("internal")),
                format!("--zero=dgraph-zero-0.dgraph-zero-peers.{}.svc:5080", intent.namespace),
            ],
            todo: told("the Zeros are a workload and a design of their own (--software \"dgraph zero\"), under whose usual name they are dialled here".to_owned()),
        },
        "Dgraph Zero" => {
            let zero = port("grpc");
            let first = names.first().map(|name| format!("{name}:{zero}")).unwrap_or_default();
            Wiring {
                env: vec![pod_name()],
                todo: told(format!("a start script, for idx is the pod's ordinal plus 1: dgraph zero --my=$(POD_NAME).{below}:{zero} --raft=\"idx=…\" and, in all but the first pod, --peer={first}")),
                ..Wiring::default()
            }
        }
        _ => Wiring::default(),
    }
}
