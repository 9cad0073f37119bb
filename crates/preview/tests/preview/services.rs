//! Each shape of a Service.

use preview::SettleError;

use crate::{NOT_READY, PLAIN, check, lines, peers, settled, try_settle};

#[test]
fn peers_have_names_and_ports() {
    check(
        &peers("db", 2, PLAIN),
        &[],
        "
default/db-peers headless 2/2
  db-peers A <ip of db-0> (all ready peers)
  db-peers A <ip of db-1> (all ready peers)
  db-peers SRV 0 50 7000 db-0.db-peers (ports of all ready peers (SRV))
  db-peers SRV 0 50 7000 db-1.db-peers (ports of all ready peers (SRV))
  db-0.db-peers A <ip of db-0> (one peer by its name)
  db-0.db-peers SRV 0 100 7000 db-0.db-peers (its ports (SRV))
  db-1.db-peers A <ip of db-1> (one peer by its name)
  db-1.db-peers SRV 0 100 7000 db-1.db-peers (its ports (SRV))
  _peer._tcp.db-peers SRV 0 50 7000 db-0.db-peers (port peer of all ready peers (SRV))
  _peer._tcp.db-peers SRV 0 50 7000 db-1.db-peers (port peer of all ready peers (SRV))
  <reverse name of ip of db-0> PTR db-0.db-peers (from an address to its name)
  <reverse name of ip of db-1> PTR db-1.db-peers (from an address to its name)
",
    );
}

const WEB: &str = "
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: http }, ] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: c, image: i, ports: [{ name: http, containerPort: 8080 }] }] }
";

#[test]
fn a_virtual_address_hides_its_pods_and_each_has_a_name_by_its_address() {
    let seen = lines(&settled(WEB, &[]));
    let pod = seen[3].split("ip of ").nth(1).unwrap().split('>').next().unwrap().to_owned();
    assert!(pod.starts_with("web-") && pod.len() == "web-0123456789-01234".len(), "{pod}");
    let seen = seen.join("\n").replace(&pod, "POD");
    assert_eq!(
        seen,
        "\
default/web ClusterIP 1/1
  web A <cluster ip of web> (the virtual address)
  web SRV 0 100 80 web (ports of the virtual address (SRV))
  <dashed ip of POD>.web A <ip of POD> (one pod by its address)
  <dashed ip of POD>.web SRV 0 100 8080 <dashed ip of POD>.web (its ports (SRV))
  <reverse name of cluster ip of web> PTR web (from an address to its name)
  <reverse name of ip of POD> PTR <dashed ip of POD>.web (from an address to its name)
  note: the pods of Deployment web have made-up names here: in a cluster the last part is drawn by chance
  note: port 80/TCP has no name: its SRV records are at web itself, and there is no _NAME._tcp.web"
    );
}

#[test]
fn an_alias_is_one_record() {
    check(
        "
apiVersion: v1
kind: Service
metadata: { name: db, namespace: prod }
spec: { type: ExternalName, externalName: db.example.com }
",
        &[],
        "
prod/db ExternalName 0/0
  db CNAME db.example.com. (alias: nothing is proxied; port, TLS name and Host header stay as they are)
",
    );
}

#[test]
fn endpoints_kept_by_hand_stay_as_they_are() {
    check(
        "
apiVersion: v1
kind: Service
metadata: { name: api }
spec: { clusterIP: None, ports: [{ name: https, port: 443 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: api-1, labels: { kubernetes.io/service-name: api } }
addressType: IPv4
ports: [{ name: https, port: 443 }]
endpoints:
  - addresses: [203.0.113.9]
  - addresses: [192.0.2.10]
    hostname: spare
    conditions: { ready: false }
---
apiVersion: v1
kind: Service
metadata: { name: fixed }
spec: { clusterIP: 10.96.7.7, ports: [{ name: a, port: 1 }] }
",
        &[],
        "
default/api headless 1/2
  api A 203.0.113.9 (all endpoints that are ready)
  api SRV 0 100 443 203-0-113-9.api (ports of all endpoints that are ready (SRV))
  203-0-113-9.api A 203.0.113.9 (one endpoint by its address)
  203-0-113-9.api SRV 0 100 443 203-0-113-9.api (its ports (SRV))
  _https._tcp.api SRV 0 100 443 203-0-113-9.api (port https of all endpoints that are ready (SRV))
  9.113.0.203.in-addr.arpa. PTR 203-0-113-9.api (from an address to its name)
  no spare.api: it is not ready
default/fixed ClusterIP 0/0
  fixed A 10.96.7.7 (the virtual address)
  fixed SRV 0 100 1 fixed (ports of the virtual address (SRV))
  _a._tcp.fixed SRV 0 100 1 fixed (port a of the virtual address (SRV))
  7.7.96.10.in-addr.arpa. PTR fixed (from an address to its name)
",
    );
}

#[test]
fn what_is_missing_has_its_reason() {
    check(
        "
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: dbb }, ports: [{ name: pg, port: 5432 }] }
---
apiVersion: v1
kind: Service
metadata: { name: logs }
spec: { clusterIP: None, selector: { app: logs }, ports: [{ name: in, port: 1 }] }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: logs }
spec:
  selector: { matchLabels: { app: logs } }
  template:
    metadata: { labels: { app: logs } }
    spec: { containers: [{ name: c, image: i }] }
",
        &[],
        "
default/db headless 0/0
  nothing: headless Service default/db: it has no endpoints
  note: its selector app=dbb matches no pod here
default/logs headless 0/0
  nothing: headless Service default/logs: it has no endpoints
  note: its selector app=logs matches no pod here
  note: the pods of DaemonSet logs are not shown: it has a pod on each node, and how many those are only a cluster knows
",
    );
}

