use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use manifest::labels::SERVICE_NAME;
use manifest::read::Level;

use crate::lint::by_hand::Waiting;
use crate::lint::words::scalar;
use crate::lint::{Change, Findings, Item, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC039",
    level: Level::Warning,
    title: "an EndpointSlice that belongs to no Service",
    explanation: "\
What ties a slice to its Service is the label `kubernetes.io/service-name`, in the same namespace; the slice's own name means nothing,
however much it looks like the Service's. Without the label neither kube-proxy nor DNS looks at the slice, and the Service stays without
backends: connections to its address are refused, and a headless one is NXDOMAIN. `kubectl get endpointslices` shows the slice all the
same.",
    remedy: "Label the slice: `kubernetes.io/service-name: SERVICE`.",
    sources: &["Kubernetes API, discovery/v1 EndpointSlice", "Kubernetes documentation, EndpointSlices, Ownership"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let waiting = Waiting::new(objects);
    for slice in objects.slices.iter().filter(|slice| slice.is_by_hand()) {
        match slice.service_name() {
            None => unlabelled(slice, &waiting, findings),
            Some(name) => mislabelled(slice, name, objects, &waiting, findings),
        }
    }
}

fn unlabelled(slice: &Item<EndpointSlice>, waiting: &Waiting<'_>, findings: &mut Findings<'_>) {
    let (namespace, name) = (&slice.reference.namespace, &slice.reference.name);
    let meant = waiting.meant(namespace, name);
    let metadata = &slice.object.metadata;
    let has_labels = slice.document.has("metadata.labels");
    let finding = findings.add(
        slice.subject(),
        slice.label(if has_labels { "metadata.labels" } else { "metadata" }, "names no Service"),
        format!("EndpointSlice {name} has no label {SERVICE_NAME}, so it belongs to no Service"),
    );
    if metadata.annotations.as_ref().is_some_and(|all| all.contains_key(SERVICE_NAME)) {
        finding.with(
            slice.label(
                &format!("metadata.annotations[{SERVICE_NAME}]"),
                "an annotation, not a label",
            ),
        );
    }
    let Some(service) = meant else {
        finding
            .help(format!("kube-proxy and DNS pass it by: add the label {SERVICE_NAME}: SERVICE"));
        return;
    };
    let to = &service.reference.name;
    finding.with(service.label("metadata.name", "without endpoints"));
    finding.help(format!(
        "kube-proxy and DNS pass it by, and {to} {}: add the label {SERVICE_NAME}: {to}",
        without_endpoints(service)
    ));
    // Called as a slice of that Service is.
    if name == to || name.strip_prefix(to.as_str()).is_some_and(|rest| rest.starts_with('-')) {
        let label = format!("metadata.labels[{SERVICE_NAME}]");
        let add = |parent: &str, key: &str, value| Change::Add {
            parent: parent.to_owned(),
            key: key.to_owned(),
            value,
        };
        let change = if slice.document.has(&label) {
            Change::Set { field: label, to: scalar(to) }
        } else if has_labels {
            add("metadata.labels", SERVICE_NAME, scalar(to))
        } else {
            add("metadata", "labels", format!("{{{SERVICE_NAME}: {}}}", scalar(to)))
        };
        // A key that is there without a value is no map to add to.
        if !has_labels || metadata.labels.is_some() {
            finding.fix(
                format!("label the slice {SERVICE_NAME}: {to}"),
                &slice.document,
                vec![change],
            );
        }
    }
}

fn mislabelled(
    slice: &Item<EndpointSlice>,
    name: &str,
    objects: &Objects,
    waiting: &Waiting<'_>,
    findings: &mut Findings<'_>,
) {
    let namespace = &slice.reference.namespace;
    if objects.service(namespace, name).is_some() {
        return;
    }
    // With nothing that waits for it, it may be for a Service that is not among these files.
    let (service, help) = if let Some(service) = waiting.meant(namespace, name) {
        let to = &service.reference.name;
        (
            service,
            format!(
                "Service {to} {}: label the slice {SERVICE_NAME}: {to}",
                without_endpoints(service)
            ),
        )
    } else {
        let Some(service) = objects.services.iter().find(|service| service.reference.name == name)
        else {
            return;
        };
        (
            service,
            format!(
                "a slice is of a Service in its own namespace: put it into {}",
                service.reference.namespace
            ),
        )
    };
    findings
        .add(
            slice.subject(),
            slice.label(&format!("metadata.labels[{SERVICE_NAME}]"), "no such Service"),
            format!("there is no Service {name} in namespace {namespace} among these files"),
        )
        .with(service.label("metadata.name", "perhaps this one is meant"))
        .help(help);
}

/// What becomes of a Service's clients.
fn without_endpoints(service: &Item<Service>) -> &'static str {
    match service.is_headless() {
        true => "is NXDOMAIN",
        false => "refuses connections",
    }
}
