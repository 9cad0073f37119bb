//! HTTPRoutes: to which listeners they are attached, and what is to be said of them.

use std::collections::{BTreeMap, BTreeSet};

use manifest::gateway::{GROUP, HTTPRoute, ParentReference};

use super::host::HostPattern;
use super::listener::{Opened, Opening};
use super::rule::{self, Ruled};
use super::table::Route;
use super::{Plan, RouteReport, Said, age};
use crate::objects::{Name, Objects};

/// Attaches all routes to those listeners of their parents that take them.
pub(super) fn attach(objects: &Objects, opened: &mut BTreeMap<Name, Opening>, plan: &mut Plan) {
    for (name, route) in &objects.routes {
        let mut parents = Vec::new();
        let ruled = rule::read(objects, name, route);
        let mut attached = BTreeSet::new();
        for parent in &route.spec.parent_refs {
            let is_gateway = parent.kind.as_deref().unwrap_or("Gateway") == "Gateway"
                && parent.group.as_deref().unwrap_or(GROUP) == GROUP;
            let namespace = parent.namespace.as_deref().filter(|namespace| !namespace.is_empty());
            let gateway = (namespace.unwrap_or(&name.0).to_owned(), parent.name.clone());
            // Of parents that are not ours others speak.
            let Some(opening) = opened.get_mut(&gateway).filter(|_| is_gateway) else { continue };
            let accepted = match candidates(objects, &gateway, opening, parent, route, name) {
                Err(said) => said,
                Ok(_) if ruled.rules.is_empty() => {
                    Said::no("Accepted", "UnsupportedValue", ruled.dropped.join("; "))
                }
                Ok(places) => {
                    for (place, hosts) in places {
                        // A listener that two of its references mean has it once.
                        if !attached.insert((gateway.clone(), place)) {
                            continue;
                        }
                        let listener = &mut opening.listeners[place];
                        listener.attached += 1;
                        add(listener, &hosts, name, route, &ruled);
                    }
                    Said::yes("Accepted", "Accepted", "")
                }
            };
            let mut conditions = vec![accepted, ruled.resolved.clone()];
            if conditions[0].holds && !ruled.dropped.is_empty() {
                let message = format!("Dropped Rule(s): {}", ruled.dropped.join("; "));
                conditions.push(Said::yes("PartiallyInvalid", "UnsupportedValue", message));
            }
            parents.push((parent.clone(), conditions));
        }
        plan.routes.push(RouteReport { name: name.clone(), parents });
    }
}

/// The listeners of a parent that take the route, each with the hosts that both have.
fn candidates(
    objects: &Objects,
    gateway: &Name,
    opening: &Opening,
    parent: &ParentReference,
    route: &HTTPRoute,
    name: &Name,
) -> Result<Vec<(usize, Vec<HostPattern>)>, Said> {
    let section = parent.section_name.as_deref().filter(|section| !section.is_empty());
    let is_meant = |listener: &Opened| {
        section.is_none_or(|section| section == listener.name)
            && parent.port.is_none_or(|port| port == i32::from(listener.port))
    };
    let spoken = format!("Gateway {}/{}", gateway.0, gateway.1);
    let listeners = opening.listeners.iter().enumerate();
    let mut meant = listeners.filter(|(_, listener)| is_meant(listener)).peekable();
    if meant.peek().is_none() {
        let has: Vec<String> = opening
            .listeners
            .iter()
            .map(|listener| format!("{} (port {})", listener.name, listener.port))
            .collect();
        let section = section.map(|section| format!(" named {section}")).unwrap_or_default();
        let port = parent.port.map(|port| format!(" at port {port}")).unwrap_or_default();
        let message = format!("{spoken} has no listener{section}{port}: it has {}", has.join(", "));
        return Err(Said::no("Accepted", "NoMatchingParent", message));
    }
    let allows = |(_, listener): &(usize, &Opened)| listener.allows(objects, gateway, &name.0);
    let mut allowed = meant.filter(allows).peekable();
    if allowed.peek().is_none() {
        let message = format!(
            "no listener of {spoken} takes HTTPRoutes of namespace {}: allowedRoutes says which may come",
            name.0
        );
        return Err(Said::no("Accepted", "NotAllowedByListeners", message));
    }
    let hosts: Vec<HostPattern> = match route.spec.hostnames.as_slice() {
        [] => vec![HostPattern::Any],
        names => names.iter().map(|name| HostPattern::of_gateway(Some(name))).collect(),
    };
    let meet = |(place, listener): (usize, &Opened)| {
        let met: Vec<_> = hosts.iter().filter_map(|host| listener.host.intersect(host)).collect();
        (!met.is_empty()).then_some((place, met))
    };
    let met: Vec<_> = allowed.filter_map(meet).collect();
    if met.is_empty() {
        let message = format!(
            "no listener of {spoken} is for {}",
            hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        );
        return Err(Said::no("Accepted", "NoMatchingListenerHostname", message));
    }
    Ok(met.into_iter().filter(|(place, _)| opening.listeners[*place].is_accepted()).collect())
}

/// Adds the route's rules to a listener.
fn add(
    listener: &mut Opened,
    hosts: &[HostPattern],
    name: &Name,
    route: &HTTPRoute,
    ruled: &Ruled,
) {
    let age = age(&route.metadata);
    for (place, (condition, action)) in ruled.rules.iter().enumerate() {
        listener.routes.extend(hosts.iter().map(|host| Route {
            host: host.clone(),
            condition: condition.clone(),
            action: action.clone(),
            from: format!("HTTPRoute {}/{}", name.0, name.1),
            order: (age, name.clone(), place),
        }));
    }
}
