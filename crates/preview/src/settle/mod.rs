//! What manifests come to: the controllers' decisions, carried out in memory until nothing is left to do.

mod addresses;
mod api;
mod chance;
mod changes;
mod notes;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use directory::Name;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::field::FieldError;
use manifest::kind::UnknownKind;
use manifest::labels::READY;
use manifest::{IpFamily, Kind, KindId, Object, ObjectRef};
use serde_json::Value;
use thiserror::Error;

use crate::observe::Preview;
use crate::records::ServiceRecords;
use crate::symbols::Symbols;
pub(crate) use addresses::{Addresses, Holder};
use api::Api;
pub use changes::{Changes, GivenSlice, changes};

/// The most pods that are made.
pub(crate) const PODS_MAX: usize = 10_000;

/// The most decisions that are made: far more than [`PODS_MAX`] pods need.
const STEPS_MAX: usize = 500_000;

/// How the manifests are to be looked at.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The zone that the cluster's names are in.
    pub domain: Name,
    /// Pods that become not ready when all have come to rest.
    pub not_ready: Vec<PodName>,
}

/// A pod as people name it: `POD`, where that is enough, or `NAMESPACE/POD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodName {
    /// The namespace, if it was said.
    pub namespace: Option<String>,
    /// The pod's name.
    pub name: String,
}

impl FromStr for PodName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        let is_name = |name: &str| !name.is_empty() && !name.contains('/');
        if !is_name(name) || !namespace.is_none_or(is_name) {
            return Err(format!("{text:?} is not a pod's name: POD or NAMESPACE/POD"));
        }
        Ok(Self { namespace: namespace.map(str::to_owned), name: name.to_owned() })
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Why the manifests come to nothing that could be shown.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum SettleError {
    /// Workloads ask for more pods than are made.
    #[error("the workloads have more than {PODS_MAX} pods together")]
    TooManyPods,
    /// The controllers did not come to rest.
    #[error("the controllers do not come to rest within {STEPS_MAX} steps; the last was {busy}")]
    NoRest {
        /// What was looked at last.
        busy: String,
    },
    /// More addresses are needed than the ranges for examples have.
    #[error("there are more pods and Services than the address ranges for examples have addresses")]
    NoAddress,
    /// A pod that is to be not ready does not exist.
    #[error("there is no pod {asked}{}", nearest(.near))]
    UnknownPod {
        /// The name asked for.
        asked: PodName,
        /// The names nearest to it, or all when they are few.
        near: Vec<String>,
    },
    /// A pod's name is that of several.
    #[error("{asked} may be any of the pods {}; say which", .which.join(", "))]
    AmbiguousPod {
        /// The name asked for.
        asked: PodName,
        /// The pods of this name.
        which: Vec<String>,
    },
    /// An object is of a kind that is not served.
    #[error(transparent)]
    UnknownKind(#[from] UnknownKind),
    /// An object is not of its kind's shape, which [`manifest::read::check`] finds out first.
    #[error("{kind} {name} is not of its kind's shape: {message}")]
    Malformed {
        /// The kind.
        kind: &'static str,
        /// The object's name.
        name: String,
        /// What is wrong.
        message: String,
    },
}

fn nearest(names: &[String]) -> String {
    match names {
        [] => "; the manifests make none".to_owned(),
        names => format!("; there are {}", names.join(", ")),
    }
}

/// An object that a cluster would refuse, though there is nothing wrong with it by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Which object.
    pub target: ObjectRef,
    /// Why.
    pub errors: Vec<FieldError>,
}

/// What manifests come to.
#[derive(Debug)]
pub struct Settled {
    /// The names, with the pods not ready that were asked to be.
    pub now: Preview,
    /// The names with these pods ready, where there are any.
    pub before: Option<Preview>,
    /// The pods that are made not ready, as `namespace/name`.
    pub not_ready: Vec<String>,
    /// The objects that a cluster would refuse.
    pub refused: Vec<Refused>,
}

impl Settled {
    /// The records of every Service, by namespace and name. Where pods were made not ready, those that are gone are
    /// among them, and each says whether it was there before.
    pub fn services(&self) -> Vec<ServiceRecords> {
        let now = self.now.services();
        match &self.before {
            Some(before) => crate::difference::between(before.services(), now),
            None => now,
        }
    }
}

