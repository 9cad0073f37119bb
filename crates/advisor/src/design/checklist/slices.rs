//! The EndpointSlices of each Service.

use super::{Step, per_pod, pods, row, table};
use crate::design::intent::{Intent, Port, Workload};
use crate::peers::Reach;

/// The slices as kubectl lists them: each Service's own, with the pods' addresses and the ports that they listen on.
pub(super) fn slices(intent: &Intent) -> Step {
    let pods = pods(intent);
    let mut endpoints: Vec<String> =
        pods.iter().take(3).map(|pod| format!("<IP of {pod}>")).collect();
    if pods.len() > 3 {
        endpoints.push(format!("+ {} more...", pods.len() - 3));
    }
    let endpoints = match pods.len() > 3 {
        true => format!("{} {}", endpoints[..3].join(","), endpoints[3]),
        false => endpoints.join(","),
    };
    let ports = |ports: &mut dyn Iterator<Item = &Port>| {
        let all: Vec<String> = ports.map(|port| port.target.to_string()).collect();
        match all.len() > 3 {
            true => format!("{} + {} more...", all[..3].join(","), all.len() - 3),
            false => all.join(","),
        }
    };
    let mut rows = vec![row(["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"])];
    let mut services = Vec::new();
    if let Some(service) = intent.peer_service() {
        let ports = ports(&mut intent.listened());
        rows.push(row([&format!("{service}-<hash>"), "IPv4", &ports, &endpoints, "<age>"]));
        services.push(service);
    }
    if let Some(service) = intent.client_service() {
        let ports = ports(&mut intent.client_ports());
        let behind = match leads(intent) {
            Some(_) => format!("<IP of the {} that leads>", intent.what()),
            None => endpoints,
        };
        rows.push(row([&format!("{service}-<hash>"), "IPv4", &ports, &behind, "<age>"]));
        services.push(service);
    }
    Step {
        shows: "the controller keeps slices for each Service: the pods' addresses, and the ports that pods listen on; `<unset>` under ENDPOINTS means that the selector matches no pod, under PORTS that a named port is declared by none".to_owned(),
        command: format!(
            "kubectl -n {} get endpointslices -l 'kubernetes.io/service-name in ({})'",
            intent.namespace,
            services.join(",")
        ),
        expect: table(&rows),
        local: None,
    }
}

/// The label of the pod that leads, where clients go to that one alone.
fn leads(intent: &Intent) -> Option<(&'static str, &'static str)> {
    match intent.software()?.reach {
        Reach::Leader { label, value, .. } => Some((label, value)),
        Reach::Any | Reach::SeedThenPods | Reach::Pods => None,
    }
}

fn slices_command(intent: &Intent, service: &str, format: &str) -> String {
    format!(
        "kubectl -n {} get endpointslices -l kubernetes.io/service-name={service} -o jsonpath='{{range .items[*].endpoints[*]}}{format}{{\"\\n\"}}{{end}}' | sort",
        intent.namespace
    )
}

pub(super) fn headless_slices(intent: &Intent, service: &str) -> Step {
    let has_names = !intent.pod_names().is_empty();
    let (field, first) =
        if has_names { ("{.hostname}", "hostname") } else { ("{.targetRef.name}", "name") };
    let shows = match (intent.publishes_not_ready(), has_names) {
        (true, true) => format!(
            "every pod of `{service}` is published by its {first}, ready=true from its first moment; serving tells whether its probe passes"
        ),
        (true, false) => format!(
            "every pod of `{service}` is published, ready=true from its first moment; serving tells whether its probe passes"
        ),
        (false, _) => {
            format!("every pod of `{service}` is published by its {first} once it is ready")
        }
    };
    let lines =
        per_pod(&pods(intent), |pod| vec![format!("{pod} <IP of {pod}> ready=true serving=true")]);
    Step {
        shows,
        command: slices_command(
            intent,
            service,
            &format!(
                "{field} {{.addresses[0]}} ready={{.conditions.ready}} serving={{.conditions.serving}}"
            ),
        ),
        expect: lines,
        local: None,
    }
}

pub(super) fn client_slices(intent: &Intent, service: &str) -> Step {
    let (shows, expect) = match leads(intent) {
        Some((label, value)) => (
            format!(
                "`{service}` has the leader behind it, and nobody while there is none: {} sets {label}={value}",
                intent.what()
            ),
            vec![format!("{}-<ordinal> ready=true", intent.name)],
        ),
        None => (
            format!(
                "`{service}` has every pod behind it that is ready; one that is not stays listed with ready=false, and gets no connection"
            ),
            per_pod(&pods(intent), |pod| vec![format!("{pod} ready=true")]),
        ),
    };
    Step {
        shows,
        command: slices_command(intent, service, "{.targetRef.name} ready={.conditions.ready}"),
        expect,
        local: None,
    }
}

pub(super) fn no_slices(intent: &Intent) -> Step {
    let Intent { name, namespace, .. } = intent;
    Step {
        shows: "an alias has no endpoints: kube-proxy and policies know nothing of it".to_owned(),
        command: format!(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}"
        ),
        expect: vec![format!("No resources found in {namespace} namespace.")],
        local: None,
    }
}

pub(super) fn kept_slices(intent: &Intent) -> Step {
    let Workload::Addresses { addresses, .. } = &intent.workload else { return no_slices(intent) };
    Step {
        shows: "the slices belong to the Service, and list every address; Kubernetes checks none of them".to_owned(),
        command: slices_command(intent, &intent.name, "{.addresses[0]} ready={.conditions.ready}"),
        expect: addresses.iter().map(|address| format!("{address} ready=true")).collect(),
        local: None,
    }
}
