//! What clients outside of the cluster use.

use super::intent::{Expose, Intent, Port};
use super::manifests::{Manifest, client_port, labels, object};
use super::yaml::Map;

/// The label by which one pod of a StatefulSet is selected; the controller sets it.
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";

/// The port that an Ingress or a route leads to: the first that speaks HTTP.
pub(super) fn http_port(intent: &Intent) -> Option<&Port> {
    intent.client_ports().find(|port| port.is_http())
}

/// The name of the Service for clients outside.
pub(super) fn external_service(intent: &Intent) -> String {
    format!("{}-external", intent.name)
}

pub(super) fn manifests(intent: &Intent) -> Vec<Manifest> {
    match intent.expose {
        Expose::None => Vec::new(),
        Expose::Ingress => ingress(intent).into_iter().collect(),
        Expose::Gateway => route(intent).into_iter().collect(),
        Expose::LoadBalancer => services(intent, "LoadBalancer"),
        Expose::NodePort => services(intent, "NodePort"),
    }
}

fn ingress(intent: &Intent) -> Option<Manifest> {
    let (service, port) = (intent.client_service()?, http_port(intent)?);
    let port = Map::new().set("name", &port.name);
    let backend = Map::new().set("service", Map::new().set("name", service).set("port", port));
    let path = Map::new().set("path", "/").set("pathType", "Prefix").set("backend", backend);
    let rule =
        Map::new().set("host", &intent.host).set("http", Map::new().set("paths", vec![path]));
    let spec = Map::new().set("rules", vec![rule]);
    let object = object(intent, "networking.k8s.io/v1", "Ingress", &intent.name).set("spec", spec);
    let purpose = "clients outside, by HTTP: an Ingress controller leads them to the Service for clients\nIts class and TLS are yours to add";
    Some(Manifest { purpose: purpose.to_owned(), object })
}

fn route(intent: &Intent) -> Option<Manifest> {
    let (service, port) = (intent.client_service()?, http_port(intent)?);
    let backend = Map::new().set("name", service).set("port", port.number);
    let spec = Map::new()
        .set("parentRefs", vec![Map::new().set("name", "gateway")])
        .note("the Gateway of your cluster")
        .set("hostnames", vec![&intent.host])
        .set("rules", vec![Map::new().set("backendRefs", vec![backend])]);
    let object =
        object(intent, "gateway.networking.k8s.io/v1", "HTTPRoute", &intent.name).set("spec", spec);
    let purpose = "clients outside, by HTTP: a Gateway leads them to the Service for clients";
    Some(Manifest { purpose: purpose.to_owned(), object })
}

/// A Service for all pods, or one for each where clients must reach them one by one.
fn services(intent: &Intent, kind: &str) -> Vec<Manifest> {
    let ports: Vec<Map> = intent.client_ports().map(|port| client_port(intent, port)).collect();
    let service = |name: &str, selector: Map, purpose: String| {
        let spec =
            Map::new().set("type", kind).set("selector", selector).set("ports", ports.clone());
        Manifest { purpose, object: object(intent, "v1", "Service", name).set("spec", spec) }
    };
    if !intent.exposes_each_pod() {
        let purpose = "clients outside; apart from the Service of those inside, so that it can go without them".to_owned();
        return vec![service(&external_service(intent), labels(intent), purpose)];
    }
    let pods = intent.pod_names();
    pods.iter()
        .map(|pod| {
            let selector = labels(intent).set(POD_NAME_LABEL, pod);
            let purpose = format!("clients outside, to {pod} alone; it must advertise the address that this Service gets");
            service(&format!("{pod}-external"), selector, purpose)
        })
        .collect()
}
