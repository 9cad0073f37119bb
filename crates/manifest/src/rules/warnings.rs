//! What is valid, and probably not what its author means. The API says so in `Warning` headers.

use serde_json::Value;

use super::names;
use crate::kind::{Kind, KindId, Stored};

/// The warnings about a valid object, in Kubernetes' words; `is_new` when it is being created.
pub fn warnings(kind: &Kind, object: &Value, is_new: bool) -> Vec<String> {
    match kind.id {
        KindId::Service => service(object),
        KindId::Pod if is_new => host_name(object, "this is used in the Pod's hostname"),
        KindId::Deployment | KindId::ReplicaSet | KindId::Stored(Stored::Job) if is_new => {
            host_name(object, "this is used in Pod names and hostnames")
        }
        KindId::Stored(Stored::Ingress) if is_new => ingress(object),
        KindId::Namespace
        | KindId::Node
        | KindId::Pod
        | KindId::Endpoints
        | KindId::Event
        | KindId::EndpointSlice
        | KindId::StatefulSet
        | KindId::Deployment
        | KindId::ReplicaSet
        | KindId::Stored(_) => Vec::new(),
    }
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

fn service(object: &Value) -> Vec<String> {
    let spec = &object["spec"];
    let is_external = spec["type"] == "ExternalName";
    let is_headless = spec["type"] == "ClusterIP" && spec["clusterIP"] == "None";
    let has_external_ips = is_set(&spec["externalIPs"]);
    let mut warnings = Vec::new();
    if is_set(&object["metadata"]["annotations"]["service.kubernetes.io/topology-aware-hints"]) {
        warnings.push(
            "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use \
             service.kubernetes.io/topology-mode instead",
        );
    }
    if is_headless {
        if is_set(&spec["loadBalancerIP"]) {
            warnings.push("spec.loadBalancerIP is ignored for headless services");
        }
        if has_external_ips {
            warnings.push("spec.externalIPs is ignored for headless services");
        }
        if spec["sessionAffinity"] != "None" {
            warnings.push("spec.SessionAffinity is ignored for headless services");
        }
    }
    if has_external_ips && !is_headless && !is_external {
        warnings.push(
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
        );
    }
    if is_external && has_external_ips {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
    }
    if !is_external && is_set(&spec["externalName"]) {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"");
    }
    if spec["trafficDistribution"] == "PreferClose" {
        warnings.push(
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
        );
    }
    warnings.into_iter().map(str::to_owned).collect()
}

fn ingress(object: &Value) -> Vec<String> {
    let annotation = "kubernetes.io/ingress.class";
    if object["metadata"]["annotations"][annotation].is_null()
        || is_set(&object["spec"]["ingressClassName"])
    {
        return Vec::new();
    }
    vec![format!(
        "annotation {annotation:?} is deprecated, please use 'spec.ingressClassName' instead"
    )]
}

fn host_name(object: &Value, used: &str) -> Vec<String> {
    let problems = names::dns_1123_label(object["metadata"]["name"].as_str().unwrap_or(""));
    if problems.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "metadata.name: {used}, which can result in surprising behavior; a DNS label is recommended: [{}]",
        problems.join(" ")
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: KindId, object: Value, expected: &[&str]) {
        assert_eq!(warnings(Kind::of(kind), &object, true), expected, "{object}");
    }

    #[test]
    fn services() {
        let check = |spec: Value, expected: &[&str]| {
            check(KindId::Service, json!({ "spec": spec }), expected);
        };
        let headless = |field: &str, value: Value| json!({ "type": "ClusterIP", "clusterIP": "None", "sessionAffinity": "None", field: value });
        check(headless("ports", json!([])), &[]);
        check(
            headless("sessionAffinity", json!("ClientIP")),
            &["spec.SessionAffinity is ignored for headless services"],
        );
        check(
            headless("externalIPs", json!(["192.0.2.1"])),
            &["spec.externalIPs is ignored for headless services"],
        );
        check(
            headless("loadBalancerIP", json!("192.0.2.1")),
            &["spec.loadBalancerIP is ignored for headless services"],
        );
        check(
            headless("externalName", json!("db.example.com")),
            &["spec.externalName is ignored when spec.type is not \"ExternalName\""],
        );
        check(
            json!({ "type": "ClusterIP", "clusterIP": "10.96.0.7", "externalIPs": ["192.0.2.1"] }),
            &["spec.externalIPs is deprecated and may no longer be implemented in some clusters"],
        );
        check(
            json!({ "type": "ExternalName", "externalName": "a.b", "externalIPs": ["192.0.2.1"] }),
            &["spec.externalIPs is ignored when spec.type is \"ExternalName\""],
        );
        check(
            json!({ "type": "ClusterIP", "trafficDistribution": "PreferClose" }),
            &["spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\""],
        );
    }

    #[test]
    fn names_and_annotations() {
        let named = |name: &str| json!({ "metadata": { "name": name } });
        let dots = "which can result in surprising behavior; a DNS label is recommended: [must not contain dots]";
        let pods = format!("metadata.name: this is used in Pod names and hostnames, {dots}");
        check(KindId::Deployment, named("web"), &[]);
        check(KindId::Deployment, named("web.v1"), &[&pods]);
        check(KindId::Stored(Stored::Job), named("web.v1"), &[&pods]);
        let pod = format!("metadata.name: this is used in the Pod's hostname, {dots}");
        check(KindId::Pod, named("web.v1"), &[&pod]);
        check(KindId::Stored(Stored::ConfigMap), named("web.v1"), &[]);
        assert!(warnings(Kind::of(KindId::Pod), &named("web.v1"), false).is_empty());
        let mut ingress =
            json!({ "metadata": { "annotations": { "kubernetes.io/ingress.class": "a" } } });
        let text = "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead";
        check(KindId::Stored(Stored::Ingress), ingress.clone(), &[text]);
        ingress["spec"] = json!({ "ingressClassName": "a" });
        check(KindId::Stored(Stored::Ingress), ingress, &[]);
    }
}
