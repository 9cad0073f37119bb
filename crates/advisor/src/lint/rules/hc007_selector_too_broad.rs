use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::{Findings, Item, Objects, Rule, Workload, words};

pub(super) const RULE: Rule = Rule {
    code: "HC007",
    level: Level::Warning,
    title: "a Service selects pods that do not serve its ports",
    explanation: "\
A selector such as `app: shop` takes every pod with that label: those of a worker, a cache or a CronJob of the same application too. A pod without readiness probe
is ready as soon as it runs, so each of them becomes an endpoint, and a share of the connections is refused, with a CronJob only while one of its
pods runs. In the list of a headless Service such pods look like peers. Where `targetPort` is a name that they lack, a Service with a cluster IP sends
them nothing.",
    remedy: "\
Give the pods that serve a label of their own (`app.kubernetes.io/component: web`) and ask for it in the selector. If the others do serve the port,
declare it in their containers.",
    sources: &[
        "Kubernetes API, core/v1 ServiceSpec.selector",
        "Kubernetes, EndpointSlice controller: every running pod that matches is an endpoint",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let mut taken = mistakes(objects);
    for workload in &objects.workloads {
        let Some(mut wrong) = taken.remove(&std::ptr::from_ref(workload)) else { continue };
        // One fault, said where it does most.
        wrong.sort_by_key(|(harm, ..)| *harm);
        let Some(((harm, service, serving), others)) = wrong.split_first() else { continue };
        let finding = findings.add(
            service.subject(),
            service.label("spec.selector", format!("takes {} too", workload.pods())),
            format!(
                "Service {}, served by {}, also selects {}{}",
                service.reference.name,
                serving.title(),
                workload.pods(),
                lacking(workload, service)
            ),
        );
        finding.with(workload.pod_label("metadata.labels", words::labels(&workload.labels)));
        for (_, other, _) in others {
            finding.with(other.label("spec.selector", "and so does this one"));
        }
        let name = service.dns_name();
        match harm {
            Harm::Listed => finding.help(format!("{name} lists them among the others, where connections are \
                refused")),
            Harm::Dialled => finding.help(format!("a share of the connections to {name} goes to them and is \
                refused")),
            Harm::Doubtful => finding.level(Level::Note).help(format!(
                "a share of the connections to {name} goes to them, and is refused unless they listen \
                 without declaring it"
            )),
            Harm::Idle => finding.level(Level::Note).help(
                "no connection goes to them while they lack the port of that name, but they stand among the \
                 endpoints",
            ),
        };
        finding.help(mend(service, serving, workload));
    }
}

/// What pods do that a Service selects by mistake; the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// They are in the answer of a headless Service.
    Listed,
    /// They get connections, and most likely refuse them.
    Dialled,
    /// They get connections, and may well serve them.
    Doubtful,
    /// They get none: each port goes by a name that they lack.
    Idle,
}

fn harm(service: &Item<Service>, workload: &Workload) -> Harm {
    let mut ports = service.ports().iter();
    let by_number = ports.any(|port| !matches!(port.target_port, Some(IntOrString::String(_))));
    let declares_none = workload.ports().next().is_none();
    match (by_number, service.is_headless()) {
        // A number works whether it is declared or not; a Job's pods do not serve, as a rule.
        (true, _) if declares_none && !workload.ends() => Harm::Doubtful,
        (_, true) => Harm::Listed,
        (true, false) => Harm::Dialled,
        (false, false) => Harm::Idle,
    }
}

/// A Service that takes pods by mistake: how bad that is, the Service, and the workload that it is evidently for.
type Mistake<'o> = (Harm, &'o Item<Service>, &'o Workload);

