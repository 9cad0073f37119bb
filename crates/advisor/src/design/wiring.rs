//! How each software is told the names of its peers: in the variables and arguments of its official image, or in words
//! where that takes its own configuration file.

use super::intent::Intent;
use super::yaml::Map;
use crate::peers::Peer;

/// What a pod's container is given.
#[derive(Debug, Default)]
pub(super) struct Wiring {
    /// Environment variables, in order: those that later ones refer to come first.
    pub(super) env: Vec<Map>,
    /// Arguments of the image's own entry point.
    pub(super) args: Vec<String>,
    /// What is left to do, in words.
    pub(super) rest: Option<String>,
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
        "Dgraph" => "dgraph/dgraph:v24.0.5",
        _ => return None,
    })
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

/// The peers' names as the software wants them. They end at `svc`: the pods' search path adds the cluster's domain, so
/// that the manifest fits every cluster.
pub(super) fn wiring(intent: &Intent) -> Wiring {
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
    let told = |rest: String| Some(rest);
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
            Wiring {
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
                rest: told("CLUSTER_ID, the same for all brokers, is yours to add (kafka-storage random-uuid)".to_owned()),
                ..Wiring::default()
            }
        }
        "ZooKeeper" => {
            let (follower, election) = (port("follower"), port("election"));
            let servers = each(&|at, name| {
                format!("server.{}={name}:{follower}:{election};{}", at + 1, port("client"))
            });
            Wiring {
                env: vec![value("ZOO_SERVERS", servers.join(" "))],
                rest: told("each server's myid (ZOO_MY_ID) is its pod's ordinal plus 1; set it in a start script".to_owned()),
                ..Wiring::default()
            }
        }
        "Cassandra" => Wiring {
            env: vec![value("CASSANDRA_SEEDS", names.iter().take(2).cloned().collect::<Vec<_>>().join(","))],
            ..Wiring::default()
        },
        "Elasticsearch" | "OpenSearch" => {
            let initial = match software.name {
                "Elasticsearch" => "cluster.initial_master_nodes",
                _ => "cluster.initial_cluster_manager_nodes",
            };
            Wiring {
                env: vec![
                    field("node.name", "metadata.name"),
                    value("discovery.seed_hosts", below.clone()),
                    value(initial, pods.join(",")),
                ],
                rest: told(format!("{initial} is for the first start only: take it out once the cluster has formed")),
                ..Wiring::default()
            }
        }
        "MongoDB replica set" => {
            let members = each(&|at, name| format!("{{_id: {at}, host: \"{name}:{}\"}}", port("mongodb")));
            Wiring {
                args: vec!["--replSet".to_owned(), intent.name.clone(), "--bind_ip_all".to_owned()],
                rest: told(format!("once, in one of the pods: rs.initiate({{_id: \"{}\", members: [{}]}})", intent.name, members.join(", "))),
                ..Wiring::default()
            }
        }
        "Redis with Sentinel" => Wiring {
            env: vec![pod_name()],
            rest: told(format!("in the configuration of the Sentinels: sentinel resolve-hostnames yes, sentinel announce-hostnames yes, and as the master's name that of a pod, at first {}; of the replicas: replica-announce-ip with the pod's own name", pods.first().map(|pod| format!("{pod}.{below}")).unwrap_or_default())),
            ..Wiring::default()
        },
        "Redis Cluster" => Wiring {
            env: vec![pod_name()],
            args: vec![
                "--cluster-enabled".to_owned(), "yes".to_owned(),
                "--cluster-announce-hostname".to_owned(), own,
                "--cluster-preferred-endpoint-type".to_owned(), "hostname".to_owned(),
            ],
            rest: told(format!("once, from one of the pods: redis-cli --cluster create {} --cluster-replicas 1", list(port("redis")).replace(',', " "))),
        },
        "RabbitMQ" => Wiring {
            env: vec![
                pod_name(),
                value("RABBITMQ_USE_LONGNAME", "true"),
                value("RABBITMQ_NODENAME", format!("rabbit@{own}")),
            ],
            rest: told(format!("in rabbitmq.conf: cluster_formation.peer_discovery_backend = classic_config, and cluster_formation.classic_config.nodes.1 = rabbit@{} and so on; or the plugin rabbitmq_peer_discovery_k8s. All nodes share one Erlang cookie", names.first().cloned().unwrap_or_default())),
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
            rest: told("--insecure is for a trial: with certificates give --certs-dir in its place. Once, in one of the pods: cockroach init".to_owned()),
        },
        "Galera" => Wiring {
            rest: told(format!("in the server's configuration: wsrep_cluster_address = gcomm://{all}, and wsrep_node_address with the pod's own name")),
            ..Wiring::default()
        },
        "MySQL Group Replication" => Wiring {
            rest: told(format!("in the server's configuration: group_replication_group_seeds = {}, report_host and group_replication_local_address with the pod's own name", list(port("xcom")))),
            ..Wiring::default()
        },
        "Consul" => Wiring {
            args: vec![
                "agent".to_owned(), "-server".to_owned(),
                format!("-bootstrap-expect={}", pods.len()),
                format!("-retry-join={below}"),
                "-client=0.0.0.0".to_owned(),
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
                ],
                rest: told(format!("in the server's configuration, in storage \"raft\", probably one retry_join for each server (check with Vault's manual): {}; and service_registration \"kubernetes\" {{}}, which sets the label vault-active", joins.join(" "))),
                ..Wiring::default()
            }
        }
        "NATS" => Wiring {
            args: vec![
                "--cluster_name".to_owned(), intent.name.clone(),
                "--cluster".to_owned(), format!("nats://0.0.0.0:{}", port("cluster")),
                "--routes".to_owned(), each(&|_, name| format!("nats://{name}:{}", port("cluster"))).join(","),
                "--http_port".to_owned(), port("monitor").to_string(),
            ],
            ..Wiring::default()
        },
        "MinIO" => Wiring {
            args: vec![
                "server".to_owned(),
                format!("http://{}-{{0...{}}}.{below}:{}/data", intent.name, pods.len().saturating_sub(1), port("minio")),
            ],
            ..Wiring::default()
        },
        "ClickHouse Keeper" => {
            let servers = each(&|at, name| format!("server {} {name}:{}", at + 1, port("raft")));
            Wiring {
                rest: told(format!("in keeper_config.xml, raft_configuration: {}; server_id is the pod's ordinal plus 1", servers.join(", "))),
                ..Wiring::default()
            }
        }
        "Hazelcast" => Wiring {
            rest: told(format!("in hazelcast.yaml, network.join.kubernetes: service-dns {}, or service-name {service} to ask the Kubernetes API", intent.full_name(&service))),
            ..Wiring::default()
        },
        "Pekko" | "Akka" => {
            let library = software.name.to_lowercase();
            Wiring {
                rest: told(format!("in application.conf, for discovery by SRV: {library}.management.cluster.bootstrap.contact-point-discovery with discovery-method {library}-dns, service-name {}, port-name management, protocol tcp; each node's own canonical.hostname is its pod's address", intent.full_name(&service))),
                ..Wiring::default()
            }
        }
        "PostgreSQL with Patroni" => Wiring {
            env: vec![field("PATRONI_NAME", "metadata.name"), value("PATRONI_SCOPE", &*intent.name)],
            rest: told("Patroni's own kubernetes section (namespace, labels, scope_label) and a ServiceAccount that may patch pods, Endpoints or ConfigMaps are yours to add: peers are found there, not in DNS. Patroni before 4.0 calls the leader's role master".to_owned()),
            ..Wiring::default()
        },
        "Temporal" => Wiring {
            rest: told("members probably find one another by rows in Temporal's database, where each writes its own address: check with its manual. The headless Service is then for looking at single pods".to_owned()),
            ..Wiring::default()
        },
        "TiDB PD" | "TiKV" => Wiring {
            rest: told("TiDB Operator makes the workload and its Services; this is what they come to, for who runs it by hand: --advertise-client-urls and --advertise-peer-urls (PD), or --advertise-addr (TiKV), with the pod's own name".to_owned()),
            ..Wiring::default()
        },
        "Dgraph" => Wiring {
            rest: told(format!("all but the first Zero start with --peer {}:{}, each with its own --my", names.first().map(|name| format!("{name}.{}", intent.cluster_domain)).unwrap_or_default(), port("zero"))),
            ..Wiring::default()
        },
        _ => Wiring::default(),
    }
}
