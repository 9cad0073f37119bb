//! From Kubernetes objects to the directory's views.
//!
//! Conversions destructure in full, so that a field that Kubernetes adds is looked at here.

use std::net::IpAddr;
use std::sync::Arc;

use directory::Change;
use directory::view::{
    EndpointView, ImportedFrom, ObjectName, PodView, Protocol, ServicePort, ServiceShape,
    ServiceView, SlicePort, SliceView,
};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::labels::{IMPORT_NAME, SERVICE_NAME, SOURCE_CLUSTER};
use manifest::{Object, ServiceImportPort, ServiceImportSpec, Stored, StoredObject};
use thiserror::Error;

/// Why an object publishes nothing.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    /// A slice of host names: DNS answers are addresses.
    #[error("its addresses are host names (addressType FQDN)")]
    Fqdn,
    /// A slice that belongs to no Service.
    #[error("it has no label {SERVICE_NAME}")]
    NoService,
    /// A slice of a ServiceImport that does not say where its endpoints are.
    #[error("it belongs to a ServiceImport, but has no label {SOURCE_CLUSTER}")]
    NoCluster,
    /// A field holds what it may not hold.
    #[error("{field}: {value:?} is not {expected}")]
    BadField {
        /// The field's path.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
}

fn bad(field: &'static str, value: impl ToString, expected: &'static str) -> Unusable {
    Unusable::BadField { field, value: value.to_string(), expected }
}

