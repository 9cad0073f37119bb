//! What happens to a simulated pod, as people are told: in its log, and as Events in the words of Kubernetes' scheduler
//! and kubelet.
//!
//! Only what is true is told. No image is pulled and no container is created, so there are no Events that say so; the
//! Event of a container's start says that it is simulated. The Events of nodes come from `kubelet`, since that is the
//! part that is played here, and the one that people and programs look for.

use std::net::IpAddr;

use cluster::Notice;
use k8s_openapi::api::core::v1::{Node, Pod};
use manifest::ObjectRef;

use crate::status::{NO_TERMINAL, READY_ANNOTATION, Readiness, condition, initial_delay};

const SCHEDULER: &str = "default-scheduler";
const KUBELET: &str = "kubelet";

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It was given a node.
    Scheduled { node: String },
    /// No node takes it.
    Unschedulable { why: String },
    /// It was given addresses.
    Addressed { addresses: Vec<IpAddr> },
    /// There is no address for it.
    NoAddress { why: String },
    /// It runs since before this process began.
    Kept { addresses: Vec<IpAddr> },
    /// A container runs.
    Started { container: String, image: String },
    /// It is not ready, because of the annotation.
    PlayedUnready,
    /// It is not ready until a delay is over.
    Delayed { seconds: u64 },
    /// It is ready; again, or for the first time.
    Ready { again: bool },
    /// A container ends.
    Stopping { container: String },
    /// It waited for somebody to attach to it.
    NoTerminal,
}

/// What was told of a pod's readiness last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Ready,
    Played,
    Delayed,
}

/// The news of one pod, to be told when they have come true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) uid: String,
    pub(crate) node: Option<String>,
    pub(crate) news: Vec<News>,
}

impl Report {
    /// What of readiness it tells last.
    pub(crate) fn readiness(&self) -> Option<Told> {
        self.news.iter().rev().find_map(|news| match news {
            News::Ready { .. } => Some(Told::Ready),
            News::PlayedUnready => Some(Told::Played),
            News::Delayed { .. } => Some(Told::Delayed),
            News::Scheduled { .. }
            | News::Unschedulable { .. }
            | News::Addressed { .. }
            | News::NoAddress { .. }
            | News::Kept { .. }
            | News::Started { .. }
            | News::Stopping { .. }
            | News::NoTerminal => None,
        })
    }
}

/// What is new when a pod that looks like this runs with these addresses: on the node that it is bound to now, if it
/// is; `found` when it is looked at for the first time.
pub(crate) fn running(
    pod: &Pod,
    bind: Option<&str>,
    addresses: &[IpAddr],
    found: bool,
    told: Option<Told>,
    readiness: Readiness,
) -> Vec<News> {
    let mut news = Vec::new();
    news.extend(bind.map(|node| News::Scheduled { node: node.to_owned() }));
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let addresses = addresses.to_vec();
    if phase != Some("Running") {
        news.push(News::Addressed { addresses });
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        news.extend(containers.map(|container| News::Started {
            container: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
        }));
    } else if found {
        news.push(News::Kept { addresses });
    }
    let was = condition(pod, "ContainersReady").map(|condition| condition.status == "True");
    // Told in an earlier life of this process.
    let known = told.is_none() && was == Some(false);
    match (readiness, told) {
        (Readiness::Ready, Some(Told::Ready)) => {}
        (Readiness::Ready, Some(Told::Played)) => news.push(News::Ready { again: true }),
        (Readiness::Ready, Some(Told::Delayed)) => news.push(News::Ready { again: false }),
        (Readiness::Ready, None) if was != Some(true) => news.push(News::Ready { again: known }),
        (Readiness::Ready, None) => {}
        (Readiness::NotReady, Some(Told::Played))
        | (Readiness::ReadyIn(_), Some(Told::Delayed)) => {}
        (Readiness::NotReady | Readiness::ReadyIn(_), _) if known => {}
        (Readiness::NotReady, _) => news.push(News::PlayedUnready),
        (Readiness::ReadyIn(_), _) => {
            news.push(News::Delayed { seconds: initial_delay(pod).as_secs() });
        }
    }
    news
}

/// What is new when an interactive pod has been given its node.
pub(crate) fn failed(bind: Option<&str>) -> Vec<News> {
    let mut news = Vec::new();
    news.extend(bind.map(|node| News::Scheduled { node: node.to_owned() }));
    news.push(News::NoTerminal);
    news
}

/// What is new when a pod cannot run, and why. That it still cannot for the same reason is no news.
pub(crate) fn pending(pod: &Pod, bind: Option<&str>, scheduled: bool, why: &str) -> Vec<News> {
    let mut news = Vec::new();
    news.extend(bind.map(|node| News::Scheduled { node: node.to_owned() }));
    let held_back = if scheduled { "PodReadyToStartContainers" } else { "PodScheduled" };
    let said = condition(pod, held_back).and_then(|condition| condition.message.as_deref());
    if said != Some(why) {
        let why = why.to_owned();
        news.push(if scheduled { News::NoAddress { why } } else { News::Unschedulable { why } });
    }
    news
}