/// Runs the controllers on objects as [`manifest::read::check`] returns them, with namespaces and defaults, until nothing
/// is left to do.
///
/// A pod is ready at once unless its annotation [`READY`](manifest::labels::READY) says otherwise. The pods that
/// [`Settings::not_ready`] names become not ready after that: all have been made, and those are the ones that went.
///
/// # Errors
///
/// There is nothing to be shown; see [`SettleError`].
pub fn settle(
    objects: impl IntoIterator<Item = Value>,
    settings: &Settings,
) -> Result<Settled, SettleError> {
    let given = given(objects)?;
    let (mut api, refused) = start(given, [])?;
    api.rest()?;
    let server = api.addresses.of(&Holder::Server, IpFamily::V4).ok_or(SettleError::NoAddress)?;
    let preview = |api: &Api| {
        let symbols = Symbols::new(&api.addresses);
        let objects = api.objects.values();
        Preview::new(objects, settings.domain.clone(), vec![server], symbols, notes::of(api))
    };
    let now = preview(&api);
    if settings.not_ready.is_empty() {
        return Ok(Settled { now, before: None, not_ready: Vec::new(), refused });
    }
    let mut not_ready = BTreeSet::new();
    for asked in &settings.not_ready {
        not_ready.insert(pod(&api, asked)?);
    }
    for pod in &not_ready {
        api.set_not_ready(pod);
    }
    api.rest()?;
    let title = |pod: ObjectRef| format!("{}/{}", pod.namespace, pod.name);
    Ok(Settled {
        now: preview(&api),
        before: Some(now),
        not_ready: not_ready.into_iter().map(title).collect(),
        refused,
    })
}

type Given = (ObjectRef, KindId, Value);

/// The objects with what names them and their kinds, in an order that the files do not decide.
fn given(objects: impl IntoIterator<Item = Value>) -> Result<Vec<Given>, SettleError> {
    let mut given = Vec::new();
    for value in objects {
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        let kind = Kind::by_type(text("apiVersion"), text("kind"))?;
        let metadata = &value["metadata"];
        let part = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let target =
            ObjectRef { kind: kind.kind, namespace: part("namespace"), name: part("name") };
        given.push((target, kind.id, value));
    }
    // Before any is made: somebody may have written two thousand million.
    if given.iter().map(|(_, kind, value)| replicas(*kind, value)).sum::<usize>() > PODS_MAX {
        return Err(SettleError::TooManyPods);
    }
    // The order of the files decides nothing.
    given.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    given.dedup_by(|(one, ..), (other, ..)| one == other);
    Ok(given)
}

/// Makes the objects, of which nothing has followed yet. Examples keep clear of the addresses that they and others chose.
fn start(
    mut given: Vec<Given>,
    others: impl IntoIterator<Item = IpAddr>,
) -> Result<(Api, Vec<Refused>), SettleError> {
    let mut chosen = Addresses::default();
    let own = given.iter().flat_map(|(_, kind, value)| written(*kind, value));
    own.chain(others).for_each(|address| chosen.reserve(address));
    make_pods_at_once(&mut given);
    let mut api = Api::new(families(&given), chosen);
    let mut refused = Vec::new();
    for namespace in namespaces(&given) {
        let metadata = ObjectMeta { name: Some(namespace), ..ObjectMeta::default() };
        api.create(Object::Namespace(Namespace { metadata, ..Namespace::default() }))?;
    }
    for (target, kind, value) in given {
        match kind {
            KindId::Namespace => {}
            KindId::Service => {
                if let Err(errors) = api.create_service(value)? {
                    refused.push(Refused { target, errors });
                }
            }
            _ => {
                let object =
                    Object::from_value(kind, &value).map_err(|error| SettleError::Malformed {
                        kind: target.kind,
                        name: target.name,
                        message: error.to_string(),
                    })?;
                api.create(object)?;
            }
        }
    }
    Ok((api, refused))
}

/// How many pods an object asks for.
fn replicas(kind: KindId, value: &Value) -> usize {
    match kind {
        KindId::StatefulSet | KindId::Deployment | KindId::ReplicaSet => {
            let count = value["spec"]["replicas"].as_u64().unwrap_or(1);
            usize::try_from(count).unwrap_or(usize::MAX).min(PODS_MAX + 1)
        }
        _ => 0,
    }
}

