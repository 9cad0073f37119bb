//! What the EndpointSlices of a Service list: what a proxy sends connections to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::owned::Owned;
use super::seen::Seen;

/// What a Service's slices should list as ready and on which ports, what they do list, and whether that is the same.
///
/// A port counts where the Service has one of that name: a proxy knows no others.
pub(super) fn compare(
    seen: &Seen,
    service: &str,
    wanted: Result<Vec<Owned>, String>,
    ports: &[u16],
) -> (Vec<String>, Vec<String>, bool) {
    // A virtual address leads to none of another family.
    let listed: BTreeSet<IpAddr> = seen
        .slices_of(service)
        .flat_map(ready)
        .filter(|address| seen.has_family(service, *address))
        .collect();
    let mut numbers = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    let names = port_names(seen.services.get(service));
    for port in seen.slices_of(service).flat_map(|slice| slice.ports.iter().flatten()) {
        let Some(number) = port.port else { continue };
        let name = port.name.as_deref().unwrap_or_default();
        if names.contains(name) {
            numbers.insert(number);
        } else {
            unknown.insert(format!("port {number} as {name:?}, which is no port of the Service"));
        }
    }
    let wanted_numbers: BTreeSet<i32> = ports.iter().map(|port| i32::from(*port)).collect();

    let mut answered: Vec<String> = listed.iter().map(IpAddr::to_string).collect();
    if answered.is_empty() {
        answered.push("no ready endpoint".to_owned());
    } else if numbers.is_empty() {
        answered.push("no port of the Service".to_owned());
    } else {
        answered.push(ports_text(&numbers));
    }
    answered.extend(unknown);
    match wanted {
        Err(missing) => (vec![missing], answered, false),
        // What no endpoint has, no slice need list.
        Ok(wanted) if wanted.is_empty() => {
            (vec!["no ready endpoint".to_owned()], answered, listed.is_empty())
        }
        Ok(wanted) => {
            let addresses: BTreeSet<IpAddr> = wanted.iter().map(|owned| owned.address).collect();
            let mut expected: Vec<String> = wanted.iter().map(Owned::to_string).collect();
            expected.push(ports_text(&wanted_numbers));
            (expected, answered, addresses == listed && numbers == wanted_numbers)
        }
    }
}

/// The addresses that a slice lists as ready; an endpoint that says nothing of it is.
fn ready(slice: &EndpointSlice) -> impl Iterator<Item = IpAddr> {
    let is_ready = |condition: Option<bool>| condition != Some(false);
    slice
        .endpoints
        .iter()
        .flatten()
        .filter(move |endpoint| is_ready(endpoint.conditions.as_ref().and_then(|it| it.ready)))
        .flat_map(|endpoint| &endpoint.addresses)
        .filter_map(|address| address.parse().ok())
}

fn port_names(service: Option<&Service>) -> BTreeSet<&str> {
    let ports = service.and_then(|service| service.spec.as_ref()?.ports.as_deref());
    ports.unwrap_or_default().iter().map(|port| port.name.as_deref().unwrap_or_default()).collect()
}

fn ports_text(ports: &BTreeSet<i32>) -> String {
    let numbers: Vec<String> = ports.iter().map(i32::to_string).collect();
    match &numbers[..] {
        [] => "no port".to_owned(),
        [one] => format!("port {one}"),
        several => format!("ports {}", several.join(" and ")),
    }
}
