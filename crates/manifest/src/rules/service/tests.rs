use std::net::IpAddr;

use serde_json::{Value, json};

use super::*;
use crate::kind::{Kind, KindId};
use crate::{IpFamily, rules};

fn service(spec: Value) -> Value {
    let kind = Kind::of(KindId::Service);
    let object = json!({"metadata": {"name": "db", "namespace": "default"}, "spec": spec});
    let mut value = rules::normalize(kind, object).unwrap().value;
    rules::default(kind, &mut value);
    value
}

const V4: &[IpFamily] = &[IpFamily::V4];
const DUAL: &[IpFamily] = &[IpFamily::V4, IpFamily::V6];

/// What a write of `new` over `old` is told, by a cluster of these families.
fn written(new: Value, old: Option<&Value>, cluster: &[IpFamily]) -> (Value, Vec<String>) {
    let mut new = service(new);
    let mut errors = prepare(&mut new, old, cluster);
    errors.extend(rules::validate(Kind::of(KindId::Service), &new, old));
    let texts = errors
        .iter()
        .map(|error| error.to_string().split(" (e.g. '").next().unwrap_or_default().to_owned())
        .collect();
    (new, texts)
}

#[track_caller]
fn check(spec: Value, expected: &[&str]) {
    assert_eq!(written(spec, None, V4).1, expected);
}

/// Checks an update of a stored Service with this spec.
#[track_caller]
fn check_update(old: Value, new: Value, expected: &[&str]) {
    let (old, errors) = written(old, None, DUAL);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(written(new, Some(&old), DUAL).1, expected);
}

fn port(port: i64) -> Value {
    json!([{"port": port}])
}

#[test]
fn defaults() {
    assert_eq!(
        service(
            json!({"ports": [{"port": 80}, {"port": 53, "protocol": "UDP", "targetPort": "dns", "nodePort": 0}]})
        ),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "default"}, "spec": {
            "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}, {"port": 53, "protocol": "UDP", "targetPort": "dns"}],
        }, "status": {"loadBalancer": {}}})
    );
    let spec = |spec| service(spec)["spec"].clone();
    assert_eq!(
        spec(json!({"type": "LoadBalancer", "sessionAffinity": "ClientIP"})),
        json!({"type": "LoadBalancer", "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}, "internalTrafficPolicy": "Cluster",
            "externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": true})
    );
    assert_eq!(
        spec(json!({"type": "ExternalName", "externalName": "a.b"})),
        json!({"type": "ExternalName", "externalName": "a.b", "sessionAffinity": "None"})
    );
    assert_eq!(
        spec(json!({"clusterIP": "None"})),
        json!({"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"], "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster"})
    );
}

