//! Pods: the readiness of their containers, and one word for their state.

use super::age;
use super::column::{AGE, Column, NAME};
use super::value::{age_of, list_at, name_of, number_at, or, text_at, time_at};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashSet;

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Ready", "How many containers are ready, of how many there are."),
    Column::text("Status", "The state of the pod, from its containers."),
    Column::text("Restarts", "How often the containers were restarted, and when last."),
    AGE,
    Column::text("IP", "The pod's first address.").wide(),
    Column::text("Node", "The node that the pod is on.").wide(),
    Column::text("Nominated Node", "The node that room is being made on for the pod.").wide(),
    Column::text("Readiness Gates", "How many of the pod's readiness gates are met.").wide(),
];

pub(super) fn cells(item: &Value, now: Timestamp) -> Vec<Value> {
    let state = State::of(item);
    let restarts = match state.restarts.last {
        Some(last) if state.restarts.count > 0 => {
            format!("{} ({} ago)", state.restarts.count, age::human(now.duration_since(last)))
        }
        Some(_) | None => state.restarts.count.to_string(),
    };
    vec![
        name_of(item),
        format!("{}/{}", state.ready, state.total).into(),
        state.status.into(),
        restarts.into(),
        age_of(item, now),
        or(or(text_at(item, "/status/podIPs/0/ip"), text_at(item, "/status/podIP")), "<none>")
            .into(),
        or(text_at(item, "/spec/nodeName"), "<none>").into(),
        or(text_at(item, "/status/nominatedNodeName"), "<none>").into(),
        readiness_gates(item).into(),
    ]
}

/// The row's conditions: `Completed` for a pod that ended.
pub(super) fn row_conditions(item: &Value) -> Option<Value> {
    let (reason, message) = match text_at(item, "/status/phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}

/// What the columns Ready, Status and Restarts say.
struct State {
    ready: usize,
    total: usize,
    status: String,
    restarts: Restarts,
}

#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        self.count += number_at(container, "/restartCount");
        self.last = self.last.max(time_at(container, "/lastState/terminated/finishedAt"));
    }
}

impl State {
    fn of(item: &Value) -> Self {
        let sidecars = sidecars(item);
        let mut state = Self {
            ready: 0,
            total: list_at(item, "/spec/containers").len() + sidecars.len(),
            status: reason(item).to_owned(),
            restarts: Restarts::default(),
        };
        let initialising = state.add_init_containers(item, &sidecars);
        if !initialising || condition(item, "Initialized") {
            state.add_containers(item, &sidecars);
        }
        if item.pointer("/metadata/deletionTimestamp").is_some() {
            if text_at(item, "/status/reason") == "NodeLost" {
                state.status = "Unknown".to_owned();
            } else if !matches!(text_at(item, "/status/phase"), "Succeeded" | "Failed") {
                state.status = "Terminating".to_owned();
            }
        }
        state
    }

    /// Goes through the init containers up to the first that is not done; whether there is one.
    fn add_init_containers(&mut self, item: &Value, sidecars: &HashSet<&str>) -> bool {
        let total = list_at(item, "/spec/initContainers").len();
        for (index, container) in list_at(item, "/status/initContainerStatuses").iter().enumerate()
        {
            self.restarts.add(container);
            let terminated = container.pointer("/state/terminated");
            if terminated.is_some_and(|terminated| number_at(terminated, "/exitCode") == 0) {
                continue;
            }
            if sidecars.contains(text_at(container, "/name")) && is_true(container, "/started") {
                self.ready += usize::from(is_true(container, "/ready"));
                continue;
            }
            self.status = match (terminated, text_at(container, "/state/waiting/reason")) {
                (Some(terminated), _) => format!("Init:{}", end(terminated)),
                (None, "" | "PodInitializing") => format!("Init:{index}/{total}"),
                (None, waiting) => format!("Init:{waiting}"),
            };
            return true;
        }
        false
    }

    fn add_containers(&mut self, item: &Value, sidecars: &HashSet<&str>) {
        // Once the pod is initialised only the restarts of sidecars and containers count.
        self.restarts = Restarts::default();
        for container in list_at(item, "/status/initContainerStatuses") {
            if sidecars.contains(text_at(container, "/name")) {
                self.restarts.add(container);
            }
        }
        let mut running = false;
        // The first container's reason wins, so it is looked at last.
        for container in list_at(item, "/status/containerStatuses").iter().rev() {
            self.restarts.add(container);
            let waiting = text_at(container, "/state/waiting/reason");
            if !waiting.is_empty() {
                self.status = waiting.to_owned();
            } else if let Some(terminated) = container.pointer("/state/terminated") {
                self.status = end(terminated);
            } else if is_true(container, "/ready") && container.pointer("/state/running").is_some()
            {
                running = true;
                self.ready += 1;
            }
        }
        if self.status == "Completed" && running {
            let status = if condition(item, "Ready") { "Running" } else { "NotReady" };
            self.status = status.to_owned();
        }
    }
}

/// The pod's own reason, before its containers are looked at.
fn reason(item: &Value) -> &str {
    let gated = list_at(item, "/status/conditions").iter().any(|condition| {
        text_at(condition, "/type") == "PodScheduled"
            && text_at(condition, "/reason") == "SchedulingGated"
    });
    if gated {
        "SchedulingGated"
    } else {
        or(text_at(item, "/status/reason"), text_at(item, "/status/phase"))
    }
}

/// How a container ended: its reason, else its signal, else its exit code.
fn end(terminated: &Value) -> String {
    match (text_at(terminated, "/reason"), number_at(terminated, "/signal")) {
        ("", 0) => format!("ExitCode:{}", number_at(terminated, "/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// The names of the init containers that keep running beside the others (`restartPolicy: Always`).
fn sidecars(item: &Value) -> HashSet<&str> {
    list_at(item, "/spec/initContainers")
        .iter()
        .filter(|container| text_at(container, "/restartPolicy") == "Always")
        .map(|container| text_at(container, "/name"))
        .collect()
}

fn readiness_gates(item: &Value) -> String {
    let gates = list_at(item, "/spec/readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let met = gates.iter().filter(|gate| condition(item, text_at(gate, "/conditionType"))).count();
    format!("{met}/{}", gates.len())
}

/// Whether the pod's condition of this type is `True`.
fn condition(item: &Value, kind: &str) -> bool {
    let conditions = list_at(item, "/status/conditions");
    let found = conditions.iter().find(|condition| text_at(condition, "/type") == kind);
    found.is_some_and(|condition| text_at(condition, "/status") == "True")
}

fn is_true(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}
