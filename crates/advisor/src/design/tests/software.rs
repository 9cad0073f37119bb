//! What is said of each software, and what its pods are given.

use super::{intent, plan};
use crate::design::{Plan, Workload, resolve, to_yaml};
use crate::peers::{Keeps, peers};

/// All that a person reads of a plan, a line each; comments of manifests unwrapped.
fn text(plan: &Plan) -> String {
    let choice = &plan.choice;
    let mistakes = plan.mistakes.likeliest.iter().chain(&plan.mistakes.unlikely);
    let mut lines: Vec<String> = vec![choice.title.clone()];
    lines.extend(choice.reasons.iter().cloned());
    lines.extend(choice.rejected.iter().map(|one| format!("{}: {}", one.instead, one.because)));
    lines.extend(choice.settings.iter().map(|one| format!("{}: {}", one.field, one.because)));
    lines.extend(plan.sections.iter().flat_map(|section| section.points.clone()));
    lines.extend(plan.manifests.iter().map(|manifest| manifest.purpose.clone()));
    lines.extend(mistakes.map(|one| format!("{}: {} {}", one.title, one.why, one.shows)));
    lines.push(to_yaml(&plan.manifests));
    lines.join("\n")
}

/// That all of these are in what is said and printed, and none of those.
#[track_caller]
fn check(words: &str, has: &[&str], has_not: &[&str]) {
    let text = text(&plan(&intent(words)));
    for part in has {
        assert!(text.contains(part), "{words}: no {part:?} in\n{text}");
    }
    for part in has_not {
        assert!(!text.contains(part), "{words}: {part:?} in\n{text}");
    }
}

#[test]
fn pods_that_keep_something_are_of_no_deployment() {
    for peer in peers() {
        let words = format!(
            "software={} workload=deployment image=r.example/a:1 port=web:8088",
            peer.name.replace(' ', "+")
        );
        let is_taken = resolve(&super::draft(&words)).is_ok();
        assert_eq!(is_taken, peer.keeps == Keeps::Nothing, "{}", peer.name);
    }
}

#[test]
fn an_image_of_another_family_gets_no_variables() {
    let own = "has variables of its own";
    for image in [
        "bitnami/etcd:3.6",
        "bitnamilegacy/etcd:3.6",
        "registry.k8s.io/etcd:3.5.21-0",
        "registry.example/etcd:1",
    ] {
        let peers = "(on port 2380, peer): etcd-0.etcd-peers.default.svc, etcd-1.etcd-peers.default.svc, etcd-2.etcd-peers.default.svc";
        check(&format!("image={image}"), &[own, peers], &["env:", "ETCD_NAME"]);
    }
    for image in
        ["confluentinc/cp-kafka:7.8.0", "quay.io/strimzi/kafka:0.45.0-kafka-3.9.0", "bitnami/kafka"]
    {
        let peers = "(on port 9093, controller): kafka-0.kafka-peers";
        check(&format!("image={image}"), &[own, peers], &["env:", "KAFKA_NODE_ID"]);
    }
    check("image=k8ssandra/cass-management-api:4.1", &[own], &["env:"]);
    check("image=bitnami/redis-cluster:7.4", &[own], &["env:", "args:", "exec:"]);
    check(
        "image=timescale/timescaledb-ha:pg17",
        &[own, "Kubernetes API"],
        &["env:", "those of its peers"],
    );
    for image in [
        "apache/kafka:4.1.0",
        "docker.io/apache/kafka-native:4.1.0",
        "registry.example/mirror/apache/kafka:4.1.0",
    ] {
        check(&format!("image={image}"), &["KAFKA_NODE_ID"], &[own]);
    }
    for image in
        ["rabbitmq:4.1", "docker.io/rabbitmq:4.1", "public.ecr.aws/docker/library/rabbitmq"]
    {
        check(&format!("image={image}"), &["RABBITMQ_NODENAME"], &[own]);
    }
    // A server's own configuration is the same in every image.
    check("image=bitnami/mariadb-galera:11", &["wsrep_cluster_address = gcomm://"], &[own]);
}

#[test]
fn each_software_is_given_what_it_starts_by() {
    let factor = "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR";
    check("software=kafka", &["KAFKA_CONTROLLER_QUORUM_VOTERS"], &[factor, "EXTERNAL"]);
    check(
        "software=kafka replicas=2",
        &[
            &format!("- name: {factor}\n          value: \"2\""),
            "- name: KAFKA_TRANSACTION_STATE_LOG_MIN_ISR\n          value: \"1\"",
        ],
        &[],
    );
    check(
        "software=kafka replicas=1",
        &[&format!("- name: {factor}\n          value: \"1\"")],
        &[],
    );
    check("software=kafka expose=nodeport", &["EXTERNAL://:19092", "`kafka-0-external`"], &[]);
    check("software=mongo expose=loadbalancer", &["horizons", "TLS is needed"], &[]);
    check("software=mongo", &[], &["horizons"]);
    check("software=consul", &["-grpc-port=8502"], &[]);
    check(
        "software=opensearch namespace=logs",
        &[
            "OPENSEARCH_INITIAL_ADMIN_PASSWORD",
            "kubectl -n logs create secret generic opensearch-admin",
        ],
        &["xpack"],
    );
    check("software=elasticsearch", &["xpack.security.transport.ssl"], &["ADMIN_PASSWORD"]);
    check("software=vault", &["args:\n        - server", "VAULT_K8S_POD_NAME"], &[]);
    check("software=minio", &["http://minio-{0...3}.minio-peers"], &[]);
    check("software=minio replicas=1", &["- /data"], &["{0...0}"]);
    check("software=redis-cluster replicas=3", &["--cluster-replicas 0"], &[]);
    check("software=patroni", &["KUBERNETES_ROLE_LABEL\n          value: role"], &[]);
    check("software=dgraph", &["--zero=dgraph-zero-0.dgraph-zero-peers.default.svc:5080"], &[]);
}

