//! The requests by which pods are simulated.

use cluster::Activity;
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client};
use manifest::{KindId, ObjectRef};
use serde_json::json;

/// What the API answered.
pub(crate) enum Answer {
    /// The pod is like this now.
    Wrote(Box<Pod>),
    /// The pod of this UID is gone.
    Gone { uid: String },
    /// Nothing that is not told by the watch.
    Nothing,
}

/// Carries out steps.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) client: Client,
    pub(crate) activity: Activity,
}

impl Hands {
    /// Removes a pod for good.
    pub(crate) async fn delete(&self, target: &ObjectRef, uid: String) -> kube::Result<Answer> {
        let pods = self.pods(target);
        let preconditions = Preconditions { uid: Some(uid.clone()), resource_version: None };
        let parameters = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        self.activity.ending(KindId::Pod, &uid);
        let answer = pods.delete(&target.name, &parameters).await;
        let still_there = |pod: &Pod| pod.metadata.finalizers.iter().flatten().next().is_some();
        match answer.map(|answer| answer.left()) {
            Ok(Some(left)) if still_there(&left) => {
                self.activity.not_ending(KindId::Pod, &uid);
                Ok(self.wrote(left))
            }
            Ok(_) => Ok(Answer::Gone { uid }),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                self.activity.not_ending(KindId::Pod, &uid);
                Ok(Answer::Gone { uid })
            }
            Err(error) => {
                self.activity.not_ending(KindId::Pod, &uid);
                Err(error)
            }
        }
    }

    /// Binds a pod to a node, if one is given, and then writes its status, if one is given.
    pub(crate) async fn write(
        &self,
        target: &ObjectRef,
        uid: &str,
        bind: Option<String>,
        status: Option<&PodStatus>,
    ) -> kube::Result<Answer> {
        let pods = self.pods(target);
        if let Some(node) = bind
            && let Err(error) = self.bind(&pods, target, uid, node).await
        {
            return unless_gone(error);
        }
        let Some(status) = status else { return Ok(Answer::Nothing) };
        let patch = Patch::Merge(json!({ "metadata": { "uid": uid }, "status": status }));
        match pods.patch_status(&target.name, &PatchParams::default(), &patch).await {
            Ok(pod) => Ok(self.wrote(pod)),
            Err(error) => unless_gone(error),
        }
    }

    async fn bind(
        &self,
        pods: &Api<Pod>,
        target: &ObjectRef,
        uid: &str,
        node: String,
    ) -> kube::Result<()> {
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(target.name.clone()),
                namespace: Some(target.namespace.clone()),
                uid: Some(uid.to_owned()),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Node".to_owned()),
                name: Some(node),
                ..ObjectReference::default()
            },
        };
        let parameters = PostParams::default();
        pods.create_subresource::<_, Status>("binding", &target.name, &parameters, &binding)
            .await
            .map(drop)
    }

    fn wrote(&self, pod: Pod) -> Answer {
        self.activity.wrote(KindId::Pod, pod.metadata.resource_version.as_deref());
        Answer::Wrote(Box::new(pod))
    }

    fn pods(&self, target: &ObjectRef) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &target.namespace)
    }
}

/// That a pod went away meanwhile is no failure: the watch tells.
fn unless_gone(error: kube::Error) -> kube::Result<Answer> {
    match error {
        kube::Error::Api(status) if status.is_not_found() => Ok(Answer::Nothing),
        other => Err(other),
    }
}
