//! Objects in, decisions and conditions out.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use manifest::{Kind, Object};
use serde_json::{Value, json};

use super::*;

const GATEWAY: &str = "gateway.networking.k8s.io/v1";

/// Objects as the API serves them: with defaults, and with an age that follows from their place.
fn objects(values: &[Value]) -> Objects {
    let mut objects = Objects::default();
    let classes = [
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {
            "name": "headcount", "annotations": {IS_DEFAULT: "true"}}, "spec": {"controller": CONTROLLER}}),
        json!({"apiVersion": GATEWAY, "kind": "GatewayClass", "metadata": {"name": "headcount"},
            "spec": {"controllerName": CONTROLLER}}),
    ];
    for (second, value) in classes.iter().chain(values).enumerate() {
        let text = |field: &str| value[field].as_str().unwrap();
        let kind = Kind::by_type(text("apiVersion"), text("kind")).unwrap();
        let mut value = value.clone();
        manifest::rules::default(kind, &mut value);
        if kind.namespaced && value["metadata"]["namespace"].is_null() {
            value["metadata"]["namespace"] = "default".into();
        }
        value["metadata"]["creationTimestamp"] = format!("2026-01-01T00:00:{second:02}Z").into();
        let object = Object::from_value(kind.id, &value).unwrap();
        assert!(objects.apply(Arc::new(object)), "{value}");
    }
    objects
}

/// A Service and its slice with one endpoint.
fn service(name: &str, namespace: &str, ready: bool) -> [Value; 2] {
    let last = name.bytes().map(u32::from).sum::<u32>() % 200 + 1;
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterIP": format!("10.96.0.{last}"), "selector": {"app": name},
                "ports": [{"name": "web", "port": 80}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "web", "port": 8080}],
            "endpoints": [{"addresses": ["10.244.1.2"], "conditions": {"ready": ready}}]}),
    ]
}

fn services(names: &[&str]) -> Vec<Value> {
    names.iter().flat_map(|name| service(name, "default", true)).collect()
}

fn ingress(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec})
}

fn to(name: &str) -> Value {
    json!({"service": {"name": name, "port": {"number": 80}}})
}

fn path(kind: &str, path: &str, service: &str) -> Value {
    json!({"path": path, "pathType": kind, "backend": to(service)})
}

fn gateway(name: &str, listeners: Value) -> Value {
    json!({"apiVersion": GATEWAY, "kind": "Gateway", "metadata": {"name": name},
        "spec": {"gatewayClassName": "headcount", "listeners": listeners}})
}

fn route(name: &str, spec: Value) -> Value {
    json!({"apiVersion": GATEWAY, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec})
}

fn web(name: &str, hostname: Option<&str>) -> Value {
    json!({"name": name, "port": 80, "protocol": "HTTP", "hostname": hostname})
}

fn place() -> Place {
    let bound = [80, 443, 8080].map(|port| (port, Ok(())));
    Place {
        address: "10.96.0.254".parse().unwrap(),
        ingress_ports: (80, 443),
        bound: bound.into_iter().collect(),
    }
}

