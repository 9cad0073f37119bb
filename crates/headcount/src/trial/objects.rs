//! The objects of a plan as a live cluster has them: present, and alike in what decides who is behind a name and which names
//! there are.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use manifest::{Kind, KindId};
use serde_json::Value;

use super::Plan;
use super::report::Check;

/// So many objects are asked for at a time.
const REQUESTS_MAX: usize = 8;

/// What was found of a plan's objects.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) checks: Vec<Check>,
    /// Objects that the cluster's user may not look at, and why.
    pub(super) hidden: Vec<String>,
}

/// A field, in words: its name, and what it says or what is so without it.
type Field = (&'static str, String);

/// Compares a plan's Services, StatefulSets, NetworkPolicies and Ingresses with those of the cluster, one by one.
///
/// What the targets of ports come to is not compared here, for a number and the name of a port with that number are the same:
/// slices and SRV records tell it.
pub(super) async fn compare(
    client: &Client,
    plan: &Plan<'_>,
    when: &str,
) -> kube::Result<Compared> {
    let wanted = plan.objects.iter().filter_map(|object| {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let kind = Kind::by_type(text("apiVersion"), text("kind")).ok()?;
        matches!(kind.id, KindId::Service | KindId::StatefulSet | KindId::Stored(_))
            .then_some((kind, object))
    });
    let mut found = stream::iter(wanted)
        .map(|(kind, object)| async move {
            let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
            let namespace = namespace.unwrap_or(plan.namespace);
            (kind, object, namespace, get(client, kind, object, namespace).await)
        })
        .buffered(REQUESTS_MAX)
        .map(|(kind, object, namespace, got)| match got {
            Err(kube::Error::Api(status)) if status.code == 403 => {
                Ok((kind, object, namespace, Err(status.message)))
            }
            got => got.map(|got| (kind, object, namespace, Ok(got))),
        });
    let mut compared = Compared::default();
    while let Some((kind, object, namespace, got)) = found.try_next().await? {
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let mut reference = format!("{} {name}", kind.kind);
        if namespace != plan.namespace {
            reference = format!("{reference} of namespace {namespace}");
        }
        match got {
            Ok(live) => compared.checks.extend(checks(kind.id, &reference, object, live, when)),
            Err(why) => compared.hidden.push(format!("{reference} was not looked at: {why}")),
        }
    }
    Ok(compared)
}

async fn get(
    client: &Client,
    kind: &Kind,
    object: &Value,
    namespace: &str,
) -> kube::Result<Option<Value>> {
    let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural);
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    Ok(api.get_opt(name).await?.map(|object| object.data))
}

/// A check for each field that differs; one for the whole where none does.
fn checks(
    kind: KindId,
    reference: &str,
    planned: &Value,
    live: Option<Value>,
    when: &str,
) -> Vec<Check> {
    let check = |asked: String, expected: String, answered: String| Check {
        when: when.to_owned(),
        asked,
        purpose: "as designed".to_owned(),
        ok: expected == answered,
        expected: vec![expected],
        answered: vec![answered],
    };
    let Some(live) = live else {
        return vec![check(reference.to_owned(), "there".to_owned(), "not there".to_owned())];
    };
    let (planned, live) = (fields(kind, planned), fields(kind, &live));
    let different = planned.iter().zip(&live).filter(|(planned, live)| planned != live);
    let checks: Vec<Check> = different
        .map(|((field, planned), (_, live))| {
            check(format!("{field} of {reference}"), planned.clone(), live.clone())
        })
        .collect();
    if !checks.is_empty() {
        return checks;
    }
    let alike: Vec<&str> = planned.iter().map(|(field, _)| *field).collect();
    let text = match alike.is_empty() {
        true => "there".to_owned(),
        false => format!("there, as designed in {}", alike.join(", ")),
    };
    vec![check(reference.to_owned(), text.clone(), text)]
}

/// The fields of an object that count, always the same ones of a kind.
fn fields(kind: KindId, object: &Value) -> Vec<Field> {
    let text = |field: &str, otherwise: &str| {
        let text = object["spec"][field].as_str().filter(|text| !text.is_empty());
        text.unwrap_or(otherwise).to_owned()
    };
    match kind {
        KindId::Service => {
            let external = text("externalName", "none").to_lowercase();
            vec![
                ("type", text("type", "ClusterIP")),
                ("clusterIP", cluster_ip(object)),
                (
                    "publishNotReadyAddresses",
                    (object["spec"]["publishNotReadyAddresses"] == true).to_string(),
                ),
                ("selector", selector(object)),
                ("ports", ports(object)),
                ("sessionAffinity", text("sessionAffinity", "None")),
                ("externalName", external.trim_end_matches('.').to_owned()),
            ]
        }
        KindId::StatefulSet => vec![
            ("serviceName", text("serviceName", "none")),
            ("podManagementPolicy", text("podManagementPolicy", "OrderedReady")),
        ],
        // Whether a policy that is there says the same is for those to judge who may have others beside it.
        _ => Vec::new(),
    }
}

/// `None`, or whether there is one: which, the cluster decides.
fn cluster_ip(service: &Value) -> String {
    let spec = &service["spec"];
    match (spec["type"].as_str(), spec["clusterIP"].as_str()) {
        (Some("ExternalName"), _) => "no address, as it is an alias",
        (_, Some("None")) => "None",
        _ => "an address of the cluster's",
    }
    .to_owned()
}

/// `app=db, role=primary`.
fn selector(service: &Value) -> String {
    let mut labels: Vec<String> = service["spec"]["selector"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    labels.sort();
    if labels.is_empty() { "none".to_owned() } else { labels.join(", ") }
}

/// `client 2379/TCP, peer 2380/TCP`, in the order of their numbers.
fn ports(service: &Value) -> String {
    let mut ports: Vec<(u64, String)> = service["spec"]["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|port| {
            let number = port["port"].as_u64().unwrap_or_default();
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            let name = port["name"].as_str().unwrap_or("without a name");
            (number, format!("{name} {number}/{protocol}"))
        })
        .collect();
    ports.sort();
    let texts: Vec<String> = ports.into_iter().map(|(_, text)| text).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}
