//! What an autoscaler measures, and what the measures should be.

use super::value::{UNKNOWN, list_at, text_at};
use serde_json::Value;

/// How many measures are shown.
const SHOWN: usize = 2;

/// `cpu: 40%/80%, 3/10 (avg) + 1 more...`; `<none>` for an autoscaler that measures nothing.
pub(super) fn targets(item: &Value) -> String {
    let metrics = list_at(item, "/spec/metrics");
    let measured = list_at(item, "/status/currentMetrics");
    let shown: Vec<String> = metrics
        .iter()
        .take(SHOWN)
        .enumerate()
        .map(|(index, metric)| target(metric, measured.get(index)))
        .collect();
    match metrics.len() {
        0 => "<none>".to_owned(),
        count if count <= SHOWN => shown.join(", "),
        count => format!("{} + {} more...", shown.join(", "), count - SHOWN),
    }
}

/// One measure: `current/wanted`.
fn target(metric: &Value, measured: Option<&Value>) -> String {
    let (source, is_resource) = match text_at(metric, "/type") {
        "External" => ("external", false),
        "Object" => ("object", false),
        "Pods" => ("pods", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let (target, name) = (&metric[source]["target"], text_at(&metric[source], "/name"));
    let current = |field: &str| -> String {
        measured
            .and_then(|measured| shown(&measured[source]["current"][field]))
            .unwrap_or_else(|| UNKNOWN.to_owned())
    };
    let average = shown(&target["averageValue"]);
    if is_resource {
        let (current, wanted) = match average {
            Some(average) => (current("averageValue"), average),
            None => {
                let percent = |text: &str| format!("{text}%");
                let current = current("averageUtilization");
                let current = if current == UNKNOWN { current } else { percent(&current) };
                let wanted = shown(&target["averageUtilization"]);
                (current, wanted.map_or("<auto>".to_owned(), |wanted| percent(&wanted)))
            }
        };
        return format!("{name}: {current}/{wanted}");
    }
    match average {
        Some(average) if source == "pods" => format!("{}/{average}", current("averageValue")),
        Some(average) => format!("{}/{average} (avg)", current("averageValue")),
        None => format!("{}/{}", current("value"), shown(&target["value"]).unwrap_or_default()),
    }
}

/// A quantity or a number as text.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
