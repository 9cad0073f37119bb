//! Carrying out the actions of one decision.

use futures::StreamExt;
use futures::stream;
use kube::Client;
use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use kube::core::Status;
use manifest::{Kind, KindId, Object, ObjectRef};
use reconcile::world::Refusal;
use reconcile::{Action, Owner, Propagation};
use serde_json::{Value, json};
use thiserror::Error;

use super::failure::failed;
use crate::activity::Activity;
use crate::kind;
use crate::recorder::{Notice, Recorder};
use crate::watches::{is_partial, trim};

/// How many requests of one decision are under way at once, where their order is of no matter.
const CONCURRENT: usize = 16;

/// The finalizer by which a namespace waits for its content to go.
const NAMESPACE_FINALIZER: &str = "kubernetes";

/// An action made ready to be sent while the world that it was decided on is at hand.
#[derive(Debug)]
pub(super) enum Request {
    /// The action as it is.
    Act(Box<Action>),
    /// A merge patch in place of a replacement, for objects of which the world holds only a part.
    Patch { target: ObjectRef, patch: Value, absent: Vec<Owner> },
}

/// What the API answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// The object is like this now.
    Wrote(Box<Object>),
    /// The object with this UID is gone.
    Gone { target: ObjectRef, uid: String },
}

/// Why the rest of a decision was dropped.
#[derive(Debug, Error)]
pub(super) enum Stopped {
    /// What it was decided on has changed; looking again will see it.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Its place is gone or going: nothing is left to do.
    #[error("no longer wanted: {0}")]
    Moot(String),
    /// The API does not take a new object.
    #[error("refused to create {} {}: {}", .0.target.kind, .0.target.name, .0.message)]
    Refused(Refusal),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] kube::Error),
}

/// What carrying out needs.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) client: Client,
    pub(super) activity: Activity,
    pub(super) recorder: Recorder,
}

impl Hands {
    /// Sends the requests of one decision in order, neighbours of a kind together, up to the first failure.
    pub(super) async fn carry_out(
        &self,
        requests: Vec<Request>,
    ) -> (Vec<Answer>, Result<(), Stopped>) {
        let mut answers = Vec::new();
        let mut requests = requests.into_iter().peekable();
        while let Some(first) = requests.next() {
            let mut together = vec![first];
            while let Some(next) = requests.next_if(|next| may_go_together(&together[0], next)) {
                together.push(next);
            }
            let mut sent = stream::iter(together)
                .map(|request| self.send(request))
                .buffer_unordered(CONCURRENT);
            let mut result = Ok(());
            while let Some(answer) = sent.next().await {
                match answer {
                    Ok(answer) => answers.extend(answer),
                    Err(stopped) => result = result.and(Err(stopped)),
                }
            }
            if result.is_err() {
                return (answers, result);
            }
        }
        (answers, Ok(()))
    }

    async fn send(&self, request: Request) -> Result<Option<Answer>, Stopped> {
        match request {
            Request::Act(action) => self.act(*action).await,
            Request::Patch { target, patch, absent } => {
                if !self.all_absent(&absent).await? {
                    return Ok(None);
                }
                let kind = kind_of(&target)?;
                self.wrote(kind::patch(&self.client, kind, &target, &patch).await)
            }
        }
    }

