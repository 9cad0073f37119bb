use k8s_openapi::api::core::v1::{Endpoints, Service};
use manifest::read::Level;

use crate::lint::by_hand::Waiting;
use crate::lint::{Findings, Item, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC038",
    level: Level::Warning,
    title: "Endpoints that no Service takes",
    explanation: "\
What ties Endpoints to a Service is the name alone: they are copied into a slice of the Service that is called the same, in the same
namespace, if that Service has no selector. Endpoints of another name feed nothing, and the Service stays without backends: connections to
its address are refused, and a headless one is NXDOMAIN. Endpoints of a Service *with* a selector are overwritten by the controller, and
of an ExternalName nobody looks at them.",
    remedy: "\
Give the Endpoints the Service's name; better, replace them by an EndpointSlice labelled `kubernetes.io/service-name`. Where there is a
selector, remove it or the Endpoints.",
    sources: &[
        "kubernetes/kubernetes pkg/controller/endpointslicemirroring",
        "Kubernetes documentation, Services without selectors",
    ],
    check,
};

/// Why no Service takes Endpoints.
enum Why<'o> {
    /// This one waits for some.
    Misnamed(&'o Item<Service>),
    /// The Service of this name is in another namespace.
    Elsewhere(&'o Item<Service>),
    /// The Service has a selector.
    Overwritten(&'o Item<Service>),
    /// The Service is an alias.
    Alias(&'o Item<Service>),
}

fn why<'o>(
    endpoints: &Item<Endpoints>,
    objects: &'o Objects,
    waiting: &Waiting<'o>,
) -> Option<Why<'o>> {
    let (namespace, name) = (&endpoints.reference.namespace, &endpoints.reference.name);
    match objects.service(namespace, name) {
        Some(service) if service.is_external_name() => Some(Why::Alias(service)),
        Some(service) => service.selector().map(|_| Why::Overwritten(service)),
        // With nothing that waits for them they may be for a Service that is not among these files.
        None => waiting.meant(namespace, name).map(Why::Misnamed).or_else(|| {
            objects
                .services
                .iter()
                .find(|service| service.reference.name == *name)
                .map(Why::Elsewhere)
        }),
    }
}

/// The Endpoints that this rule has something to say of.
pub(super) fn strays(objects: &Objects) -> impl Iterator<Item = &Item<Endpoints>> {
    let waiting = Waiting::new(objects);
    let by_hand = objects.endpoints.iter().filter(|item| item.is_by_hand());
    by_hand.filter(move |item| why(item, objects, &waiting).is_some())
}

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let waiting = Waiting::new(objects);
    for endpoints in objects.endpoints.iter().filter(|item| item.is_by_hand()) {
        let Some(why) = why(endpoints, objects, &waiting) else { continue };
        let (namespace, name) = (&endpoints.reference.namespace, &endpoints.reference.name);
        let (there, message, other, help) = match why {
            Why::Misnamed(service) => (
                "the name of no Service",
                format!(
                    "there is no Service {name} in namespace {namespace} among these files, \
                    and Service {} has no endpoints",
                    service.reference.name
                ),
                service.label("metadata.name", "without endpoints"),
                format!(
                    "{} {}: name the Endpoints {}",
                    service.reference.name,
                    if service.is_headless() { "is NXDOMAIN" } else { "refuses connections" },
                    service.reference.name
                ),
            ),
            Why::Elsewhere(service) => (
                "no such Service in this namespace",
                format!(
                    "Endpoints {name} are in namespace {namespace}, and Service {name} is in \
                    {}",
                    service.reference.namespace
                ),
                service.label(
                    "metadata.name",
                    format!("in namespace {}", service.reference.namespace),
                ),
                format!("put the Endpoints into namespace {}", service.reference.namespace),
            ),
            Why::Overwritten(service) => (
                "overwritten",
                format!("Endpoints {name} are the controller's, for Service {name} has a selector"),
                service.label("spec.selector", "its pods become the endpoints"),
                "what is written here is replaced by the selected pods: remove the selector, or \
                 these Endpoints"
                    .to_owned(),
            ),
            Why::Alias(service) => (
                "not looked at",
                format!("Service {name} is an ExternalName, and nobody looks at its Endpoints"),
                service.label("spec.type", "an alias"),
                format!(
                    "remove type and externalName and give {name} ports, or remove these \
                    Endpoints"
                ),
            ),
        };
        findings
            .add(endpoints.subject(), endpoints.label("metadata.name", there), message)
            .with(other)
            .help(help);
    }
}