/// A part of what is said of the Services.
#[track_caller]
fn check_says(text: &str, expected: &[&str]) {
    let seen = lines(&settled(text, &[]));
    for line in expected {
        assert!(
            seen.iter().any(|seen| seen.trim() == *line),
            "{line}\n--- seen\n{}",
            seen.join("\n")
        );
    }
}

#[test]
fn a_port_that_no_pod_has_does_not_exist() {
    let named = peers("db", 1, ["", "", ""]).replace("port: 7000", "port: 7000, targetPort: peer");
    check_says(
        &named,
        &[
            "no _peer._tcp.db-peers: Service default/db-peers declares TCP port peer, but no ready endpoint's slice carries it",
        ],
    );
}

#[test]
fn pods_whose_governing_service_is_not_there_have_no_names() {
    let wrong = peers("db", 2, PLAIN).replace("serviceName: db-peers", "serviceName: db-peer");
    check_says(
        &wrong,
        &[
            "db-peers A <ip of db-0> (all ready pods)",
            "<dashed ip of db-1>.db-peers A <ip of db-1> (one pod by its address)",
            "note: StatefulSet db names its pods below db-peer (serviceName), and there is no such Service: db-0.db-peer does not exist",
        ],
    );
    let none = peers("db", 2, PLAIN).replace("serviceName: db-peers", "");
    check_says(
        &none,
        &[
            "note: StatefulSet db has no serviceName: its pods have no names, db-0 and the others, only those by their addresses",
        ],
    );
}

#[test]
fn a_namespace_is_said_where_a_name_is_of_two() {
    let one = peers("db", 1, PLAIN);
    let other = one.replace("metadata: { name: db", "metadata: { namespace: dev, name: db");
    check_says(
        &format!("{one}{other}"),
        &[
            "db-peers A <ip of default/db-0> (all ready peers)",
            "db-peers A <ip of dev/db-0> (all ready peers)",
        ],
    );
}

#[test]
fn ordinals_are_counted_and_may_begin_anywhere() {
    let text = peers("db", 12, ["ordinals: { start: 9 }", "", ""]);
    let seen = lines(&settled(&text, &[]));
    let addresses: Vec<&str> =
        seen.iter().map(|line| line.trim()).filter(|line| line.starts_with("db-peers A")).collect();
    assert_eq!(addresses.len(), 12);
    assert!(
        addresses[0].contains("db-9>")
            && addresses[1].contains("db-10>")
            && addresses[11].contains("db-20>"),
        "{addresses:?}"
    );
}

/// The pods of a set are ready as they are made, so that their order makes no difference.
#[test]
fn pods_in_order_are_those_that_are_made_at_once() {
    let of = |policy: &str, replicas| {
        let set =
            format!("podManagementPolicy: {policy}, minReadySeconds: 3").replace(", ", "\n  ");
        lines(&settled(&peers("db", replicas, [&set, "", ""]), &["db-1"]))
    };
    assert_eq!(of("OrderedReady", 12), of("Parallel", 12));
    // A pod that somebody wrote is adopted, and those behind it wait for it.
    let written = format!(
        "{}apiVersion: v1
kind: Pod
metadata: {{ name: db-0, labels: {{ app: db }}, annotations: {{ {NOT_READY} }} }}
spec: {{ containers: [{{ name: c, image: i }}] }}
",
        peers("db", 3, PLAIN)
    );
    let seen = lines(&settled(&written, &[]));
    assert!(seen[0].ends_with("0/1"), "{seen:?}");
}

#[test]
fn an_alias_that_leads_nowhere_says_so() {
    let alias = |name: &str, target: &str| {
        format!(
            "apiVersion: v1
kind: Service
metadata: {{ name: {name} }}
spec: {{ type: ExternalName, externalName: {target} }}
---
"
        )
    };
    let note = |text: &str| {
        let settled = settled(text, &[]);
        settled.services().iter().map(|it| it.notes.join("; ")).collect::<Vec<_>>()
    };
    let to = |name: &str| format!("{name}.default.svc.cluster.local");
    assert_eq!(
        note(&[alias("a", &to("b")), alias("b", &to("a"))].concat()),
        [
            "clients that follow the alias get SERVFAIL: ExternalName Service default/a is part of a loop",
            "clients that follow the alias get SERVFAIL: ExternalName Service default/b is part of a loop",
        ]
    );
    assert_eq!(
        note(&alias("a", &to("gone"))),
        ["clients that follow the alias get NXDOMAIN: Service default/gone does not exist"]
    );
    assert_eq!(note(&alias("a", "db.example.com")), [""]);
}

#[test]
fn what_is_scaled_to_nothing_says_so() {
    check(
        &peers("db", 0, PLAIN),
        &[],
        "
default/db-peers headless 0/0
  nothing: headless Service default/db-peers: it has no endpoints
  note: its selector app=db matches no pod here
  note: StatefulSet db has replicas: 0, so it makes no pods",
    );
}

#[test]
fn what_never_ends_is_refused() {
    let many = peers("db", 10_001, ["podManagementPolicy: Parallel", "", ""]);
    assert_eq!(try_settle(&many, &[]).unwrap_err(), SettleError::TooManyPods);
}
