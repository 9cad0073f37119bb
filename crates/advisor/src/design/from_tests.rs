use manifest::read::read_any;

use super::*;
use crate::lint::{Objects, Options};

#[test]
fn manifests_that_are_there_become_words_and_what_changes_is_said() {
    let text = "\
apiVersion: v1
kind: Service
metadata: {name: ledger, namespace: prod}
spec:
  selector: {app: ledger}
  ports: [{port: 5432, targetPort: sql}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: ledger, namespace: prod}
spec:
  serviceName: ledger
  selector: {matchLabels: {app: ledger}}
  template:
    metadata: {labels: {app: ledger, tier: data}}
    spec:
      containers:
      - name: main
        image: registry.example/ledger:2
        ports: [{name: sql, containerPort: 15432}]
";
    let reading = read_any("k8s.yaml", text);
    let there = Objects::new(reading.documents, reading.foreign, Options::default());
    let found = from_objects(&there, &Draft::default()).expect("one workload");
    assert_eq!(
        found.taken,
        [
            "replicas 1 from spec (k8s.yaml:11:1), which says no number",
            "workload statefulset from kind (k8s.yaml:9:7)",
            "name ledger from metadata.name (k8s.yaml:10:18)",
            "namespace prod from metadata.namespace (k8s.yaml:10:37)",
            "image registry.example/ledger:2 from spec.template.spec.containers[0].image (k8s.yaml:19:16)",
            "port sql:5432:15432 from spec.ports[0] (k8s.yaml:6:11), which has no name: sql is the container's for 15432",
            "identity any: Service ledger has a virtual address",
        ]
    );
    let plan = plan(&resolve(&found.draft).expect("an intent"));
    assert_eq!(plan.intent.peer_service().as_deref(), Some("ledger-headless"));
    assert_eq!(plan.intent.client_service().as_deref(), Some("ledger"));
    let lines = changes(&plan, &there);
    assert_eq!(
        lines,
        [
            "Service ledger-headless is new",
            "Service ledger: spec.ports (unnamed):5432→sql becomes sql:5432→15432",
            "StatefulSet ledger: spec.serviceName ledger becomes ledger-headless; it cannot be changed in place: kubectl delete statefulset ledger --cascade=orphan, which leaves the pods, then apply; then restart the pods one by one, for their host names' subdomain is made with them",
        ]
    );

    let two = read_any("k8s.yaml", &format!("{text}---\n{}", text.replace("ledger", "other")));
    let two = Objects::new(two.documents, two.foreign, Options::default());
    let trouble = from_objects(&two, &Draft::default()).expect_err("two workloads")[0].to_string();
    assert_eq!(
        trouble,
        "error: --from: a design is of one workload, and there are StatefulSet ledger, StatefulSet other\n  help: say which: --name ledger"
    );
    let other = Draft { name: Some(Given::flag("--name", "other")), ..Draft::default() };
    let found = from_objects(&two, &other).expect("the other");
    let draft = other.or(found.draft);
    assert_eq!(draft.existing.client.as_deref(), Some("other"));
}

/// What manifests are, of which a row changes a word.
const WEB: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: r.example/web:1, ports: [{containerPort: 8080}]}
";

const LEDGER: &str = "\
apiVersion: v1
kind: Service
metadata: {name: ledger}
spec:
  selector: {app: ledger}
  ports: [{name: sql, port: 5432}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: ledger}
spec:
  serviceName: ledger
  selector: {matchLabels: {app: ledger}}
  template:
    metadata: {labels: {app: ledger}}
    spec:
      containers:
      - name: main
        image: r.example/ledger:2
        args: ['--join=ledger-0.ledger:5432,ledger-1.ledger:5432', '--me=$(POD).ledger.default.svc']
        env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        ports: [{name: sql, containerPort: 5432}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: peers}
data: {list: ledger-2.ledger, other: other-0.ledger, seed: ledger}
";

fn there(text: &str) -> Objects {
    let reading = read_any("k8s.yaml", text);
    assert_eq!(reading.problems, [], "{text}");
    Objects::new(reading.documents, reading.foreign, Options::default())
}

fn designed(objects: &Objects, flags: &Draft) -> Result<(Plan, Vec<String>), String> {
    let said = |troubles: Vec<Trouble>| {
        troubles.iter().map(Trouble::to_string).collect::<Vec<_>>().join("\n")
    };
    let found = from_objects(objects, flags).map_err(said)?;
    let plan = plan(&resolve(&flags.clone().or(found.draft)).map_err(said)?);
    match conflicts(&plan, objects) {
        troubles if troubles.is_empty() => Ok((plan, found.taken)),
        troubles => Err(said(troubles)),
    }
}