impl News {
    /// The container that it is about, and the line in the pod's log.
    pub(crate) fn line(&self) -> (Option<&str>, String) {
        match self {
            Self::Scheduled { node } => (None, format!("scheduled: runs on {node}")),
            Self::Unschedulable { why } => (None, format!("not scheduled: {why}")),
            Self::Addressed { addresses } => (None, format!("addresses: {}", list(addresses))),
            Self::NoAddress { why } => (None, format!("not started: {why}")),
            Self::Kept { addresses } => {
                let text = "found running when headcount started; what was logged before is gone";
                (None, format!("{text}; addresses: {}", list(addresses)))
            }
            Self::Started { container, image } => {
                let text = format!(
                    "started container {container} ({image}); it is simulated: no image is pulled and no process runs"
                );
                (Some(container), text)
            }
            Self::PlayedUnready => {
                (None, format!("not ready: annotation {READY_ANNOTATION} is \"false\""))
            }
            Self::Delayed { seconds } => (
                None,
                format!("not ready yet: a readiness probe has initialDelaySeconds {seconds}"),
            ),
            Self::Ready { again: false } => (None, "ready".to_owned()),
            Self::Ready { again: true } => (None, "ready again".to_owned()),
            Self::Stopping { container } => {
                (Some(container), format!("stopping container {container}"))
            }
            Self::NoTerminal => (None, format!("failed: {NO_TERMINAL}")),
        }
    }

