//! Events for people: recorded one after the other, the same again only counted.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use manifest::ObjectRef;
use serde_json::json;
use tokio::sync::mpsc;
use tracing::debug;

/// So many notices wait at most; what comes beyond is dropped, for telling people must not slow the work.
const WAITING: usize = 1024;

/// So many Events are remembered to be counted up.
const REMEMBERED: usize = 4096;

/// Something that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) regarding: ObjectRef,
    pub(super) uid: String,
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) component: &'static str,
}

/// Takes notices without ever waiting.
#[derive(Clone, Debug)]
pub(super) struct Recorder(mpsc::Sender<Notice>);

impl Recorder {
    /// Starts a task that records through this client until the last recorder is dropped.
    pub(super) fn start(client: Client) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(client, receiver));
        Self(sender)
    }

    pub(super) fn record(&self, notice: Notice) {
        if let Err(error) = self.0.try_send(notice) {
            debug!(%error, "dropped an event");
        }
    }
}

async fn run(client: Client, mut notices: mpsc::Receiver<Notice>) {
    let mut recorded = Recorded::default();
    while let Some(notice) = notices.recv().await {
        // Events about cluster-scoped objects live in the namespace `default`.
        let namespace = match notice.regarding.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        let events = Api::<Event>::namespaced(client.clone(), namespace);
        let now = Timestamp::now();
        if let Some((name, count)) = recorded.again(&notice) {
            let patch = json!({ "count": count, "lastTimestamp": Time(now) });
            match events.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Ok(_) => continue,
                // Events expire after a while; then it is a new one.
                Err(kube::Error::Api(status)) if status.is_not_found() => recorded.forget(&notice),
                Err(error) => {
                    debug!(%error, "could not count an event");
                    continue;
                }
            }
        }
        let event = event(&notice, namespace, now);
        let name = event.metadata.name.clone().unwrap_or_default();
        match events.create(&PostParams::default(), &event).await {
            Ok(_) => recorded.first(notice, name),
            Err(error) => debug!(%error, "could not record an event"),
        }
    }
}

/// What makes two notices the same.
type Identity = (String, &'static str, &'static str, String);

/// The Events recorded lately, oldest first.
#[derive(Debug, Default)]
struct Recorded {
    events: HashMap<Identity, (String, i32)>,
    order: VecDeque<Identity>,
}

impl Recorded {
    /// The name of the Event that says the same, and how often it has been said by now.
    fn again(&mut self, notice: &Notice) -> Option<(String, i32)> {
        let (name, count) = self.events.get_mut(&identity(notice))?;
        *count = count.saturating_add(1);
        Some((name.clone(), *count))
    }

    fn first(&mut self, notice: Notice, name: String) {
        let identity = identity(&notice);
        self.order.push_back(identity.clone());
        self.events.insert(identity, (name, 1));
        while self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.events.remove(&oldest);
        }
    }

    fn forget(&mut self, notice: &Notice) {
        let identity = identity(notice);
        self.events.remove(&identity);
        self.order.retain(|other| *other != identity);
    }
}

fn identity(notice: &Notice) -> Identity {
    (notice.uid.clone(), notice.reason, notice.component, notice.message.clone())
}

fn event(notice: &Notice, namespace: &str, now: Timestamp) -> Event {
    let Notice { regarding, uid, warning, reason, message, component } = notice;
    let api_version = match regarding.kind {
        "StatefulSet" | "Deployment" | "ReplicaSet" => "apps/v1",
        "EndpointSlice" => "discovery.k8s.io/v1",
        _ => "v1",
    };
    Event {
        metadata: ObjectMeta {
            // As client-go names them: the object's name and the time, in hexadecimal nanoseconds.
            name: Some(format!("{}.{:x}", regarding.name, now.as_nanosecond())),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(regarding.kind.to_owned()),
            namespace: Some(regarding.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: Some(regarding.name.clone()),
            uid: Some(uid.clone()),
            ..ObjectReference::default()
        },
        type_: Some(if *warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some((*reason).to_owned()),
        message: Some(message.clone()),
        source: Some(EventSource { component: Some((*component).to_owned()), host: None }),
        reporting_component: Some((*component).to_owned()),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(message: &str) -> Notice {
        Notice {
            regarding: ObjectRef {
                kind: "StatefulSet",
                namespace: "prod".into(),
                name: "web".into(),
            },
            uid: "u".into(),
            warning: false,
            reason: "SuccessfulCreate",
            message: message.into(),
            component: "statefulset-controller",
        }
    }

    #[test]
    fn the_same_again_is_counted() {
        let mut recorded = Recorded::default();
        assert_eq!(recorded.again(&notice("a")), None);
        recorded.first(notice("a"), "web.1".into());
        assert_eq!(recorded.again(&notice("a")), Some(("web.1".into(), 2)));
        assert_eq!(recorded.again(&notice("a")), Some(("web.1".into(), 3)));
        assert_eq!(recorded.again(&notice("b")), None);
        recorded.forget(&notice("a"));
        assert_eq!(recorded.again(&notice("a")), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut recorded = Recorded::default();
        for number in 0..REMEMBERED + 10 {
            recorded.first(notice(&number.to_string()), String::new());
        }
        assert_eq!((recorded.events.len(), recorded.order.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(recorded.again(&notice("9")), None);
        assert!(recorded.again(&notice("10")).is_some());
    }

    #[test]
    fn events_name_what_they_are_about() {
        let event = event(
            &notice("create Pod web-0 in StatefulSet web successful"),
            "prod",
            Timestamp::UNIX_EPOCH,
        );
        let value = serde_json::to_value(event).unwrap();
        assert_eq!(
            value["involvedObject"],
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "namespace": "prod", "name": "web", "uid": "u"})
        );
        assert_eq!(value["metadata"], json!({"name": "web.0", "namespace": "prod"}));
        assert_eq!((&value["type"], &value["count"]), (&json!("Normal"), &json!(1)));
        assert_eq!(value["source"], json!({"component": "statefulset-controller"}));
    }
}
