//! What a pod may learn of itself: the downward API.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{
    Container, ObjectFieldSelector, Pod, ResourceFieldSelector, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::Place;
use super::quantity::Milli;
use crate::nodes::{NODE_CPU, NODE_MEMORY, NODE_STORAGE};

/// The value of a field of a pod that runs at this place.
pub(super) fn field(
    pod: &Pod,
    place: &Place,
    selector: &ObjectFieldSelector,
) -> Result<String, String> {
    let metadata = &pod.metadata;
    let text = |text: &Option<String>| Ok(text.clone().unwrap_or_default());
    match selector.field_path.as_str() {
        "metadata.name" => text(&metadata.name),
        "metadata.namespace" => text(&metadata.namespace),
        "metadata.uid" => text(&metadata.uid),
        "metadata.labels" => Ok(lines(metadata.labels.as_ref())),
        "metadata.annotations" => Ok(lines(metadata.annotations.as_ref())),
        "spec.nodeName" => Ok(place.node_name.clone()),
        "spec.serviceAccountName" => {
            let name = pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
            Ok(name.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned()))
        }
        "status.hostIP" => Ok(first(&place.host_ips)),
        "status.hostIPs" => Ok(list(&place.host_ips)),
        "status.podIP" => Ok(first(&place.ips())),
        "status.podIPs" => Ok(list(&place.ips())),
        path => {
            let value = |map: &Option<BTreeMap<String, String>>, key: &str| {
                Ok(map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default())
            };
            match subscript(path) {
                Some(("metadata.labels", key)) => value(&metadata.labels, key),
                Some(("metadata.annotations", key)) => value(&metadata.annotations, key),
                _ => Err(format!("unsupported fieldPath: {path}")),
            }
        }
    }
}

/// The parts of `path['key']`.
fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['")
}

fn first(addresses: &[IpAddr]) -> String {
    addresses.first().map(IpAddr::to_string).unwrap_or_default()
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(",")
}

