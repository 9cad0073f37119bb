//! Gateways and their listeners.

use super::*;

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
