//! The kinds that are only kept: each column with what fills it.

mod gateway;
#[cfg(test)]
mod tests;

use super::autoscaler;
use super::column::{AGE, Column, NAME};
use super::value::{
    UNKNOWN, age_of, label_selector, labels, list_at, name_of, number_at, or, since, text_at,
    time_at,
};
use super::workload;
use jiff::Timestamp;
use manifest::kind::Stored;
use serde_json::Value;
use std::collections::BTreeSet;

/// A column and its cell for an object.
type Filled = (Column, fn(&Value, Timestamp) -> Value);

pub(super) fn columns(kind: Stored) -> Vec<Column> {
    filled(kind).iter().map(|(column, _)| *column).collect()
}

pub(super) fn cells(kind: Stored, item: &Value, now: Timestamp) -> Vec<Value> {
    filled(kind).iter().map(|(_, cell)| cell(item, now)).collect()
}

fn filled(kind: Stored) -> &'static [Filled] {
    match kind {
        Stored::ConfigMap => CONFIG_MAP,
        Stored::Secret => SECRET,
        Stored::ServiceAccount => SERVICE_ACCOUNT,
        Stored::PersistentVolumeClaim => CLAIM,
        Stored::PersistentVolume => VOLUME,
        Stored::ResourceQuota => QUOTA,
        Stored::ControllerRevision => REVISION,
        Stored::DaemonSet => DAEMON_SET,
        Stored::HorizontalPodAutoscaler => AUTOSCALER,
        Stored::Job => JOB,
        Stored::CronJob => CRON_JOB,
        Stored::Lease => LEASE,
        // Its columns are those of the kind as which it is stored.
        Stored::Event => CREATED,
        Stored::NetworkPolicy => NETWORK_POLICY,
        Stored::Ingress => INGRESS,
        Stored::IngressClass => INGRESS_CLASS,
        Stored::PodDisruptionBudget => DISRUPTION_BUDGET,
        Stored::LimitRange | Stored::Role | Stored::ClusterRole => CREATED,
        Stored::RoleBinding | Stored::ClusterRoleBinding => BINDING,
        Stored::PriorityClass => PRIORITY_CLASS,
        Stored::ServiceImport => IMPORT,
        Stored::GatewayClass => gateway::CLASS,
        Stored::Gateway => gateway::GATEWAY,
        Stored::HTTPRoute => gateway::ROUTE,
        Stored::ReferenceGrant => gateway::GRANT,
        Stored::StorageClass => STORAGE_CLASS,
    }
}

const NAMED: Filled = (NAME, |item, _| name_of(item));
const AGED: Filled = (AGE, age_of);
const CONTAINERS: Filled = (workload::CONTAINERS, |item, _| workload::containers(item, "/name"));
const IMAGES: Filled = (workload::IMAGES, |item, _| workload::containers(item, "/image"));
const SELECTOR: Filled =
    (workload::SELECTOR, |item, _| label_selector(item.pointer("/spec/selector")).into());

const CONFIG_MAP: &[Filled] = &[
    NAMED,
    (Column::text("Data", "How many keys it has."), |item, _| {
        (members(item, "/data") + members(item, "/binaryData")).into()
    }),
    AGED,
];

const SECRET: &[Filled] = &[
    NAMED,
    (Column::text("Type", "What kind of secret it is."), |item, _| text(item, "/type")),
    (Column::text("Data", "How many keys it has."), |item, _| members(item, "/data").into()),
    AGED,
];

const SERVICE_ACCOUNT: &[Filled] = &[
    NAMED,
    (Column::text("Secrets", "How many secrets it may use."), |item, _| {
        list_at(item, "/secrets").len().into()
    }),
    AGED,
];

const CLAIM: &[Filled] = &[
    NAMED,
    (Column::text("Status", "The phase of the claim."), |item, _| phase(item)),
    (Column::text("Volume", "The volume that it is bound to."), |item, _| {
        text(item, "/spec/volumeName")
    }),
    (Column::text("Capacity", "The size of the volume."), |item, _| {
        if is_bound(item) { text_or(item, "/status/capacity/storage", "0") } else { "".into() }
    }),
    (Column::text("Access Modes", "How the volume may be mounted."), |item, _| {
        if is_bound(item) { access_modes(item, "/status/accessModes") } else { "".into() }
    }),
    (Column::text("StorageClass", "The class that was asked for."), |item, _| storage_class(item)),
    ATTRIBUTES_CLASS,
    AGED,
    VOLUME_MODE,
];

