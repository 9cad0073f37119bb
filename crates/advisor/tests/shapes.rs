//! Good practice for ten kinds of peer software lints clean; with one setting turned wrong, the finding that is meant is
//! the only one.

use std::path::Path;

use advisor::lint::{Objects, Options, check as lint};
use manifest::read::read_any;

/// One setting of a shape turned wrong.
struct Turned {
    shape: &'static str,
    /// What is replaced, where it is there first.
    from: &'static str,
    to: &'static str,
    /// The one finding: its code, and a part of the line that it points at.
    code: &'static str,
    line: &'static str,
}

const fn turned(
    shape: &'static str,
    from: &'static str,
    to: &'static str,
    code: &'static str,
    line: &'static str,
) -> Turned {
    Turned { shape, from, to, code, line }
}

const PUBLISHED: &str = "  publishNotReadyAddresses: true\n";
const PARALLEL: &str = "podManagementPolicy: Parallel";
const ORDERED: &str = "podManagementPolicy: OrderedReady";
const HEADLESS: &str = "  clusterIP: None\n";

const TURNED: &[Turned] = &[
    turned(
        "etcd",
        "serviceName: etcd-peers",
        "serviceName: etcd-peer",
        "HC001",
        "serviceName: etcd-peer",
    ),
    turned("etcd", "name: peer\n", "name: Peer\n", "HC015", "name: Peer"),
    turned(
        "zookeeper",
        HEADLESS,
        "  clusterIP: None\n  type: NodePort\n",
        "HC016",
        "clusterIP: None",
    ),
    turned(
        "cockroachdb",
        HEADLESS,
        "  clusterIP: None\n  sessionAffinity: ClientIP\n",
        "HC017",
        "sessionAffinity: ClientIP",
    ),
    turned("etcd", PUBLISHED, "", "HC018", "name: etcd-peers"),
    turned("kafka", PUBLISHED, "", "HC018", "name: kafka-headless"),
    turned("cockroachdb", PUBLISHED, "", "HC018", "name: cockroachdb"),
    turned("zookeeper", PUBLISHED, "", "HC018", "name: zookeeper-ensemble"),
    turned("cassandra", PUBLISHED, "", "HC018", "name: cassandra-nodes"),
    turned("consul", PUBLISHED, "", "HC018", "name: consul-server"),
    turned("rabbitmq", PUBLISHED, "", "HC018", "name: rabbitmq-nodes"),
    turned("redis-cluster", PUBLISHED, "", "HC018", "name: redis-nodes"),
    turned("nats", PUBLISHED, "", "HC018", "name: nats-headless"),
    turned(
        "elasticsearch",
        "spec:\n  selector:\n    app: elasticsearch\n  ports:\n  - name: http",
        "spec:\n  publishNotReadyAddresses: true\n  selector:\n    app: elasticsearch\n  ports:\n  - name: http",
        "HC019",
        "publishNotReadyAddresses: true",
    ),
    turned(
        "cassandra",
        "  labels:\n",
        "  annotations:\n    service.alpha.kubernetes.io/tolerate-unready-endpoints: \"true\"\n  labels:\n",
        "HC020",
        "tolerate-unready-endpoints",
    ),
    turned(
        "nats",
        "nats://nats.bus.svc",
        "nats://nats-headless.bus.svc",
        "HC021",
        "nats-headless.bus.svc",
    ),
    turned("etcd", PARALLEL, ORDERED, "HC022", ORDERED),
    turned("kafka", PARALLEL, ORDERED, "HC022", ORDERED),
    turned("zookeeper", PARALLEL, ORDERED, "HC022", ORDERED),
    turned("cockroachdb", PARALLEL, ORDERED, "HC022", ORDERED),
    turned("consul", PARALLEL, ORDERED, "HC022", ORDERED),
    turned("rabbitmq", PARALLEL, ORDERED, "HC022", ORDERED),
    turned(
        "etcd",
        PARALLEL,
        "podManagementPolicy: Parallel\n  updateStrategy:\n    rollingUpdate:\n      maxUnavailable: 2",
        "HC024",
        "maxUnavailable: 2",
    ),
    turned(
        "nats",
        "image: example.org/orders:7",
        "image: example.org/orders:7\n        args: [-Dnetworkaddress.cache.ttl=5]",
        "HC052",
        "-Dnetworkaddress.cache.ttl=5",
    ),
    turned("nats", "replicas: 3", "replicas: 40", "HC055", "clusterIP: None"),
    turned("etcd", HEADLESS, "", "HC061", "serviceName: etcd-peers"),
    turned("kafka", HEADLESS, "", "HC061", "serviceName: kafka-headless"),
    turned("redis-cluster", HEADLESS, "", "HC061", "serviceName: redis-nodes"),
    turned(
        "elasticsearch",
        "value: elasticsearch-peers",
        "value: elasticsearch",
        "HC061",
        "value: elasticsearch",
    ),
    turned("etcd", "serviceName: etcd-peers", "serviceName: etcd", "HC002", "serviceName: etcd"),
    turned("kafka", "    component: broker\n", "    component: brokers\n", "HC003", "selector:"),
    turned("kafka", "component: topics", "component: broker", "HC007", "selector:"),
    turned("elasticsearch", PUBLISHED, "", "HC018", "name: elasticsearch-peers"),
    turned(
        "cockroachdb",
        "  - \"*.cockroachdb\"\n  - \"*.cockroachdb.sql\"\n  - \"*.cockroachdb.sql.svc.cluster.local\"\n",
        "",
        "HC058",
        "dnsNames:",
    ),
    turned(
        "redis-cluster",
        "port: 6379\n    targetPort: redis\n  - name: bus",
        "port: 6380\n    targetPort: redis\n  - name: bus",
        "HC011",
        "port: 6380",
    ),
    turned(
        "redis-cluster",
        "targetPort: redis\n  - name: bus",
        "targetPort: rediss\n  - name: bus",
        "HC009",
        "targetPort: rediss",
    ),
    turned(
        "zookeeper",
        "    - port: 53\n      protocol: UDP\n    - port: 53\n      protocol: TCP\n",
        "    - port: 443\n",
        "HC050",
        "egress:",
    ),
    turned(
        "zookeeper",
        "        zookeeper-client: \"true\"\n    spec:",
        "    spec:",
        "HC062",
        "ingress:",
    ),
    turned(
        "cassandra",
        "  clusterIP: None\n",
        "  clusterIP: None\n  type: NodePort\n",
        "HC016",
        "clusterIP: None",
    ),
    turned(
        "cassandra",
        "  clusterIP: None\n",
        "  clusterIP: None\n  sessionAffinity: ClientIP\n",
        "HC017",
        "sessionAffinity: ClientIP",
    ),
    turned(
        "consul",
        "containerPort: 8600\n          protocol: UDP",
        "containerPort: 8600\n          protocol: SCTP",
        "HC010",
        "targetPort: dns-udp",
    ),
    turned(
        "nats",
        "    targetPort: nats\n---",
        "    targetPort: nats\n  publishNotReadyAddresses: true\n---",
        "HC019",
        "publishNotReadyAddresses: true",
    ),
];

