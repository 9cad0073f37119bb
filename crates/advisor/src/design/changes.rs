//! What a design changes of objects that are there.

use manifest::ObjectRef;
use serde_json::Value;

use super::Plan;
use super::manifests::to_yaml;
use super::stale::stale_names;
use crate::lint::{Objects, Options};

/// A field that decides.
struct Deciding {
    /// Its name in `spec`.
    field: &'static str,
    /// What to do where it cannot be changed in place; `NAME` is the object's.
    fixed: Option<&'static str>,
}

const fn free(field: &'static str) -> Deciding {
    Deciding { field, fixed: None }
}

const fn fixed(field: &'static str, way: &'static str) -> Deciding {
    Deciding { field, fixed: Some(way) }
}

const SERVICE: &[Deciding] = &[
    free("type"),
    fixed(
        "clusterIP",
        "it cannot be changed in place: delete the Service and apply again, in a moment when clients can do without, or keep it and give the new one another name",
    ),
    free("externalName"),
    free("publishNotReadyAddresses"),
    free("selector"),
    free("ports"),
];

const STATEFUL_SET: &[Deciding] = &[
    fixed(
        "serviceName",
        "it cannot be changed in place: kubectl delete statefulset NAME --cascade=orphan, which leaves the pods, then apply; then restart the pods one by one, for their host names' subdomain is made with them",
    ),
    fixed(
        "podManagementPolicy",
        "it cannot be changed in place: kubectl delete statefulset NAME --cascade=orphan, which leaves the pods, then apply",
    ),
    free("replicas"),
];

const DEPLOYMENT: &[Deciding] = &[free("replicas")];

/// What decides of an object of this kind.
fn deciding(kind: &str) -> &'static [Deciding] {
    match kind {
        "Service" => SERVICE,
        "StatefulSet" => STATEFUL_SET,
        "Deployment" => DEPLOYMENT,
        _ => &[],
    }
}

/// What a plan changes of objects that are there, a line each.
pub fn changes(plan: &Plan, objects: &Objects) -> Vec<String> {
    let mut lines = Vec::new();
    let text = to_yaml(&plan.manifests);
    let reading = manifest::read::read_any("design", &text);
    let options = Options { namespace: plan.intent.namespace.clone(), ..Options::default() };
    let designed = Objects::new(reading.documents, reading.foreign, options);
    for new in &designed.all {
        let old = objects.all.iter().find(|old| old.reference == new.reference);
        let name = format!("{} {}", new.reference.kind, new.reference.name);
        match old {
            None => lines.push(format!("{name} is new")),
            Some(old) => differences(&name, &new.reference, &old.object, &new.object, &mut lines),
        }
    }
    let selected = plan.intent.labels();
    for old in &objects.services {
        let is_gone = designed.all.iter().all(|new| new.reference != old.reference);
        if is_gone && old.selector() == Some(&selected) {
            lines.push(format!("Service {} is not part of the design and stays as it is: delete it once nobody dials it", old.reference.name));
        }
    }
    lines.extend(stale_names(&plan.intent, objects));
    lines
}

fn differences(
    name: &str,
    reference: &ObjectRef,
    old: &Value,
    new: &Value,
    lines: &mut Vec<String>,
) {
    let before = lines.len();
    let fields = deciding(reference.kind);
    if fields.is_empty() && old["spec"] != new["spec"] {
        lines.push(format!("{name}: the design's takes its place; compare the two"));
    }
    for Deciding { field, fixed } in fields {
        let (was, is) = (&old["spec"][field], &new["spec"][field]);
        let is_false = |value: &Value| value.is_null() || *value == Value::Bool(false);
        // Nor is an address that the API gave out, or a default that is written down.
        let same = was == is
            || (*field == "publishNotReadyAddresses" && is_false(was) && is_false(is))
            || (*field == "clusterIP"
                && was.as_str() != Some("None")
                && is.as_str() != Some("None"));
        if same {
            continue;
        }
        let mut line = format!("{name}: spec.{field} {} becomes {}", shown(was), shown(is));
        if let Some(fixed) = fixed {
            line.push_str(&format!("; {}", fixed.replace("NAME", &reference.name)));
        }
        lines.push(line);
    }
    if lines.len() == before {
        lines.push(format!("{name} stays as it is"));
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) if text.is_empty() => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| item["port"].is_number()) => {
            let ports: Vec<String> = items
                .iter()
                .map(|port| {
                    let target = match &port["targetPort"] {
                        Value::Null => String::new(),
                        target => format!("→{}", shown(target)),
                    };
                    format!(
                        "{}:{}{target}",
                        port["name"].as_str().unwrap_or("(unnamed)"),
                        port["port"]
                    )
                })
                .collect();
            ports.join(", ")
        }
        Value::Object(entries) => {
            let pairs: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
            pairs.join(",")
        }
        other => other.to_string(),
    }
}