    async fn act(&self, action: Action) -> Result<Option<Answer>, Stopped> {
        match action {
            Action::Create(object) => match kind::create(&self.client, &object).await {
                Err(kube::Error::Api(status)) if is_moot_creation(&status) => {
                    Err(Stopped::Moot(status.message))
                }
                // The world does not know it yet, or another has the name. The next look decides.
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    Err(Stopped::Conflict(status.message))
                }
                Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => {
                    let (target, message) = (object.reference(), status.message.clone());
                    self.tell(&object, &kube::Error::Api(status));
                    Err(Stopped::Refused(Refusal { target, message }))
                }
                answer => self.told(&object, self.wrote(answer)),
            },
            Action::Update(object) => {
                self.told(&object, self.wrote(kind::replace(&self.client, &object).await))
            }
            Action::UpdateStatus(object) => {
                self.wrote(kind::replace_part(&self.client, "status", &object).await)
            }
            Action::Delete { target, uid, propagation } => {
                self.delete(target, uid, propagation).await
            }
            Action::Collect { target, uid, propagation, absent } => {
                if !self.all_absent(&absent).await? {
                    return Ok(None);
                }
                self.delete(target, uid, propagation).await
            }
            Action::Release { object, absent } => {
                if !self.all_absent(&absent).await? {
                    return Ok(None);
                }
                self.wrote(kind::replace(&self.client, &object).await)
            }
            Action::DeleteAll { kind: name, namespace } => {
                let Some(kind) = Kind::by_name(name) else {
                    return Err(Stopped::Moot(format!("{name} is no kind of ours")));
                };
                kind::delete_all(&self.client, kind, &namespace).await?;
                Ok(None)
            }
            Action::Finalize { namespace, uid } => self.finalize(namespace, uid).await,
            Action::Record { regarding, uid, warning, reason, message, component } => {
                self.recorder.record(Notice {
                    regarding,
                    uid,
                    field: None,
                    warning,
                    reason,
                    message,
                    component,
                    host: None,
                });
                Ok(None)
            }
        }
    }

    /// Tells people when an object could not be written.
    fn told(
        &self,
        object: &Object,
        result: Result<Option<Answer>, Stopped>,
    ) -> Result<Option<Answer>, Stopped> {
        if let Err(Stopped::Failed(error)) = &result {
            self.tell(object, error);
        }
        result
    }

    fn tell(&self, object: &Object, error: &kube::Error) {
        if let Some(notice) = failed(object, error) {
            self.recorder.record(notice);
        }
    }

    fn wrote(&self, answer: kube::Result<Object>) -> Result<Option<Answer>, Stopped> {
        match answer {
            Ok(mut object) => {
                // The world holds no more of it than the watch will tell.
                trim(&mut object);
                let version = object.metadata().resource_version.as_deref();
                self.activity.wrote(kind::of(&object), version);
                Ok(Some(Answer::Wrote(Box::new(object))))
            }
            Err(kube::Error::Api(status)) if status.is_conflict() => {
                Err(Stopped::Conflict(status.message))
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                Err(Stopped::Moot(status.message))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(
        &self,
        target: ObjectRef,
        uid: String,
        propagation: Propagation,
    ) -> Result<Option<Answer>, Stopped> {
        let kind = kind_of(&target)?;
        let parameters = DeleteParams {
            propagation_policy: Some(match propagation {
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Foreground => PropagationPolicy::Foreground,
                Propagation::Orphan => PropagationPolicy::Orphan,
            }),
            preconditions: (!uid.is_empty())
                .then(|| Preconditions { uid: Some(uid.clone()), resource_version: None }),
            ..DeleteParams::default()
        };
        self.activity.ending(kind, &uid);
        let answer = kind::delete(&self.client, kind, &target, &parameters).await;
        if !matches!(answer, Ok(None)) {
            self.activity.not_ending(kind, &uid);
        }
        match answer {
            Ok(None) => Ok(Some(Answer::Gone { target, uid })),
            // With finalizers or a time of grace the object stays for now.
            Ok(Some(left)) if left.metadata().deletion_timestamp.is_some() => self.wrote(Ok(left)),
            Ok(Some(_)) => Ok(Some(Answer::Gone { target, uid })),
            // It is gone, or another one has its name.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                Ok(Some(Answer::Gone { target, uid }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the API confirms that none of these owners is there.
    async fn all_absent(&self, owners: &[Owner]) -> Result<bool, Stopped> {
        for Owner { target, uid } in owners {
            let Some(kind) = kind::named(target.kind) else { return Ok(false) };
            match kind::get(&self.client, kind, target).await {
                Ok(there) if there.metadata().uid.as_deref() == Some(uid) => return Ok(false),
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Lets a namespace go, when the API confirms that it is empty.
    async fn finalize(&self, name: String, uid: String) -> Result<Option<Answer>, Stopped> {
        for kind in Kind::all().iter().filter(|kind| kind.namespaced && kind.is_stored_as_served())
        {
            if kind::any(&self.client, kind.id, &name).await? {
                let why = format!("namespace {name} still holds objects of kind {}", kind.kind);
                return Err(Stopped::Conflict(why));
            }
        }
        let target =
            ObjectRef { kind: kind::name_of(KindId::Namespace), namespace: String::new(), name };
        let gone = |target, uid| Ok(Some(Answer::Gone { target, uid }));
        let mut namespace = match kind::get(&self.client, KindId::Namespace, &target).await {
            Ok(Object::Namespace(namespace))
                if namespace.metadata.uid.as_deref() == Some(&*uid) =>
            {
                namespace
            }
            Ok(_) => return gone(target, uid),
            Err(kube::Error::Api(status)) if status.is_not_found() => return gone(target, uid),
            Err(error) => return Err(error.into()),
        };
        if let Some(spec) = &mut namespace.spec
            && let Some(finalizers) = &mut spec.finalizers
        {
            finalizers.retain(|finalizer| finalizer != NAMESPACE_FINALIZER);
        }
        let last = namespace
            .spec
            .as_ref()
            .is_none_or(|spec| spec.finalizers.iter().flatten().next().is_none())
            && namespace.metadata.finalizers.iter().flatten().next().is_none();
        if last {
            self.activity.ending(KindId::Namespace, &uid);
        }
        match kind::replace_part(&self.client, "finalize", &namespace.into()).await {
            Ok(_) if last => gone(target, uid),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                self.activity.not_ending(KindId::Namespace, &uid);
                gone(target, uid)
            }
            other => {
                self.activity.not_ending(KindId::Namespace, &uid);
                self.wrote(other)
            }
        }
    }
}

fn kind_of(target: &ObjectRef) -> Result<KindId, Stopped> {
    kind::named(target.kind)
        .ok_or_else(|| Stopped::Moot(format!("{} is no kind of ours", target.kind)))
}

/// Whether two neighbours may be sent without waiting for the first: each of them stands for itself. What is created
/// of another kind may rest on the first: a pod on its claims.
fn may_go_together(first: &Request, next: &Request) -> bool {
    let (Request::Act(first), Request::Act(next)) = (first, next) else { return false };
    match (&**first, &**next) {
        (Action::Create(first), Action::Create(next)) => kind::of(first) == kind::of(next),
        (Action::Delete { .. }, Action::Delete { .. })
        | (Action::Collect { .. }, Action::Collect { .. }) => true,
        _ => false,
    }
}

/// Whether a creation failed because its namespace is missing or being deleted.
fn is_moot_creation(status: &Status) -> bool {
    let terminating = || {
        let causes = status.details.iter().flat_map(|details| &details.causes);
        causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
            || status.message.contains("because it is being terminated")
    };
    status.is_not_found() || (status.is_forbidden() && terminating())
}

/// Makes an action ready. `held` is what the world holds of the object that is to be replaced.
///
/// What is trimmed on arrival would be lost by replacing it: it is patched by the difference, under the condition
/// of the same `resourceVersion`.
pub(super) fn prepare(action: Action, held: impl FnOnce(&ObjectRef) -> Option<Object>) -> Request {
    let (object, absent) = match action {
        Action::Update(object) if is_partial(&object) => (object, Vec::new()),
        Action::Release { object, absent } if is_partial(&object) => (object, absent),
        other => return Request::Act(other.into()),
    };
    let target = object.reference();
    // Decided on an object that the world holds; without it there is nothing that could be told to change.
    let held = held(&target).unwrap_or_else(|| object.clone());
    let version = object.metadata().resource_version.clone();
    let mut patch =
        crate::merge::difference(&held.to_value(), &object.to_value()).unwrap_or_else(|| json!({}));
    patch["metadata"]["resourceVersion"] = json!(version);
    Request::Patch { target, patch, absent }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Pod, Service};

    use super::*;

    fn pod(value: Value) -> Object {
        serde_json::from_value::<Pod>(value).unwrap().into()
    }

    #[test]
    fn pods_are_patched_by_the_difference() {
        let held = pod(
            json!({"metadata": {"name": "p", "namespace": "n", "resourceVersion": "5", "labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c"}]}}),
        );
        let mut wanted = held.clone();
        wanted.metadata_mut().labels.as_mut().unwrap().insert("index".into(), "0".into());
        let request = prepare(Action::Update(wanted), |_| Some(held));
        let Request::Patch { target, patch, absent } = request else { panic!("{request:?}") };
        assert_eq!((target.name.as_str(), absent), ("p", vec![]));
        assert_eq!(patch, json!({"metadata": {"labels": {"index": "0"}, "resourceVersion": "5"}}));
    }

    #[test]
    fn other_kinds_are_replaced() {
        let service = Action::Update(Service::default().into());
        let request = prepare(service.clone(), |_| None);
        assert!(matches!(request, Request::Act(action) if *action == service));
    }

    #[test]
    fn creations_in_a_namespace_that_goes_are_moot() {
        fn check(code: u16, reason: &str, message: &str, moot: bool) {
            let status = Status { code, ..Status::failure(message, reason) };
            assert_eq!(is_moot_creation(&status), moot, "{status:?}");
        }
        check(404, "NotFound", "namespaces \"x\" not found", true);
        check(
            403,
            "Forbidden",
            "pods \"p\" is forbidden: unable to create new content in namespace x because it is being terminated",
            true,
        );
        check(403, "Forbidden", "pods \"p\" is forbidden: no", false);
        check(409, "AlreadyExists", "pods \"p\" already exists", false);
    }
}
