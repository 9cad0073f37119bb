//! What linting ten thousand objects takes, from text to findings: `cargo bench --package advisor`. With `rules`, what each
//! rule takes of it.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use advisor::lint::{Objects, Options, Selection, Texts, rules::RULES, run};

const OBJECTS: usize = 10_000;
const ROUNDS: usize = 5;

/// Applications as they are deployed: a StatefulSet with its headless Service and a client Service, a Deployment with its
/// Service, a ConfigMap, two NetworkPolicies, an Ingress and a ServiceAccount; a file each.
fn mix() -> Vec<(String, String)> {
    let per_file = 10;
    let files = (0..OBJECTS / per_file).map(|n| {
        let namespace = format!("team-{}", n % 50);
        let head = |api: &str, kind: &str, name: &str| {
            format!("---\napiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    app.kubernetes.io/part-of: shop-{n}\n")
        };
        let template = |app: &str, port: u16| {
            format!("  selector:\n    matchLabels:\n      app: {app}\n  template:\n    metadata:\n      labels:\n        app: {app}\n        part-of: shop-{n}\n    spec:\n      containers:\n      - name: {app}\n        image: registry.example.org/{app}:1.2.3\n        env:\n        - name: DB\n          value: db-{n}-headless.{namespace}.svc.cluster.local:5432\n        ports:\n        - name: main\n          containerPort: {port}\n        readinessProbe:\n          tcpSocket:\n            port: main\n        resources:\n          requests:\n            cpu: 100m\n            memory: 128Mi\n")
        };
        let service = |app: &str, port: u16| {
            format!("  selector:\n    app: {app}\n    part-of: shop-{n}\n  ports:\n  - name: main\n    port: {port}\n    targetPort: main\n")
        };
        let (db, web) = (format!("db-{n}"), format!("web-{n}"));
        let mut text = String::new();
        text += &head("v1", "Service", &format!("{db}-headless"));
        _ = write!(text, "spec:\n  clusterIP: None\n{}", service(&db, 5432));
        text += &head("v1", "Service", &db);
        _ = write!(text, "spec:\n{}", service(&db, 5432));
        text += &head("apps/v1", "StatefulSet", &db);
        _ = write!(text, "spec:\n  serviceName: {db}-headless\n  replicas: 3\n{}", template(&db, 5432));
        text += &head("apps/v1", "Deployment", &web);
        _ = write!(text, "spec:\n  replicas: 2\n{}", template(&web, 8080));
        text += &head("v1", "Service", &web);
        _ = write!(text, "spec:\n{}", service(&web, 80));
        text += &head("v1", "ConfigMap", &web);
        text += "data:\n  settings.ini: |\n    [main]\n    level = info\n    workers = 8\n";
        text += &head("networking.k8s.io/v1", "NetworkPolicy", &web);
        _ = write!(text, "spec:\n  podSelector:\n    matchLabels:\n      app: {web}\n  policyTypes: [Ingress]\n  ingress:\n  - ports:\n    - port: 8080\n");
        text += &head("networking.k8s.io/v1", "NetworkPolicy", &db);
        _ = write!(text, "spec:\n  podSelector:\n    matchLabels:\n      app: {db}\n  policyTypes: [Ingress]\n  ingress:\n  - from:\n    - podSelector:\n        matchLabels:\n          app: {web}\n    ports:\n    - port: 5432\n");
        text += &head("networking.k8s.io/v1", "Ingress", &web);
        _ = write!(text, "spec:\n  ingressClassName: nginx\n  rules:\n  - host: shop-{n}.example.org\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend:\n          service:\n            name: {web}\n            port:\n              name: main\n");
        text += &head("v1", "ServiceAccount", &web);
        (format!("shop-{n}.yaml"), text)
    });
    files.collect()
}

/// Five thousand Services and five thousand workloads of one namespace and one label.
fn one_label() -> Vec<(String, String)> {
    let mut text = String::new();
    for n in 0..OBJECTS / 2 {
        _ = write!(
            text,
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s-{n}\nspec:\n  selector:\n    app: a\n  ports:\n  - name: http\n    port: 80\n"
        );
        _ = write!(
            text,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d-{n}\nspec:\n  selector:\n    matchLabels:\n      app: a\n  template:\n    metadata:\n      labels:\n        app: a\n    spec:\n      containers:\n      - name: c\n        image: example.org/a:1\n"
        );
    }
    vec![("all.yaml".to_owned(), text)]
}

/// A StatefulSet for each Service, all Services with the one label that all pods have, too.
fn nested_labels() -> Vec<(String, String)> {
    let mut text = String::new();
    for n in 0..OBJECTS / 2 {
        _ = write!(
            text,
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s-{n}\nspec:\n  clusterIP: None\n  selector:\n    app: a\n    instance: i-{n}\n  ports:\n  - name: http\n    port: 80\n"
        );
        _ = write!(
            text,
            "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: d-{n}\nspec:\n  serviceName: s-{n}\n  selector:\n    matchLabels:\n      app: a\n      instance: i-{n}\n  template:\n    metadata:\n      labels:\n        app: a\n        instance: i-{n}\n    spec:\n      containers:\n      - name: c\n        image: example.org/a:1\n"
        );
    }
    vec![("all.yaml".to_owned(), text)]
}

fn objects(texts: &[(String, String)]) -> Objects {
    let mut read = Texts::default();
    for (name, text) in texts {
        read.add(name, Ok(text.as_bytes()));
    }
    Objects::read(read, Options::default())
}

fn measure(name: &str, texts: &[(String, String)], by_rule: bool) {
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let mut best = (Duration::MAX, Duration::MAX, 0, 0);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let objects = objects(texts);
        let read = start.elapsed();
        let report = run(&objects, &Selection::default());
        let whole = start.elapsed();
        if whole < best.0 {
            best = (whole, read, objects.all.len(), report.findings.len());
        }
    }
    let (whole, read, count, found) = best;
    println!(
        "{name}: {count} objects, {:.1} MB, {found} findings: {:.0} ms ({:.0} to read, type and index)",
        bytes as f64 / 1e6,
        whole.as_secs_f64() * 1e3,
        read.as_secs_f64() * 1e3,
    );
    if by_rule {
        let objects = objects(texts);
        for rule in RULES {
            let selection = Selection { only: vec![rule], ..Selection::default() };
            let start = Instant::now();
            let found = run(&objects, &selection).findings.len();
            let took = start.elapsed();
            if took > Duration::from_millis(5) {
                println!("  {}: {:.0} ms, {found} findings", rule.code, took.as_secs_f64() * 1e3);
            }
        }
    }
}

fn main() {
    let by_rule = std::env::args().any(|argument| argument == "rules");
    println!("best of {ROUNDS}, {} rules", RULES.len());
    measure("applications", &mix(), by_rule);
    measure("a label of its own for each", &nested_labels(), by_rule);
    measure("one label for all", &one_label(), by_rule);
}
