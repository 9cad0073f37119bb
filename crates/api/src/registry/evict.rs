//! Evictions: deletions that heed the pods' disruption budgets (K: `pkg/registry/core/pod/storage/eviction.go`).
//!
//! Kubernetes keeps how many disruptions a budget allows in its status, by a controller. Here it is counted when an
//! eviction asks, from the pods as they are then; so evictions wait for one another, or two at once would both count the
//! pod that the other is about to delete.

use manifest::kind::{Kind, KindId, Stored};
use manifest::selector::LabelSelector;
use serde_json::{Value, json};

use super::update::Subject;
use super::{Registry, Written};
use crate::body::to_bytes;
use crate::object::{self, is_deleting, meta};
use crate::options::{DeleteOptions, WriteOptions};
use crate::status::{Reason, StatusError};

const API_VERSIONS: [&str; 2] = ["policy/v1", "policy/v1beta1"];

impl Registry {
    /// Deletes a pod, unless a budget forbids it.
    pub(crate) async fn evict(
        &self,
        namespace: &str,
        name: &str,
        eviction: &Value,
        options: WriteOptions,
    ) -> Result<Written, StatusError> {
        let api_version = eviction["apiVersion"].as_str().unwrap_or(API_VERSIONS[0]);
        let version = API_VERSIONS.iter().find(|version| **version == api_version);
        object::check_type(eviction, version.unwrap_or(&API_VERSIONS[0]), "Eviction")?;
        if meta(eviction, "name") != name {
            let why = "name in URL does not match name in Eviction object";
            return Err(StatusError::bad_request(why));
        }
        let mut delete = DeleteOptions::default();
        if eviction["deleteOptions"].is_object() {
            delete = delete.merge_body(&to_bytes(&eviction["deleteOptions"]))?;
        }
        delete.dry_run |= options.dry_run;

        let kind = Kind::of(KindId::Pod);
        let _turn = self.evictions.lock().await;
        let pod = object::stored(&self.find(kind, namespace, name)?.json);
        let disrupts = matches!(pod["status"]["phase"].as_str(), Some("Running" | "Unknown"));
        if disrupts && !is_deleting(&pod) {
            self.check_budgets(namespace, &pod)?;
        }
        self.delete(Subject { kind, namespace, name }, &delete).await?;
        let success =
            json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" });
        Ok(Written { created: true, ..Written::new(to_bytes(&success), Vec::new()) })
    }

