//! A controller as people write them with kube-rs: for each Service a ConfigMap that says what it publishes, applied on
//! the server, owned by the Service and cleaned up by a finalizer, with an Event for each step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::events::v1::Event as StoredEvent;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::finalizer::{self, finalizer};
use kube::runtime::watcher;
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::json;

use super::mirror::Soon;
use crate::support::PATIENCE;

const FINALIZER: &str = "headcount.test/seen";
const MANAGER: &str = "seer";
const LABEL: &str = "headcount.test/by=seer";

type Error = finalizer::Error<kube::Error>;

/// The running controller.
pub(super) struct Controller {
    services: Api<Service>,
    config_maps: Api<ConfigMap>,
    events: Api<StoredEvent>,
}

struct Context {
    services: Api<Service>,
    config_maps: Api<ConfigMap>,
    recorder: Recorder,
}

/// The ConfigMap of a Service.
fn config_map_of(service: &str) -> String {
    format!("{service}-seen")
}

/// What the ConfigMap of a Service says.
fn seen(service: &Service) -> BTreeMap<String, String> {
    let spec = service.spec.clone().unwrap_or_default();
    let ports = spec.ports.unwrap_or_default();
    let ports: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
    [
        ("address".to_owned(), spec.cluster_ip.unwrap_or_default()),
        ("ports".to_owned(), ports.join(",")),
        ("labels".to_owned(), format!("{:?}", service.labels())),
    ]
    .into()
}

impl Controller {
    /// Starts it.
    pub(super) fn start(client: Client, namespace: &str) -> Self {
        let services: Api<Service> = Api::namespaced(client.clone(), namespace);
        let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: None };
        let context = Context {
            services: services.clone(),
            config_maps: config_maps.clone(),
            recorder: Recorder::new(client.clone(), reporter),
        };
        let runs = kube::runtime::Controller::new(services.clone(), watcher::Config::default())
            .owns(config_maps.clone(), watcher::Config::default().labels(LABEL))
            .trigger_backoff(Soon)
            .run(
                reconcile,
                |_, _, _| Action::requeue(Duration::from_millis(50)),
                Arc::new(context),
            );
        // Failures are tried again; what comes of it is looked at in the end.
        tokio::spawn(runs.for_each(|_| std::future::ready(())));
        Self { services, config_maps, events: Api::namespaced(client, namespace) }
    }

    /// Waits until there is one ConfigMap for each Service, which says what the Service is, and no other.
    pub(super) async fn must_have_settled(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (expected, actual) = (self.expected().await, self.actual().await);
            if expected == actual {
                break;
            }
            assert!(Instant::now() < deadline, "expected {expected:#?}\nfound {actual:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let events = self.events.list(&ListParams::default()).await.expect("events").items;
        assert!(
            events.iter().any(|event| {
                event.reporting_controller.as_deref() == Some(MANAGER)
                    && event.reason.as_deref() == Some("Seen")
            }),
            "no event of the controller"
        );
    }

    /// By name: the owner's uid and the data. A Service that still waits for its finalizer cannot be matched.
    async fn expected(&self) -> BTreeMap<String, (String, BTreeMap<String, String>)> {
        let services = self.services.list(&ListParams::default()).await.expect("Services").items;
        let pair = |service: &Service| {
            let deleting = service.metadata.deletion_timestamp.is_some();
            let uid = if deleting {
                "none, it should go"
            } else {
                service.metadata.uid.as_deref().unwrap_or("")
            };
            (config_map_of(&service.name_any()), (uid.to_owned(), seen(service)))
        };
        services.iter().map(pair).collect()
    }

    async fn actual(&self) -> BTreeMap<String, (String, BTreeMap<String, String>)> {
        let parameters = ListParams::default().labels(LABEL);
        let config_maps = self.config_maps.list(&parameters).await.expect("ConfigMaps").items;
        let pair = |map: ConfigMap| {
            let owner = map.owner_references().first().map(|owner| owner.uid.clone());
            (map.name_any(), (owner.unwrap_or_default(), map.data.unwrap_or_default()))
        };
        config_maps.into_iter().map(pair).collect()
    }
}

async fn reconcile(service: Arc<Service>, context: Arc<Context>) -> Result<Action, Error> {
    finalizer(&context.services, FINALIZER, service, |event| async {
        match event {
            finalizer::Event::Apply(service) => apply(&service, &context).await,
            finalizer::Event::Cleanup(service) => clean_up(&service, &context).await,
        }
    })
    .await
}

async fn apply(service: &Service, context: &Context) -> Result<Action, kube::Error> {
    let owner = service.controller_owner_ref(&());
    let (label, value) = LABEL.split_once('=').expect("a label");
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "labels": { label: value }, "ownerReferences": [owner] },
        "data": seen(service),
    });
    let name = config_map_of(&service.name_any());
    let parameters = PatchParams::apply(MANAGER).force();
    let before = context.config_maps.get_metadata_opt(&name).await?;
    let after = context.config_maps.patch(&name, &parameters, &Patch::Apply(map)).await?;
    if before.is_none_or(|before| before.metadata.uid != after.metadata.uid) {
        report(service, "Seen", context).await?;
    }
    Ok(Action::await_change())
}

async fn clean_up(service: &Service, context: &Context) -> Result<Action, kube::Error> {
    let name = config_map_of(&service.name_any());
    match context.config_maps.delete(&name, &DeleteParams::default()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => return Err(error),
    }
    report(service, "Forgotten", context).await?;
    Ok(Action::await_change())
}

async fn report(service: &Service, reason: &str, context: &Context) -> Result<(), kube::Error> {
    let event = Event {
        type_: EventType::Normal,
        reason: reason.to_owned(),
        note: Some(format!("{reason} by the controller")),
        action: "Look".to_owned(),
        secondary: None,
    };
    context.recorder.publish(&event, &service.object_ref(&())).await
}
