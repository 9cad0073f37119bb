//! The Event that a notice becomes.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use manifest::Kind;

use super::Notice;
use super::correlate::Observed;

/// The Event of a notice, in this namespace.
pub(super) fn event(notice: &Notice, observed: &Observed, namespace: &str) -> Event {
    let Notice { regarding, uid, field, warning, reason, message: _, component, host } = notice;
    let Observed { key: _, name, message, count, first, last } = observed;
    let host = host.as_deref().map(str::to_owned);
    Event {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Kind::by_name(regarding.kind).map(|kind| kind.api_version().to_owned()),
            kind: Some(regarding.kind.to_owned()),
            namespace: Some(regarding.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: Some(regarding.name.clone()),
            uid: Some(uid.clone()),
            field_path: field.clone(),
            ..ObjectReference::default()
        },
        type_: Some(if *warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some((*reason).to_owned()),
        message: Some(message.clone()),
        source: Some(EventSource { component: Some((*component).to_owned()), host: host.clone() }),
        reporting_component: Some((*component).to_owned()),
        reporting_instance: host,
        count: Some(*count),
        first_timestamp: Some(Time(*first)),
        last_timestamp: Some(Time(*last)),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::super::tests::notice;
    use super::*;

    fn of(notice: &Notice) -> Value {
        let observed = Observed {
            key: 0,
            name: "web.1".into(),
            message: "m".into(),
            count: 2,
            first: Timestamp::UNIX_EPOCH,
            last: Timestamp::from_second(5).unwrap(),
        };
        serde_json::to_value(event(notice, &observed, "prod")).unwrap()
    }

    #[test]
    fn events_name_what_they_are_about() {
        assert_eq!(
            of(&notice("web", "m")),
            json!({
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.1", "namespace": "prod"},
                "involvedObject": {"apiVersion": "apps/v1", "kind": "StatefulSet", "namespace": "prod", "name": "web", "uid": "u"},
                "type": "Normal", "reason": "SuccessfulCreate", "message": "m", "count": 2,
                "firstTimestamp": "1970-01-01T00:00:00Z", "lastTimestamp": "1970-01-01T00:00:05Z",
                "source": {"component": "statefulset-controller"}, "reportingComponent": "statefulset-controller",
            })
        );
    }

    #[test]
    fn events_of_nodes_name_the_node() {
        let of_node = Notice {
            field: Some("spec.containers{c}".into()),
            warning: true,
            component: "kubelet",
            host: Some("node-1".into()),
            ..notice("web", "m")
        };
        let event = of(&of_node);
        assert_eq!(event["source"], json!({"component": "kubelet", "host": "node-1"}));
        assert_eq!(event["reportingInstance"], "node-1");
        assert_eq!(event["involvedObject"]["fieldPath"], "spec.containers{c}");
        assert_eq!(event["type"], "Warning");
    }
}