#[test]
fn a_probe_asks_the_software_or_says_that_it_does_not() {
    let placeholder = "a placeholder, which tells that the port is open and no more";
    for (software, probe) in [
        ("etcd", "httpGet:\n            path: /health\n            port: client"),
        ("cockroachdb", "path: \"/health?ready=1\"\n            port: http"),
        ("patroni", "path: /readiness\n            port: rest"),
        ("vault", "path: \"/v1/sys/health?standbyok=true\"\n            port: http"),
        ("nats", "path: \"/healthz?js-server-only=true\"\n            port: monitor"),
        ("minio", "path: /minio/health/ready\n            port: minio"),
        ("zookeeper", "- zkServer.sh\n            - status"),
        ("redis-cluster", "cluster_state:ok"),
        ("galera", "- --galera_online"),
        ("consul", "v1/status/leader"),
        ("cassandra", "Cassandra opens cql once it has joined the ring"),
        ("rabbitmq", "RabbitMQ opens amqp at the end of its start"),
    ] {
        check(&format!("software={software}"), &[probe], &[placeholder]);
    }
    for software in ["kafka", "mongo", "elasticsearch", "opensearch", "mysql", "hazelcast", "tikv"]
    {
        check(&format!("software={software}"), &[placeholder, "tcpSocket:"], &[]);
    }
    // What an image of another family has to run is not known.
    check("image=bitnami/zookeeper:3.9", &[placeholder], &["exec:"]);
    // Clients of a headless Service are sent to pods that are not ready, too.
    check("software=mongo", &[], &["until it passes"]);
    check("software=etcd", &["until it passes, etcd sends nobody here"], &[]);
}

#[test]
fn sentences_are_true_of_the_case() {
    check("software=mysql", &["without clusterIP: None"], &["is a shorter name"]);
    check("software=vault", &["`vault-active` resolves as well as"], &["is a shorter name"]);
    check("software=etcd", &["`etcd` is a shorter name than `etcd-peers`"], &[]);
    check("software=tikv", &["for peers and clients alike"], &["quorum", "majority of its 3"]);
    check("software=dgraph", &["a ClusterIP Service, `dgraph-alpha`, for clients"], &[]);
    check(
        "software=pekko image=r.example/a:1",
        &["for the peers", "no port is for clients"],
        &["clients of Pekko must pick"],
    );
    check(
        "software=etcd replicas=1",
        &["one replica of etcd has no peers; once there are more, they find one another by"],
        &["etcd-0 is ready only together", "peers of etcd find one another"],
    );
    check("software=kafka replicas=1", &["there are no peers yet"], &["its peers log time-outs"]);
    check("software=temporal replicas=1", &["the address of the pod."], &["others idle"]);
    check(
        "software=hazelcast",
        &["whatever finds it, each pod has a name"],
        &["so each pod needs"],
    );
    check("software=galera", &["is probably what Galera starts by"], &["no pod becomes ready"]);
    check("software=nats", &["with JetStream, after a full stop"], &[]);
    // A Deployment's pods have no names that a certificate could hold.
    check("software=temporal", &["`temporal-peers.default.svc.cluster.local`"], &["`*.temporal"]);
    let istio = "Istio need not guess what is spoken";
    let web = "workload=deployment name=web image=r.example/a:1 port=http:80 mesh=istio";
    check(web, &[istio], &["headless Service's ports", "where it sees addresses alone"]);
    check("software=etcd mesh=istio", &["on the ports of `etcd-peers`"], &[]);
    check("software=mongo mesh=linkerd", &[], &["opaque-ports"]);
    check("software=mysql mesh=linkerd", &[], &["opaque-ports"]);
    check("software=galera mesh=linkerd", &["opaque-ports: \"3306,4567,4568,4444\""], &[]);
    check("software=mysql port=mysql:3307 mesh=linkerd", &["opaque-ports: \"3307\""], &[]);
    check(
        "software=rabbitmq expose=ingress",
        &["the port amqp does not speak HTTP and stays inside", "many of them share one address"],
        &["one certificate serve many"],
    );
    let nobody = "nobody else may";
    check("software=etcd client=shop", &[nobody], &["everyone on the ports"]);
    check("software=etcd client=shop expose=nodeport", &["everyone on the ports"], &[nobody]);
    for peer in peers() {
        let words =
            format!("software={} image=r.example/a:1 port=web:8088", peer.name.replace(' ', "+"));
        for expose in ["", " replicas=1", " expose=ingress", " expose=loadbalancer client=shop"] {
            let Ok(intent) = resolve(&super::draft(&format!("{words}{expose}"))) else { continue };
            assert!(matches!(intent.workload, Workload::Pods(_)));
            let text = text(&plan(&intent));
            for wrong in [
                "NAME-",
                "by probably",
                "dial probably",
                "1 pods",
                "POD_NAME.",
                "one certificate serve",
            ] {
                assert!(!text.contains(wrong), "{words}{expose}: {wrong} in\n{text}");
            }
        }
    }
}
