//! Keeps the table as the objects have it, listens, and writes what became of the objects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cluster::{Activity, Busy, Change, Delivery, Subscription, Watches};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use manifest::gateway::{Gateway as GatewayObject, GatewayClass, HTTPRoute};
use manifest::{Kind, KindId, Stored};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::network::Network;
use crate::objects::{Name, Objects};
use crate::proxy::{Proxy, serve};
use crate::routing::{IS_DEFAULT, Place, Plan, plan};
use crate::{CLASS, CONTROLLER, status, tls};

/// What routing looks at. Of Secrets it is their metadata: content is asked for where it is referred to.
const KINDS: [KindId; 10] = [
    KindId::Namespace,
    KindId::Service,
    KindId::EndpointSlice,
    KindId::Stored(Stored::Secret),
    KindId::Stored(Stored::Ingress),
    KindId::Stored(Stored::IngressClass),
    KindId::Stored(Stored::GatewayClass),
    KindId::Stored(Stored::Gateway),
    KindId::Stored(Stored::HTTPRoute),
    KindId::Stored(Stored::ReferenceGrant),
];

/// How many changes are taken before routes are planned anew.
const BATCH: usize = 256;

/// After this, what failed is tried again: a request to the API, or a port that was taken.
const RETRY: Duration = Duration::from_secs(5);

/// How often planning may follow from what it asked for: Secrets, ports.
const ROUNDS_MAX: usize = 4;

/// Where the gateway listens.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The address of everything: the statuses of Ingresses and Gateways name it.
    pub address: IpAddr,
    /// The port of Ingresses without TLS: 80.
    pub http_port: u16,
    /// The port of Ingresses with TLS: 443.
    pub https_port: u16,
}

/// The running gateway; dropped, it stops at once.
#[derive(Debug)]
pub struct Gateway(JoinHandle<()>);

