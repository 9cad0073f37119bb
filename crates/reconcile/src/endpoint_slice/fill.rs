//! Which slice an endpoint goes into.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::{Changes, Group, Ports};

/// The most endpoints in a slice (kube-controller-manager's `--max-endpoints-per-slice`).
const ENDPOINTS_MAX: usize = 100;

/// What makes an endpoint the same one: its pod, addresses and hostname. Its conditions, node and zone may change.
type Identity<'a> = (Option<&'a str>, &'a [String], Option<&'a str>);

fn identity(endpoint: &Endpoint) -> Identity<'_> {
    let pod = endpoint.target_ref.as_ref().and_then(|target| target.name.as_deref());
    (pod, &endpoint.addresses, endpoint.hostname.as_deref())
}

/// Distributes the desired endpoints of one group over its slices.
pub(super) fn fill(
    group: &Group<'_>,
    ports: &Ports,
    desired: Vec<Endpoint>,
    slices: Vec<Arc<EndpointSlice>>,
    changes: &mut Changes,
) {
    let mut left: BTreeMap<Identity<'_>, &Endpoint> =
        desired.iter().map(|endpoint| (identity(endpoint), endpoint)).collect();
    let mut updated: Vec<EndpointSlice> = Vec::new();
    let mut unchanged: Vec<Arc<EndpointSlice>> = Vec::new();

    // 1. Keep what is desired where it is.
    for slice in &slices {
        let held = slice.endpoints.as_deref().unwrap_or_default();
        let mut kept = Vec::with_capacity(held.len());
        let mut changed = false;
        for endpoint in held {
            match left.remove(&identity(endpoint)) {
                Some(wanted) => {
                    changed |= wanted != endpoint;
                    kept.push(wanted.clone());
                }
                None => changed = true,
            }
        }
        if kept.is_empty() {
            changes.delete.push(slice.clone());
        } else if changed || slice.metadata.labels.as_ref() != Some(group.labels) {
            updated.push(with(slice, group, kept));
        } else {
            unchanged.push(slice.clone());
        }
    }

    let mut left = left.into_values().cloned().peekable();
    let mut count = left.len();
    let mut take = |slice: &mut EndpointSlice, count: &mut usize| {
        let endpoints = slice.endpoints.get_or_insert_default();
        let room = ENDPOINTS_MAX.saturating_sub(endpoints.len()).min(*count);
        endpoints.extend(left.by_ref().take(room));
        *count -= room;
    };

    // 2. Top up slices that are written anyway, the fullest first.
    updated.sort_by_key(|slice| std::cmp::Reverse(size(slice)));
    for slice in &mut updated {
        take(slice, &mut count);
    }

    // 3. One more slice that takes all the rest and is then fullest; else new ones.
    while count > 0 {
        let best = unchanged
            .iter()
            .enumerate()
            .filter(|(_, slice)| count < ENDPOINTS_MAX && size(slice) + count <= ENDPOINTS_MAX)
            .max_by_key(|(at, slice)| (size(slice), std::cmp::Reverse(*at)))
            .map(|(at, _)| at);
        match best {
            Some(at) => {
                let slice = unchanged.remove(at);
                let endpoints = slice.endpoints.clone().unwrap_or_default();
                let mut slice = with(&slice, group, endpoints);
                take(&mut slice, &mut count);
                updated.push(slice);
            }
            None => {
                let mut slice = group.slice(ports, Vec::new());
                take(&mut slice, &mut count);
                changes.create.push(slice);
            }
        }
    }
    changes.update.append(&mut updated);
}

fn with(slice: &EndpointSlice, group: &Group<'_>, endpoints: Vec<Endpoint>) -> EndpointSlice {
    let mut slice = slice.clone();
    slice.metadata.labels = Some(group.labels.clone());
    slice.endpoints = Some(endpoints);
    slice
}

fn size(slice: &EndpointSlice) -> usize {
    slice.endpoints.as_ref().map_or(0, Vec::len)
}
