//! NetworkPolicies (Kubernetes' `ValidateNetworkPolicySpec`).

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{names, net, workload};
use crate::field::{FieldError, FieldPath};

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const TYPES: [&str; 2] = ["Ingress", "Egress"];

/// Checks the selectors, ports, peers and directions of a policy.
pub(crate) fn validate(policy: &NetworkPolicy, errors: &mut Vec<FieldError>) {
    let Some(spec) = &policy.spec else { return };
    let NetworkPolicySpec { egress, ingress, pod_selector, policy_types } = spec;
    let path = FieldPath::new("spec");
    if let Some(selector) = pod_selector {
        workload::label_selector(selector, &path.child("podSelector"), errors);
    }
    let list = path.child("ingress");
    for (index, rule) in ingress.iter().flatten().enumerate() {
        let at = list.index(index);
        ports(rule.ports.as_deref(), &at.child("ports"), errors);
        peers(rule.from.as_deref(), &at.child("from"), errors);
    }
    let list = path.child("egress");
    for (index, rule) in egress.iter().flatten().enumerate() {
        let at = list.index(index);
        ports(rule.ports.as_deref(), &at.child("ports"), errors);
        peers(rule.to.as_deref(), &at.child("to"), errors);
    }
    let list = path.child("policyTypes");
    let types = policy_types.as_deref().unwrap_or_default();
    if types.len() > TYPES.len() {
        let detail = "may not specify more than two policyTypes";
        errors.push(FieldError::invalid(&list, types.to_vec(), detail));
        return;
    }
    for (index, of) in types.iter().enumerate() {
        if !TYPES.contains(&of.as_str()) {
            errors.push(FieldError::not_supported(&list.index(index), of.as_str(), &TYPES));
        }
    }
}

fn ports(ports: Option<&[NetworkPolicyPort]>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    for (index, of) in ports.into_iter().flatten().enumerate() {
        port(of, &path.index(index), errors);
    }
}

fn port(port: &NetworkPolicyPort, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let NetworkPolicyPort { end_port, port, protocol } = port;
    if let Some(protocol) = protocol.as_deref().filter(|text| !PROTOCOLS.contains(text)) {
        errors.push(FieldError::not_supported(&path.child("protocol"), protocol, &PROTOCOLS));
    }
    let (at, end_at) = (path.child("port"), path.child("endPort"));
    let mut refuse = |at: &FieldPath<'_>, number: i32, text: &str| {
        errors.push(FieldError::invalid(at, number, text));
    };
    match (port, end_port) {
        (None, None) => {}
        (None, Some(end)) => {
            refuse(&end_at, *end, "may not be specified when `port` is not specified");
        }
        (Some(IntOrString::Int(first)), end) => {
            if let Some(text) = names::port_number((*first).into()) {
                refuse(&at, *first, text);
            }
            let Some(end) = *end else { return };
            if end < *first {
                refuse(&end_at, end, "must be greater than or equal to `port`");
            }
            if let Some(text) = names::port_number(end.into()) {
                refuse(&end_at, end, text);
            }
        }
        (Some(IntOrString::String(name)), end) => {
            if let Some(end) = end {
                refuse(&end_at, *end, "may not be specified when `port` is non-numeric");
            }
            let problems = names::port_name(name).into_iter();
            errors.extend(problems.map(|text| FieldError::invalid(&at, name.as_str(), text)));
        }
    }
}

fn peers(peers: Option<&[NetworkPolicyPeer]>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    for (index, of) in peers.into_iter().flatten().enumerate() {
        peer(of, &path.index(index), errors);
    }
}

fn peer(peer: &NetworkPolicyPeer, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let NetworkPolicyPeer { ip_block, namespace_selector, pod_selector } = peer;
    if let Some(selector) = pod_selector {
        workload::label_selector(selector, &path.child("podSelector"), errors);
    }
    if let Some(selector) = namespace_selector {
        workload::label_selector(selector, &path.child("namespaceSelector"), errors);
    }
    if let Some(of) = ip_block {
        block(of, &path.child("ipBlock"), errors);
    }
    let has_selector = pod_selector.is_some() || namespace_selector.is_some();
    match (ip_block, has_selector) {
        (None, false) => errors.push(FieldError::required(path, "must specify a peer")),
        (Some(_), true) => {
            let detail = "may not specify both ipBlock and another peer";
            errors.push(FieldError::forbidden(path, detail));
        }
        (Some(_), false) | (None, true) => {}
    }
}