/// What becomes of `[METHOD ]host/path[?query]`: the Service, the code and why, or the target of a redirect.
fn decide(plan: &Plan, request: &str, headers: &[(&str, &str)], chance: u64) -> String {
    let (method, url) = request.split_once(' ').unwrap_or(("GET", request));
    let (host, target) = url.split_at(url.find('/').unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let method: Method = method.parse().unwrap();
    let head = RequestHead { host, path, query, method: &method, headers: &map };
    match plan.table.decide(80, &head, chance) {
        Decision::Forward { backend, .. } => {
            backend.name.split([' ', '/']).nth(1).unwrap().to_owned()
        }
        Decision::Redirect { redirect, .. } => {
            redirect.location(Arrived { scheme: "http", host, port: 80 }, path, None)
        }
        Decision::Refuse(code, why) => format!("{code} {}", why.trim_end()),
    }
}

fn check(values: &[Value], expected: &[(&str, &str)]) {
    let plan = plan(&objects(values), &place());
    for (request, wanted) in expected {
        let decided = decide(&plan, request, &[], 0);
        assert!(
            decided == *wanted
                || wanted.ends_with("...") && decided.starts_with(wanted.trim_end_matches("...")),
            "{request}: {decided} instead of {wanted}"
        );
    }
}

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
fn precedence_of_http_routes() {
    let mut values = services(&["older", "newer", "exact", "method", "headers", "query", "wild"]);
    let rule = |wanted: Value, service: &str| json!({"matches": [wanted], "backendRefs": [{"name": service, "port": 80}]});
    let prefix = |text: &str| json!({"type": "PathPrefix", "value": text});
    let parent = json!([{"name": "web"}]);
    values.push(gateway("web", json!([web("http", None)])));
    values.push(route("b", json!({"parentRefs": parent, "hostnames": ["a.example.com"], "rules": [
        rule(json!({"path": prefix("/x")}), "older"),
        rule(json!({"path": prefix("/x"), "queryParams": [{"name": "q", "value": "1"}]}), "query"),
        rule(json!({"path": prefix("/x"), "headers": [{"name": "v", "value": "2"}]}), "headers"),
        rule(json!({"path": prefix("/x"), "method": "POST"}), "method"),
    ]})));
    values.push(route(
        "a",
        json!({"parentRefs": parent, "hostnames": ["a.example.com"], "rules": [
            rule(json!({"path": prefix("/x")}), "newer"),
            rule(json!({"path": {"type": "Exact", "value": "/x"}}), "exact"),
        ]}),
    ));
    values.push(route(
        "w",
        json!({"parentRefs": parent, "hostnames": ["*.example.com"], "rules": [
            rule(json!({"path": prefix("/x/long/path")}), "wild"),
        ]}),
    ));
    let plan = plan(&objects(&values), &place());
    let check = |request: &str, headers: &[(&str, &str)], wanted: &str| {
        assert_eq!(decide(&plan, request, headers, 0), wanted, "{request} {headers:?}");
    };
    check("a.example.com/x/y", &[], "older");
    check("a.example.com/x", &[("v", "2")], "exact");
    check("POST a.example.com/x/y", &[("v", "2")], "method");
    check("a.example.com/x/y?q=1", &[("v", "2")], "headers");
    check("a.example.com/x/y?q=1", &[], "query");
    // The host goes first.
    check("a.example.com/x/long/path", &[], "older");
    check("deep.b.example.com/x/long/path", &[], "wild");
}

#[test]
fn weights_share_requests() {
    let mut values = services(&["most", "few"]);
    values.push(gateway("web", json!([web("http", None)])));
    let refs = json!([
        {"name": "most", "port": 80, "weight": 3},
        {"name": "few", "port": 80, "weight": 1},
        {"name": "gone", "port": 80, "weight": 1},
        {"name": "never", "port": 80, "weight": 0},
    ]);
    values.push(route(
        "r",
        json!({"parentRefs": [{"name": "web"}], "rules": [{"backendRefs": refs}]}),
    ));
    let plan = plan(&objects(&values), &place());
    let decided: Vec<String> = (0..5).map(|chance| decide(&plan, "x/", &[], chance)).collect();
    let gone = "500 HTTPRoute default/r: there is no Service gone in namespace default";
    assert_eq!(decided, ["most", "most", "most", "few", gone]);
}

/// A route's conditions at each parent: `Accepted Accepted, ResolvedRefs=False BackendNotFound`.
fn said(conditions: &[Said]) -> String {
    let one = |said: &Said| match said.holds {
        true => format!("{} {}", said.kind, said.reason),
        false => format!("{}=False {}", said.kind, said.reason),
    };
    conditions.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_is_said_of_routes() {
    let check = |listener: Value, spec: Value, more: &[Value], wanted: &str| {
        let mut values = services(&["s"]);
        values.extend_from_slice(more);
        values.push(gateway("web", json!([listener])));
        values.push(route("r", spec.clone()));
        let plan = plan(&objects(&values), &place());
        let report = plan.routes.iter().find(|report| report.name.1 == "r").unwrap();
        let told: Vec<String> =
            report.parents.iter().map(|(_, conditions)| said(conditions)).collect();
        assert_eq!(told.join(" | "), wanted, "{spec}");
    };
    let spec = |parent: Value, hostnames: Value, rule: Value| json!({"parentRefs": [parent], "hostnames": hostnames, "rules": [rule]});
    let here = || json!({"name": "web"});
    let good = || json!({"backendRefs": [{"name": "s", "port": 80}]});
    let any = || web("http", None);
    let fine = "Accepted Accepted, ResolvedRefs ResolvedRefs";
    check(any(), spec(here(), json!([]), good()), &[], fine);
    check(any(), spec(json!({"name": "other"}), json!([]), good()), &[], "");
    check(
        any(),
        spec(json!({"name": "web", "sectionName": "https"}), json!([]), good()),
        &[],
        "Accepted=False NoMatchingParent, ResolvedRefs ResolvedRefs",
    );
    check(
        any(),
        spec(json!({"name": "web", "port": 81}), json!([]), good()),
        &[],
        "Accepted=False NoMatchingParent, ResolvedRefs ResolvedRefs",
    );
    check(
        web("http", Some("a.example.com")),
        spec(here(), json!(["b.example.com"]), good()),
        &[],
        "Accepted=False NoMatchingListenerHostname, ResolvedRefs ResolvedRefs",
    );
    let closed = json!({"name": "http", "port": 80, "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "None"}}});
    check(
        closed,
        spec(here(), json!([]), good()),
        &[],
        "Accepted=False NotAllowedByListeners, ResolvedRefs ResolvedRefs",
    );
    let selected = || {
        json!({"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {
        "namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}}})
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "default", "labels": {"team": "a"}}});
    check(selected(), spec(here(), json!([]), good()), &[namespace], fine);
    check(
        selected(),
        spec(here(), json!([]), good()),
        &[],
        "Accepted=False NotAllowedByListeners, ResolvedRefs ResolvedRefs",
    );
    let to = |reference: Value| json!({"backendRefs": [reference]});
    check(
        any(),
        spec(here(), json!([]), to(json!({"name": "gone", "port": 80}))),
        &[],
        "Accepted Accepted, ResolvedRefs=False BackendNotFound",
    );
    check(
        any(),
        spec(here(), json!([]), to(json!({"name": "s", "kind": "Bucket"}))),
        &[],
        "Accepted Accepted, ResolvedRefs=False InvalidKind",
    );
    let regular = json!({"matches": [{"path": {"type": "RegularExpression", "value": "/a+"}}]});
    check(
        any(),
        spec(here(), json!([]), regular.clone()),
        &[],
        "Accepted=False UnsupportedValue, ResolvedRefs ResolvedRefs",
    );
    check(
        any(),
        json!({"parentRefs": [here()], "rules": [good(), regular]}),
        &[],
        "Accepted Accepted, ResolvedRefs ResolvedRefs, PartiallyInvalid UnsupportedValue",
    );
    let abroad = || to(json!({"name": "s", "namespace": "b", "port": 80}));
    let [theirs, slice] = service("s", "b", true);
    let grant = json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
        "metadata": {"name": "g", "namespace": "b"}, "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "default"}],
            "to": [{"group": "", "kind": "Service", "name": "s"}]}});
    check(
        any(),
        spec(here(), json!([]), abroad()),
        &[theirs.clone(), slice.clone()],
        "Accepted Accepted, ResolvedRefs=False RefNotPermitted",
    );
    check(any(), spec(here(), json!([]), abroad()), &[theirs, slice, grant], fine);
}

#[test]
fn what_is_said_of_gateways() {
    let check = |values: Vec<Value>, wanted: &[&str]| {
        let plan = plan(&objects(&values), &place());
        let mut told = Vec::new();
        for report in &plan.gateways {
            told.push(format!("{}: {}", report.name.1, said(&report.conditions)));
            for listener in &report.listeners {
                told.push(format!(
                    "{} {}: {}",
                    listener.name,
                    listener.attached,
                    said(&listener.conditions)
                ));
            }
        }
        assert_eq!(told, wanted, "{values:?}");
    };
    let attached = route("r", json!({"parentRefs": [{"name": "web"}], "rules": [{}]}));
    let fine = "Accepted Accepted, Conflicted=False NoConflicts, ResolvedRefs ResolvedRefs, Programmed Programmed";
    check(
        vec![gateway("web", json!([web("http", None)])), attached],
        &["web: Accepted Accepted, Programmed Programmed", &format!("http 1: {fine}")],
    );
    let on = |name: &str, port: u16, protocol: &str| json!({"name": name, "port": port, "protocol": protocol});
    check(
        vec![
            gateway("a", json!([on("one", 8080, "HTTP"), on("tcp", 9000, "TCP")])),
            gateway("b", json!([on("two", 8080, "HTTPS")])),
            gateway("c", json!([on("closed", 9090, "HTTP")])),
        ],
        &[
            "a: Accepted ListenersNotValid, Programmed Programmed",
            &format!("one 0: {fine}"),
            "tcp 0: Accepted=False UnsupportedProtocol, Conflicted=False NoConflicts, ResolvedRefs=False InvalidCertificateRef, Programmed=False Invalid",
            "b: Accepted=False ListenersNotValid, Programmed=False Invalid",
            "two 0: Accepted=False PortUnavailable, Conflicted ProtocolConflict, ResolvedRefs=False InvalidCertificateRef, Programmed=False Invalid",
            "c: Accepted ListenersNotValid, Programmed=False Invalid",
            "closed 0: Accepted Accepted, Conflicted=False NoConflicts, ResolvedRefs ResolvedRefs, Programmed=False Pending",
        ],
    );
    let mut elsewhere = gateway("web", json!([web("http", None)]));
    elsewhere["spec"]["addresses"] = json!([{"value": "192.0.2.1"}]);
    check(
        vec![elsewhere],
        &[
            "web: Accepted=False UnsupportedAddress, Programmed=False Invalid",
            "http 0: Accepted Accepted, Conflicted=False NoConflicts, ResolvedRefs ResolvedRefs, Programmed=False Invalid",
        ],
    );
    let mut foreign = gateway("web", json!([web("http", None)]));
    foreign["spec"]["gatewayClassName"] = "nginx".into();
    check(vec![foreign], &[]);
}

/// A listener takes only its own hosts' requests, and Ingresses take what no listener has a route for.
#[test]
fn listeners_and_ingresses_share_a_port() {
    let mut values = services(&["routed", "special", "ingress"]);
    values.push(gateway("web", json!([web("all", None), web("one", Some("a.example.com"))])));
    let to = |listener: &str, service: &str| {
        json!({"parentRefs": [{"name": "web", "sectionName": listener}],
            "rules": [{"matches": [{"path": {"value": format!("/{service}")}}], "backendRefs": [{"name": service, "port": 80}]}]})
    };
    values.push(route("all", to("all", "routed")));
    values.push(route("one", to("one", "special")));
    values.push(ingress(
        "i",
        json!({"rules": [{"http": {"paths": [path("Prefix", "/", "ingress")]}}]}),
    ));
    check(
        &values,
        &[
            ("a.example.com/special", "special"),
            ("a.example.com/routed", "ingress"),
            ("b.example.com/routed", "routed"),
            ("b.example.com/special", "ingress"),
        ],
    );
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
