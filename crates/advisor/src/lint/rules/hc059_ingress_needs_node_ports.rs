use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use manifest::read::Level;
use manifest::{KindId, Stored};

use serde_json::Value;

use crate::lint::objects::Item;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC059",
    level: Level::Error,
    title: "an Ingress sends to node ports, and its Service has none",
    explanation: "\
Most Ingress controllers take a Service's pods from its EndpointSlices, and a headless one serves them as well as another. The AWS Load Balancer Controller
does so only with `target-type: ip`; with `instance`, its default, the load balancer sends to a port of the nodes, which Services of type NodePort and
LoadBalancer have and headless ones can never have. The Ingress then gets no load balancer at all (event `FailedBuildModel`: `TargetGroup port is empty`).
Google's controller is alike where container-native balancing is turned off (`cloud.google.com/neg: '{\"ingress\": false}'`).",
    remedy: "Annotate the Ingress with `alb.ingress.kubernetes.io/target-type: ip`, or let it point at a Service of type NodePort.",
    sources: &[
        "kubernetes-sigs/aws-load-balancer-controller, pkg/ingress: buildTargetGroupPort",
        "kubernetes-sigs/aws-load-balancer-controller#1695",
        "kubernetes/ingress-gce, pkg/controller/translator",
    ],
    check,
};

const TARGET_TYPE: &str = "alb.ingress.kubernetes.io/target-type";
const CLASS: &str = "kubernetes.io/ingress.class";
const NEG: &str = "cloud.google.com/neg";

/// Controllers that may send to node ports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Controller {
    Aws,
    Google,
}

type Annotations = BTreeMap<String, String>;

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let classes = objects
        .all
        .iter()
        .filter(|item| item.document.kind.id == KindId::Stored(Stored::IngressClass));
    let classes = classes.map(|item| (item.reference.name.as_str(), &item.object)).collect();
    for ingress in &objects.ingresses {
        let Some(controller) = controller(&classes, ingress) else { continue };
        let mut told = Vec::new();
        for (field, backend) in backends(&ingress.object) {
            let Some(reference) = &backend.service else { continue };
            let Some(service) = objects.service(&ingress.reference.namespace, &reference.name)
            else {
                continue;
            };
            if has_node_ports(service) || told.contains(&&service.reference.name) {
                continue;
            }
            told.push(&service.reference.name);
            match controller {
                Controller::Aws => aws(ingress, &field, service, findings),
                Controller::Google => google(ingress, &field, service, findings),
            }
        }
    }
}

fn aws(ingress: &Item<Ingress>, field: &str, service: &Item<Service>, findings: &mut Findings<'_>) {
    // The Service's annotation goes before the Ingress's.
    let of_ingress = ingress.object.metadata.annotations.as_ref();
    let of_service = service.object.metadata.annotations.as_ref();
    let of = |annotations: Option<&Annotations>| {
        annotations.and_then(|all| all.get(TARGET_TYPE).cloned())
    };
    let target_type = of(of_service).or_else(|| of(of_ingress));
    if target_type.as_deref() == Some("ip") {
        return;
    }
    let (name, what) = (&service.reference.name, what(service));
    let path = format!("metadata.annotations[{TARGET_TYPE}]");
    let message = format!(
        "the load balancer of Ingress {} sends to node ports, and Service {name} is {what} and has none",
        ingress.reference.name
    );
    let finding = findings.add(
        ingress.subject(),
        ingress.label(&format!("{field}.service.name"), "needs node ports"),
        message,
    );
    finding.with(service.label(field_of(service), "no node ports"));
    match target_type {
        Some(_) => {
            let holder = of(of_service).map_or_else(
                || ingress.label(&path, "sends to nodes"),
                |_| service.label(&path, "sends to nodes"),
            );
            finding.with(holder);
        }
        None => {
            // The controller's flag and an IngressClassParams may say otherwise.
            finding.level(Level::Warning);
            finding.help("target-type is instance unless the controller was set up otherwise");
        }
    }
    finding.help(format!(
        "no load balancer is made (FailedBuildModel: TargetGroup port is empty): annotate the Ingress with {TARGET_TYPE}: ip"
    ));
}

fn google(
    ingress: &Item<Ingress>,
    field: &str,
    service: &Item<Service>,
    findings: &mut Findings<'_>,
) {
    let annotation = service.object.metadata.annotations.as_ref().and_then(|all| all.get(NEG));
    let off = annotation.is_some_and(|text| {
        serde_json::from_str::<Value>(text).is_ok_and(|value| value["ingress"] == false)
    });
    if !off {
        return;
    }
    let (name, what) = (&service.reference.name, what(service));
    let message = format!(
        "Ingress {} sends to node ports, and Service {name} is {what} and has none",
        ingress.reference.name
    );
    let finding = findings.add(
        ingress.subject(),
        ingress.label(&format!("{field}.service.name"), "needs node ports"),
        message,
    );
    finding.with(
        service.label(&format!("metadata.annotations[{NEG}]"), "turns balancing to pods off"),
    );
    finding.help(format!(
        "annotate the Service with {NEG}: '{{\"ingress\": true}}', so that its pods are dialled"
    ));
}

fn what(service: &Item<Service>) -> &'static str {
    if service.is_headless() { "headless" } else { "of type ClusterIP" }
}

fn field_of(service: &Item<Service>) -> &'static str {
    if service.is_headless() { "spec.clusterIP" } else { "spec.type" }
}

fn has_node_ports(service: &Item<Service>) -> bool {
    // An ExternalName has no pods either; other rules speak of that.
    !service.is_headless() && service.type_name() != "ClusterIP"
}

/// Which of these controllers serves an Ingress, if its class says so.
fn controller(classes: &HashMap<&str, &Value>, ingress: &Item<Ingress>) -> Option<Controller> {
    let annotation = ingress.object.metadata.annotations.as_ref().and_then(|all| all.get(CLASS));
    let class = ingress.object.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_ref());
    let class = class.or(annotation)?.as_str();
    match (classes.get(class).map(|object| &object["spec"]), class) {
        // Its parameters may set the target type; EKS's own controller (eks.amazonaws.com/alb) sends to pods by default.
        (Some(spec), _) => {
            let is_aws =
                spec["controller"] == "ingress.k8s.aws/alb" && spec["parameters"].is_null();
            is_aws.then_some(Controller::Aws)
        }
        (None, "alb") => Some(Controller::Aws),
        (None, "gce" | "gce-internal") => Some(Controller::Google),
        (None, _) => None,
    }
}

/// The backends of an Ingress, and their paths.
fn backends(ingress: &Ingress) -> Vec<(String, &IngressBackend)> {
    let Some(spec) = ingress.spec.as_ref() else { return Vec::new() };
    let mut backends: Vec<_> = spec
        .default_backend
        .iter()
        .map(|backend| ("spec.defaultBackend".to_owned(), backend))
        .collect();
    for (rule_at, rule) in spec.rules.iter().flatten().enumerate() {
        for (at, path) in rule.http.iter().flat_map(|http| &http.paths).enumerate() {
            backends
                .push((format!("spec.rules[{rule_at}].http.paths[{at}].backend"), &path.backend));
        }
    }
    backends
}
