//! Ingresses, and who is behind their Services.

use super::*;

#[test]
fn paths_of_ingresses() {
    let mut values = services(&["root", "foo", "foobar", "exact", "impl"]);
    values.push(ingress(
        "a",
        json!({"rules": [{"http": {"paths": [
            path("Prefix", "/", "root"),
            path("Prefix", "/foo", "foo"),
            path("Prefix", "/foo/bar/", "foobar"),
            path("Exact", "/foo", "exact"),
            path("ImplementationSpecific", "/impl", "impl"),
        ]}}]}),
    ));
    check(
        &values,
        &[
            ("any.example.com/", "root"),
            ("any.example.com/fooey", "root"),
            ("any.example.com/foo", "exact"),
            ("any.example.com/foo/", "foo"),
            ("any.example.com/foo/bar", "foobar"),
            ("any.example.com/foo/bar/baz", "foobar"),
            ("any.example.com/impl/x", "impl"),
        ],
    );
}

#[test]
fn hosts_and_default_backends_of_ingresses() {
    let mut values = services(&["exact", "wild", "any", "rest", "later"]);
    let host = |host: Option<&str>, service: &str| json!({"host": host, "http": {"paths": [path("Prefix", "/app", service)]}});
    values.push(ingress("a", json!({
        "defaultBackend": to("rest"),
        "rules": [host(Some("*.example.com"), "wild"), host(Some("a.example.com"), "exact"), host(None, "any")],
    })));
    // The older default stays.
    values.push(ingress("b", json!({"defaultBackend": to("later")})));
    check(
        &values,
        &[
            ("a.example.com/app", "exact"),
            ("b.example.com/app", "wild"),
            ("a.b.example.com/app", "any"),
            ("example.com/app", "any"),
            ("a.example.com/other", "rest"),
        ],
    );
}

#[test]
fn classes_of_ingresses() {
    let check = |changes: &[Value], ingress: Value, wanted: bool| {
        let values: Vec<Value> = changes.iter().chain([&ingress]).cloned().collect();
        let plan = plan(&objects(&values), &place());
        assert_eq!(!plan.ingresses.is_empty(), wanted, "{values:?}");
    };
    let other = |is_default: &str| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": "nginx", "annotations": {IS_DEFAULT: is_default}},
            "spec": {"controller": "k8s.io/ingress-nginx"}})
    };
    let ours_no_default = json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": "headcount"}, "spec": {"controller": CONTROLLER}});
    let plain = || ingress("a", json!({"defaultBackend": to("x")}));
    let of =
        |class: &str| ingress("a", json!({"ingressClassName": class, "defaultBackend": to("x")}));
    check(&[], plain(), true);
    check(&[], of("headcount"), true);
    check(&[other("true")], of("nginx"), false);
    check(&[], of("missing"), false);
    check(&[other("true"), ours_no_default.clone()], plain(), false);
    check(&[other("false"), ours_no_default], plain(), true);
}

#[test]
fn who_cannot_answer_says_why() {
    let [unready, slice] = service("unready", "default", false);
    let bare = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
    let by_name = json!({"path": "/name", "pathType": "Prefix",
        "backend": {"service": {"name": "unready", "port": {"name": "http"}}}});
    let mut values = vec![unready, slice];
    values.push(bare(
        "empty",
        json!({"clusterIP": "10.96.0.9", "selector": {"app": "x"}, "ports": [{"port": 80}]}),
    ));
    values.push(bare(
        "away",
        json!({"type": "ExternalName", "externalName": "db.example.com", "ports": [{"port": 80}]}),
    ));
    values.push(ingress(
        "a",
        json!({"rules": [{"http": {"paths": [
            path("Prefix", "/unready", "unready"),
            path("Prefix", "/empty", "empty"),
            path("Prefix", "/away", "away"),
            path("Prefix", "/missing", "missing"),
            by_name,
        ]}}]}),
    ));
    check(
        &values,
        &[
            (
                "x/unready",
                "503 Service default/unready port 80 cannot answer: its one endpoint is not ready",
            ),
            (
                "x/empty",
                "503 Service default/empty port 80 cannot answer: it has no endpoints: no pod that runs has the labels of its selector",
            ),
            (
                "x/away",
                "503 Service default/away port 80 cannot answer: it is of type ExternalName...",
            ),
            (
                "x/missing",
                "503 Service default/missing port 80 cannot answer: there is no Service missing in namespace default",
            ),
            (
                "x/name",
                "503 Service default/unready port http cannot answer: Service default/unready has no port http: its ports are 80/TCP (web)",
            ),
            (
                "x/",
                "404 no route for x, path /; routed are:\n  host *, prefix /unready (Ingress default/a)...",
            ),
        ],
    );
    check(&[], &[("x/", "404 no route for x, path /: there are no routes here yet...")]);
}

#[test]
fn endpoints_of_headless_services() {
    let [mut service, mut slice] = service("db", "default", true);
    service["spec"]["clusterIP"] = "None".into();
    slice["endpoints"] = json!([
        {"addresses": ["10.244.1.2"], "conditions": {"ready": false}},
        {"addresses": ["10.244.1.3"]},
    ]);
    let check = |values: &[Value], wanted: At| {
        let of = ("default".to_owned(), "db".to_owned());
        let found = backend::resolve(&objects(values), &of, &backend::PortName::Number(80));
        assert_eq!(found.unwrap().at, wanted);
    };
    let at = |text: &str| text.parse().unwrap();
    check(&[service.clone(), slice.clone()], At::Endpoints(vec![at("10.244.1.3:8080")]));
    // Without ready ones those that end and still serve.
    slice["endpoints"] = json!([{"addresses": ["10.244.1.2"], "conditions": {"ready": false, "serving": true, "terminating": true}}]);
    check(&[service.clone(), slice.clone()], At::Endpoints(vec![at("10.244.1.2:8080")]));
    slice["ports"] = json!([{"name": "other", "port": 1}]);
    let why =
        "no endpoint has the port: its targetPort names a port that no container of the pods has";
    check(&[service, slice], At::Nowhere(why.to_owned()));
}