#[test]
fn a_port_without_a_name_gets_one_and_its_origin_is_said() {
    #[track_caller]
    fn check(change: (&str, &str), port: &str) {
        let objects = there(&WEB.replace(change.0, change.1));
        let (_, taken) = designed(&objects, &Draft::default()).expect(port);
        let lines: Vec<&String> = taken.iter().filter(|line| line.starts_with("port ")).collect();
        assert_eq!(lines, [port]);
    }
    let at = "from spec.ports[0] (k8s.yaml:6:11)";
    check(
        ("{containerPort", "{name: front, containerPort"),
        &format!("port front:80:8080 {at}, which has no name: front is the container's for 8080"),
    );
    check(("", ""), &format!("port http:80:8080 {at}, which has no name: http is usual for 80"));
    check(
        ("80", "93"),
        &format!("port port-93:93:9393 {at}, which has no name: it is called by its number"),
    );
    check(
        ("[{port: 80, targetPort: 8080}]", "[{name: a, port: 81, targetPort: 8080}]"),
        &format!("port a:81:8080 {at}"),
    );
    let elasticsearch = WEB
        .replace("r.example/web:1", "docker.elastic.co/elasticsearch/elasticsearch:9.1.0")
        .replace("port: 80,", "port: 9200,")
        .replace("8080", "9200")
        .replace("kind: Deployment", "kind: StatefulSet")
        .replace("  replicas: 2", "  serviceName: web\n  replicas: 2");
    let (plan, taken) = designed(&there(&elasticsearch), &Draft::default()).expect("a design");
    assert!(
        taken.contains(&format!(
            "port http:9200 {at}, which has no name: http is usual for 9200 of Elasticsearch"
        )),
        "{taken:?}"
    );
    let names = plan.intent.ports.iter().map(|port| port.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["http", "transport"]);
}

#[test]
fn what_was_given_is_not_said_to_be_taken() {
    let flags = Draft {
        identity: Some(Given::flag("--identity", "any")),
        replicas: Some(Given::flag("--replicas", "5")),
        ports: vec![Given::flag("--port", "sql:5432")],
        ..Draft::default()
    };
    let set = LEDGER.replace("kind: Service", "kind: Service\n# none").replace(
        "spec:\n  selector: {app: ledger}",
        "spec:\n  clusterIP: None\n  selector: {app: ledger}",
    );
    let (plan, taken) = designed(&there(&set), &flags).expect("a design");
    assert_eq!(plan.intent.client_service().as_deref(), Some("ledger-client"));
    let words = taken.iter().map(|line| line.split(' ').next().unwrap_or_default());
    assert_eq!(words.collect::<Vec<_>>(), ["workload", "name", "image"], "{taken:?}");
}

#[test]
fn what_cannot_be_begun_with_is_said_with_a_way_out() {
    #[track_caller]
    fn check(text: &str, flags: &Draft, expected: &str) {
        let trouble = designed(&there(text), flags).expect_err(expected);
        assert_eq!(trouble, expected);
    }
    let none = Draft::default();
    check(
        &WEB.replace("targetPort: 8080", "targetPort: 9090"),
        &none,
        "k8s.yaml:6:34: error: spec.ports[0].targetPort: Service web leads its port 80 to 9090 (TCP), and the containers of Deployment web declare 8080\n  help: mend targetPort, or add containerPort: 9090; or say which it is: --port NAME:80:8080",
    );
    check(
        &WEB.replace("{port: 80, targetPort: 8080}", "{name: http, port: 80, targetPort: web}")
            .replace(
                "{containerPort: 8080}",
                "{name: main, containerPort: 8080}, {containerPort: 53, protocol: UDP}",
            ),
        &none,
        "k8s.yaml:6:46: error: spec.ports[0].targetPort: Service web leads its port 80 to a port named web (TCP), and the containers of Deployment web declare main 8080, 53/UDP\n  help: mend targetPort, or name a container's port web; or say which it is: --port http:80:8080",
    );
    check(
        &WEB.replace(", targetPort: 8080", "")
            .replace(", ports: [{containerPort: 8080}]", "")
            .replace("{port: 80", "{targetPort: web, port: 80"),
        &none,
        "k8s.yaml:6:24: error: spec.ports[0].targetPort: Service web leads its port 80 to a port named web (TCP), and the containers of Deployment web declare no port\n  help: mend targetPort, or name a container's port web; or say which it is: --port NAME:80:TARGET",
    );
    // Another's Service under the name that the design wants.
    let other = WEB.replace(
        "metadata: {name: web}\nspec:\n  replicas",
        "metadata: {name: other}\nspec:\n  replicas",
    );
    let set = LEDGER.replace("name: ledger", "name: web").replace("ledger", "ledgers");
    let set = set.split_once("---\n").expect("documents").1.split_once("---\n").expect("two").0;
    let flags = Draft { name: Some(Given::flag("--name", "web")), ..Draft::default() };
    let help = "a namespace has one Service of a name: rename this one, or StatefulSet web; or leave this one out of --from if it is not there any more";
    check(
        &format!("{other}---\n{set}"),
        &flags,
        &format!(
            "k8s.yaml:5:3: error: spec.selector: Service web leads to the pods of Deployment other, and the design would make it StatefulSet web's\n  help: {help}"
        ),
    );
    check(
        &format!("{}---\n{set}", other.split_once("---\n").expect("two").0),
        &flags,
        &format!(
            "k8s.yaml:5:3: error: spec.selector: Service web selects app=web, which the pods of StatefulSet web are not, and the design would make it theirs\n  help: {help}"
        ),
    );
    // An alias that comes back.
    let alias = |name: &str, target: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{type: ExternalName, externalName: {target}}}\n---\n"
        )
    };
    let full = |name: &str| format!("{name}.default.svc.cluster.local");
    let ring = [alias("a", &full("b")), alias("b", &full("c")), alias("c", &full("a"))].concat();
    let flags = Draft { name: Some(Given::flag("--name", "a")), ..Draft::default() };
    check(
        &ring,
        &flags,
        "k8s.yaml:14:42: error: spec.externalName: a.default.svc.cluster.local would be an alias of itself by way of b, c: no address is at the end\n  help: let one of them lead to a real host: --external HOST",
    );
    check(
        "apiVersion: v1\nkind: Service\nmetadata: {name: old}\nspec: {ports: [{port: 80}]}\n",
        &none,
        "error: --from: there is no StatefulSet, Deployment or ExternalName Service to begin with\n  help: Service old has no selector: if what is behind it is outside of the cluster, say --workload external --name old --external IP[,IP] --port NAME:NUMBER in place of --from",
    );
}