const VOLUME: &[Filled] = &[
    NAMED,
    (Column::text("Capacity", "The size of the volume."), |item, _| {
        text_or(item, "/spec/capacity/storage", "0")
    }),
    (Column::text("Access Modes", "How the volume may be mounted."), |item, _| {
        access_modes(item, "/spec/accessModes")
    }),
    (Column::text("Reclaim Policy", "What becomes of the volume after its claim."), |item, _| {
        text(item, "/spec/persistentVolumeReclaimPolicy")
    }),
    (Column::text("Status", "The phase of the volume."), |item, _| phase(item)),
    (Column::text("Claim", "The claim that it is bound to."), |item, _| {
        match text_at(item, "/spec/claimRef/name") {
            "" => "".into(),
            name => format!("{}/{name}", text_at(item, "/spec/claimRef/namespace")).into(),
        }
    }),
    (Column::text("StorageClass", "The class of the volume."), |item, _| storage_class(item)),
    ATTRIBUTES_CLASS,
    (Column::text("Reason", "Why the volume is in its phase."), |item, _| {
        text(item, "/status/reason")
    }),
    AGED,
    VOLUME_MODE,
];

const ATTRIBUTES_CLASS: Filled =
    (Column::text("VolumeAttributesClass", "The class of the volume's attributes."), |item, _| {
        text_or(item, "/spec/volumeAttributesClassName", "<unset>")
    });

const VOLUME_MODE: Filled =
    (Column::text("VolumeMode", "Filesystem or Block.").wide(), |item, _| {
        text_or(item, "/spec/volumeMode", "<unset>")
    });

const QUOTA: &[Filled] = &[
    NAMED,
    (Column::text("Request", "What is used of what may be requested."), |item, _| {
        quota(item, false)
    }),
    (Column::text("Limit", "What is used of what limits may add up to."), |item, _| {
        quota(item, true)
    }),
    AGED,
];

const REVISION: &[Filled] = &[
    NAMED,
    (Column::text("Controller", "The object whose revision it is."), |item, _| {
        let mut owners = list_at(item, "/metadata/ownerReferences").iter();
        owners.find(|owner| owner["controller"] == true).map_or("<none>".into(), controller)
    }),
    (Column::text("Revision", "Its number."), |item, _| number(item, "/revision")),
    AGED,
];