/// Namespace and name, empty where missing.
pub fn object_name(metadata: &ObjectMeta) -> ObjectName {
    ObjectName::new(
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}

/// What an object that exists means to the directory: nothing, where no name depends on its kind. A pod that has
/// finished is as good as gone.
pub fn change(object: &Object) -> Result<Option<Change>, Unusable> {
    Ok(Some(match object {
        Object::Namespace(namespace) => match namespace.metadata.name.as_deref() {
            Some(name) => Change::Namespace(name.into()),
            None => return Ok(None),
        },
        Object::Service(object) => Change::Service(service(object)?),
        Object::EndpointSlice(object) => Change::Slice(slice(object)?),
        Object::Pod(object) => match pod(object)? {
            Some(view) => Change::Pod(view),
            None => Change::PodGone(object_name(&object.metadata)),
        },
        Object::Node(_)
        | Object::Endpoints(_)
        | Object::StatefulSet(_)
        | Object::Deployment(_)
        | Object::ReplicaSet(_)
        | Object::ControllerRevision(_)
        | Object::Event(_) => return Ok(None),
        Object::Stored(object) => match object.kind {
            Stored::ServiceImport => Change::Import(import(object)?),
            _ => return Ok(None),
        },
    }))
}

/// A Service as names see it.
pub fn service(service: &core::Service) -> Result<ServiceView, Unusable> {
    let core::Service { metadata, spec, status: _ } = service;
    let id = object_name(metadata);
    let Some(spec) = spec else {
        return Ok(ServiceView {
            id,
            shape: ServiceShape::ClusterIp(Vec::new()),
            ports: Vec::new(),
        });
    };
    let core::ServiceSpec {
        allocate_load_balancer_node_ports: _,
        cluster_ip,
        cluster_ips,
        external_ips: _,
        external_name,
        external_traffic_policy: _,
        health_check_node_port: _,
        internal_traffic_policy: _,
        ip_families: _,
        ip_family_policy: _,
        load_balancer_class: _,
        load_balancer_ip: _,
        load_balancer_source_ranges: _,
        ports,
        publish_not_ready_addresses: _,
        selector: _,
        session_affinity: _,
        session_affinity_config: _,
        traffic_distribution: _,
        type_,
    } = spec;
    let cluster_ips = match cluster_ips.as_deref() {
        Some([]) | None => cluster_ip.as_slice(),
        Some(several) => several,
    };
    let shape = if type_.as_deref() == Some("ExternalName") {
        ServiceShape::ExternalName(external_name.clone().unwrap_or_default())
    } else if cluster_ips.first().is_some_and(|first| first == "None") {
        ServiceShape::Headless
    } else {
        let allocated = cluster_ips.iter().filter(|address| !address.is_empty());
        ServiceShape::ClusterIp(
            allocated.map(|text| address("spec.clusterIPs", text)).collect::<Result<_, _>>()?,
        )
    };
    let ports = ports.iter().flatten().map(service_port).collect::<Result<_, _>>()?;
    Ok(ServiceView { id, shape, ports })
}

/// A ServiceImport as names see it.
pub fn import(object: &StoredObject) -> Result<ServiceView, Unusable> {
    let StoredObject { kind: _, metadata, content } = object;
    let spec = content.get("spec").cloned().unwrap_or_default();
    let spec: ServiceImportSpec = serde_json::from_value(spec)
        .map_err(|error| bad("spec", error, "that of a ServiceImport"))?;
    let ServiceImportSpec {
        ips,
        ip_families: _,
        internal_traffic_policy: _,
        ports,
        session_affinity: _,
        session_affinity_config: _,
        traffic_distribution: _,
        type_,
    } = spec;
    let shape = match type_.as_deref().unwrap_or_default() {
        "ClusterSetIP" => {
            let ips = ips.iter().flatten().map(|text| address("spec.ips", text));
            ServiceShape::ClusterIp(ips.collect::<Result<_, _>>()?)
        }
        "Headless" => ServiceShape::Headless,
        other => return Err(bad("spec.type", other, "ClusterSetIP or Headless")),
    };
    let ports = ports.iter().flatten().map(import_port).collect::<Result<_, _>>()?;
    Ok(ServiceView { id: object_name(metadata), shape, ports })
}

fn import_port(port: &ServiceImportPort) -> Result<ServicePort, Unusable> {
    let ServiceImportPort { app_protocol: _, name, port, protocol } = port;
    Ok(ServicePort {
        name: name.clone().unwrap_or_default(),
        port: port_number("spec.ports.port", *port)?,
        protocol: self::protocol("spec.ports.protocol", protocol.as_deref())?,
    })
}

fn service_port(port: &core::ServicePort) -> Result<ServicePort, Unusable> {
    let core::ServicePort { app_protocol: _, name, node_port: _, port, protocol, target_port: _ } =
        port;
    Ok(ServicePort {
        name: name.clone().unwrap_or_default(),
        port: port_number("spec.ports.port", *port)?,
        protocol: self::protocol("spec.ports.protocol", protocol.as_deref())?,
    })
}

/// A slice as names see it.
pub fn slice(slice: &discovery::EndpointSlice) -> Result<SliceView, Unusable> {
    let discovery::EndpointSlice { address_type, endpoints, metadata, ports } = slice;
    match address_type.as_str() {
        "IPv4" | "IPv6" => {}
        "FQDN" => return Err(Unusable::Fqdn),
        other => return Err(bad("addressType", other, "IPv4, IPv6 or FQDN")),
    }
    let label = |key: &str| {
        let value = metadata.labels.as_ref().and_then(|labels| labels.get(key));
        value.filter(|value| !value.is_empty())
    };
    let text = |value: &String| value.as_str().into();
    let service = label(SERVICE_NAME).map(text);
    let import = match (label(IMPORT_NAME), label(SOURCE_CLUSTER)) {
        (Some(import), Some(cluster)) => {
            Some(ImportedFrom { import: text(import), cluster: text(cluster) })
        }
        (Some(_), None) if service.is_none() => return Err(Unusable::NoCluster),
        (None, _) if service.is_none() => return Err(Unusable::NoService),
        (Some(_), None) | (None, _) => None,
    };
    Ok(SliceView {
        id: object_name(metadata),
        service,
        import,
        ports: ports.iter().flatten().map(slice_port).collect::<Result<_, _>>()?,
        endpoints: endpoints.iter().flatten().map(endpoint).collect::<Result<_, _>>()?,
    })
}

fn slice_port(port: &discovery::EndpointPort) -> Result<SlicePort, Unusable> {
    let discovery::EndpointPort { app_protocol: _, name, port, protocol } = port;
    Ok(SlicePort {
        name: name.clone().unwrap_or_default(),
        port: port.map(|port| port_number("ports.port", port)).transpose()?,
        protocol: self::protocol("ports.protocol", protocol.as_deref())?,
    })
}

fn endpoint(endpoint: &discovery::Endpoint) -> Result<EndpointView, Unusable> {
    let discovery::Endpoint {
        addresses,
        conditions,
        deprecated_topology: _,
        hints: _,
        hostname,
        node_name: _,
        target_ref,
        zone,
    } = endpoint;
    // Unset conditions: ready is true, serving is what ready is, terminating is false
    // (Kubernetes API, discovery/v1 EndpointConditions).
    let discovery::EndpointConditions { ready, serving, terminating } =
        conditions.clone().unwrap_or_default();
    let ready = ready.unwrap_or(true);
    let pod = target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
    Ok(EndpointView {
        addresses: addresses
            .iter()
            .map(|text| address("endpoints.addresses", text))
            .collect::<Result<_, _>>()?,
        hostname: shared(hostname),
        ready,
        serving: serving.unwrap_or(ready),
        terminating: terminating.unwrap_or(false),
        pod: pod.and_then(|target| shared(&target.name)),
        zone: shared(zone),
    })
}

/// A pod as names see it; `None` when it has finished and gives its addresses back.
pub fn pod(pod: &core::Pod) -> Result<Option<PodView>, Unusable> {
    let core::Pod { metadata, spec, status } = pod;
    let phase = status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return Ok(None);
    }
    let first = status.iter().filter_map(|status| status.pod_ip.as_deref());
    let all =
        status.iter().flat_map(|status| status.pod_ips.iter().flatten()).map(|ip| ip.ip.as_str());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for text in first.chain(all).filter(|text| !text.is_empty()) {
        let address = address("status.podIPs", text)?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let subdomain = spec.as_ref().and_then(|spec| shared(&spec.subdomain));
    Ok(Some(PodView { id: object_name(metadata), addresses, subdomain }))
}

fn shared(text: &Option<String>) -> Option<Arc<str>> {
    text.as_deref().filter(|text| !text.is_empty()).map(Arc::from)
}

fn address(field: &'static str, text: &str) -> Result<IpAddr, Unusable> {
    text.parse().map_err(|_| bad(field, text, "an IP address"))
}

fn port_number(field: &'static str, port: i32) -> Result<u16, Unusable> {
    u16::try_from(port).map_err(|_| bad(field, port, "a port number"))
}

fn protocol(field: &'static str, text: Option<&str>) -> Result<Protocol, Unusable> {
    match text {
        None | Some("" | "TCP") => Ok(Protocol::Tcp),
        Some("UDP") => Ok(Protocol::Udp),
        Some("SCTP") => Ok(Protocol::Sctp),
        Some(other) => Err(bad(field, other, "TCP, UDP or SCTP")),
    }
}

#[cfg(test)]
mod tests {
    use manifest::KindId;
    use serde_json::{Value, json};

    use super::*;

    fn with_name(mut value: Value) -> Value {
        value["metadata"]["name"] = "x".into();
        value["metadata"]["namespace"] = "ns".into();
        value
    }

    #[test]
    fn services() {
        type Port = (&'static str, u16, Protocol);
        fn check(spec: Value, expected: Result<(ServiceShape, &[Port]), Unusable>) {
            let object = serde_json::from_value(with_name(json!({"spec": spec}))).unwrap();
            let expected = expected.map(|(shape, ports)| ServiceView {
                id: ObjectName::new("ns", "x"),
                shape,
                ports: ports
                    .iter()
                    .map(|(name, port, protocol)| ServicePort {
                        name: (*name).into(),
                        port: *port,
                        protocol: *protocol,
                    })
                    .collect(),
            });
            assert_eq!(service(&object), expected, "{spec}");
        }
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        check(
            json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"], "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"}, {"port": 80}]}),
            Ok((
                ServiceShape::ClusterIp(vec![ip("10.0.0.1"), ip("fd00::1")]),
                &[("dns", 53, Protocol::Udp), ("", 80, Protocol::Tcp)],
            )),
        );
        check(
            json!({"clusterIP": "10.0.0.1"}),
            Ok((ServiceShape::ClusterIp(vec![ip("10.0.0.1")]), &[])),
        );
        check(json!({}), Ok((ServiceShape::ClusterIp(vec![]), &[])));
        check(
            json!({"clusterIP": "None", "clusterIPs": ["None"]}),
            Ok((ServiceShape::Headless, &[])),
        );
        check(json!({"clusterIP": "None"}), Ok((ServiceShape::Headless, &[])));
        check(
            json!({"type": "ExternalName", "externalName": "Db.example.com."}),
            Ok((ServiceShape::ExternalName("Db.example.com.".into()), &[])),
        );
        check(json!({"clusterIP": "ten"}), Err(bad("spec.clusterIPs", "ten", "an IP address")));
        check(
            json!({"clusterIP": "None", "ports": [{"port": 70000}]}),
            Err(bad("spec.ports.port", 70000, "a port number")),
        );
    }

    #[test]
    fn slices() {
        let check = |mut value: Value, labelled: bool, expected: Result<Value, Unusable>| {
            if labelled {
                value["metadata"] = json!({"labels": {SERVICE_NAME: "web"}});
            }
            let object = serde_json::from_value(with_name(value.clone())).unwrap();
            let seen = slice(&object).map(|view| {
                assert_eq!(view.service.as_deref(), Some("web"));
                json!({
                    "ports": view.ports.iter().map(|p| json!([p.name, p.port, p.protocol.as_str()])).collect::<Vec<_>>(),
                    "endpoints": view.endpoints.iter().map(|e| json!([
                        e.addresses, e.hostname.as_deref(), e.ready, e.serving, e.terminating, e.pod.as_deref(), e.zone.as_deref(),
                    ])).collect::<Vec<_>>(),
                })
            });
            assert_eq!(seen, expected, "{value}");
        };
        check(
            json!({"addressType": "IPv4", "ports": [{"name": "http", "port": 80}, {"protocol": "SCTP"}], "endpoints": [
                {"addresses": ["10.0.0.1"]},
                {"addresses": ["10.0.0.2"], "hostname": "x-1", "zone": "a", "conditions": {"ready": false},
                    "targetRef": {"kind": "Pod", "name": "p"}},
                {"addresses": ["10.0.0.3"], "conditions": {"ready": false, "serving": true, "terminating": true},
                    "targetRef": {"kind": "Node", "name": "n"}}]}),
            true,
            Ok(json!({"ports": [["http", 80, "TCP"], ["", null, "SCTP"]], "endpoints": [
                [["10.0.0.1"], null, true, true, false, null, null],
                [["10.0.0.2"], "x-1", false, false, false, "p", "a"],
                [["10.0.0.3"], null, false, true, true, null, null]]})),
        );
        check(
            json!({"addressType": "IPv6", "endpoints": null}),
            true,
            Ok(json!({"ports": [], "endpoints": []})),
        );
        check(json!({"addressType": "FQDN", "endpoints": []}), true, Err(Unusable::Fqdn));
        check(json!({"addressType": "IPv4", "endpoints": []}), false, Err(Unusable::NoService));
        check(
            json!({"addressType": "IPv5", "endpoints": []}),
            true,
            Err(bad("addressType", "IPv5", "IPv4, IPv6 or FQDN")),
        );
        check(
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["here"]}]}),
            true,
            Err(bad("endpoints.addresses", "here", "an IP address")),
        );
    }

    #[test]
    fn imports() {
        type Port = (&'static str, u16);
        fn check(spec: Value, expected: Result<(ServiceShape, &[Port]), Unusable>) {
            let value = with_name(json!({"spec": spec}));
            let object = Object::from_value(KindId::Stored(Stored::ServiceImport), &value).unwrap();
            let expected = expected.map(|(shape, ports)| {
                let port = |(name, port): &Port| ServicePort {
                    name: (*name).into(),
                    port: *port,
                    protocol: Protocol::Tcp,
                };
                let ports = ports.iter().map(port).collect();
                Some(Change::Import(ServiceView { id: ObjectName::new("ns", "x"), shape, ports }))
            });
            assert_eq!(change(&object), expected, "{spec}");
        }
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        check(
            json!({"type": "ClusterSetIP", "ips": ["10.0.0.1", "fd00::1"], "ports": [{"name": "http", "port": 80}]}),
            Ok((ServiceShape::ClusterIp(vec![ip("10.0.0.1"), ip("fd00::1")]), &[("http", 80)])),
        );
        check(
            json!({"type": "ClusterSetIP", "ports": []}),
            Ok((ServiceShape::ClusterIp(Vec::new()), &[])),
        );
        check(
            json!({"type": "Headless", "ips": ["10.0.0.1"], "ports": [{"port": 80}]}),
            Ok((ServiceShape::Headless, &[("", 80)])),
        );
        check(
            json!({"type": "ClusterSetIP", "ips": ["ten"]}),
            Err(bad("spec.ips", "ten", "an IP address")),
        );
        check(json!({}), Err(bad("spec.type", "", "ClusterSetIP or Headless")));
    }

    #[test]
    fn a_slice_belongs_to_a_service_an_import_or_both() {
        type Import = Option<(&'static str, &'static str)>;
        fn check(labels: Value, expected: Result<(Option<&str>, Import), Unusable>) {
            let mut value = json!({"addressType": "IPv4", "endpoints": []});
            value["metadata"] = json!({"labels": labels});
            let object = serde_json::from_value(with_name(value)).unwrap();
            let view = slice(&object);
            let seen = view.as_ref().map(|view| {
                let import = view.import.as_ref().map(|from| (&*from.import, &*from.cluster));
                (view.service.as_deref(), import)
            });
            assert_eq!(seen, expected.as_ref().copied(), "{labels}");
        }
        check(json!({SERVICE_NAME: "web"}), Ok((Some("web"), None)));
        check(
            json!({IMPORT_NAME: "web", SOURCE_CLUSTER: "east"}),
            Ok((None, Some(("web", "east")))),
        );
        check(
            json!({SERVICE_NAME: "derived-1", IMPORT_NAME: "web", SOURCE_CLUSTER: "east"}),
            Ok((Some("derived-1"), Some(("web", "east")))),
        );
        // Endpoints of another cluster may be a Service's own, if its slice does not say that it is imported.
        check(json!({SERVICE_NAME: "web", SOURCE_CLUSTER: "east"}), Ok((Some("web"), None)));
        check(json!({SERVICE_NAME: "web", IMPORT_NAME: "web"}), Ok((Some("web"), None)));
        check(json!({IMPORT_NAME: "web"}), Err(Unusable::NoCluster));
        check(json!({SOURCE_CLUSTER: "east"}), Err(Unusable::NoService));
    }

    #[test]
    fn pods() {
        fn check(value: Value, expected: Option<(&[&str], Option<&str>)>) {
            let object = serde_json::from_value(with_name(value.clone())).unwrap();
            let expected = expected.map(|(addresses, subdomain)| PodView {
                id: ObjectName::new("ns", "x"),
                addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
                subdomain: subdomain.map(Into::into),
            });
            assert_eq!(pod(&object), Ok(expected), "{value}");
        }
        check(json!({}), Some((&[], None)));
        check(
            json!({"spec": {"containers": [], "subdomain": "db"},
                "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}}),
            Some((&["10.0.0.1", "fd00::1"], Some("db"))),
        );
        check(json!({"status": {"podIP": "10.0.0.1"}}), Some((&["10.0.0.1"], None)));
        check(json!({"status": {"phase": "Failed", "podIP": "10.0.0.1"}}), None);
        check(json!({"status": {"phase": "Succeeded"}}), None);
    }
}
