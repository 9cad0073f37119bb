use std::collections::HashSet;

use super::{Dials, Peer, Port, peers, plain};

#[track_caller]
fn check(name: Option<&str>, names: &[&str], images: &[&str]) {
    for written in names {
        assert_eq!(Peer::by_name(written).map(|peer| peer.name), name, "{written}");
    }
    for image in images {
        assert_eq!(Peer::by_image(image).map(|peer| peer.name), name, "{image}");
    }
}

#[test]
fn software_is_found_by_name_and_by_image() {
    check(
        Some("etcd"),
        &["etcd", "ETCD"],
        &[
            "quay.io/coreos/etcd:v3.5.21",
            "gcr.io/etcd-development/etcd:v3.6.0",
            "registry.k8s.io/etcd:3.5.21-0",
            "docker.io/bitnami/etcd:3.6",
            "bitnamilegacy/etcd:3.6.1",
        ],
    );
    check(
        Some("ZooKeeper"),
        &["zookeeper", "zk"],
        &[
            "zookeeper:3.9",
            "docker.io/library/zookeeper",
            "confluentinc/cp-zookeeper:7.8.0",
            "bitnami/zookeeper",
            "registry.k8s.io/kubernetes-zookeeper:1.0-3.4.10",
        ],
    );
    check(
        Some("Kafka"),
        &["kafka", "Kafka (KRaft)", "kafka-kraft"],
        &[
            "apache/kafka:4.1.0",
            "apache/kafka-native:4.1.0",
            "confluentinc/cp-kafka:7.8.0",
            "quay.io/strimzi/kafka:0.45.0-kafka-3.9.0",
            "bitnamilegacy/kafka:4.0",
        ],
    );
    check(
        Some("Cassandra"),
        &["cassandra"],
        &[
            "cassandra:5",
            "gcr.io/google-samples/cassandra:v13",
            "bitnami/cassandra",
            "k8ssandra/cass-management-api:4.1",
        ],
    );
    check(
        Some("Elasticsearch"),
        &["elasticsearch", "elastic", "ES"],
        &[
            "docker.elastic.co/elasticsearch/elasticsearch:9.0.1",
            "elasticsearch:8.18.0",
            "bitnamilegacy/elasticsearch:8",
        ],
    );
    check(
        Some("OpenSearch"),
        &["opensearch", "OpenSearch"],
        &[
            "opensearchproject/opensearch:3",
            "public.ecr.aws/opensearchproject/opensearch:3",
            "bitnami/opensearch",
        ],
    );
    check(
        Some("MongoDB replica set"),
        &["mongo", "mongodb", "MongoDB replica set"],
        &[
            "mongo:8",
            "mongodb/mongodb-community-server:8.0-ubi8",
            "bitnami/mongodb",
            "percona/percona-server-mongodb:7.0",
        ],
    );
    check(
        Some("Redis with Sentinel"),
        &["redis", "redis-sentinel", "Redis with Sentinel"],
        &["bitnami/redis-sentinel:7.4"],
    );
    check(
        Some("Redis Cluster"),
        &["redis-cluster", "Redis Cluster"],
        &["bitnami/redis-cluster:7.4", "docker.io/bitnamilegacy/redis-cluster@sha256:0123"],
    );
    check(
        Some("RabbitMQ"),
        &["rabbitmq", "rabbit"],
        &["rabbitmq:4-management", "bitnamilegacy/rabbitmq:4.1"],
    );
    check(Some("CockroachDB"), &["cockroachdb", "crdb"], &["cockroachdb/cockroach:v25.2.0"]);
    check(
        Some("Galera"),
        &["galera", "mariadb", "mariadb-galera", "pxc"],
        &["bitnami/mariadb-galera:11.4", "percona/percona-xtradb-cluster:8.0"],
    );
    check(
        Some("MySQL Group Replication"),
        &["mysql", "MySQL Group Replication", "innodb-cluster"],
        &[],
    );
    check(
        Some("PostgreSQL with Patroni"),
        &["postgres", "patroni", "PostgreSQL"],
        &[
            "ghcr.io/zalando/spilo-17:4.0-p2",
            "registry.opensource.zalan.do/acid/spilo-15:3.0-p1",
            "timescale/timescaledb-ha:pg17",
        ],
    );
    check(Some("Consul"), &["consul"], &["hashicorp/consul:1.21", "consul:1.15", "bitnami/consul"]);
    check(
        Some("Vault"),
        &["vault", "Vault (raft)"],
        &["hashicorp/vault:1.19", "vault:1.13", "bitnami/vault"],
    );
    check(
        Some("NATS"),
        &["nats", "JetStream"],
        &["nats:2.11-alpine", "docker.io/library/nats", "bitnami/nats"],
    );
    check(
        Some("MinIO"),
        &["minio"],
        &["quay.io/minio/minio:latest", "minio/minio", "bitnamilegacy/minio"],
    );
    check(
        Some("ClickHouse Keeper"),
        &["clickhouse-keeper", "keeper"],
        &["clickhouse/clickhouse-keeper:25.3", "bitnami/clickhouse-keeper"],
    );
    check(
        Some("Hazelcast"),
        &["hazelcast"],
        &["hazelcast/hazelcast:5.5", "hazelcast/hazelcast-enterprise"],
    );
    check(Some("Pekko"), &["pekko"], &[]);
    check(Some("Akka"), &["akka", "akka-cluster"], &[]);
    check(
        Some("Temporal"),
        &["temporal"],
        &["temporalio/server:1.27", "temporalio/auto-setup:1.27"],
    );
    check(Some("TiDB PD"), &["pd", "TiDB PD"], &["pingcap/pd:v8.5.1"]);
    check(Some("TiKV"), &["tikv"], &["pingcap/tikv:v8.5.1"]);
    check(Some("Dgraph Alpha"), &["dgraph", "dgraph-alpha"], &[]);
    check(Some("Dgraph Zero"), &["dgraph-zero"], &[]);
}

