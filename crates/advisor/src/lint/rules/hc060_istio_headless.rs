use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Service, ServicePort};
use manifest::read::Level;
use serde_json::Value;

use crate::lint::objects::Item;
use crate::lint::peering;
use crate::lint::words::list;
use crate::lint::workload::Workload;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC060",
    level: Level::Note,
    title: "in an Istio mesh a headless Service leaves ports or protocols unsaid",
    explanation: "\
Peers of a StatefulSet dial one another's pods, and Istio's sidecar knows a pod's address only together with the ports of a headless Service that has it. A
connection to another port goes through as plain text, and where mutual TLS is `STRICT` the other side resets it. A port that is declared without its
protocol is taken for HTTP or for TCP by what the client sends first, so that a protocol in which the server speaks first may hang. Say the protocol as
the beginning of the port's name (`tcp-peer`) or as `appProtocol`. Istio's ambient mode and Linkerd carry connections between pods in TLS without
this, and are not meant.",
    remedy: "Declare every port on which pods dial one another in the headless Service, with `appProtocol: tcp` (or http, grpc, …) or a name that begins so.",
    sources: &[
        "istio/istio, pilot/pkg/networking/core: buildSidecarOutboundListeners",
        "Istio, Protocol Selection",
        "istio/istio#18921",
    ],
    check,
};

/// The protocols that Istio takes from a port's name or `appProtocol`.
const PROTOCOLS: &[&str] =
    &["http", "http2", "https", "grpc", "grpc-web", "tcp", "tls", "mongo", "mysql", "redis", "udp"];
/// `appProtocol` only.
const STANDARD: &[&str] = &["kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss", "hbone"];
/// Ports that Istio takes for TCP without looking: SMTP, DNS, MySQL, MongoDB.
const TAKEN_FOR_TCP: [i32; 4] = [25, 53, 3306, 27017];

/// How many ports are named.
const SHOWN: usize = 5;

/// The labels of namespaces.
type Namespaces<'a> = HashMap<&'a str, &'a BTreeMap<String, String>>;

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let labelled = objects.namespaces.iter();
    let labelled = labelled.filter_map(|item| {
        Some((item.reference.name.as_str(), item.object.metadata.labels.as_ref()?))
    });
    let namespaces: Namespaces<'_> = labelled.collect();
    for service in objects.services.iter().filter(|service| service.is_headless()) {
        let meshed = |workload: &&Workload| is_injected(&namespaces, workload);
        let Some(workload) = objects.selected(service).find(meshed) else { continue };
        unsaid_protocols(service, workload, findings);
    }
    for workload in objects.workloads.iter().filter(|workload| is_injected(&namespaces, workload)) {
        undeclared_ports(objects, workload, findings);
    }
}

fn unsaid_protocols(service: &Item<Service>, workload: &Workload, findings: &mut Findings<'_>) {
    let ports = service.ports().iter().enumerate();
    let unsaid: Vec<(usize, &ServicePort)> =
        ports.filter(|(_, port)| !says_protocol(port)).collect();
    let Some((at, _)) = unsaid.first() else { return };
    let names: Vec<String> = unsaid
        .iter()
        .map(|(_, port)| port.name.clone().unwrap_or_else(|| port.port.to_string()))
        .collect();
    let name = &service.reference.name;
    let finding = findings.add(
        service.subject(),
        service.label(&format!("spec.ports[{at}].port"), "which protocol?"),
        format!(
            "in the Istio mesh, headless Service {name} does not say the protocol of {}",
            list(&names, SHOWN)
        ),
    );
    finding.with(workload.pod_label("metadata.labels", "has Istio's sidecar"));
    finding.help("Istio guesses from what the client sends first, and waits where the server speaks first: add appProtocol: tcp (or http, grpc), or begin the name so (tcp-…)");
}