/// The mistakes about each workload.
///
/// Services of one selector and the same ports are looked at once, for thousands of them may select the same thousands of
/// workloads.
fn mistakes(objects: &Objects) -> HashMap<*const Workload, Vec<Mistake<'_>>> {
    let mut alike: Vec<Vec<&Item<Service>>> = Vec::new();
    let mut known: HashMap<_, usize> = HashMap::new();
    for service in &objects.services {
        let Some(selector) = service.selector() else { continue };
        let ports: Vec<_> = service.ports().iter().map(|it| format!("{it:?}")).collect();
        let next = alike.len();
        let at = *known.entry((&service.reference.namespace, selector, ports)).or_insert(next);
        if at == next {
            alike.push(Vec::new());
        }
        alike[at].push(service);
    }
    let mut mistakes: HashMap<_, Vec<Mistake<'_>>> = HashMap::new();
    for services in &alike {
        let Some(first) = services.first() else { continue };
        let declares = |workload: &Workload| first.ports().iter().any(|it| workload.declares(it));
        let selected: Vec<_> = objects.selected(first).collect();
        let (declaring, others): (Vec<&Workload>, Vec<_>) =
            selected.iter().partition(|workload| declares(workload));
        for workload in others {
            // Beside a Job's pods, those of anything else are what the Service is for.
            let beside = if workload.ends() { &selected } else { &declaring };
            let Some(serving) = serving(beside, workload) else { continue };
            // One that names the Service as its own belongs there.
            let by_mistake = services
                .iter()
                .filter(|it| workload.subdomain() != Some(it.reference.name.as_str()))
                .map(|service| (harm(service, workload), *service, serving));
            mistakes.entry(std::ptr::from_ref(workload)).or_default().extend(by_mistake);
        }
    }
    mistakes
}

/// The workload that a Service is evidently for, if these pods are selected beside it by mistake: one whose controller takes
/// the other's pods is HC006's. Of the first hundred, for more alike tell no more.
fn serving<'o>(beside: &[&'o Workload], workload: &Workload) -> Option<&'o Workload> {
    beside
        .iter()
        .filter(|other| !other.ends() && !std::ptr::eq(**other, workload))
        .take(100)
        .find(|other| !workload.overlaps(other))
        .copied()
}

/// What the pods lack, to be served by the Service; a Job's serve nobody, whatever they declare.
fn lacking(workload: &Workload, service: &Item<Service>) -> String {
    if workload.ends() {
        return String::new();
    }
    let targets: Vec<String> = service
        .ports()
        .iter()
        .map(|port| match &port.target_port {
            Some(IntOrString::String(name)) => name.clone(),
            Some(IntOrString::Int(number)) => number.to_string(),
            None => port.port.to_string(),
        })
        .collect();
    format!(", where port {} is not declared", words::list(&targets, 3))
}

/// A label to ask for, if the pods that serve have one that the others lack.
fn mend(service: &Item<Service>, serving: &Workload, workload: &Workload) -> String {
    let own = serving.labels.iter().find(|(key, value)| workload.labels.get(*key) != Some(value));
    match (own, service.selector()) {
        (Some((key, value)), Some(selector)) => {
            let mut narrower: BTreeMap<_, _> = selector.clone();
            narrower.insert(key.clone(), value.clone());
            format!("write selector: {}", words::yaml(&narrower))
        }
        _ => format!(
            "give the pods of {} a label that {} have not, and ask for it",
            serving.title(),
            workload.pods()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::tests::found;

    #[track_caller]
    fn check(service: &str, ports: &str, expected: Level, help: &str) {
        let pods = |kind: &str, name: &str, ports: &str| {
            format!(
                "
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: shop, role: {name}}}}}
  template:
    metadata: {{labels: {{app: shop, role: {name}}}}}
    spec: {{containers: [{{name: {name}, image: example.org/{name}:1, ports: {ports}}}]}}
---"
            )
        };
        let text = format!(
            "{}{}
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec: {{selector: {{app: shop}}, {service}}}
",
            pods("Deployment", "web", "[{name: http, containerPort: 8080}]"),
            pods("Deployment", "other", ports),
        );
        let findings = found(&RULE, &text);
        let [finding] = findings.as_slice() else { panic!("{service}: {findings:?}") };
        assert_eq!(finding.level, expected, "{service} {ports}");
        assert!(finding.help[0].contains(help), "{service} {ports}: {:?}", finding.help);
    }

    /// A number works without being declared, and a name that is not there gets no connections.
    #[test]
    fn how_bad_it_is() {
        let number = "ports: [{port: 80, targetPort: 8080}]";
        let name = "ports: [{port: 80, targetPort: http}]";
        let headless = "clusterIP: None, ports: [{port: 8080, targetPort: http}]";
        let other = "[{containerPort: 6379}]";
        check(number, other, Level::Warning, "is refused");
        check(number, "[]", Level::Note, "unless they listen");
        check(name, other, Level::Note, "no connection goes to them");
        check(headless, other, Level::Warning, "lists them");
        check(headless, "[]", Level::Warning, "lists them");
    }
}
