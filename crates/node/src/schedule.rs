//! Which node a pod goes to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Node;
use thiserror::Error;

/// A node as the scheduler sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) unschedulable: bool,
    /// `InternalIP` addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// Pods that are there.
    pub(crate) pods: usize,
}

impl Place {
    /// An empty place.
    pub(crate) fn of(node: &Node) -> Self {
        let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
        Self {
            labels: node.metadata.labels.clone().unwrap_or_default(),
            unschedulable: node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
            addresses: addresses
                .filter(|address| address.type_ == "InternalIP")
                .filter_map(|address| address.address.parse().ok())
                .collect(),
            pods: 0,
        }
    }
}

/// No node takes the pod. The texts are those of Kubernetes' scheduler.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unschedulable {
    #[error("no nodes available to schedule pods")]
    NoNodes,
    #[error("0/{nodes} nodes are available: {}.", .reasons.join(", "))]
    Unfit { nodes: usize, reasons: Vec<String> },
}

/// The node with the fewest pods among those whose labels have all of `selector`; the first by name of several.
pub(crate) fn schedule<'a>(
    places: &'a BTreeMap<String, Place>,
    selector: &BTreeMap<String, String>,
) -> Result<&'a str, Unschedulable> {
    let (mut cordoned, mut mismatched) = (0, 0);
    let mut best: Option<(&str, usize)> = None;
    for (name, place) in places {
        if place.unschedulable {
            cordoned += 1;
        } else if !selector.iter().all(|(key, value)| place.labels.get(key) == Some(value)) {
            mismatched += 1;
        } else if best.is_none_or(|(_, fewest)| place.pods < fewest) {
            best = Some((name, place.pods));
        }
    }
    best.map(|(name, _)| name).ok_or_else(|| {
        let counted = [
            (mismatched, "node(s) didn't match Pod's node affinity/selector"),
            (cordoned, "node(s) were unschedulable"),
        ];
        let mut reasons: Vec<String> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, reason)| format!("{count} {reason}"))
            .collect();
        if reasons.is_empty() {
            return Unschedulable::NoNodes;
        }
        reasons.sort_unstable();
        Unschedulable::Unfit { nodes: places.len(), reasons }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> BTreeMap<String, String> {
        text.split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.into(), v.into()))
            .collect()
    }

    fn check(nodes: &[(&str, &str, usize)], selector: &str, expected: Result<&str, &str>) {
        let places = nodes
            .iter()
            .map(|(name, facts, pods)| {
                let unschedulable = facts.contains("cordoned");
                let place =
                    Place { labels: labels(facts), unschedulable, pods: *pods, ..Place::default() };
                ((*name).to_owned(), place)
            })
            .collect();
        let seen = schedule(&places, &labels(selector)).map_err(|error| error.to_string());
        assert_eq!(seen.as_ref().map_err(String::as_str).copied(), expected);
    }

    #[test]
    fn pods_spread() {
        check(&[("a", "", 0), ("b", "", 0)], "", Ok("a"));
        check(&[("a", "", 1), ("b", "", 0)], "", Ok("b"));
        check(&[("a", "", 2), ("b", "", 1), ("c", "", 1)], "", Ok("b"));
    }

    #[test]
    fn selectors_and_cordons_hold() {
        check(&[("a", "disk=hdd", 0), ("b", "disk=ssd", 9)], "disk=ssd", Ok("b"));
        check(&[("a", "cordoned", 0), ("b", "", 9)], "", Ok("b"));
        check(
            &[("a", "disk=hdd", 0), ("b", "", 0), ("c", "cordoned", 0)],
            "disk=ssd",
            Err(
                "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector.",
            ),
        );
        check(&[], "", Err("no nodes available to schedule pods"));
    }
}
