//! Pods that run take their time: how far they have come, and what holds them up.

use std::fmt::Write as _;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt as _};
use tokio::time::{Instant, sleep};

/// How long the report waits for pods: what takes longer shows in kubectl.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often they are looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// So many pods are told of that are not ready.
const TOLD_MAX: usize = 10;

/// A container that waits for no other reason will start by itself.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// Waits until all pods that there are to be are ready or have ended, or something holds one up; and says what is not ready then.
pub(super) async fn wait(client: &Client) -> kube::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (pods, missing) = look(client).await?;
        let is_held_up = |pod: &Pod| held_up(pod).is_some();
        let settled = pods.iter().all(|pod| is_done(pod) || is_held_up(pod));
        // Who makes pods one after the other makes no more behind one that is held up.
        if settled && (missing == 0 || pods.iter().any(is_held_up)) || Instant::now() > deadline {
            let warnings = match pods.iter().all(is_done) {
                true => Vec::new(),
                false => warnings(client).await?,
            };
            return Ok(told(&pods, &warnings));
        }
        sleep(INTERVAL).await;
    }
}

/// The pods, and how many more their owners want.
async fn look(client: &Client) -> kube::Result<(Vec<Pod>, i32)> {
    let everything = ListParams::default();
    let (pods, sets, deployments) = (
        Api::<Pod>::all(client.clone()),
        Api::<StatefulSet>::all(client.clone()),
        Api::<Deployment>::all(client.clone()),
    );
    let (pods, sets, deployments) = tokio::try_join!(
        pods.list(&everything),
        sets.list(&everything),
        deployments.list(&everything)
    )?;
    let missing =
        |wanted: Option<i32>, there: Option<i32>| (wanted.unwrap_or(1) - there.unwrap_or(0)).max(0);
    let of_sets = sets.iter().map(|set| {
        let wanted = set.spec.as_ref().and_then(|spec| spec.replicas);
        missing(wanted, set.status.as_ref().map(|status| status.replicas))
    });
    let of_deployments = deployments.iter().map(|deployment| {
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
        missing(wanted, deployment.status.as_ref().and_then(|status| status.replicas))
    });
    let missing = of_sets.chain(of_deployments).sum();
    Ok((pods.items, missing))
}

/// What is wrong with pods, as Events say it.
async fn warnings(client: &Client) -> kube::Result<Vec<Event>> {
    let warnings = ListParams::default().fields("type=Warning,involvedObject.kind=Pod");
    Ok(Api::<Event>::all(client.clone()).list(&warnings).await?.items)
}

/// Ready, or ended well.
fn is_done(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let mut conditions = status.conditions.iter().flatten();
    status.phase.as_deref() == Some("Succeeded")
        || conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// What somebody must mend before a pod goes on.
fn held_up(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if status.phase.as_deref() == Some("Failed") {
        return Some("it has failed".to_owned());
    }
    containers(pod).find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().filter(|reason| !STARTING.contains(reason))?;
        let ended = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
        // Why it ended says more than how long it waits.
        let message = ended.and_then(|ended| ended.message.as_ref()).or(waiting.message.as_ref());
        let message = message.map(|message| format!(": {}", message.trim_end()));
        Some(format!("{reason}{}", message.unwrap_or_default()))
    })
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let lists = pod
        .status
        .iter()
        .flat_map(|status| [&status.init_container_statuses, &status.container_statuses]);
    lists.flatten().flatten()
}

/// The pods that are not ready, each with what is known of why.
fn told(pods: &[Pod], warnings: &[Event]) -> String {
    let mut text = String::new();
    let late: Vec<&Pod> = pods.iter().filter(|pod| !is_done(pod)).collect();
    for pod in late.iter().take(TOLD_MAX) {
        let uid = pod.metadata.uid.as_ref();
        let of_it = warnings.iter().filter(|event| event.involved_object.uid.as_ref() == uid);
        let last = of_it.max_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0));
        let warned = last.and_then(|event| event.message.as_ref());
        let why = held_up(pod).unwrap_or_else(|| match warned {
            Some(message) => format!("not ready yet: {message}"),
            None => "not ready yet".to_owned(),
        });
        let _ =
            writeln!(text, "pod {}/{}: {why}", pod.namespace().unwrap_or_default(), pod.name_any());
    }
    if late.len() > TOLD_MAX {
        let _ = writeln!(text, "… and {} more: kubectl get pods -A", late.len() - TOLD_MAX);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_told_of_pods() {
        let check = |status: Value, expected: &str| {
            let metadata = json!({ "name": "db-0", "namespace": "prod", "uid": "u" });
            let pod = json!({ "metadata": metadata, "status": status });
            let pod: Pod = serde_json::from_value(pod).expect("a pod");
            let warning = json!({
                "metadata": {}, "involvedObject": { "uid": "u" }, "message": "hostPath /x is not mounted",
            });
            let warning: Event = serde_json::from_value(warning).expect("an Event");
            assert_eq!(told(std::slice::from_ref(&pod), &[]), expected, "{status}");
            let with_warning = told(std::slice::from_ref(&pod), &[warning]);
            let expected =
                expected.replace("not ready yet", "not ready yet: hostPath /x is not mounted");
            assert_eq!(with_warning, expected, "{status}");
        };
        let waiting = |reason: &str, message: Option<&str>| {
            let state = json!({ "waiting": { "reason": reason, "message": message } });
            let container = json!({ "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state });
            json!({ "phase": "Pending", "containerStatuses": [container] })
        };
        check(json!({}), "pod prod/db-0: not ready yet\n");
        check(waiting("ContainerCreating", None), "pod prod/db-0: not ready yet\n");
        check(
            waiting("ErrImagePull", Some("no program for image \"x\"")),
            "pod prod/db-0: ErrImagePull: no program for image \"x\"\n",
        );
        check(waiting("CrashLoopBackOff", None), "pod prod/db-0: CrashLoopBackOff\n");
        let mut crashing = waiting("CrashLoopBackOff", Some("back-off 10s"));
        crashing["containerStatuses"][0]["lastState"] =
            json!({ "terminated": { "exitCode": 128, "message": "exec: \"x\": not found\n" } });
        check(crashing, "pod prod/db-0: CrashLoopBackOff: exec: \"x\": not found\n");
        check(json!({ "phase": "Failed" }), "pod prod/db-0: it has failed\n");
        check(json!({ "phase": "Succeeded" }), "");
        let ready = json!([{ "type": "Ready", "status": "True" }]);
        check(json!({ "phase": "Running", "conditions": ready }), "");
    }
}