/// Lets StatefulSets make their pods at once where they would come one by one to the same: each pod is ready as it is made, so
/// none waits. Making them in order is quadratic, for the controller looks at all pods for each.
fn make_pods_at_once(given: &mut [Given]) {
    // A set may adopt one that somebody else wrote, and wait for it.
    let with_pods: BTreeSet<String> = given
        .iter()
        .filter(|(_, kind, _)| *kind == KindId::Pod)
        .map(|(target, ..)| target.namespace.clone())
        .collect();
    for (target, kind, value) in given {
        let template = &value["spec"]["template"];
        let waits = !template["metadata"]["annotations"][READY].is_null()
            || !template["spec"]["schedulingGates"].is_null();
        if *kind == KindId::StatefulSet && !waits && !with_pods.contains(&target.namespace) {
            value["spec"]["podManagementPolicy"] = "Parallel".into();
        }
    }
}

/// The namespaces that are spoken of, whether they are among the objects or not.
fn namespaces(given: &[Given]) -> BTreeSet<String> {
    let names = given.iter().map(|(target, kind, _)| match kind {
        KindId::Namespace => target.name.clone(),
        _ => target.namespace.clone(),
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// The address families of the cluster: both where a Service asks for the second, else IPv4.
fn families(given: &[Given]) -> Vec<IpFamily> {
    let asks = |value: &Value| {
        let spec = &value["spec"];
        let is_v6 = |text: &Value| {
            let address = text.as_str().and_then(|text| text.parse::<IpAddr>().ok());
            address.is_some_and(|address| address.is_ipv6())
        };
        let dual = ["PreferDualStack", "RequireDualStack"];
        dual.iter().any(|policy| spec["ipFamilyPolicy"] == *policy)
            || spec["ipFamilies"].as_array().into_iter().flatten().any(|family| family == "IPv6")
            || is_v6(&spec["clusterIP"])
            || spec["clusterIPs"].as_array().into_iter().flatten().any(is_v6)
    };
    match given.iter().any(|(_, kind, value)| *kind == KindId::Service && asks(value)) {
        true => vec![IpFamily::V4, IpFamily::V6],
        false => vec![IpFamily::V4],
    }
}

/// The addresses that an object's author chose.
fn written(kind: KindId, value: &Value) -> Vec<IpAddr> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let texts: Vec<Value> = match kind {
        KindId::Service => {
            let spec = &value["spec"];
            [list(&spec["clusterIPs"]), vec![spec["clusterIP"].clone()]].concat()
        }
        KindId::EndpointSlice => {
            let endpoints = list(&value["endpoints"]);
            endpoints.iter().flat_map(|endpoint| list(&endpoint["addresses"])).collect()
        }
        KindId::Endpoints => {
            let subsets = list(&value["subsets"]);
            let lists = subsets.iter().flat_map(|subset| {
                [list(&subset["addresses"]), list(&subset["notReadyAddresses"])].concat()
            });
            lists.map(|address| address["ip"].clone()).collect()
        }
        _ => Vec::new(),
    };
    texts.iter().filter_map(|text| text.as_str()?.parse().ok()).collect()
}

/// The pod that somebody means.
fn pod(api: &Api, asked: &PodName) -> Result<ObjectRef, SettleError> {
    let pods: Vec<&ObjectRef> = api
        .objects
        .iter()
        .filter(|(_, object)| matches!(object, Object::Pod(Pod { .. })))
        .map(|(reference, _)| reference)
        .collect();
    let meant = |pod: &&&ObjectRef| {
        pod.name == asked.name
            && asked.namespace.as_ref().is_none_or(|namespace| *namespace == pod.namespace)
    };
    let title = |pod: &&ObjectRef| format!("{}/{}", pod.namespace, pod.name);
    match pods.iter().filter(meant).collect::<Vec<_>>()[..] {
        [one] => Ok((*one).clone()),
        [] => {
            let mut near: Vec<_> = pods
                .iter()
                .map(|pod| (manifest::kind::distance(&pod.name, &asked.name), title(pod)))
                .collect();
            near.sort();
            let near = near.into_iter().take(5).map(|(_, pod)| pod).collect();
            Err(SettleError::UnknownPod { asked: asked.clone(), near })
        }
        ref several => {
            let which = several.iter().map(|pod| title(pod)).collect();
            Err(SettleError::AmbiguousPod { asked: asked.clone(), which })
        }
    }
}