fn block(IPBlock { cidr, except }: &IPBlock, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let at = path.child("cidr");
    if cidr.is_empty() {
        errors.push(FieldError::required(&at, ""));
        return;
    }
    let Some(range) = net::cidr(cidr) else {
        errors.push(FieldError::invalid(&at, cidr.as_str(), net::NOT_A_CIDR));
        return;
    };
    let list = path.child("except");
    for (index, text) in except.iter().flatten().enumerate() {
        let problem = match net::cidr(text) {
            None => net::NOT_A_CIDR,
            Some(except) if !net::is_strictly_within(except, range) => {
                "must be a strict subset of `cidr`"
            }
            Some(_) => continue,
        };
        errors.push(FieldError::invalid(&list.index(index), text.as_str(), problem));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(spec: Value, wanted: &[&str]) {
        let policy = serde_json::from_value(json!({ "spec": spec })).unwrap();
        let mut errors = Vec::new();
        validate(&policy, &mut errors);
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, wanted, "{spec}");
    }

    #[test]
    fn ports_are_numbers_in_order_or_names() {
        let check = |port: Value, wanted: &[&str]| {
            check(json!({ "ingress": [{ "ports": [port] }] }), wanted);
        };
        check(json!({}), &[]);
        check(json!({ "port": 80 }), &[]);
        check(json!({ "port": 80, "endPort": 80, "protocol": "SCTP" }), &[]);
        check(json!({ "port": "web" }), &[]);
        check(
            json!({ "port": 90, "endPort": 80 }),
            &[
                "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`",
            ],
        );
        check(
            json!({ "port": 1, "endPort": 70000 }),
            &[
                "spec.ingress[0].ports[0].endPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ],
        );
        check(
            json!({ "port": 0 }),
            &[
                "spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        );
        check(
            json!({ "port": "web", "endPort": 80 }),
            &[
                "spec.ingress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is non-numeric",
            ],
        );
        check(
            json!({ "endPort": 80 }),
            &[
                "spec.ingress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is not specified",
            ],
        );
        check(
            json!({ "port": "-web" }),
            &[
                "spec.ingress[0].ports[0].port: Invalid value: \"-web\": must not begin or end with a hyphen",
            ],
        );
        check(
            json!({ "protocol": "ICMP" }),
            &[
                "spec.ingress[0].ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", \"UDP\", \"SCTP\"",
            ],
        );
    }

    #[test]
    fn peers_are_selectors_or_a_block() {
        let check = |peer: Value, wanted: &[&str]| {
            check(json!({ "egress": [{ "to": [peer] }] }), wanted);
        };
        check(json!({ "podSelector": {}, "namespaceSelector": {} }), &[]);
        check(json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"] } }), &[]);
        check(json!({}), &["spec.egress[0].to[0]: Required value: must specify a peer"]);
        check(
            json!({ "podSelector": {}, "ipBlock": { "cidr": "::/0" } }),
            &["spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer"],
        );
        check(
            json!({ "ipBlock": { "cidr": "" } }),
            &["spec.egress[0].to[0].ipBlock.cidr: Required value"],
        );
        check(
            json!({ "ipBlock": { "cidr": "10.0.0.0", "except": ["x"] } }),
            &[
                "spec.egress[0].to[0].ipBlock.cidr: Invalid value: \"10.0.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ],
        );
        check(
            json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["x", "10.0.0.0/8"] } }),
            &[
                "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"x\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
                "spec.egress[0].to[0].ipBlock.except[1]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
            ],
        );
        check(
            json!({ "podSelector": { "matchExpressions": [{ "key": "a", "operator": "Near" }] } }),
            &[
                "spec.egress[0].to[0].podSelector.matchExpressions[0].operator: Invalid value: \"Near\": not a valid selector operator",
            ],
        );
    }

    #[test]
    fn selectors_and_directions() {
        check(json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] }), &[]);
        check(
            json!({ "policyTypes": ["Ingress", "Both"] }),
            &[
                "spec.policyTypes[1]: Unsupported value: \"Both\": supported values: \"Ingress\", \"Egress\"",
            ],
        );
        check(
            json!({ "policyTypes": ["Ingress", "Egress", "Both"] }),
            &[
                "spec.policyTypes: Invalid value: [\"Ingress\",\"Egress\",\"Both\"]: may not specify more than two policyTypes",
            ],
        );
        check(
            json!({ "podSelector": { "matchExpressions": [{ "key": "a", "operator": "In" }, { "key": "a", "operator": "In", "values": ["-"] }] } }),
            &[
                "spec.podSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
                "spec.podSelector.matchExpressions[1].values[0]: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            ],
        );
    }
}