#[test]
fn families() {
    let check =
        |spec: Value, cluster: &[IpFamily], policy: &str, families: &[&str], expected: &[&str]| {
            let mut new = service(spec);
            let errors = prepare(&mut new, None, cluster);
            assert_eq!(new["spec"]["ipFamilyPolicy"], policy);
            assert_eq!(new["spec"]["ipFamilies"], json!(families));
            assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        };
    let selecting = |more: Value| {
        let mut spec = json!({"selector": {"app": "db"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let headless = json!({"clusterIP": "None"});
    check(selecting(json!({})), V4, "SingleStack", &["IPv4"], &[]);
    check(selecting(json!({})), &[IpFamily::V6, IpFamily::V4], "SingleStack", &["IPv6"], &[]);
    check(selecting(headless.clone()), DUAL, "SingleStack", &["IPv4"], &[]);
    check(headless.clone(), V4, "RequireDualStack", &["IPv4", "IPv6"], &[]);
    check(headless, DUAL, "RequireDualStack", &["IPv4", "IPv6"], &[]);
    check(
        json!({"clusterIP": "None", "ipFamilyPolicy": "SingleStack"}),
        DUAL,
        "SingleStack",
        &["IPv4"],
        &[],
    );
    let prefer = selecting(json!({"ipFamilyPolicy": "PreferDualStack"}));
    check(prefer.clone(), V4, "PreferDualStack", &["IPv4"], &[]);
    check(prefer, DUAL, "PreferDualStack", &["IPv4", "IPv6"], &[]);
    check(
        selecting(json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]})),
        DUAL,
        "RequireDualStack",
        &["IPv6", "IPv4"],
        &[],
    );
    check(selecting(json!({"clusterIP": "fd00::1"})), DUAL, "SingleStack", &["IPv6"], &[]);
    check(
        selecting(json!({"ipFamilyPolicy": "RequireDualStack"})),
        V4,
        "RequireDualStack",
        &["IPv4"],
        &[
            "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
        ],
    );
    check(
        selecting(json!({"ipFamilies": ["IPv6"]})),
        V4,
        "SingleStack",
        &["IPv6"],
        &["spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"],
    );
    check(
        selecting(json!({"ipFamilies": ["IPv4", "IPv6"]})),
        DUAL,
        "RequireDualStack",
        &["IPv4", "IPv6"],
        &[],
    );
    check(
        selecting(json!({"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"})),
        DUAL,
        "SingleStack",
        &["IPv4", "IPv6"],
        &[
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be RequireDualStack or PreferDualStack when multiple IP families are specified",
        ],
    );
}

#[test]
fn ports() {
    check(json!({"ports": port(80)}), &[]);
    check(json!({}), &["spec.ports: Required value"]);
    check(json!({"clusterIP": "None"}), &[]);
    check(
        json!({"ports": [{"port": 0}]}),
        &[
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    );
    check(
        json!({"ports": [{"port": 70000, "targetPort": 80}]}),
        &["spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"],
    );
    check(
        json!({"ports": [{"port": 80, "targetPort": "a-much-too-long-name"}]}),
        &[
            "spec.ports[0].targetPort: Invalid value: \"a-much-too-long-name\": must be no more than 15 bytes",
        ],
    );
    check(
        json!({"ports": [{"port": 80, "targetPort": "8080"}]}),
        &[
            "spec.ports[0].targetPort: Invalid value: \"8080\": must contain at least one letter (a-z)",
        ],
    );
    check(
        json!({"ports": [{"port": 80, "name": "a"}, {"port": 81}]}),
        &["spec.ports[1].name: Required value"],
    );
    check(
        json!({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]}),
        &["spec.ports[1].name: Duplicate value: \"a\""],
    );
    check(
        json!({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]}),
        &["spec.ports[1]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}"],
    );
    check(
        json!({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b", "protocol": "UDP"}]}),
        &[],
    );
    check(
        json!({"ports": [{"port": 80, "name": "A"}]}),
        &[
            "spec.ports[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case \
           alphanumeric characters or '-', and must start and end with an alphanumeric character",
        ],
    );
    check(
        json!({"ports": [{"port": 80, "protocol": "tcp"}]}),
        &[
            "spec.ports[0].protocol: Unsupported value: \"tcp\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
        ],
    );
    check(
        json!({"ports": [{"port": 80, "appProtocol": "kubernetes.io/h2c"}, {"port": 81, "name": "b", "appProtocol": "a b"}]}),
        &[
            "spec.ports[0].name: Required value",
            "spec.ports[1].appProtocol: Invalid value: \"a b\": name part must consist of alphanumeric characters, \
             '-', '_' or '.', and must start and end with an alphanumeric character",
        ],
    );
    check(
        json!({"ports": [{"port": 80, "nodePort": 30000}]}),
        &["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    );
    check(
        json!({"type": "NodePort", "ports": [{"port": 80, "name": "a", "nodePort": 30000}, {"port": 81, "name": "b", "nodePort": 30000}]}),
        &["spec.ports[1].nodePort: Duplicate value: 30000"],
    );
    check(
        json!({"type": "NodePort", "ports": port(10250)}),
        &[
            "spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet",
        ],
    );
}

#[test]
fn types_affinities_and_policies() {
    check(
        json!({"type": "Foo", "ports": port(80)}),
        &[
            "spec.type: Unsupported value: \"Foo\": supported values: \"ClusterIP\", \"ExternalName\", \
           \"LoadBalancer\", \"NodePort\"",
        ],
    );
    check(
        json!({"sessionAffinity": "Foo", "ports": port(80)}),
        &[
            "spec.sessionAffinity: Unsupported value: \"Foo\": supported values: \"ClientIP\", \"None\"",
        ],
    );
    check(
        json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}}, "ports": port(80)}),
        &[
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400",
        ],
    );
    check(
        json!({"internalTrafficPolicy": "Foo", "externalTrafficPolicy": "Local", "trafficDistribution": "Near", "ports": port(80)}),
        &[
            "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services",
            "spec.internalTrafficPolicy: Unsupported value: \"Foo\": supported values: \"Cluster\", \"Local\"",
            "spec.trafficDistribution: Unsupported value: \"Near\": supported values: \"PreferClose\", \"PreferSameNode\", \
             \"PreferSameZone\"",
        ],
    );
    check(
        json!({"loadBalancerSourceRanges": ["10.0.0.0"], "loadBalancerClass": "a/b", "allocateLoadBalancerNodePorts": true,
            "healthCheckNodePort": 30000, "ports": port(80)}),
        &[
            "spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
            "spec.loadBalancerSourceRanges[0]: Invalid value: \"10.0.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
            "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
            "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ],
    );
    check(json!({"type": "LoadBalancer", "ports": port(80)}), &[]);
    check(
        json!({"selector": {"a b": "c"}, "ports": port(80)}),
        &[
            "spec.selector: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or \
           '.', and must start and end with an alphanumeric character",
        ],
    );
}

#[test]
fn addresses() {
    for (kind, text) in [("NodePort", "NodePort"), ("LoadBalancer", "LoadBalancer")] {
        check(
            json!({"type": kind, "clusterIP": "None", "ports": port(80)}),
            &[&format!(
                "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for {text} services"
            )],
        );
    }
    check(
        json!({"clusterIP": "10.96.0.300", "ports": port(80)}),
        &[
            "spec.clusterIPs[0]: Invalid value: \"10.96.0.300\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ],
    );
    check(
        json!({"clusterIP": "10.96.0.3", "clusterIPs": ["10.96.0.4"], "ports": port(80)}),
        &["spec.clusterIPs: Invalid value: [\"10.96.0.4\"]: first value must match `clusterIP`"],
    );
    check(
        json!({"clusterIPs": ["10.96.0.4"], "ports": port(80)}),
        &["spec.clusterIP: Required value"],
    );
    check(
        json!({"clusterIP": "None", "clusterIPs": ["None", "10.96.0.4"], "ports": port(80)}),
        &[
            "spec.clusterIPs: Invalid value: [\"None\",\"10.96.0.4\"]: 'None' must be the first and only value",
            "spec.clusterIPs[1]: Invalid value: \"10.96.0.4\": expected an IPv6 value as indicated by `ipFamilies[1]`",
        ],
    );
    check(
        json!({"clusterIP": "10.96.0.4", "ipFamilies": ["IPv6"], "ports": port(80)}),
        &[
            "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
            "spec.clusterIPs[0]: Invalid value: \"10.96.0.4\": expected an IPv6 value as indicated by `ipFamilies[0]`",
        ],
    );
    check(
        json!({"ipFamilies": ["IPv5"], "ipFamilyPolicy": "Any", "ports": port(80)}),
        &[
            "spec.ipFamilies[0]: Unsupported value: \"IPv5\": supported values: \"IPv4\", \"IPv6\"",
            "spec.ipFamilyPolicy: Unsupported value: \"Any\": supported values: \"PreferDualStack\", \"RequireDualStack\", \"SingleStack\"",
        ],
    );
    check(
        json!({"externalIPs": ["127.0.0.1", "x"], "ports": port(80)}),
        &[
            "spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
            "spec.externalIPs[1]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ],
    );
}

#[test]
fn external_names() {
    check(json!({"type": "ExternalName", "externalName": "db.example.com"}), &[]);
    check(json!({"type": "ExternalName", "externalName": "db.example.com."}), &[]);
    check(json!({"type": "ExternalName"}), &["spec.externalName: Required value"]);
    check(
        json!({"type": "ExternalName", "externalName": "https://db.example.com"}),
        &[
            "spec.externalName: Invalid value: \"https://db.example.com\": a lowercase RFC 1123 subdomain must consist \
           of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        ],
    );
    check(
        json!({"type": "ExternalName", "externalName": "a.b", "clusterIP": "10.96.0.9", "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack"}),
        &[
            "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
            "spec.ipFamilies: Forbidden: may not be set for ExternalName services",
            "spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services",
        ],
    );
}

#[test]
fn updates() {
    let with_ip = |ip: &str| json!({"clusterIP": ip, "ports": port(80)});
    let bare = json!({"ports": port(80)});
    let external = json!({"type": "ExternalName", "externalName": "a.b"});
    check_update(with_ip("10.96.0.9"), bare.clone(), &[]);
    check_update(with_ip("10.96.0.9"), with_ip("10.96.0.9"), &[]);
    check_update(
        with_ip("10.96.0.9"),
        with_ip("10.96.0.8"),
        &["spec.clusterIPs[0]: Invalid value: [\"10.96.0.8\"]: may not change once set"],
    );
    check_update(
        with_ip("10.96.0.9"),
        with_ip("None"),
        &["spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set"],
    );
    check_update(
        with_ip("None"),
        with_ip("10.96.0.9"),
        &["spec.clusterIPs[0]: Invalid value: [\"10.96.0.9\"]: may not change once set"],
    );
    check_update(with_ip("None"), bare.clone(), &[]);
    check_update(with_ip("10.96.0.9"), external.clone(), &[]);
    check_update(with_ip("None"), external.clone(), &[]);
    check_update(external.clone(), bare, &[]);
    check_update(external, with_ip("None"), &[]);
    check_update(
        json!({"ports": port(80), "ipFamilies": ["IPv4"]}),
        json!({"ports": port(80), "ipFamilies": ["IPv6"]}),
        &["spec.ipFamilies[0]: Invalid value: \"IPv6\": may not change once set"],
    );
    let dual = json!({"ports": port(80), "ipFamilyPolicy": "PreferDualStack", "clusterIP": "10.96.0.9",
        "clusterIPs": ["10.96.0.9", "fd00::9"]});
    check_update(dual.clone(), json!({"ports": port(80), "ipFamilyPolicy": "SingleStack"}), &[]);
    check_update(
        dual,
        json!({"ports": port(80), "ipFamilyPolicy": "PreferDualStack", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"]}),
        &[
            "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be set to 'SingleStack' when releasing the \
           secondary clusterIP",
        ],
    );
}

/// Writes `spec` over `old`, reserves the given addresses and ports, and returns the stored object with what was
/// asked for and what was released, in short.
fn store(spec: Value, old: Option<&Value>, ips: &[&str], node_ports: &[i32]) -> (Value, String) {
    let (mut new, errors) = written(spec, old, DUAL);
    assert_eq!(errors, Vec::<String>::new());
    let step = allocation(Some(&new), old);
    let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
    assert_eq!(step.cluster_ips.len(), ips.len());
    assert_eq!(step.node_ports.len(), node_ports.len());
    step.fill(&mut new, &ips, node_ports);
    let mut log: Vec<String> = step
        .cluster_ips
        .iter()
        .map(|ClusterIpRequest { index, family, address }| {
            let address = address.map_or("any".to_owned(), |address| address.to_string());
            format!("ip {index} {family} {address}")
        })
        .collect();
    log.extend(step.node_ports.iter().map(|NodePortRequest { index, protocol, node_port }| {
        let node_port = node_port.map_or("any".to_owned(), |port| port.to_string());
        format!("port {index} {protocol} {node_port}")
    }));
    log.extend(step.released_cluster_ips.iter().map(|ip| format!("free {ip}")));
    log.extend(step.released_node_ports.iter().map(|(_, port)| format!("free {port}")));
    (new, log.join(", "))
}

#[test]
fn a_life_of_allocations() {
    let (first, log) = store(json!({"ports": port(80)}), None, &["10.96.0.9"], &[]);
    assert_eq!(log, "ip 0 IPv4 any");
    assert_eq!(first["spec"]["clusterIP"], "10.96.0.9");
    assert_eq!(first["spec"]["clusterIPs"], json!(["10.96.0.9"]));

    let node = json!({"type": "NodePort", "ports": port(80)});
    let (second, log) = store(node.clone(), Some(&first), &[], &[30001]);
    assert_eq!(log, "port 0 TCP any");
    assert_eq!(second["spec"]["clusterIP"], "10.96.0.9");
    assert_eq!(second["spec"]["ports"][0]["nodePort"], 30001);

    // The update says nothing of the port, which stays; another number replaces it.
    let (same, log) = store(node, Some(&second), &[], &[]);
    assert_eq!((same["spec"]["ports"][0]["nodePort"].as_i64(), log.as_str()), (Some(30001), ""));
    let other = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30002}]});
    let (third, log) = store(other, Some(&same), &[], &[30002]);
    assert_eq!(log, "port 0 TCP 30002, free 30001");

    // To ExternalName and back.
    let external = json!({"type": "ExternalName", "externalName": "a.b"});
    let (fourth, log) = store(external, Some(&third), &[], &[]);
    assert_eq!(log, "free 10.96.0.9, free 30002");
    assert_eq!(
        fourth["spec"],
        json!({"type": "ExternalName", "externalName": "a.b", "sessionAffinity": "None"})
    );
    let asked = json!({"ports": port(80), "clusterIP": "10.96.0.10"});
    let (fifth, log) = store(asked, Some(&fourth), &["10.96.0.10"], &[]);
    assert_eq!(log, "ip 0 IPv4 10.96.0.10");

    // A second address comes and goes with the policy.
    let dual = json!({"ports": port(80), "ipFamilyPolicy": "RequireDualStack"});
    let (sixth, log) = store(dual, Some(&fifth), &["fd00::9"], &[]);
    assert_eq!(log, "ip 1 IPv6 any");
    assert_eq!(sixth["spec"]["clusterIPs"], json!(["10.96.0.10", "fd00::9"]));
    let single = json!({"ports": port(80), "ipFamilyPolicy": "SingleStack"});
    let (seventh, log) = store(single, Some(&sixth), &[], &[]);
    assert_eq!(log, "free fd00::9");
    assert_eq!(seventh["spec"]["ipFamilies"], json!(["IPv4"]));

    let last = allocation(None, Some(&seventh));
    assert_eq!(last.released_cluster_ips, ["10.96.0.10".parse::<IpAddr>().unwrap()]);
    assert!(allocation(Some(&seventh), Some(&seventh)).is_empty());
}

#[test]
fn node_ports_stay_by_the_names_of_their_ports() {
    let named = json!({"type": "NodePort", "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]});
    let (first, _) = store(named, None, &["10.96.0.9"], &[30001, 30002]);
    let ports = |ports: Value, wanted: &[i32]| {
        let (new, _) =
            store(json!({"type": "NodePort", "ports": ports}), Some(&first), &[], wanted);
        let ports = new["spec"]["ports"].as_array().unwrap();
        ports.iter().map(|port| port["nodePort"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(
        ports(json!([{"name": "b", "port": 82}, {"name": "c", "port": 83}]), &[30003]),
        [30002, 30003]
    );
    // The number has been given to another port.
    assert_eq!(
        ports(
            json!([{"name": "a", "port": 80}, {"name": "c", "port": 83, "nodePort": 30001}]),
            &[30003]
        ),
        [30003, 30001]
    );
}

#[test]
fn headless_needs_nothing() {
    let (headless, log) = store(json!({"clusterIP": "None"}), None, &[], &[]);
    assert_eq!(log, "");
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
}

#[test]
fn a_full_update_from_an_older_read_keeps_working() {
    // What kubectl edit sends: the stored object with one thing changed.
    let (stored, _) =
        store(json!({"type": "NodePort", "ports": port(80)}), None, &["10.96.0.9"], &[30001]);
    let mut spec = stored["spec"].clone();
    spec["type"] = "ClusterIP".into();
    let (changed, log) = store(spec, Some(&stored), &[], &[]);
    assert_eq!(log, "free 30001");
    assert_eq!(
        changed["spec"]["ports"],
        json!([{"port": 80, "protocol": "TCP", "targetPort": 80}])
    );
    assert_eq!(changed["spec"].get("externalTrafficPolicy"), None);
    let mut spec = changed["spec"].clone();
    spec["type"] = "ExternalName".into();
    spec["externalName"] = "a.b".into();
    let (_, log) = store(spec, Some(&changed), &[], &[]);
    assert_eq!(log, "free 10.96.0.9");
}