/// `key="value"` lines, in order.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines = map.into_iter().flatten().map(|(key, value)| format!("{key}={}", quoted(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// A text between quotation marks, as Go writes it with `%q`.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0b' => quoted.push_str("\\v"),
            '\x0c' => quoted.push_str("\\f"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What a container of a pod asks for or is limited to. Without a limit it is what the node has.
pub(super) fn resource(
    pod: &Pod,
    container: Option<&Container>,
    selector: &ResourceFieldSelector,
) -> Result<String, String> {
    let container = match selector.container_name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => super::containers(pod)
            .find(|container| container.name == name)
            .ok_or_else(|| format!("container {name} not found"))?,
        None => container.ok_or("a resource of a volume needs its containerName")?,
    };
    let unsupported = || format!("unsupported container resource : {}", selector.resource);
    let (kind, name) = selector.resource.split_once('.').ok_or_else(unsupported)?;
    let of_node = match name {
        "cpu" => Some(NODE_CPU),
        "memory" => Some(NODE_MEMORY),
        "ephemeral-storage" => Some(NODE_STORAGE),
        name if name.starts_with("hugepages-") => None,
        _ => return Err(unsupported()),
    };
    let stated = |map: fn(&ResourceRequirements) -> Option<&BTreeMap<String, Quantity>>| {
        let map = container.resources.as_ref().and_then(map)?;
        map.get(name).and_then(Milli::of)
    };
    let amount = match kind {
        "requests" => stated(|resources| resources.requests.as_ref()),
        "limits" => stated(|resources| resources.limits.as_ref())
            .filter(|limit| *limit > Milli::default())
            .or_else(|| of_node.and_then(|amount| Milli::of(&Quantity(amount.to_owned())))),
        _ => return Err(unsupported()),
    };
    let amount = amount.unwrap_or_default();
    let divisor = selector.divisor.as_ref().and_then(Milli::of).filter(|d| *d > Milli::default());
    let in_units = match (name, divisor) {
        ("cpu", Some(divisor)) => amount.thousandths().div_ceil(divisor.thousandths()),
        (_, Some(divisor)) => amount.units().div_ceil(divisor.units()),
        (_, None) => amount.units(),
    };
    Ok(in_units.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": {
                "name": "db-0", "namespace": "prod", "uid": "u-1",
                "labels": {"app": "db", "note": "a \"b\"\n\\c\u{1}é"},
                "annotations": {"example.com/a.b": "x"},
            },
            "spec": {
                "initContainers": [{"name": "init"}],
                "containers": [{"name": "c", "resources": {
                    "limits": {"cpu": "1500m", "memory": "1Gi"}, "requests": {"cpu": "250m"}}}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn fields_of_a_pod() {
        #[track_caller]
        fn check(path: &str, expected: Result<&str, &str>) {
            let place = Place::example();
            let selector = ObjectFieldSelector { api_version: None, field_path: path.to_owned() };
            let seen = field(&pod(), &place, &selector);
            assert_eq!(seen.as_deref().map_err(String::as_str), expected, "{path}");
        }
        check("metadata.name", Ok("db-0"));
        check("metadata.namespace", Ok("prod"));
        check("metadata.uid", Ok("u-1"));
        check("metadata.labels['app']", Ok("db"));
        check("metadata.labels['none']", Ok(""));
        check("metadata.annotations['example.com/a.b']", Ok("x"));
        check("metadata.labels", Ok("app=\"db\"\nnote=\"a \\\"b\\\"\\n\\\\c\\x01é\""));
        check("metadata.annotations", Ok("example.com/a.b=\"x\""));
        check("spec.nodeName", Ok("node-1"));
        check("spec.serviceAccountName", Ok("default"));
        check("status.podIP", Ok("10.244.1.2"));
        check("status.podIPs", Ok("10.244.1.2,fd00::2"));
        check("status.hostIP", Ok("172.18.0.2"));
        check("status.hostIPs", Ok("172.18.0.2"));
        check("status.phase", Err("unsupported fieldPath: status.phase"));
        check("metadata.labels[app]", Err("unsupported fieldPath: metadata.labels[app]"));
    }

    #[test]
    fn resources_of_a_container() {
        #[track_caller]
        fn check(container: &str, resource: &str, divisor: &str, expected: Result<&str, &str>) {
            let pod = pod();
            let selector = ResourceFieldSelector {
                container_name: Some(container.to_owned()),
                divisor: Some(Quantity(divisor.to_owned())),
                resource: resource.to_owned(),
            };
            let own = super::super::containers(&pod).last();
            let seen = super::resource(&pod, own, &selector);
            let label = format!("{container} {resource} {divisor}");
            assert_eq!(seen.as_deref().map_err(String::as_str), expected, "{label}");
        }
        check("", "limits.cpu", "0", Ok("2"));
        check("c", "limits.cpu", "1m", Ok("1500"));
        check("c", "requests.cpu", "1", Ok("1"));
        check("c", "requests.cpu", "1m", Ok("250"));
        check("c", "limits.memory", "", Ok("1073741824"));
        check("c", "limits.memory", "1Mi", Ok("1024"));
        check("c", "limits.memory", "1G", Ok("2"));
        check("c", "requests.memory", "1", Ok("0"));
        check("init", "limits.cpu", "1", Ok("64"));
        check("init", "limits.memory", "1Gi", Ok("256"));
        check("init", "requests.hugepages-2Mi", "1", Ok("0"));
        check("none", "limits.cpu", "1", Err("container none not found"));
        check("c", "limits.gpu", "1", Err("unsupported container resource : limits.gpu"));
        check("c", "cpu", "1", Err("unsupported container resource : cpu"));
        check("c", "uses.cpu", "1", Err("unsupported container resource : uses.cpu"));
    }
}