#[test]
fn tools_around_the_software_are_not_the_software() {
    check(
        None,
        &["", "nginx", "kafka-ui"],
        &[
            "",
            "nginx:1.27",
            "oliver006/redis_exporter:v1.66",
            "bitnami/redis-exporter",
            "provectuslabs/kafka-ui",
            "danielqsj/kafka-exporter",
            "quay.io/strimzi/kafka-bridge",
            "registry.example:5000/etcd-backup",
            "prometheuscommunity/elasticsearch-exporter:v1.8.0",
            "docker.elastic.co/kibana/kibana:9.0.1",
            "opensearchproject/opensearch-dashboards:3",
            "mongo-express:1",
            "percona/mongodb_exporter",
            "bitnami/postgresql-repmgr:17",
            "hashicorp/consul-k8s-control-plane",
            "hashicorp/vault-k8s",
            "natsio/nats-box",
            "minio/mc",
            "minio/operator",
            "pingcap/tidb:v8.5.1",
            "example/pd",
            "example/server",
            "temporalio/ui",
            "clickhouse/clickhouse-server",
            "dgraph/ratel",
            // Zero or Alpha.
            "dgraph/dgraph:v24.1",
            // One server or many: the image does not tell.
            "redis:7",
            "postgres:17",
            "mysql:8.4",
            "mariadb:11",
        ],
    );
}

#[test]
fn an_image_of_several_uses_names_them() {
    let check = |image: &str, expected: &[&str]| {
        let names: Vec<_> = Peer::perhaps_by_image(image).map(|peer| peer.name).collect();
        assert_eq!(names, expected, "{image}");
    };
    check("redis:7.4", &["Redis with Sentinel", "Redis Cluster"]);
    check("docker.io/bitnami/redis", &["Redis with Sentinel", "Redis Cluster"]);
    check("postgres:17", &["PostgreSQL with Patroni"]);
    check("container-registry.oracle.com/mysql/community-server:8.4", &["MySQL Group Replication"]);
    check("mariadb", &["Galera"]);
    check("dgraph/dgraph:v24.1", &["Dgraph Alpha", "Dgraph Zero"]);
    check("mongo:8", &[]);
    check("redis-exporter", &[]);
}

#[test]
fn the_table_is_sound() {
    let mut taken = HashSet::new();
    for peer in peers() {
        let Peer { name, aliases, images, ports, why, discovery, client, .. } = peer;
        for alias in
            std::iter::once(plain(name)).chain(aliases.iter().map(|&alias| alias.to_owned()))
        {
            assert_eq!(alias, plain(&alias), "{name}: an alias is not as names are compared");
            if plain(name) != alias || !aliases.contains(&alias.as_str()) {
                assert!(taken.insert(alias.clone()), "{alias} is there twice");
            }
        }
        for image in *images {
            assert!(taken.insert(format!("image {image}")), "{image} is there twice");
        }
        for text in [why, &discovery.value(), &client.value()] {
            assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text} is a clause");
        }
        assert!(ports.iter().any(|port| port.who != Dials::Clients), "{name}: peers dial nothing");
        for (at, Port { name: port, number, .. }) in ports.iter().enumerate() {
            let short = port.len() <= 15
                && port.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(short, "{name}: {port} is no port's name");
            let other =
                ports[..at].iter().any(|other| other.name == *port || other.number == *number);
            assert!(!other, "{name}: {port} is there twice");
        }
    }
    assert_eq!(peers().count(), 27);
}