impl Gateway {
    /// Serves the Ingresses and Gateways of these watches once they are started. The classes that are served are made
    /// where they are missing.
    pub fn start(watches: &mut Watches, network: Arc<dyn Network>, config: Config) -> Self {
        let subscription = watches.subscribe(&KINDS);
        let actor = Actor {
            client: watches.client().clone(),
            activity: watches.activity().clone(),
            place: Place {
                address: config.address,
                ingress_ports: (config.http_port, config.https_port),
                bound: BTreeMap::new(),
            },
            objects: Objects::default(),
            unsynced: BTreeSet::from(KINDS),
            proxy: Proxy::new(network),
            ports: BTreeMap::new(),
            fetched: BTreeMap::new(),
            again: None,
        };
        Self(tokio::spawn(actor.run(subscription)))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Actor {
    client: Client,
    activity: Activity,
    place: Place,
    objects: Objects,
    unsynced: BTreeSet<KindId>,
    proxy: Proxy,
    ports: BTreeMap<u16, Listening>,
    /// The versions of the Secrets whose content was read.
    fetched: BTreeMap<Name, String>,
    /// When what failed is tried again.
    again: Option<Instant>,
}

/// A port that is served until this is dropped.
struct Listening {
    is_tls: bool,
    task: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Actor {
    async fn run(mut self, mut subscription: Subscription) {
        self.make_classes().await;
        loop {
            let again = self.again;
            let mut under_way = Vec::new();
            tokio::select! {
                delivery = subscription.next() => {
                    let Some(delivery) = delivery else { return };
                    under_way.push(self.take_in(delivery));
                    while under_way.len() < BATCH {
                        let Some(delivery) = subscription.try_next() else { break };
                        under_way.push(self.take_in(delivery));
                    }
                }
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            }
            // Before everything is known, a route to what is still to come would be said to lead nowhere.
            if self.unsynced.is_empty() {
                self.work().await;
            }
            drop(under_way);
        }
    }

    fn take_in(&mut self, Delivery { change, busy }: Delivery) -> Busy {
        match change {
            Change::Applied(object) => drop(self.objects.apply(object)),
            Change::Gone { target, .. } => self.objects.remove(&target),
            Change::Listed { kind, .. } => drop(self.unsynced.remove(&kind)),
        }
        busy
    }

    /// Creates the classes that name this controller.
    async fn make_classes(&self) {
        let class: IngressClass = typed(json!({
            "metadata": { "name": CLASS, "annotations": { IS_DEFAULT: "true" } },
            "spec": { "controller": CONTROLLER },
        }));
        let gateway_class: GatewayClass = typed(json!({
            "metadata": { "name": CLASS },
            "spec": { "controllerName": CONTROLLER, "description": "Gateways that this cluster serves itself" },
        }));
        let parameters = PostParams::default();
        let (classes, gateway_classes) =
            (Api::all(self.client.clone()), Api::all(self.client.clone()));
        let (made, gateway_made) = futures::join!(
            classes.create(&parameters, &class),
            gateway_classes.create(&parameters, &gateway_class)
        );
        for made in [made.map(drop), gateway_made.map(drop)] {
            match made {
                Ok(()) => {}
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                Err(error) => warn!(%error, "the classes of the gateway could not be created"),
            }
        }
    }

    /// Plans, listens, and tells.
    async fn work(&mut self) {
        self.again = None;
        let mut planned = plan(&self.objects, &self.place);
        for _ in 0..ROUNDS_MAX {
            let has_news = self.fetch(&planned).await;
            let ports = planned.table.ports.iter();
            let wanted = ports.map(|(port, at)| (*port, at.certificates.is_some())).collect();
            // What is listened on must be in the table before.
            self.proxy.table.store(Arc::new(std::mem::take(&mut planned.table)));
            let has_moved = self.listen(&wanted).await;
            if !has_news && !has_moved {
                break;
            }
            planned = plan(&self.objects, &self.place);
        }
        if !planned.table.ports.is_empty() {
            self.proxy.table.store(Arc::new(std::mem::take(&mut planned.table)));
        }
        self.tell(&planned).await;
    }

    /// Reads the Secrets that are referred to and not known in this version. Whether there was one.
    async fn fetch(&mut self, planned: &Plan) -> bool {
        self.fetched.retain(|name, _| planned.secrets.contains(name));
        self.objects.certificates.retain(|name, _| planned.secrets.contains(name));
        let mut has_news = false;
        for name in &planned.secrets {
            let Some(version) = self.objects.secrets.get(name) else {
                self.fetched.remove(name);
                continue;
            };
            if self.fetched.get(name) == Some(version) {
                continue;
            }
            let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &name.0);
            match secrets.get_opt(&name.1).await {
                Ok(Some(secret)) => {
                    self.fetched.insert(name.clone(), version.clone());
                    self.objects.certificates.insert(name.clone(), tls::certificate(&secret));
                    has_news = true;
                }
                // The watch tells.
                Ok(None) => {}
                Err(error) => {
                    warn!(namespace = name.0, name = name.1, %error, "a Secret could not be read");
                    self.again = Some(Instant::now() + RETRY);
                }
            }
        }
        has_news
    }

    /// Listens at these ports, with TLS or without, and at no others. Whether something changed.
    async fn listen(&mut self, wanted: &BTreeMap<u16, bool>) -> bool {
        let before = self.place.bound.clone();
        let ports = self.ports.iter();
        let gone = ports.filter(|(port, listening)| wanted.get(port) != Some(&listening.is_tls));
        for port in gone.map(|(port, _)| *port).collect::<Vec<_>>() {
            let Some(mut listening) = self.ports.remove(&port) else { continue };
            listening.task.abort();
            // Until it has ended, its port is taken. That it was aborted is no news.
            let _ = (&mut listening.task).await;
        }
        self.place.bound.retain(|port, _| self.ports.contains_key(port));
        for (port, is_tls) in wanted {
            if self.ports.contains_key(port) {
                continue;
            }
            let at = SocketAddr::new(self.place.address, *port);
            let bound = match self.proxy.network().listen(at).await {
                Ok(listener) => {
                    info!(%at, tls = is_tls, "the gateway listens");
                    let task = tokio::spawn(serve(self.proxy.clone(), listener, *port, *is_tls));
                    self.ports.insert(*port, Listening { is_tls: *is_tls, task });
                    Ok(())
                }
                Err(error) => {
                    if !matches!(before.get(port), Some(Err(_))) {
                        warn!(%at, %error, "the gateway cannot listen");
                    }
                    self.again = Some(Instant::now() + RETRY);
                    Err(error.to_string())
                }
            };
            self.place.bound.insert(*port, bound);
        }
        before != self.place.bound
    }

    /// Writes the statuses that are not so yet.
    async fn tell(&mut self, planned: &Plan) {
        let (now, address) = (Timestamp::now(), self.place.address);
        let has_address = matches!(self.place.bound.get(&self.place.ingress_ports.0), Some(Ok(())));
        let served: BTreeSet<&Name> = planned.ingresses.iter().filter(|_| has_address).collect();
        let mut writes = Vec::new();
        for (name, ingress) in &self.objects.ingresses {
            let said = match served.contains(name) {
                true => status::ingress(ingress, address),
                false => status::ingress_no_more(ingress, address),
            };
            writes.extend(said.map(|said| (Stored::Ingress, name.clone(), said)));
        }
        for class in &planned.classes {
            let object = self.objects.gateway_classes.get(class);
            let said = object.and_then(|object| status::class(object, now));
            let name = (String::new(), class.clone());
            writes.extend(said.map(|said| (Stored::GatewayClass, name, said)));
        }
        for report in &planned.gateways {
            let object = self.objects.gateways.get(&report.name);
            let said = object.and_then(|object| status::gateway(object, report, address, now));
            writes.extend(said.map(|said| (Stored::Gateway, report.name.clone(), said)));
        }
        for report in &planned.routes {
            let object = self.objects.routes.get(&report.name);
            let said = object.and_then(|object| status::route(object, report, now));
            writes.extend(said.map(|said| (Stored::HTTPRoute, report.name.clone(), said)));
        }
        for (kind, name, said) in writes {
            if let Err(error) = self.write(kind, &name, &said).await {
                let kind = Kind::of(KindId::Stored(kind)).kind;
                warn!(kind, namespace = name.0, name = name.1, %error, "a status could not be written");
                self.again = Some(Instant::now() + RETRY);
            }
        }
    }

    async fn write(
        &self,
        kind: Stored,
        (namespace, name): &Name,
        said: &Value,
    ) -> kube::Result<()> {
        let written = match kind {
            Stored::Ingress => patch(&self.namespaced::<Ingress>(namespace), name, said).await,
            Stored::Gateway => {
                patch(&self.namespaced::<GatewayObject>(namespace), name, said).await
            }
            Stored::HTTPRoute => patch(&self.namespaced::<HTTPRoute>(namespace), name, said).await,
            _ => patch(&Api::<GatewayClass>::all(self.client.clone()), name, said).await,
        };
        match written {
            Ok(version) => self.activity.wrote(KindId::Stored(kind), version.as_deref()),
            // It is gone, which the watch tells.
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn namespaced<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// Writes a status, and returns the object's version since then.
async fn patch<K>(api: &Api<K>, name: &str, said: &Value) -> kube::Result<Option<String>>
where
    K: kube::Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let patch = Patch::Merge(json!({ "status": said }));
    let written = api.patch_status(name, &PatchParams::default(), &patch).await?;
    Ok(written.meta().resource_version.clone())
}

fn typed<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("a literal object of its kind")
}