fn says_protocol(port: &ServicePort) -> bool {
    let named = port.name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let by_name = PROTOCOLS.iter().any(|protocol| {
        named.strip_prefix(protocol).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    let by_field = port.app_protocol.as_deref().map(str::to_ascii_lowercase);
    let by_field = by_field
        .map(|said| PROTOCOLS.contains(&said.as_str()) || STANDARD.contains(&said.as_str()));
    port.protocol.as_deref().unwrap_or("TCP") != "TCP"
        || TAKEN_FOR_TCP.contains(&port.port)
        // `appProtocol` goes before the name, also where Istio does not know it.
        || by_field.unwrap_or(by_name)
}

fn undeclared_ports(objects: &Objects, workload: &Workload, findings: &mut Findings<'_>) {
    let Some(governing) = objects.governing(workload).filter(|service| service.is_headless())
    else {
        return;
    };
    if !workload.is("StatefulSet") || workload.replicas.unwrap_or(1) < 2 {
        return;
    }
    let Some((peer, _)) = peering::peer(workload) else { return };
    let declared = |number: i32| {
        let headless = objects.selecting(workload).filter(|service| service.is_headless());
        headless.into_iter().any(|service| service.ports().iter().any(|port| port.port == number))
    };
    let excluded = |number: i32| {
        [
            "includeOutboundPorts",
            "excludeOutboundPorts",
            "includeInboundPorts",
            "excludeInboundPorts",
        ]
        .iter()
        .any(|key| {
            let listed = workload.annotations.get(&format!("traffic.sidecar.istio.io/{key}"));
            listed.is_some_and(|list| {
                key.starts_with("include")
                    || list.split(',').any(|port| port.trim() == number.to_string())
            })
        })
    };
    for (path, port) in workload.ports() {
        let number = port.container_port;
        let tcp = port.protocol.as_deref().unwrap_or("TCP") == "TCP";
        let among_peers = peering::ports(peer).any(|known| known == number);
        if !tcp || !among_peers || declared(number) || excluded(number) {
            continue;
        }
        let strict = is_strict(objects, workload, number);
        let (of, service) = (&workload.reference.name, &governing.reference.name);
        let finding = findings.add(
            workload.subject(),
            workload.pod_label(&format!("{path}.containerPort"), "dialled by peers"),
            format!("in the Istio mesh, the pods of {of} dial one another on {number}, which headless Service {service} does not declare"),
        );
        finding.with(governing.label("spec.ports", format!("without {number}")));
        match strict {
            true => {
                finding.level(Level::Warning);
                finding.help("the connection leaves as plain text, and mutual TLS is STRICT: it is reset (Connection reset by peer)");
            }
            false => {
                finding.help(
                    "the connection goes as plain text; where mutual TLS is STRICT it is reset",
                );
            }
        }
        finding.help(format!(
            "add to the Service's ports: {{name: tcp-{number}, port: {number}, appProtocol: tcp}}"
        ));
    }
}

/// Whether Istio puts a sidecar into a workload's pods.
fn is_injected(namespaces: &Namespaces<'_>, workload: &Workload) -> bool {
    const INJECT: &str = "sidecar.istio.io/inject";
    const REVISION: &str = "istio.io/rev";
    if workload.pod.host_network == Some(true) {
        return false;
    }
    let own = workload.labels.get(INJECT).or_else(|| workload.annotations.get(INJECT));
    let labels = namespaces.get(workload.reference.namespace.as_str());
    let of_namespace = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    let wanted = own.map(String::as_str);
    let has_revision = workload.labels.contains_key(REVISION) || of_namespace(REVISION).is_some();
    match (wanted, of_namespace("istio-injection")) {
        (Some("false"), _) | (_, Some("disabled")) => false,
        (Some("true"), _) | (_, Some("enabled")) => true,
        _ => has_revision,
    }
}

/// Whether pods take nothing but mutual TLS on a port: by the nearest PeerAuthentication that says a mode.
fn is_strict(objects: &Objects, workload: &Workload, port: i32) -> bool {
    const ROOT: &str = "istio-system";
    let namespace = workload.reference.namespace.as_str();
    let rank = |value: &Value, at: &str| {
        let labels = value["spec"]["selector"]["matchLabels"].as_object();
        match (at == namespace, labels) {
            (true, Some(labels)) => labels
                .iter()
                .all(|(key, value)| workload.labels.get(key).map(String::as_str) == value.as_str())
                .then_some(0),
            (true, None) => Some(1),
            (false, None) if at == ROOT => Some(2),
            (false, _) => None,
        }
    };
    let policies = objects.foreign.iter().filter(|foreign| foreign.kind() == "PeerAuthentication");
    let modes = policies.filter_map(|foreign| {
        let at = match foreign.located.namespace() {
            "" => objects.options.namespace.as_str(),
            at => at,
        };
        let value = &foreign.located.value;
        let rank = rank(value, at)?;
        let spec = &value["spec"];
        // Modes of single ports are only taken of policies with a selector.
        let on_port =
            spec["portLevelMtls"][port.to_string()]["mode"].as_str().filter(|_| rank == 0);
        let mode = on_port.or_else(|| spec["mtls"]["mode"].as_str())?;
        (mode != "UNSET").then_some((rank, mode))
    });
    modes.min_by_key(|(rank, _)| *rank).is_some_and(|(_, mode)| mode == "STRICT")
}