fn text(shape: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shapes/{shape}.yaml"));
    std::fs::read_to_string(path).expect("a shape")
}

/// The findings in a text: code, and the line pointed at.
fn findings(text: &str) -> Vec<(&'static str, String)> {
    let reading = read_any("shape.yaml", text);
    assert_eq!(reading.problems, []);
    let objects = Objects::new(reading.documents, reading.foreign, Options::default());
    let line = |at: usize| text.lines().nth(at - 1).unwrap_or_default().to_owned();
    let found = lint(&objects);
    found.iter().map(|finding| (finding.code, line(finding.primary.span.start.line))).collect()
}

#[test]
fn good_practice_is_clean() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shapes");
    let mut shapes = 0;
    for file in std::fs::read_dir(folder).expect("the shapes") {
        let path = file.expect("an entry").path();
        let shape = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(findings(&text(shape)), [], "{shape}");
        assert!(TURNED.iter().any(|turned| turned.shape == shape), "{shape} is never turned wrong");
        shapes += 1;
    }
    assert!(shapes >= 10);
}

#[test]
fn one_setting_turned_wrong_is_the_one_finding() {
    for Turned { shape, from, to, code, line } in TURNED {
        let good = text(shape);
        assert!(good.contains(from), "{shape}: {from:?} is not there");
        let found = findings(&good.replacen(from, to, 1));
        let [(found_code, found_line)] = found.as_slice() else {
            panic!("{shape} with {to:?}: one finding of {code} expected, found {found:?}");
        };
        assert_eq!(found_code, code, "{shape} with {to:?}");
        assert!(found_line.contains(line), "{shape} with {to:?}: {code} points at {found_line:?}");
    }
}
