//! From objects to a table of routes, and to what is to be said of the objects. Pure.

mod backend;
mod condition;
mod filter;
mod grant;
mod host;
mod ingress;
mod listener;
mod route;
mod rule;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use manifest::gateway::{ParentReference, RouteGroupKind};

pub(crate) use backend::{At, Backend};
pub(crate) use condition::RequestHead;
pub(crate) use filter::{Arrived, Filters};
pub(crate) use host::bare;
pub(crate) use ingress::IS_DEFAULT;
pub(crate) use table::{Decision, Table};

use crate::CONTROLLER;
use crate::objects::{Name, Objects};

/// What routing is decided by besides objects.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Where everything listens.
    pub(crate) address: IpAddr,
    /// The ports of Ingresses: without and with TLS.
    pub(crate) ingress_ports: (u16, u16),
    /// The ports that are listened on, or why they are not.
    pub(crate) bound: BTreeMap<u16, Result<(), String>>,
}

/// What follows from the objects.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) table: Table,
    /// The Ingresses that are served.
    pub(crate) ingresses: Vec<Name>,
    /// The GatewayClasses that are taken.
    pub(crate) classes: Vec<String>,
    pub(crate) gateways: Vec<GatewayReport>,
    pub(crate) routes: Vec<RouteReport>,
    /// The Secrets that are referred to, and may be.
    pub(crate) secrets: BTreeSet<Name>,
}

/// A condition of a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) kind: &'static str,
    pub(crate) holds: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Said {
    fn yes(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, holds: true, reason, message: message.into() }
    }

    fn no(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, holds: false, reason, message: message.into() }
    }
}

/// What is to be said of a Gateway.
#[derive(Debug)]
pub(crate) struct GatewayReport {
    pub(crate) name: Name,
    /// Whether it has the address.
    pub(crate) is_reached: bool,
    pub(crate) conditions: Vec<Said>,
    pub(crate) listeners: Vec<ListenerReport>,
}

/// What is to be said of a listener.
#[derive(Debug)]
pub(crate) struct ListenerReport {
    pub(crate) name: String,
    pub(crate) kinds: Vec<RouteGroupKind>,
    pub(crate) attached: i32,
    pub(crate) conditions: Vec<Said>,
}

/// What is to be said of a route.
#[derive(Debug)]
pub(crate) struct RouteReport {
    pub(crate) name: Name,
    pub(crate) parents: Vec<(ParentReference, Vec<Said>)>,
}

/// Decides everything.
pub(crate) fn plan(objects: &Objects, place: &Place) -> Plan {
    let mut plan = Plan::default();
    // Who asks for anything there is told that there is nothing yet.
    plan.table.ports.entry(place.ingress_ports.0).or_default();
    ingress::plan(objects, place.ingress_ports, &mut plan);
    let ours = |class: &&manifest::gateway::GatewayClass| class.spec.controller_name == CONTROLLER;
    let classes = objects.gateway_classes.values().filter(ours);
    plan.classes = classes.filter_map(|class| class.metadata.name.clone()).collect();
    let mut listeners = listener::open(objects, place, &mut plan);
    route::attach(objects, &mut listeners, &mut plan);
    listener::report(listeners, place, &mut plan);
    plan.table.ports.values_mut().for_each(table::Port::sort);
    plan
}

/// When an object was created, in seconds: older ones go first.
fn age(metadata: &ObjectMeta) -> i64 {
    metadata.creation_timestamp.as_ref().map_or(i64::MAX, |time| time.0.as_second())
}