    fn check_budgets(&self, namespace: &str, pod: &Value) -> Result<(), StatusError> {
        let objects = |id| {
            let entries = self.store.list(Kind::of(id).resource(), Some(namespace)).entries;
            entries.into_iter().map(|entry| object::stored(&entry.json))
        };
        let mut budgets = objects(KindId::Stored(Stored::PodDisruptionBudget))
            .filter(|budget| selector(budget).matches(&labels(pod)));
        let Some(budget) = budgets.next() else { return Ok(()) };
        if budgets.next().is_some() {
            return Err(StatusError::new(
                Reason::InternalError,
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
        let selector = selector(&budget);
        let pods: Vec<Value> =
            objects(KindId::Pod).filter(|pod| selector.matches(&labels(pod))).collect();
        let replicas = |controller: &Controller| self.replicas(namespace, controller);
        let Count { healthy, desired } = count(&budget, &pods, replicas);
        let allowed = if is_ready(pod) { healthy > desired } else { healthy >= desired };
        if allowed {
            return Ok(());
        }
        let error = StatusError::new(
            Reason::TooManyRequests,
            "Cannot evict pod as it would violate the pod's disruption budget.",
        );
        let cause = format!(
            "The disruption budget {} needs {desired} healthy pods and has {healthy} currently",
            meta(&budget, "name")
        );
        Err(error.with_cause("DisruptionBudget", &cause, ""))
    }

    /// How many pods a controller wants; `None` for one that has no such number.
    fn replicas(&self, namespace: &str, Controller { kind, name }: &Controller) -> Option<i64> {
        let kind = Kind::by_name(kind).filter(|kind| kind.scale)?;
        let owner = self.find(kind, namespace, name).ok()?;
        object::stored(&owner.json)["spec"]["replicas"].as_i64()
    }
}

/// Who makes a pod's like again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Controller {
    kind: String,
    name: String,
}

impl Controller {
    fn of(pod: &Value) -> Option<Self> {
        let owners = pod["metadata"]["ownerReferences"].as_array()?;
        let owner = owners.iter().find(|owner| owner["controller"] == true)?;
        let text = |field: &str| owner[field].as_str().unwrap_or_default().to_owned();
        Some(Self { kind: text("kind"), name: text("name") })
    }
}

/// How many of a budget's pods are healthy, and must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    healthy: i64,
    desired: i64,
}

/// Counts the pods that a budget selects. So that a pod which is only just being made again is not forgotten, the whole
/// is what the pods' controllers want, plus the pods that have none.
fn count(budget: &Value, pods: &[Value], replicas: impl Fn(&Controller) -> Option<i64>) -> Count {
    let mut controllers: Vec<Controller> = Vec::new();
    let mut whole = 0;
    for pod in pods {
        match Controller::of(pod) {
            Some(controller) if controllers.contains(&controller) => {}
            Some(controller) => {
                let same = |pod: &&Value| Controller::of(pod).as_ref() == Some(&controller);
                let there = pods.iter().filter(same).count() as i64;
                whole += replicas(&controller).unwrap_or(there);
                controllers.push(controller);
            }
            None => whole += 1,
        }
    }
    let healthy = pods.iter().filter(|pod| is_ready(pod) && !is_deleting(pod)).count() as i64;
    let spec = &budget["spec"];
    let desired = match (&spec["maxUnavailable"], &spec["minAvailable"]) {
        (Value::Null, least) => share(least, whole),
        (most, _) => whole - share(most, whole),
    };
    Count { healthy, desired: desired.max(0) }
}

/// A number, or a percentage of the whole, rounded up.
fn share(value: &Value, whole: i64) -> i64 {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok());
    match percent {
        Some(percent) => percent.saturating_mul(whole).saturating_add(99).div_euclid(100),
        None => value.as_i64().unwrap_or(0),
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn labels(object: &Value) -> std::collections::BTreeMap<String, String> {
    serde_json::from_value(object["metadata"]["labels"].clone()).unwrap_or_default()
}

/// The pods that a budget is about: none without a selector, all with an empty one.
fn selector(budget: &Value) -> LabelSelector {
    let given = &budget["spec"]["selector"];
    let parsed = serde_json::from_value(given.clone()).ok().filter(|_| given.is_object());
    let parsed = parsed.and_then(|selector| LabelSelector::from_object(&selector).ok());
    parsed.unwrap_or_else(LabelSelector::nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pods in few words: `set` or nothing for the owner, `ready`, `going`.
    fn pods(words: &[&str]) -> Vec<Value> {
        let pod = |words: &&str| {
            let mut pod = json!({ "metadata": {} });
            if words.contains("set") {
                pod["metadata"]["ownerReferences"] =
                    json!([{ "kind": "StatefulSet", "name": "set", "controller": true }]);
            }
            if words.contains("ready") {
                pod["status"]["conditions"] = json!([{ "type": "Ready", "status": "True" }]);
            }
            if words.contains("going") {
                pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            }
            pod
        };
        words.iter().map(pod).collect()
    }

    #[test]
    fn budgets() {
        let check = |spec: Value, words: &[&str], healthy: i64, desired: i64| {
            let counted = count(&json!({ "spec": spec }), &pods(words), |_| Some(3));
            assert_eq!(counted, Count { healthy, desired }, "{spec} {words:?}");
        };
        let all = ["set ready", "set ready", "set ready"];
        check(json!({ "minAvailable": 2 }), &all, 3, 2);
        check(json!({ "minAvailable": "50%" }), &all, 3, 2);
        check(json!({ "maxUnavailable": 1 }), &all, 3, 2);
        check(json!({ "maxUnavailable": "34%" }), &all, 3, 1);
        check(json!({ "maxUnavailable": 5 }), &all, 3, 0);
        // One is gone and not yet made again, one is not ready, one is on its way.
        check(json!({ "maxUnavailable": 1 }), &["set ready", "set ready"], 2, 2);
        check(json!({ "maxUnavailable": 1 }), &["set ready", "set", "set ready going"], 1, 2);
        check(json!({ "minAvailable": "100%" }), &["ready", "ready"], 2, 2);
    }

    #[test]
    fn what_a_budget_selects() {
        let check = |selector_spec: Value, expected: bool| {
            let budget = json!({ "spec": { "selector": selector_spec } });
            let pod = json!({ "metadata": { "labels": { "app": "a" } } });
            assert_eq!(selector(&budget).matches(&labels(&pod)), expected, "{budget}");
        };
        check(json!({ "matchLabels": { "app": "a" } }), true);
        check(json!({ "matchLabels": { "app": "b" } }), false);
        check(json!({}), true);
        check(Value::Null, false);
    }
}
