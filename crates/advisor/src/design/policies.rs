//! NetworkPolicies for clients in other namespaces.

use super::intent::{Expose, Intent, Port, Workload};
use super::manifests::{Manifest, labels, object};
use super::yaml::Map;

/// The label that a client's pod gets, where its namespace restricts egress.
pub(super) fn client_label(intent: &Intent) -> String {
    format!("{}-client", intent.name)
}

/// What lets clients of other namespaces in, and out of theirs; none where all clients are at home.
pub(super) fn manifests(intent: &Intent) -> Vec<Manifest> {
    if intent.client_namespaces.is_empty() {
        return Vec::new();
    }
    let ingress = intent.pods().map(|_| ingress(intent));
    let egress = intent.client_namespaces.iter().map(|namespace| egress(intent, namespace));
    ingress.into_iter().chain(egress).collect()
}

/// The ports that clients arrive at, each once: policies look at what pods listen on.
fn policy_ports(intent: &Intent) -> Vec<Map> {
    let mut ports: Vec<Map> = Vec::new();
    for port in intent.client_ports() {
        let port = policy_port(port);
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    ports
}

fn policy_port(port: &Port) -> Map {
    Map::new().set("protocol", port.protocol.name()).set("port", port.target)
}

fn namespace_selector(namespace: &str) -> Map {
    let labels = Map::new().set("kubernetes.io/metadata.name", namespace);
    Map::new().set("namespaceSelector", Map::new().set("matchLabels", labels))
}

fn ingress(intent: &Intent) -> Manifest {
    let name = format!("{}-clients", intent.name);
    let own = Map::new()
        .set("from", vec![Map::new().set("podSelector", Map::new())])
        .note("all pods of this namespace, the peers among them");
    let namespaces: Vec<Map> =
        intent.client_namespaces.iter().map(|name| namespace_selector(name)).collect();
    let ports = policy_ports(intent);
    let theirs = Map::new().set("from", namespaces).set("ports", ports.clone());
    let mut rules = vec![own, theirs];
    if intent.expose != Expose::None {
        rules.push(Map::new().set("ports", ports));
    }
    let spec = Map::new()
        .set("podSelector", Map::new().set("matchLabels", labels(intent)))
        .set("policyTypes", vec!["Ingress"])
        .set("ingress", rules);
    let namespaces = intent.client_namespaces.join(", ");
    let purpose = match intent.expose {
        Expose::None => format!(
            "who may dial the pods: those of this namespace, and those of {namespaces} on the ports for clients. With this policy nobody else may, unless another one lets them"
        ),
        _ => "who may dial the pods: those of this namespace on every port, and everyone on the ports for clients\nThe last rule is for clients outside, and makes the second one needless until it is narrowed: to the namespace of the Ingress or Gateway controller, or to the load balancer's ranges".to_owned(),
    };
    let object = object(intent, "networking.k8s.io/v1", "NetworkPolicy", &name).set("spec", spec);
    Manifest { purpose, object }
}

fn egress(intent: &Intent, namespace: &str) -> Manifest {
    let dns = Map::new()
        .set(
            "ports",
            vec![
                Map::new().set("protocol", "UDP").set("port", 53u16),
                Map::new().set("protocol", "TCP").set("port", 53u16),
            ],
        )
        .note("look-ups; TCP for answers that are too large for UDP");
    let mut rules = vec![dns];
    let ports = policy_ports(intent);
    let to: Vec<Map> = match &intent.workload {
        Workload::Pods(_) => {
            let pods = Map::new().set("matchLabels", labels(intent));
            vec![namespace_selector(&intent.namespace).set("podSelector", pods)]
        }
        Workload::Addresses { addresses, .. } => addresses
            .iter()
            .map(|address| {
                let length = if address.is_ipv4() { 32 } else { 128 };
                let block = Map::new().set("cidr", format!("{address}/{length}"));
                Map::new().set("ipBlock", block)
            })
            .collect(),
        // A policy knows addresses, and those of a host change.
        Workload::Host(_) => Vec::new(),
    };
    if !ports.is_empty() {
        let rule = match to.is_empty() {
            true => Map::new(),
            false => Map::new()
                .set("to", to)
                .note("the ports that are listened on: policies see them behind the Service"),
        };
        rules.push(rule.set("ports", ports));
    }
    let selector = Map::new().set("matchLabels", Map::new().set(client_label(intent), "true"));
    let spec = Map::new()
        .set("podSelector", selector)
        .set("policyTypes", vec!["Egress"])
        .set("egress", rules);
    let metadata = Map::new()
        .set("name", format!("{}-clients-egress", intent.name))
        .set("namespace", namespace);
    let object = Map::new()
        .set("apiVersion", "networking.k8s.io/v1")
        .set("kind", "NetworkPolicy")
        .set("metadata", metadata)
        .set("spec", spec);
    let purpose = format!(
        "for pods of {namespace} with the label {}=true, if policies restrict their egress: look-ups and the way here",
        client_label(intent)
    );
    Manifest { purpose, object }
}
