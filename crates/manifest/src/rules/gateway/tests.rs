use super::*;

type Check = fn(&Value, &mut Vec<FieldError>);

fn check(rule: Check, spec: Value, wanted: &[&str]) {
    let mut errors = Vec::new();
    rule(&spec, &mut errors);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, wanted, "{spec}");
}

#[test]
fn gateways() {
    let http = |name: &str, port: u16| json!({"name": name, "port": port, "protocol": "HTTP"});
    let with = |listeners: Value| json!({"gatewayClassName": "headcount", "listeners": listeners});
    check(gateway, with(json!([http("web", 80), http("other", 8080)])), &[]);
    check(
        gateway,
        json!({}),
        &[
            "spec.gatewayClassName: Required value: the name of a GatewayClass",
            "spec.listeners: Required value: at least one listener",
        ],
    );
    check(
        gateway,
        with(json!([http("web", 80), http("web", 80)])),
        &[
            "spec.listeners[1].name: Duplicate value: \"web\"",
            "spec.listeners[1]: Invalid value: \"web\": Combination of port, protocol and hostname must be unique for each listener",
        ],
    );
    check(
        gateway,
        with(
            json!([{"name": "web", "port": 0, "protocol": "HTTP", "tls": {}, "hostname": "10.0.0.1",
            "allowedRoutes": {"namespaces": {"from": "Any"}}}]),
        ),
        &[
            "spec.listeners[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.listeners[0].hostname: Invalid value: \"10.0.0.1\": must be a host name, not an IP address",
            "spec.listeners[0].tls: Forbidden: tls must not be specified for protocol HTTP",
            "spec.listeners[0].allowedRoutes.namespaces.from: Unsupported value: \"Any\": supported values: \"All\", \"Selector\", \"Same\", \"None\"",
        ],
    );
}

#[test]
fn routes() {
    let ruled = |rule: Value| json!({"rules": [rule]});
    check(route, json!({"hostnames": ["*.example.com"], "parentRefs": [{"name": "web"}]}), &[]);
    check(
        route,
        json!({"parentRefs": [{"name": "web"}, {"name": "web"}, {}]}),
        &[
            "spec.parentRefs[1]: Invalid value: \"web\": sectionName or port must be unique when parentRefs includes 2 or more references to the same parent",
            "spec.parentRefs[2].name: Required value",
        ],
    );
    check(
        route,
        ruled(json!({
            "matches": [{"path": {"type": "Exact", "value": "x"}, "method": "get"}],
            "backendRefs": [{"name": "a", "kind": "Service", "weight": -1}],
        })),
        &[
            "spec.rules[0].matches[0].path.value: Invalid value: \"x\": value must be an absolute path and start with '/'",
            "spec.rules[0].matches[0].method: Unsupported value: \"get\": supported values: \"GET\", \"HEAD\", \"POST\", \"PUT\", \"DELETE\", \"CONNECT\", \"OPTIONS\", \"TRACE\", \"PATCH\"",
            "spec.rules[0].backendRefs[0].port: Required value: Must have port for Service reference",
            "spec.rules[0].backendRefs[0].weight: Invalid value: -1: must be between 0 and 1000000, inclusive",
        ],
    );
    check(
        route,
        ruled(json!({
            "filters": [
                {"type": "RequestRedirect", "requestRedirect": {"statusCode": 200}},
                {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}},
                {"type": "Teleport"},
            ],
            "backendRefs": [{"name": "a", "kind": "Service", "port": 80}],
        })),
        &[
            "spec.rules[0].filters: Forbidden: May specify either requestRedirect or urlRewrite, but not both",
            "spec.rules[0].filters[0].requestRedirect.statusCode: Unsupported value: 200: supported values: \"301\", \"302\", \"303\", \"307\", \"308\"",
            "spec.rules[0].filters[1].urlRewrite.path: Forbidden: When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified",
            "spec.rules[0].filters[2].type: Unsupported value: \"Teleport\": supported values: \"RequestHeaderModifier\", \"ResponseHeaderModifier\", \"RequestMirror\", \"RequestRedirect\", \"URLRewrite\", \"CORS\", \"ExtensionRef\"",
            "spec.rules[0].backendRefs: Forbidden: RequestRedirect filter must not be used together with backendRefs",
        ],
    );
}

#[test]
fn classes_and_grants() {
    let of = |name: &str| json!({"spec": {"controllerName": name}});
    let check_class = |new: &str, old: Option<&str>, wanted: usize| {
        let mut errors = Vec::new();
        class(&of(new), old.map(of).as_ref(), &mut errors);
        assert_eq!(errors.len(), wanted, "{new} after {old:?}: {errors:?}");
    };
    check_class("headcount.dev/gateway", None, 0);
    check_class("headcount", None, 1);
    check_class("headcount.dev/other", Some("headcount.dev/gateway"), 1);
    let grant_of = |from: Value| json!({"from": from, "to": [{"kind": "Service"}]});
    check(grant, grant_of(json!([{"group": GROUP, "kind": "HTTPRoute", "namespace": "a"}])), &[]);
    check(
        grant,
        grant_of(json!([{"kind": "HTTPRoute"}])),
        &["spec.from[0].namespace: Required value"],
    );
    check(
        grant,
        json!({}),
        &["spec.from: Required value: at least one", "spec.to: Required value: at least one"],
    );
}

#[test]
fn routes_are_completed() {
    let mut route = json!({"spec": {
        "parentRefs": [{"name": "web"}],
        "rules": [{"matches": [{"headers": [{"name": "a", "value": "b"}]}], "backendRefs": [{"name": "s", "port": 80}]}],
    }});
    default_route(route.as_object_mut().unwrap());
    let wanted = json!({"spec": {
        "parentRefs": [{"name": "web", "group": GROUP, "kind": "Gateway"}],
        "rules": [{
            "matches": [{
                "path": {"type": "PathPrefix", "value": "/"},
                "headers": [{"name": "a", "value": "b", "type": "Exact"}],
            }],
            "backendRefs": [{"name": "s", "port": 80, "group": "", "kind": "Service", "weight": 1}],
        }],
    }});
    assert_eq!(route, wanted);
}
