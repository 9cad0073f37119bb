//! The rules on aliases and on endpoints that are kept by hand: one fault is one finding, and what mends it mends it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use manifest::read::{Level, Problem};

use super::tests::{fixture_files, objects, objects_of};
use super::{Finding, check, fix};

const CODES: RangeInclusive<&str> = "HC027"..="HC043";

/// The fixtures of these rules, and whose they are.
fn fixtures() -> impl Iterator<Item = (&'static str, PathBuf)> {
    let rules = super::rules::RULES.iter().filter(|rule| CODES.contains(&rule.code));
    rules.flat_map(|rule| fixture_files(rule.code).into_iter().map(|path| (rule.code, path)))
}

#[test]
fn of_all_rules_one_speaks() {
    for (code, path) in fixtures() {
        let found = check(&objects(&path));
        for finding in &found {
            assert_eq!(finding.code, code, "{}: {finding:#?}", path.display());
            let here = found.iter().filter(|other| other.primary == finding.primary);
            assert_eq!(here.count(), 1, "{}: {finding:#?}", path.display());
        }
    }
}

#[test]
fn fixes_mend() {
    let mut made = 0;
    for (_, path) in fixtures() {
        let source: Arc<str> = Arc::from(path.display().to_string());
        let text = std::fs::read_to_string(&path).expect("a fixture");
        let mut texts = BTreeMap::from([(Arc::clone(&source), text)]);
        let before = check(&objects(&path));
        let fixes = fix(&mut texts, &before);
        assert_eq!(fixes.refused, [], "{}", path.display());
        let after = check(&objects_of(&path, &texts[&source]));
        let is_mended = |finding: &&Finding| !fixes.made.contains(*finding);
        let left: Vec<_> =
            before.iter().filter(is_mended).map(|finding| &finding.message).collect();
        let found: Vec<_> = after.iter().map(|finding| &finding.message).collect();
        assert_eq!(found, left, "{}: found (left), not mended (right)", path.display());
        made += fixes.made.len();
    }
    assert!(made > 0, "nothing was mended");
}

/// What the API refuses, validation says too; the engine leaves that out where a rule speaks of the same field.
#[test]
fn what_is_refused_is_found_at_the_field_that_is_refused() {
    let mut refused_fields = 0;
    for code in ["HC027", "HC028", "HC043"] {
        for path in fixture_files(code) {
            let objects = objects(&path);
            let found = check(&objects);
            let problems: Vec<_> = objects.refused.iter().flat_map(|(_, _, all)| all).collect();
            let same = |finding: &Finding, problem: &Problem| {
                Some(finding.primary.field.as_str()) == problem.field.as_deref()
                    && finding.primary.span.start == problem.position()
            };
            for problem in &problems {
                assert!(found.iter().any(|finding| same(finding, problem)), "{problem}");
            }
            // And nothing else is said to be refused.
            for finding in &found {
                let is_said = finding.help.iter().any(|help| help.contains("the API refuses it"));
                let is_so = problems.iter().any(|problem| same(finding, problem));
                assert_eq!(is_said, is_so, "{finding:#?}");
            }
            refused_fields += problems.len();
        }
    }
    assert!(refused_fields > 0, "nothing was refused");
}

/// How bad the cases of one rule are, and which of them mend themselves.
#[test]
fn levels_and_mendings() {
    let (error, warning, note) = (Level::Error, Level::Warning, Level::Note);
    let assert = |code: &str, file: &str, line: usize, level: Level, fix: &str| {
        let path = fixture_files(code).into_iter().find(|path| path.ends_with(file));
        let found = check(&objects(&path.expect("a fixture")));
        let here = |finding: &&Finding| finding.primary.span.start.line == line;
        let Finding { level: is, fix: mending, .. } =
            found.iter().find(here).unwrap_or_else(|| panic!("{code} {file}:{line}: nothing"));
        let title = mending.as_ref().map_or("", |fix| &fix.title);
        assert_eq!((*is, title), (level, fix), "{code} {file}:{line}");
    };
    assert("HC027", "bad.yaml", 7, error, "");
    assert("HC028", "bad.yaml", 7, error, "set externalName to api.example.com");
    // A port or a path that goes may be missed.
    assert("HC028", "bad.yaml", 15, error, "");
    assert("HC028", "bad.yaml", 23, error, "");
    assert("HC028", "bad.yaml", 31, error, "set externalName to db.example.com");
    assert("HC028", "bad.yaml", 39, error, "");
    assert("HC029", "bad.yaml", 8, error, "remove the dot at the end of externalName");
    // In which namespace is a guess where none is written.
    assert("HC030", "bad.yaml", 8, warning, "");
    assert("HC030", "bad.yaml", 17, warning, "set externalName to db.prod.svc.cluster.local");
    assert("HC030", "bad.yaml", 26, warning, "");
    assert("HC031", "bad.yaml", 8, warning, "");
    assert("HC032", "bad.yaml", 7, error, "");
    assert("HC032", "bad_chain.yaml", 7, warning, "");
    assert("HC033", "bad.yaml", 11, warning, "");
    assert("HC034", "bad.yaml", 8, note, "remove spec.selector");
    assert("HC034", "bad_matching.yaml", 8, warning, "");
    assert("HC035", "bad.yaml", 8, warning, "");
    assert("HC035", "bad_outside.yaml", 11, note, "");
    assert("HC036", "bad.yaml", 7, warning, "");
    assert("HC037", "bad.yaml", 4, warning, "");
    assert("HC038", "bad.yaml", 12, warning, "");
    assert("HC039", "bad.yaml", 13, warning, "label the slice kubernetes.io/service-name: db");
    assert("HC039", "bad.yaml", 28, warning, "");
    assert("HC040", "bad.yaml", 18, warning, "set the name of the slice's port to \"sql\"");
    assert("HC040", "bad.yaml", 64, warning, "");
    assert("HC041", "bad.yaml", 10, note, "");
    assert("HC043", "bad.yaml", 22, error, "");
    assert("HC043", "bad_unused.yaml", 16, warning, "");
}