#[test]
fn a_port_that_was_given_wins_over_a_service_that_is_wrong() {
    let objects = there(&WEB.replace("targetPort: 8080", "targetPort: 9090"));
    let flags = Draft { ports: vec![Given::flag("--port", "http:80:8080")], ..Draft::default() };
    let (plan, _) = designed(&objects, &flags).expect("a design");
    assert_eq!(
        changes(&plan, &objects),
        [
            "Service web: spec.ports (unnamed):80→9090 becomes http:80→8080",
            "Deployment web stays as it is",
        ]
    );
}

#[test]
fn what_is_the_default_is_no_change() {
    let set = LEDGER.replace(
        "spec:\n  selector: {app: ledger}",
        "spec:\n  clusterIP: None\n  selector: {app: ledger}",
    );
    let objects = there(&set);
    let (plan, _) = designed(&objects, &Draft::default()).expect("a design");
    assert_eq!(
        changes(&plan, &objects),
        ["Service ledger stays as it is", "StatefulSet ledger stays as it is"]
    );
}

#[test]
fn names_below_the_old_service_are_said() {
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let objects = there(text);
        let (plan, _) = designed(&objects, &Draft::default()).expect("a design");
        let lines = changes(&plan, &objects);
        let said: Vec<&String> = lines.iter().filter(|line| line.starts_with("to do: ")).collect();
        assert_eq!(said, expected);
    }
    let end = "the pods' names are below ledger-headless once the design is applied: write ledger-headless in place of ledger";
    check(
        LEDGER,
        &[
            &format!(
                "to do: StatefulSet ledger: spec.template.spec.containers[0].args[0] (k8s.yaml:20:16) still says ledger-0.ledger and 1 more, and {end}"
            ),
            &format!(
                "to do: StatefulSet ledger: spec.template.spec.containers[0].args[1] (k8s.yaml:20:68) still says $POD.ledger, and {end}"
            ),
            &format!(
                "to do: ConfigMap peers: data.list (k8s.yaml:27:14) still says ledger-2.ledger, and {end}"
            ),
        ],
    );
    // The Service is headless already, and stays.
    check(
        &LEDGER.replace(
            "spec:\n  selector: {app: ledger}",
            "spec:\n  clusterIP: None\n  selector: {app: ledger}",
        ),
        &[],
    );
    // The Service of serviceName is not there at all.
    let gone = LEDGER
        .replace("serviceName: ledger", "serviceName: gone")
        .replace("--me=$(POD).ledger", "--me=$(POD).gone");
    let objects = there(&gone);
    let (plan, _) = designed(&objects, &Draft::default()).expect("a design");
    let lines = changes(&plan, &objects);
    assert!(
        lines.iter().any(|line| line.contains("args[1]")
            && line.ends_with("write ledger-headless in place of gone")),
        "{lines:?}"
    );
}
