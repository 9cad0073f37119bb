use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ObjectRef;

/// Reads and checks texts together and prints every problem, then what was accepted.
fn outcome_of(texts: &[(&str, &str)]) -> String {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for (source, text) in texts {
        let (read, found) = read(source, text);
        documents.extend(read);
        problems.extend(found);
    }
    let (checked, found) = check(documents, "default");
    problems.extend(found);
    let accepted = checked.iter().map(|checked| {
        let ObjectRef { kind, namespace, name } = &checked.reference;
        format!("accepted {kind} {namespace}/{name}")
    });
    problems.iter().map(ToString::to_string).chain(accepted).collect::<Vec<_>>().join("\n")
}

fn outcome(text: &str) -> String {
    outcome_of(&[("app.yaml", text)])
}

const POD: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: db-0
  labels: {app: db}
spec:
  containers:
  - {name: db, image: 'postgres:17'}
";

#[test]
fn good_objects_pass_in_silence() {
    let text = format!(
        "{POD}---
# A headless Service.
apiVersion: v1
kind: Service
metadata:
  name: db
  namespace: default
spec:
  clusterIP: None
  selector:
    app: db
  ports:
  - port: 5432
---
# nothing
---
"
    );
    assert_snapshot!(outcome(&text), @r#"
accepted Pod default/db-0
accepted Service default/db
"#);
}

#[test]
fn a_text_that_is_no_yaml_does_not_hide_the_others() {
    let text = format!("apiVersion: v1\nkind: [Service\n---{POD}---\n\tx: 1\n---\na: b: c\n");
    assert_snapshot!(outcome(&text), @r#"
app.yaml:2:7: error: not YAML: unclosed bracket '['
app.yaml:13:2: error: apiVersion: Required value
app.yaml:13:2: error: kind: Required value
  help: served are v1: ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service, ServiceAccount; apps/v1: ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet; autoscaling/v2: HorizontalPodAutoscaler; batch/v1: CronJob, Job; coordination.k8s.io/v1: Lease; discovery.k8s.io/v1: EndpointSlice; events.k8s.io/v1: Event; gateway.networking.k8s.io/v1: Gateway, GatewayClass, HTTPRoute; gateway.networking.k8s.io/v1beta1: ReferenceGrant; multicluster.x-k8s.io/v1alpha1: ServiceImport; networking.k8s.io/v1: Ingress, IngressClass, NetworkPolicy; policy/v1: PodDisruptionBudget; rbac.authorization.k8s.io/v1: ClusterRole, ClusterRoleBinding, Role, RoleBinding; scheduling.k8s.io/v1: PriorityClass; storage.k8s.io/v1: StorageClass
app.yaml:15:5: error: not YAML: mapping values are not allowed in this context
accepted Pod default/db-0
"#);
}

#[test]
fn unknown_and_missing_kinds() {
    assert_snapshot!(outcome("
apiVersion: v1
kind: Sevice
---
apiVersion: v1
kind: StatefulSet
---
apiVersion: example.com/v1
kind: Certificate
---
kind: Service
---
- a
---
just text
"), @r#"
app.yaml:3:7: error: kind: "Sevice" of "v1" is not a kind that is served
  help: did you mean Service (v1)?
app.yaml:6:7: error: kind: "StatefulSet" of "v1" is not a kind that is served
  help: did you mean StatefulSet (apps/v1)?
app.yaml:9:7: error: kind: "Certificate" of "example.com/v1" is not a kind that is served
  help: served are v1: ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service, ServiceAccount; apps/v1: ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet; autoscaling/v2: HorizontalPodAutoscaler; batch/v1: CronJob, Job; coordination.k8s.io/v1: Lease; discovery.k8s.io/v1: EndpointSlice; events.k8s.io/v1: Event; gateway.networking.k8s.io/v1: Gateway, GatewayClass, HTTPRoute; gateway.networking.k8s.io/v1beta1: ReferenceGrant; multicluster.x-k8s.io/v1alpha1: ServiceImport; networking.k8s.io/v1: Ingress, IngressClass, NetworkPolicy; policy/v1: PodDisruptionBudget; rbac.authorization.k8s.io/v1: ClusterRole, ClusterRoleBinding, Role, RoleBinding; scheduling.k8s.io/v1: PriorityClass; storage.k8s.io/v1: StorageClass
app.yaml:11:1: error: apiVersion: Required value
  help: for a Service write apiVersion: v1
app.yaml:13:1: error: expected an object with apiVersion, kind and metadata
app.yaml:15:1: error: expected an object with apiVersion, kind and metadata
"#);
}

#[test]
fn wrong_types_and_unknown_fields() {
    assert_snapshot!(outcome("
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
spec:
  replicas: \"3\"
  serviceName: yes
  template:
    metadata:
      labels: {version: 1.10}
    spec:
      containers:
        name: db
---
apiVersion: v1
kind: Service
metadata:
  name: db
spec:
  clusterIp: None
  wombat: 1
  ports:
  - port: 80
    targetport: 8080
"), @r#"
app.yaml:7:13: error: spec.replicas: expected an integer, got the string "3"
  help: write it without quotes: 3
app.yaml:8:16: error: spec.serviceName: expected a string, got the boolean true
  help: write it in quotes: "yes"
app.yaml:11:25: error: spec.template.metadata.labels[version]: expected a string, got the number 1.1
  help: write it in quotes: "1.10"
app.yaml:13:7: error: spec.template.spec.containers: expected a list, got an object
  help: begin each element with a hyphen: `- `
app.yaml:21:14: error: spec.clusterIp: Service has no such field
  help: did you mean clusterIP?
app.yaml:22:11: error: spec.wombat: Service has no such field
app.yaml:25:17: error: spec.ports[0].targetport: Service has no such field
  help: did you mean targetPort?
"#);
}

#[test]
fn invalid_values() {
    assert_snapshot!(outcome("
apiVersion: v1
kind: Service
metadata:
  name: My_Service
spec:
  type: Clusterip
  ports:
  - port: 70000
  - port: 80
    name: web
---
apiVersion: v1
kind: Service
metadata:
  name: outside
spec:
  type: ExternalName
  externalName: https://db.example.com:5432/x
---
apiVersion: v1
kind: Service
metadata: {generateName: a-}
spec:
  clusterIP: None
"), @r#"
app.yaml:5:9: error: metadata.name: Invalid value: "My_Service": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
  help: for example my-service
app.yaml:7:9: error: spec.type: Unsupported value: "Clusterip": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"
  help: did you mean ClusterIP?
app.yaml:9:5: error: spec.ports[0].name: Required value
  help: a Service of several ports names each of them
app.yaml:9:11: error: spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive
app.yaml:19:17: error: spec.externalName: Invalid value: "https://db.example.com:5432/x": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
  help: remove https:// and :5432/x: an external name is only a DNS name, db.example.com
app.yaml:23:1: error: metadata.name: Required value: name or generateName is required
  help: an object in a file needs a name of its own, not generateName
"#);
}

#[test]
fn one_object_twice() {
    let pod = POD.trim_start();
    assert_snapshot!(outcome_of(&[("a.yaml", pod), ("b/c.yaml", pod)]), @r#"
b/c.yaml:4:9: error: metadata.name: Pod db-0 in namespace default is there twice, first at a.yaml:4:9
  help: remove or rename one of the two
accepted Pod default/db-0
"#);
}

#[test]
fn services_that_select_no_pod() {
    let services = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports: [{port: 80}]
  selector:
    app: web
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: prod}
spec:
  ports: [{port: 80}]
  selector: {app: db}
---
apiVersion: v1
kind: Service
metadata: {name: cache}
spec:
  ports: [{port: 80}]
  selector: {role: cache}
---
apiVersion: v1
kind: Service
metadata: {name: free}
spec:
  ports: [{port: 80}]
";
    assert_snapshot!(outcome(&format!("{POD}---{services}")), @r#"
app.yaml:16:3: note: spec.selector: selects no pod of these files: none in namespace default is labelled app=web
  help: Pod db-0 (app.yaml:2) has app=db
app.yaml:24:3: note: spec.selector: selects no pod of these files: none in namespace prod is labelled app=db
  help: Pod db-0 is, but in namespace default
app.yaml:31:3: note: spec.selector: selects no pod of these files: none in namespace default is labelled role=cache
accepted Pod default/db-0
accepted Service default/web
accepted Service prod/db
accepted Service default/cache
accepted Service default/free
"#);
}

#[test]
fn keys_that_are_there_twice() {
    assert_snapshot!(outcome("
apiVersion: v1
kind: Service
metadata:
  name: db
  labels: {a: b}
  name: db2
---
a: &a {x: 1}
b:
  <<: *a
  x: 2
"), @r#"
app.yaml:7:3: error: the key "name" is there twice, first at line 5, column 3
app.yaml:9:1: error: apiVersion: Required value
app.yaml:9:1: error: kind: Required value
  help: served are v1: ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service, ServiceAccount; apps/v1: ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet; autoscaling/v2: HorizontalPodAutoscaler; batch/v1: CronJob, Job; coordination.k8s.io/v1: Lease; discovery.k8s.io/v1: EndpointSlice; events.k8s.io/v1: Event; gateway.networking.k8s.io/v1: Gateway, GatewayClass, HTTPRoute; gateway.networking.k8s.io/v1beta1: ReferenceGrant; multicluster.x-k8s.io/v1alpha1: ServiceImport; networking.k8s.io/v1: Ingress, IngressClass, NetworkPolicy; policy/v1: PodDisruptionBudget; rbac.authorization.k8s.io/v1: ClusterRole, ClusterRoleBinding, Role, RoleBinding; scheduling.k8s.io/v1: PriorityClass; storage.k8s.io/v1: StorageClass
"#);
    assert_snapshot!(
        outcome_of(&[("x.json", "{\"kind\": \"Service\",\n \"kind\": \"Pod\"}")]),
        @r#"
x.json:2:2: error: the key "kind" is there twice, first at line 1, column 2
"#
    );
}

#[test]
fn json_and_lists() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "PodList", "items": [
            {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        ]},
        {"apiVersion": "v1", "kind": "List", "items": null},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "B"}},
    ]});
    let text = serde_json::to_string_pretty(&list).unwrap();
    assert_snapshot!(outcome_of(&[("x.json", &text)]), @r#"
x.json:39:17: error: metadata.name: Invalid value: "B": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
  help: for example b
accepted Namespace /a
accepted Pod default/x
"#);
    assert_snapshot!(outcome_of(&[("x.json", "{\"kind\": \"List\",\n  \"items\": [1, }")]), @r#"
x.json:2:16: error: not JSON: expected a value
"#);
    assert_snapshot!(outcome("{apiVersion: v1, kind: List, items: 7}"), @r#"
app.yaml:1:30: error: items: expected a list
"#);
}

#[test]
fn aliases_and_merge_keys() {
    let (documents, problems) = read(
        "x",
        "
apiVersion: v1
kind: Pod
metadata: &meta
  name: a
  labels: &labels {app: db, tier: data}
spec:
  nodeSelector:
    <<: *labels
    tier: back
---
apiVersion: v1
kind: Pod
metadata: {labels: &l {a: b}, annotations: *l}
",
    );
    assert_eq!(problems, []);
    assert_eq!(documents[0].value["spec"]["nodeSelector"], json!({"app": "db", "tier": "back"}));
    assert_eq!(documents[1].value["metadata"]["annotations"], json!({"a": "b"}));
    assert_eq!(documents[1].position("metadata.annotations.a"), Position { line: 14, column: 27 });
}

#[test]
fn aliases_are_bounded() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", ")));
    }
    assert_snapshot!(outcome(&text), @r#"
app.yaml:5:9: error: anchors and aliases copy more than 16777216 bytes
"#);
    // Anchors within one another, and few aliases of much.
    let nested =
        |levels: usize| (0..levels).map(|level| format!("&a{level} [")).collect::<String>();
    let anchors = format!("x: {}{}{}", nested(150), "0,".repeat(5_000), "]".repeat(150));
    assert_snapshot!(outcome(&anchors).lines().next().unwrap_or_default(), @"app.yaml:1:656: error: anchors and aliases copy more than 16777216 bytes");
    let large = format!("a: &a \"{}\"\nb: [{}]", "x".repeat(1 << 20), "*a,".repeat(50));
    assert_snapshot!(outcome(&large), @"
app.yaml:2:47: error: anchors and aliases copy more than 16777216 bytes
");
    assert_snapshot!(outcome("a: &a [*a]"), @r#"
app.yaml:1:8: error: the alias refers to what it is part of
"#);
    let deep = "[".repeat(250);
    assert_snapshot!(outcome(&deep), @r#"
app.yaml:1:250: error: not YAML: unclosed bracket '['
"#);
}

#[test]
fn places() {
    let (documents, _) = read(
        "x",
        "\u{feff}---
apiVersion: v1
kind: Service
metadata:
  name: db
  labels:
    app.kubernetes.io/name: db
spec:
  ports:
  - port: 80
    name: web
  - {port: 81, name: \"x\"}
  selector:
  clusterIP: None
",
    );
    let at = |field| {
        let Position { line, column } = documents[0].position(field);
        (line, column)
    };
    assert_eq!(at(""), (2, 1));
    assert_eq!(at("metadata.name"), (5, 9));
    assert_eq!(at("metadata.labels"), (6, 3));
    assert_eq!(at("metadata.labels[app.kubernetes.io/name]"), (7, 29));
    assert_eq!(at("metadata.labels.app.kubernetes.io/name"), (7, 29));
    assert_eq!(at("metadata.labels[absent]"), (6, 3));
    assert_eq!(at("spec.ports[0].port"), (10, 11));
    assert_eq!(at("spec.ports[1].name"), (12, 22));
    assert_eq!(at("spec.ports[1]"), (12, 5));
    assert_eq!(at("spec.ports[2].name"), (9, 3));
    assert_eq!(at("spec.selector"), (13, 3));
    assert_eq!(at("spec.selector.app"), (13, 3));
    assert_eq!(at("spec.clusterIP"), (14, 14));
    assert_eq!(at("spec.clusterIPs[0]"), (14, 14), "what defaulting made of it");
    assert_eq!(at("status.x"), (2, 1));
}

#[test]
fn what_is_no_text() {
    let (documents, problems) = read_bytes("x", b"a: 1\nb\xc3\xa4\xff: 2\n");
    assert_eq!(documents, []);
    assert_eq!(problems[0].to_string(), "x:2:3: error: not UTF-8 text");
}

/// Any JSON value of moderate size.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        "[ -~\n\u{e4}\u{20ac}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z./]{1,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Writes a value as JSON over many lines, noting where each field's text begins.
fn write_located(
    value: &Value,
    path: String,
    text: &mut String,
    places: &mut Vec<(String, Position)>,
) {
    let here = |text: &str| {
        let line = text.matches('\n').count() + 1;
        let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Position { line, column }
    };
    match value {
        Value::Array(items) => {
            text.push_str("[\n ");
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                text.push_str(if index > 0 { ",\n  " } else { "" });
                places.push((path.clone(), here(text)));
                write_located(item, path, text, places);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                let path = format!("{path}[{key}]");
                text.push_str(if index > 0 { ",\n " } else { " " });
                let key_at = here(text);
                text.push_str(&format!("{}: ", Value::from(key.as_str())));
                let is_scalar = !(item.is_null() || item.is_array() || item.is_object());
                places.push((path.clone(), if is_scalar { here(text) } else { key_at }));
                write_located(item, path, text, places);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

/// Reads and checks any text; every problem lies within it.
fn check_any(text: &str) {
    let lines = text.matches(['\n', '\r']).count() + 2;
    for source in ["any.yaml", "any.json"] {
        let (documents, mut problems) = read(source, text);
        problems.extend(check(documents, "default").1);
        for problem in problems {
            assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_text_is_read_without_panic(text in "(?s).{0,200}") {
        check_any(&text);
    }

    #[test]
    fn text_that_looks_like_yaml_is_read_without_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "b: ", "- ", "\n", "\n  ", "\n---\n", "{", "}", "[", "]", ",", "&a ", "*a", "<<: ", "\"", "'", "|\n",
            "? ", "!!str ", "#", "\t", "~", "1", "apiVersion: v1\n", "kind: Service\n", "metadata: ", "spec: ", "\u{e4}", "...\n",
        ]), 0..60)
    ) {
        check_any(&pieces.concat());
    }

    #[test]
    fn objects_of_any_content_are_checked_without_panic(
        spec in any_value(),
        metadata in any_value(),
        kind in prop::sample::select(crate::Kind::all().iter().collect::<Vec<_>>()),
    ) {
        let object = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": metadata, "spec": spec});
        outcome_of(&[("x.json", &object.to_string())]);
    }

    #[test]
    fn json_is_read_as_it_is_and_found_where_it_is(spec in any_value()) {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec});
        let (mut text, mut places) = (String::new(), Vec::new());
        write_located(&object, String::new(), &mut text, &mut places);
        let (documents, problems) = read("x.json", &text);
        prop_assert_eq!(problems, vec![]);
        prop_assert_eq!(&documents[0].value, &object);
        for (field, place) in places {
            prop_assert_eq!(documents[0].position(&field), place, "{} of {}", field, text);
        }
    }

    #[test]
    fn yaml_takes_json_for_what_it_is(spec in any_value()) {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec});
        let (documents, problems) = read("x.yaml", &format!("# not JSON\n{object}"));
        prop_assert_eq!(problems, vec![]);
        prop_assert_eq!(&documents[0].value, &object);
    }
}