const GOOD: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec:
  type: ExternalName
  externalName: db.example.com
  ports: [{name: sql, port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: cache, namespace: shop}
spec: {type: ExternalName, externalName: redis-0.redis.data.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: redis, namespace: data}
spec:
  clusterIP: None
  selector: {app: redis}
  ports: [{name: redis, port: 6379}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis, namespace: data}
spec:
  serviceName: redis
  replicas: 1
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      containers:
      - {name: redis, image: example.org/kv:1, ports: [{name: redis, containerPort: 6379}]}
---
apiVersion: v1
kind: Service
metadata: {name: legacy, namespace: shop}
spec:
  ports: [{name: http, port: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: legacy-1, namespace: shop, labels: {kubernetes.io/service-name: legacy}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [203.0.113.10]}]
---
# Kept by a controller of its own.
apiVersion: v1
kind: Service
metadata: {name: operated, namespace: operators}
spec:
  ports: [{name: http, port: 80}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: legacy, namespace: shop}
spec:
  rules:
  - host: legacy.example.org
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: legacy, port: {name: http}}}
"#;

#[test]
fn good_practice_is_clean_and_one_setting_turned_wrong_is_one_finding() {
    let check = |from: &str, to: &str, expected: &[&str]| {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let found = check(&objects_of(&PathBuf::from("good.yaml"), &text));
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, expected, "{from} -> {to}: {found:#?}");
    };
    check("", "", &[]);
    let target = "externalName: db.example.com";
    for (to, code) in [
        ("externalName: 10.0.0.1", "HC027"),
        ("externalName: 127.0.0.1", "HC027"),
        ("externalName: 10.0.0.1:5432", "HC027"),
        ("externalName: '2001:db8::1'", "HC027"),
        ("externalName: https://10.0.0.1/", "HC027"),
        ("externalName: db.example.com:5432", "HC028"),
        ("externalName: https://db.example.com/", "HC028"),
        ("externalName: Db.Example.com", "HC028"),
        ("externalName: localhost:5432", "HC028"),
        ("externalName: db", "HC030"),
        ("externalName: redis.data", "HC030"),
        ("externalName: redis.data.svc", "HC030"),
        ("externalName: none.data.svc.cluster.local", "HC031"),
        ("externalName: redis.data.cluster.local", "HC031"),
        ("externalName: db.shop.svc.cluster.local", "HC032"),
        ("externalName: localhost", "HC036"),
        ("externalName: legacy.example.org", "HC035"),
    ] {
        check(target, to, &[code]);
    }
    check("port: 5432}", "port: 5432, targetPort: 6432}", &["HC033"]);
    check(target, &format!("{target}\n  selector: {{app: db}}"), &["HC034"]);
    check("name: sql, port: 5432", "name: https, port: 443", &["HC035"]);
    check("redis-0.redis", "redis-1.redis", &["HC031"]);
    check("name: cache, namespace: shop", "name: cache, namespace: com", &["HC037"]);
    check(", labels: {kubernetes.io/service-name: legacy}", "", &["HC039"]);
    check("service-name: legacy}", "service-name: legacys}", &["HC039"]);
    check("name: legacy-1, namespace: shop", "name: legacy-1, namespace: store", &["HC039"]);
    check("ports: [{name: http, port: 8080}]", "ports: [{name: web, port: 8080}]", &["HC040"]);
    check("ports: [{name: http, port: 8080}]", "ports: [{port: 8080}]", &["HC040"]);
    check("203.0.113.10", "127.0.0.1", &["HC043"]);
    check("addressType: IPv4", "addressType: FQDN", &["HC043"]);
    check("addressType: IPv4", "addressType: IPv6", &["HC043"]);
}