    /// The Event, for what Kubernetes has one.
    pub(crate) fn notice(&self, pod: &ObjectRef, uid: &str, node: Option<&str>) -> Option<Notice> {
        let (component, warning, reason, message) = match self {
            Self::Scheduled { node } => {
                let ObjectRef { namespace, name, .. } = pod;
                let message = format!("Successfully assigned {namespace}/{name} to {node}");
                (SCHEDULER, false, "Scheduled", message)
            }
            Self::Unschedulable { why } => (SCHEDULER, true, "FailedScheduling", why.clone()),
            Self::NoAddress { why } => {
                let message = format!("Failed to create pod sandbox: {why}");
                (KUBELET, true, "FailedCreatePodSandBox", message)
            }
            Self::Started { container, image: _ } => {
                let message = format!(
                    "Started container {container} (simulated: no image is pulled and no process runs)"
                );
                (KUBELET, false, "Started", message)
            }
            Self::PlayedUnready => {
                let message =
                    format!("Readiness probe failed: annotation {READY_ANNOTATION} is \"false\"");
                (KUBELET, true, "Unhealthy", message)
            }
            Self::Ready { again: true } => {
                (KUBELET, false, "Ready", "Readiness probe succeeded".to_owned())
            }
            Self::Stopping { container } => {
                (KUBELET, false, "Killing", format!("Stopping container {container}"))
            }
            Self::NoTerminal => (KUBELET, true, "Failed", format!("Error: {NO_TERMINAL}")),
            Self::Addressed { .. }
            | Self::Kept { .. }
            | Self::Delayed { .. }
            | Self::Ready { again: false } => return None,
        };
        let field = match self {
            Self::Started { container, .. } | Self::Stopping { container } => {
                Some(format!("spec.containers{{{container}}}"))
            }
            _ => None,
        };
        Some(Notice {
            regarding: pod.clone(),
            uid: uid.to_owned(),
            field,
            warning,
            reason,
            message,
            component,
            host: node.filter(|_| component == KUBELET).map(Into::into),
        })
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// The Event of a node that takes no more pods, or takes them again.
pub(crate) fn cordoned(node: &Node, unschedulable: bool) -> Notice {
    let name = node.metadata.name.clone().unwrap_or_default();
    let reason = if unschedulable { "NodeNotSchedulable" } else { "NodeSchedulable" };
    Notice {
        uid: node.metadata.uid.clone().unwrap_or_default(),
        field: None,
        warning: false,
        reason,
        message: format!("Node {name} status is now: {reason}"),
        component: KUBELET,
        host: Some(name.as_str().into()),
        regarding: ObjectRef { kind: "Node", namespace: String::new(), name },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn pod(value: Value) -> Pod {
        serde_json::from_value(value).unwrap()
    }

    /// A pod with one container in this phase, whose containers are ready, not ready, or nothing yet.
    fn in_phase(phase: &str, ready: Option<&str>) -> Pod {
        let conditions = ready.map(|status| json!([{"type": "ContainersReady", "status": status}]));
        pod(json!({
            "spec": {"containers": [{"name": "c", "image": "i", "readinessProbe": {"initialDelaySeconds": 9}}]},
            "status": {"phase": phase, "conditions": conditions},
        }))
    }

    fn lines(news: &[News]) -> Vec<String> {
        news.iter().map(|news| news.line().1).collect()
    }

    #[test]
    fn a_pod_starts() {
        let addresses = ["10.244.1.2".parse().unwrap(), "fd00::2".parse().unwrap()];
        let news = running(
            &in_phase("Pending", None),
            Some("node-1"),
            &addresses,
            true,
            None,
            Readiness::Ready,
        );
        assert_eq!(
            lines(&news),
            [
                "scheduled: runs on node-1",
                "addresses: 10.244.1.2, fd00::2",
                "started container c (i); it is simulated: no image is pulled and no process runs",
                "ready",
            ]
        );
    }

    #[test]
    fn readiness_is_told_when_it_changes() {
        let check =
            |ready: Option<&str>, told: Option<Told>, readiness: Readiness, expected: &[&str]| {
                let news = running(&in_phase("Running", ready), None, &[], false, told, readiness);
                assert_eq!(lines(&news), expected, "{ready:?} {told:?} {readiness:?}");
            };
        let later = Readiness::ReadyIn(Duration::from_secs(3));
        let played = "not ready: annotation headcount.dev/ready is \"false\"";
        let delayed = "not ready yet: a readiness probe has initialDelaySeconds 9";
        check(Some("True"), Some(Told::Ready), Readiness::Ready, &[]);
        check(Some("True"), Some(Told::Ready), Readiness::NotReady, &[played]);
        check(Some("False"), Some(Told::Played), Readiness::NotReady, &[]);
        check(Some("False"), Some(Told::Played), Readiness::Ready, &["ready again"]);
        check(Some("False"), Some(Told::Delayed), later, &[]);
        check(Some("False"), Some(Told::Delayed), Readiness::NotReady, &[played]);
        check(Some("False"), Some(Told::Played), later, &[delayed]);
        // Of an earlier life.
        check(Some("True"), None, Readiness::Ready, &[]);
        check(Some("True"), None, Readiness::NotReady, &[played]);
        check(Some("False"), None, Readiness::NotReady, &[]);
        check(Some("False"), None, Readiness::Ready, &["ready again"]);
    }

    #[test]
    fn a_pod_found_running_says_so() {
        let addresses = ["10.244.1.2".parse().unwrap()];
        let news = running(
            &in_phase("Running", Some("True")),
            None,
            &addresses,
            true,
            None,
            Readiness::Ready,
        );
        assert_eq!(news, [News::Kept { addresses: addresses.to_vec() }]);
    }

    #[test]
    fn why_a_pod_does_not_run_is_told_once() {
        let check = |conditions: Value, scheduled: bool, expected: &[&str]| {
            let pod = pod(json!({"status": {"conditions": conditions}}));
            assert_eq!(lines(&pending(&pod, None, scheduled, "why")), expected);
        };
        check(json!([]), false, &["not scheduled: why"]);
        check(json!([{"type": "PodScheduled", "status": "False", "message": "why"}]), false, &[]);
        check(
            json!([{"type": "PodScheduled", "status": "False", "message": "other"}]),
            false,
            &["not scheduled: why"],
        );
        check(json!([{"type": "PodScheduled", "status": "True"}]), true, &["not started: why"]);
        check(
            json!([{"type": "PodReadyToStartContainers", "status": "False", "message": "why"}]),
            true,
            &[],
        );
    }

    #[test]
    fn events_have_the_words_of_kubernetes() {
        let check = |news: News, expected: Option<&str>| {
            let pod = ObjectRef { kind: "Pod", namespace: "prod".into(), name: "db-0".into() };
            let notice = news.notice(&pod, "u", Some("node-1")).map(|notice| {
                assert_eq!(notice.host.is_some(), notice.component == "kubelet");
                let kind = if notice.warning { "Warning" } else { "Normal" };
                let field = notice.field.map(|field| format!(" {field}")).unwrap_or_default();
                format!("{} {kind} {}{field}: {}", notice.component, notice.reason, notice.message)
            });
            assert_eq!(notice.as_deref(), expected);
        };
        check(
            News::Scheduled { node: "node-1".into() },
            Some("default-scheduler Normal Scheduled: Successfully assigned prod/db-0 to node-1"),
        );
        check(
            News::Unschedulable { why: "0/3 nodes are available: x".into() },
            Some("default-scheduler Warning FailedScheduling: 0/3 nodes are available: x"),
        );
        check(
            News::NoAddress { why: "none left".into() },
            Some("kubelet Warning FailedCreatePodSandBox: Failed to create pod sandbox: none left"),
        );
        check(
            News::Started { container: "c".into(), image: "i".into() },
            Some(
                "kubelet Normal Started spec.containers{c}: Started container c (simulated: no image is pulled and no \
                 process runs)",
            ),
        );
        check(
            News::PlayedUnready,
            Some(
                "kubelet Warning Unhealthy: Readiness probe failed: annotation headcount.dev/ready is \"false\"",
            ),
        );
        check(News::Delayed { seconds: 5 }, None);
        check(News::Ready { again: true }, Some("kubelet Normal Ready: Readiness probe succeeded"));
        check(News::Ready { again: false }, None);
        check(News::Addressed { addresses: Vec::new() }, None);
        check(
            News::Stopping { container: "c".into() },
            Some("kubelet Normal Killing spec.containers{c}: Stopping container c"),
        );
    }
}
