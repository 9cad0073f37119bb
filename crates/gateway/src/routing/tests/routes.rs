//! HTTPRoutes.

use super::*;

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
