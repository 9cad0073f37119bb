//! What a design would take from others that are there.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use serde_json::Value;

use super::Plan;
use super::draft::Trouble;
use super::from::at;
use super::intent::{Intent, Workload as Behind};
use crate::lint::{Item, Objects, Workload};

/// Why a plan cannot be applied next to objects that are there: it would take a Service of others, or lead an alias back to
/// itself by way of theirs.
pub fn conflicts(plan: &Plan, objects: &Objects) -> Vec<Trouble> {
    let mut troubles: Vec<Trouble> = Vec::new();
    troubles.extend(alias_loop(&plan.intent, objects));
    let existing = plan.intent.pods().and_then(|pods| pods.existing.workload.as_ref());
    let own = objects.workloads.iter().find(|own| Some(&own.document.value) == existing);
    for manifest in plan.manifests.iter().map(super::Manifest::to_value) {
        if manifest["kind"] != "Service" {
            continue;
        }
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
        if let Some(there) = objects.service(&plan.intent.namespace, name) {
            troubles.extend(taken(there, &manifest["spec"]["selector"], own, objects));
        }
    }
    troubles
}

/// A Service that is another workload's.
fn taken(
    there: &Item<Service>,
    selector: &Value,
    own: Option<&Workload>,
    objects: &Objects,
) -> Option<Trouble> {
    let before = there.selector()?;
    let name = &there.reference.name;
    let for_whom = own.map_or("the design".to_owned(), Workload::title);
    let is_own = |other: &Workload| own.is_some_and(|own| std::ptr::eq(own, other));
    let stays = |other: &Workload| {
        let wanted: BTreeMap<String, String> =
            serde_json::from_value(selector.clone()).unwrap_or_default();
        !wanted.is_empty() && wanted.iter().all(|(key, value)| other.labels.get(key) == Some(value))
    };
    let loses = objects.selected(there).find(|other| !is_own(other) && !stays(other));
    let selects_own =
        own.is_some_and(|own| objects.selected(there).any(|other| std::ptr::eq(own, other)));
    let governs =
        own.and_then(|own| objects.governing(own)).is_some_and(|own| std::ptr::eq(own, there));
    let message = match loses {
        Some(loses) => format!(
            "Service {name} leads to {}, and the design would make it {for_whom}'s",
            loses.pods()
        ),
        None if own.is_some() && !selects_own && !governs => {
            let labels: Vec<String> =
                before.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!(
                "Service {name} selects {}, which the pods of {for_whom} are not, and the design would make it theirs",
                labels.join(",")
            )
        }
        None => return None,
    };
    let trouble = at(&there.document, "spec.selector", name.clone()).trouble(message);
    Some(trouble.help(format!(
        "a namespace has one Service of a name: rename this one, or {for_whom}; or leave this one out of --from if it is not there any more"
    )))
}

/// An alias whose target is an alias, and so on, back to itself.
fn alias_loop(intent: &Intent, objects: &Objects) -> Option<Trouble> {
    let Behind::Host(host) = &intent.workload else { return None };
    let own = intent.full_name(&intent.name);
    let mut by_name: BTreeMap<String, &Item<Service>> = BTreeMap::new();
    for service in objects.services.iter().filter(|service| service.is_external_name()) {
        let name = format!("{}.{}", service.dns_name(), intent.cluster_domain);
        by_name.entry(name).or_insert(service);
    }
    // What stands under the alias's own name is replaced.
    by_name.remove(&own);
    let mut way: Vec<&Item<Service>> = Vec::new();
    let mut at_name = host.to_lowercase();
    while let Some(next) = by_name.remove(&at_name) {
        way.push(next);
        let target = next.object.spec.as_ref().and_then(|spec| spec.external_name.as_deref())?;
        at_name = target.trim_end_matches('.').to_lowercase();
    }
    let last = way.last().filter(|_| at_name == own)?;
    let names: Vec<&str> = way.iter().map(|service| service.reference.name.as_str()).collect();
    let trouble = at(&last.document, "spec.externalName", own.clone()).trouble(format!(
        "{own} would be an alias of itself by way of {}: no address is at the end",
        names.join(", ")
    ));
    Some(trouble.help("let one of them lead to a real host: --external HOST"))
}
