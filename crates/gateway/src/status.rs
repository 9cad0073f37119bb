//! Statuses: what is to be written, if anything.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use manifest::gateway::{
    Gateway, GatewayAddress, GatewayClass, HTTPRoute, ListenerStatus, RouteParentStatus,
};
use serde_json::{Value, json};

use crate::CONTROLLER;
use crate::routing::{GatewayReport, RouteReport, Said};

/// The status of an Ingress that is served, unless it has it.
pub(crate) fn ingress(ingress: &Ingress, address: IpAddr) -> Option<Value> {
    let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let points = status.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    let address = address.to_string();
    let is_said = matches!(points, [point] if point.ip.as_ref() == Some(&address));
    (!is_said).then(|| json!({ "loadBalancer": { "ingress": [{ "ip": address }] } }))
}

/// The status of an Ingress that was served once and is no more, if ours is what it says.
pub(crate) fn ingress_no_more(ingress: &Ingress, address: IpAddr) -> Option<Value> {
    let is_ours = self::ingress(ingress, address).is_none();
    is_ours.then(|| json!({ "loadBalancer": { "ingress": null } }))
}

/// The status of a GatewayClass that is taken.
pub(crate) fn class(class: &GatewayClass, now: Timestamp) -> Option<Value> {
    let held = class.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let said = Said { kind: "Accepted", holds: true, reason: "Accepted", message: String::new() };
    let conditions = conditions(held, &[said], class.metadata.generation, now);
    (conditions != held).then(|| json!({ "conditions": conditions }))
}

/// The status of a Gateway.
pub(crate) fn gateway(
    gateway: &Gateway,
    report: &GatewayReport,
    address: IpAddr,
    now: Timestamp,
) -> Option<Value> {
    let held = gateway.status.clone().unwrap_or_default();
    let generation = gateway.metadata.generation;
    let addresses = report.is_reached.then(|| GatewayAddress {
        type_: Some("IPAddress".to_owned()),
        value: address.to_string(),
    });
    let listeners = report.listeners.iter().map(|listener| {
        let held = held.listeners.iter().find(|held| held.name == listener.name);
        let held = held.map(|held| held.conditions.as_slice()).unwrap_or_default();
        ListenerStatus {
            name: listener.name.clone(),
            supported_kinds: listener.kinds.clone(),
            attached_routes: listener.attached,
            conditions: conditions(held, &listener.conditions, generation, now),
        }
    });
    let wanted = manifest::gateway::GatewayStatus {
        addresses: addresses.into_iter().collect(),
        conditions: conditions(&held.conditions, &report.conditions, generation, now),
        listeners: listeners.collect(),
    };
    // What is none is told as such: a merge patch leaves alone what is not named.
    (wanted != held).then(|| {
        json!({
            "addresses": wanted.addresses,
            "conditions": wanted.conditions,
            "listeners": wanted.listeners,
        })
    })
}

/// The status of a route; what other controllers say of it stays.
pub(crate) fn route(route: &HTTPRoute, report: &RouteReport, now: Timestamp) -> Option<Value> {
    let held = route.status.as_ref().map(|status| status.parents.as_slice()).unwrap_or_default();
    let others = held.iter().filter(|parent| parent.controller_name != CONTROLLER).cloned();
    let ours = report.parents.iter().map(|(parent, said)| {
        let held = held
            .iter()
            .find(|held| held.controller_name == CONTROLLER && held.parent_ref == *parent);
        let held = held.map(|held| held.conditions.as_slice()).unwrap_or_default();
        RouteParentStatus {
            parent_ref: parent.clone(),
            controller_name: CONTROLLER.to_owned(),
            conditions: conditions(held, said, route.metadata.generation, now),
        }
    });
    let wanted: Vec<RouteParentStatus> = others.chain(ours).collect();
    (wanted != held).then(|| json!({ "parents": wanted }))
}

/// Conditions as they are to be: each keeps its time until its status changes, and those of others stay.
fn conditions(
    held: &[Condition],
    said: &[Said],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    /// What is said of an object only while it is so.
    const PASSING: &str = "PartiallyInvalid";
    let is_said = |condition: &Condition| said.iter().any(|said| said.kind == condition.type_);
    let wanted = |said: &Said| {
        let status = if said.holds { "True" } else { "False" };
        let earlier = held.iter().find(|held| held.type_ == said.kind && held.status == status);
        Condition {
            type_: said.kind.to_owned(),
            status: status.to_owned(),
            reason: said.reason.to_owned(),
            message: said.message.clone(),
            observed_generation: generation,
            last_transition_time: earlier
                .map_or(Time(now), |earlier| earlier.last_transition_time.clone()),
        }
    };
    let kept = held.iter().filter(|held| !is_said(held) && held.type_ != PASSING).cloned();
    said.iter().map(wanted).chain(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn conditions_keep_their_time() {
        let said = |holds: bool| Said {
            kind: "Accepted",
            holds,
            reason: "Accepted",
            message: String::new(),
        };
        let first = conditions(&[], &[said(true)], Some(1), time(1));
        assert_eq!(first[0].last_transition_time, Time(time(1)));
        let second = conditions(&first, &[said(true)], Some(2), time(2));
        assert_eq!(second[0].last_transition_time, Time(time(1)));
        assert_eq!(second[0].observed_generation, Some(2));
        let third = conditions(&second, &[said(false)], Some(2), time(3));
        assert_eq!(
            (third[0].status.as_str(), &third[0].last_transition_time),
            ("False", &Time(time(3)))
        );
        let mut other = third[0].clone();
        other.type_ = "example.com/Other".to_owned();
        let kept = conditions(&[other.clone()], &[said(true)], Some(2), time(4));
        assert_eq!(kept[1], other);
    }

    #[test]
    fn what_is_said_already_is_not_written() {
        let address: IpAddr = "10.96.0.80".parse().unwrap();
        let mut object = Ingress::default();
        let written = ingress(&object, address).unwrap();
        assert_eq!(ingress_no_more(&object, address), None);
        object.status = Some(serde_json::from_value(written).unwrap());
        assert_eq!(ingress(&object, address), None);
        assert!(ingress_no_more(&object, address).is_some());
        assert!(ingress(&object, "10.96.0.81".parse().unwrap()).is_some());
    }
}