const DAEMON_SET: &[Filled] = &[
    NAMED,
    (Column::integer("Desired", "How many nodes should run its pod."), |item, _| {
        number(item, "/status/desiredNumberScheduled")
    }),
    (Column::integer("Current", "How many nodes run its pod."), |item, _| {
        number(item, "/status/currentNumberScheduled")
    }),
    (Column::integer("Ready", "How many pods are ready."), |item, _| {
        number(item, "/status/numberReady")
    }),
    (Column::integer("Up-to-date", "How many pods have the newest template."), |item, _| {
        number(item, "/status/updatedNumberScheduled")
    }),
    (Column::integer("Available", "How many pods have been ready long enough."), |item, _| {
        number(item, "/status/numberAvailable")
    }),
    (Column::text("Node Selector", "The labels of the nodes that run it."), |item, _| {
        labels(item.pointer("/spec/template/spec/nodeSelector")).into()
    }),
    AGED,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

const AUTOSCALER: &[Filled] = &[
    NAMED,
    (Column::text("Reference", "The object that it scales."), |item, _| {
        let target = |field| text_at(item, field);
        let (kind, name) = ("/spec/scaleTargetRef/kind", "/spec/scaleTargetRef/name");
        format!("{}/{}", target(kind), target(name)).into()
    }),
    (Column::text("Targets", "The measures, and what they should be."), |item, _| {
        autoscaler::targets(item).into()
    }),
    (Column::text("MinPods", "The least number of pods."), |item, _| {
        let least = item.pointer("/spec/minReplicas").and_then(Value::as_i64);
        least.map_or("<unset>".into(), |least| least.to_string().into())
    }),
    (Column::text("MaxPods", "The greatest number of pods."), |item, _| {
        number(item, "/spec/maxReplicas")
    }),
    (Column::text("Replicas", "How many pods there are."), |item, _| {
        number(item, "/status/currentReplicas")
    }),
    AGED,
];

const JOB: &[Filled] = &[
    NAMED,
    (Column::text("Status", "Running, Complete, Failed or Suspended."), |item, _| {
        job_status(item).into()
    }),
    (Column::text("Completions", "How many pods have succeeded, of how many."), |item, _| {
        let done = number_at(item, "/status/succeeded");
        let count = |field| item.pointer(field).and_then(Value::as_i64);
        match (count("/spec/completions"), count("/spec/parallelism")) {
            (Some(wanted), _) => format!("{done}/{wanted}").into(),
            (None, Some(parallel)) if parallel > 1 => format!("{done}/1 of {parallel}").into(),
            (None, _) => format!("{done}/1").into(),
        }
    }),
    (Column::text("Duration", "How long it took or has taken."), |item, now| {
        let end = time_at(item, "/status/completionTime").unwrap_or(now);
        since(item, "/status/startTime", end).unwrap_or_default().into()
    }),
    AGED,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

const CRON_JOB: &[Filled] = &[
    NAMED,
    (Column::text("Schedule", "When Jobs are made, as cron writes it."), |item, _| {
        text(item, "/spec/schedule")
    }),
    (Column::text("Timezone", "The time zone of the schedule."), |item, _| {
        text_or(item, "/spec/timeZone", "<none>")
    }),
    (Column::boolean("Suspend", "Whether no Jobs are made."), |item, _| {
        match item.pointer("/spec/suspend").and_then(Value::as_bool) {
            Some(true) => "True".into(),
            Some(false) => "False".into(),
            None => "<unset>".into(),
        }
    }),
    (Column::integer("Active", "How many Jobs run."), |item, _| {
        list_at(item, "/status/active").len().into()
    }),
    (Column::text("Last Schedule", "How long ago the last Job was made."), |item, now| {
        since(item, "/status/lastScheduleTime", now).unwrap_or_else(|| "<none>".to_owned()).into()
    }),
    AGED,
    (workload::CONTAINERS, |item, _| workload::containers(&item["spec"]["jobTemplate"], "/name")),
    (workload::IMAGES, |item, _| workload::containers(&item["spec"]["jobTemplate"], "/image")),
    (workload::SELECTOR, |item, _| {
        label_selector(item.pointer("/spec/jobTemplate/spec/selector")).into()
    }),
];

const LEASE: &[Filled] = &[
    NAMED,
    (Column::text("Holder", "Who holds it."), |item, _| text(item, "/spec/holderIdentity")),
    AGED,
];

const NETWORK_POLICY: &[Filled] = &[
    NAMED,
    (Column::text("Pod-Selector", "The pods that it is about."), |item, _| {
        label_selector(item.pointer("/spec/podSelector")).into()
    }),
    AGED,
];

const INGRESS: &[Filled] = &[
    NAMED,
    (Column::text("Class", "The class of controller that it is for."), |item, _| {
        text_or(item, "/spec/ingressClassName", "<none>")
    }),
    (Column::text("Hosts", "The names that it answers for."), |item, _| hosts(item).into()),
    (Column::text("Address", "Where it is reached."), |item, _| {
        let points = list_at(item, "/status/loadBalancer/ingress").iter();
        let addresses = points.map(|point| or(text_at(point, "/ip"), text_at(point, "/hostname")));
        let sorted: BTreeSet<&str> = addresses.filter(|address| !address.is_empty()).collect();
        sorted.into_iter().collect::<Vec<_>>().join(",").into()
    }),
    (Column::text("Ports", "The ports of HTTP and, with TLS, HTTPS."), |item, _| {
        if list_at(item, "/spec/tls").is_empty() { "80".into() } else { "80, 443".into() }
    }),
    AGED,
];

/// The columns of its definition (`serviceimports.multicluster.x-k8s.io`).
const IMPORT: &[Filled] = &[
    NAMED,
    (Column::text("Type", "The type of this ServiceImport"), |item, _| text(item, "/spec/type")),
    (Column::text("IP", "The VIP for this ServiceImport"), |item, _| {
        match list_at(item, "/spec/ips") {
            [] => "".into(),
            ips => Value::Array(ips.to_vec()).to_string().into(),
        }
    }),
    AGED,
];

const INGRESS_CLASS: &[Filled] = &[
    NAMED,
    (Column::text("Controller", "The controller of the class."), |item, _| {
        text(item, "/spec/controller")
    }),
    (Column::text("Parameters", "The object with the controller's settings."), |item, _| {
        let field = |name: &str| item["spec"]["parameters"][name].as_str().unwrap_or_default();
        match (field("kind"), field("apiGroup")) {
            ("", _) => "<none>".into(),
            (kind, "") => format!("{kind}/{}", field("name")).into(),
            (kind, group) => format!("{kind}.{group}/{}", field("name")).into(),
        }
    }),
    AGED,
];

const DISRUPTION_BUDGET: &[Filled] = &[
    NAMED,
    (Column::text("Min Available", "How many pods must stay."), |item, _| {
        count_or_percentage(item, "/spec/minAvailable")
    }),
    (Column::text("Max Unavailable", "How many pods may be away."), |item, _| {
        count_or_percentage(item, "/spec/maxUnavailable")
    }),
    (Column::integer("Allowed Disruptions", "How many more pods may go now."), |item, _| {
        number(item, "/status/disruptionsAllowed")
    }),
    AGED,
];

/// Kinds that Kubernetes shows with the time of their creation.
const CREATED: &[Filled] = &[
    NAMED,
    (Column::text("Created At", "When the object was created."), |item, _| {
        text_or(item, "/metadata/creationTimestamp", UNKNOWN)
    }),
];

const BINDING: &[Filled] = &[
    NAMED,
    (Column::text("Role", "The role that is given."), |item, _| {
        format!("{}/{}", text_at(item, "/roleRef/kind"), text_at(item, "/roleRef/name")).into()
    }),
    AGED,
    (Column::text("Users", "The users that it is given to.").wide(), |item, _| {
        subjects(item, "User")
    }),
    (Column::text("Groups", "The groups that it is given to.").wide(), |item, _| {
        subjects(item, "Group")
    }),
    (
        Column::text("ServiceAccounts", "The service accounts that it is given to.").wide(),
        |item, _| subjects(item, "ServiceAccount"),
    ),
];

const PRIORITY_CLASS: &[Filled] = &[
    NAMED,
    (Column::integer("Value", "The priority; the greater goes first."), |item, _| {
        number(item, "/value")
    }),
    (Column::boolean("Global-Default", "Whether pods have it that name none."), |item, _| {
        truth(item, "/globalDefault")
    }),
    AGED,
    (Column::text("PreemptionPolicy", "Whether others make room for it."), |item, _| {
        text(item, "/preemptionPolicy")
    }),
];

const STORAGE_CLASS: &[Filled] = &[
    (NAME, |item, _| {
        let name = text_at(item, "/metadata/name");
        let is_marked = |annotation: &str| item["metadata"]["annotations"][annotation] == "true";
        if is_marked("storageclass.kubernetes.io/is-default-class")
            || is_marked("storageclass.beta.kubernetes.io/is-default-class")
        {
            format!("{name} (default)").into()
        } else {
            name.into()
        }
    }),
    (Column::text("Provisioner", "Who makes the volumes."), |item, _| text(item, "/provisioner")),
    (Column::text("ReclaimPolicy", "What becomes of a volume after its claim."), |item, _| {
        text(item, "/reclaimPolicy")
    }),
    (Column::text("VolumeBindingMode", "When volumes are made and bound."), |item, _| {
        text(item, "/volumeBindingMode")
    }),
    (Column::text("AllowVolumeExpansion", "Whether volumes may grow."), |item, _| {
        truth(item, "/allowVolumeExpansion")
    }),
    AGED,
];

fn text(item: &Value, pointer: &str) -> Value {
    text_at(item, pointer).into()
}

fn text_or(item: &Value, pointer: &str, fallback: &str) -> Value {
    or(text_at(item, pointer), fallback).into()
}

fn number(item: &Value, pointer: &str) -> Value {
    number_at(item, pointer).into()
}

/// A truth value; nothing is `false`.
fn truth(item: &Value, pointer: &str) -> Value {
    item.pointer(pointer).and_then(Value::as_bool).unwrap_or_default().into()
}

/// The phase of a volume or a claim.
fn phase(item: &Value) -> Value {
    if item.pointer("/metadata/deletionTimestamp").is_some() {
        "Terminating".into()
    } else {
        text(item, "/status/phase")
    }
}

/// Whether a claim has its volume.
fn is_bound(claim: &Value) -> bool {
    !text_at(claim, "/spec/volumeName").is_empty()
}

/// The class of a volume or a claim; the annotation is of old, and goes before the field.
fn storage_class(item: &Value) -> Value {
    let annotation = &item["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"];
    annotation.as_str().map_or_else(|| text(item, "/spec/storageClassName"), Value::from)
}

fn members(item: &Value, pointer: &str) -> usize {
    item.pointer(pointer).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

/// The first three hosts of an Ingress's rules, and how many rules there are beyond.
fn hosts(item: &Value) -> String {
    const SHOWN: usize = 3;
    let rules = list_at(item, "/spec/rules");
    let mut shown = Vec::new();
    for rule in rules {
        if shown.len() == SHOWN {
            return format!("{} + {} more...", shown.join(","), rules.len() - SHOWN);
        }
        shown.extend(Some(text_at(rule, "/host")).filter(|host| !host.is_empty()));
    }
    or(&shown.join(","), "*").to_owned()
}

/// `RWO,ROX`: each mode once, in Kubernetes' order.
fn access_modes(item: &Value, pointer: &str) -> Value {
    const MODES: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| list_at(item, pointer).iter().any(|held| held == mode);
    let held = MODES.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short);
    held.collect::<Vec<_>>().join(",").into()
}

/// `pods: 2/10, requests.cpu: 0/4`: the resources of limits, or the others. What is not counted is not shown.
fn quota(item: &Value, of_limits: bool) -> Value {
    let hard = item.pointer("/status/hard").and_then(Value::as_object);
    let mut resources: Vec<String> = hard
        .into_iter()
        .flatten()
        .filter(|(resource, _)| resource.starts_with("limits.") == of_limits)
        .map(|(resource, most)| {
            let used = item["status"]["used"][resource].as_str().unwrap_or("0");
            format!("{resource}: {used}/{}", most.as_str().unwrap_or_default())
        })
        .collect();
    resources.sort_unstable();
    resources.join(", ").into()
}

/// `statefulset.apps/db`.
fn controller(owner: &Value) -> Value {
    let (kind, name) = (text_at(owner, "/kind").to_lowercase(), text_at(owner, "/name"));
    match text_at(owner, "/apiVersion").split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{name}").into(),
        None => format!("{kind}/{name}").into(),
    }
}

fn job_status(item: &Value) -> &'static str {
    let holds = |wanted: &str| {
        let mut conditions = list_at(item, "/status/conditions").iter();
        conditions.any(|condition| condition["type"] == wanted && condition["status"] == "True")
    };
    if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else if item.pointer("/metadata/deletionTimestamp").is_some() {
        "Terminating"
    } else if holds("Suspended") {
        "Suspended"
    } else if holds("FailureTarget") {
        "FailureTarget"
    } else {
        "Running"
    }
}

fn count_or_percentage(item: &Value, pointer: &str) -> Value {
    match item.pointer(pointer) {
        Some(Value::String(percentage)) => percentage.as_str().into(),
        Some(Value::Number(count)) => count.to_string().into(),
        _ => "N/A".into(),
    }
}

/// The subjects of a kind; service accounts with their namespace.
fn subjects(item: &Value, kind: &str) -> Value {
    let subjects = list_at(item, "/subjects").iter().filter(|subject| subject["kind"] == kind);
    let name = |subject: &Value| {
        let name = text_at(subject, "/name");
        match text_at(subject, "/namespace") {
            "" => name.to_owned(),
            namespace => format!("{namespace}/{name}"),
        }
    };
    subjects.map(name).collect::<Vec<_>>().join(", ").into()
}
