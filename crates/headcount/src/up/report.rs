//! What people read when the cluster has settled: its Services, and how to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use comfy_table::{Cell, Table};
use directory::Name;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt as _};
use manifest::labels::SERVICE_NAME;

/// More Services than this are counted, not listed.
const ROWS_MAX: usize = 20;

/// A Service's name with the endpoints that its slices carry.
type Endpoints = BTreeMap<(String, String), Count>;

/// Endpoints by name: a pod with an address of each family is in two slices, and is one endpoint.
#[derive(Default)]
struct Count {
    ready: BTreeSet<String>,
    all: BTreeSet<String>,
}

/// The table of Services, and commands to try, from what the API says now.
pub(super) async fn report(
    client: &Client,
    dns: SocketAddr,
    domain: &Name,
    kubeconfig: &Path,
) -> Result<String, kube::Error> {
    let (services, slices, pods) =
        (Api::all(client.clone()), Api::all(client.clone()), Api::all(client.clone()));
    let everything = ListParams::default();
    let (services, slices, pods) = tokio::try_join!(
        services.list(&everything),
        slices.list(&everything),
        pods.list(&everything)
    )?;
    let endpoints = count(&slices.items);
    let mut text = table(&services.items, &endpoints);
    text.push('\n');
    // Those that answer make the better examples.
    let mut services = services.items;
    services.sort_by_key(|service| ready(service, &endpoints) == 0);
    for (what, command) in ways_to_ask(&services, &pods.items, dns, domain) {
        let _ = writeln!(text, "# {what}\n{command}");
    }
    let _ = writeln!(
        text,
        "# the API, for kubectl\nexport KUBECONFIG={}",
        quote(&kubeconfig.display().to_string())
    );
    Ok(text)
}

fn count(slices: &[EndpointSlice]) -> Endpoints {
    let mut endpoints = Endpoints::new();
    for slice in slices {
        let Some(service) = slice.labels().get(SERVICE_NAME) else { continue };
        let count =
            endpoints.entry((slice.namespace().unwrap_or_default(), service.clone())).or_default();
        for endpoint in slice.endpoints.iter().flatten() {
            let target = endpoint.target_ref.as_ref().and_then(|target| target.name.as_ref());
            let Some(name) = target.or(endpoint.addresses.first()) else { continue };
            count.all.insert(name.clone());
            if endpoint.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true) {
                count.ready.insert(name.clone());
            }
        }
    }
    endpoints
}

fn ready(service: &Service, endpoints: &Endpoints) -> usize {
    let name = (service.namespace().unwrap_or_default(), service.name_any());
    endpoints.get(&name).map_or(0, |count| count.ready.len())
}

fn table(services: &[Service], endpoints: &Endpoints) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["NAMESPACE", "SERVICE", "TYPE", "ANSWERS", "ENDPOINTS READY"]);
    for service in services.iter().take(ROWS_MAX) {
        let namespace = service.namespace().unwrap_or_default();
        let name = service.name_any();
        let none = Count::default();
        let count = endpoints.get(&(namespace.clone(), name.clone())).unwrap_or(&none);
        let shape = Shape::of(service);
        table.add_row(
            [namespace, name, shape.name().to_owned(), shape.answers(), shape.ready(count)]
                .map(Cell::new),
        );
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if services.len() > ROWS_MAX {
        let _ = writeln!(text, "… and {} more: kubectl get services -A", services.len() - ROWS_MAX);
    }
    text
}

/// A Service as this table tells Services apart.
enum Shape<'a> {
    ClusterIp { name: &'a str, addresses: Vec<String> },
    Headless { publishes_not_ready: bool },
    ExternalName(&'a str),
}

impl<'a> Shape<'a> {
    fn of(service: &'a Service) -> Self {
        let spec = service.spec.as_ref();
        let kind = spec.and_then(|spec| spec.type_.as_deref()).unwrap_or("ClusterIP");
        let addresses = spec.and_then(|spec| spec.cluster_ips.clone()).unwrap_or_default();
        match kind {
            "ExternalName" => Self::ExternalName(
                spec.and_then(|spec| spec.external_name.as_deref()).unwrap_or(""),
            ),
            _ if addresses.first().is_some_and(|address| address == "None") => {
                let published =
                    spec.and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false);
                Self::Headless { publishes_not_ready: published }
            }
            name => Self::ClusterIp { name, addresses },
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::ClusterIp { name, .. } => name,
            Self::Headless { .. } => "headless",
            Self::ExternalName(_) => "ExternalName",
        }
    }

    fn answers(&self) -> String {
        match self {
            Self::ClusterIp { addresses, .. } => addresses.join(", "),
            Self::Headless { publishes_not_ready: false } => "its ready endpoints".to_owned(),
            Self::Headless { publishes_not_ready: true } => {
                "its endpoints, ready or not".to_owned()
            }
            // An alias leads to a name.
            Self::ExternalName(target) if target.parse::<IpAddr>().is_ok() => {
                format!("nothing: {target} is an address, and an alias leads to a name")
            }
            Self::ExternalName(target) => format!("CNAME {target}"),
        }
    }

    fn ready(&self, Count { ready, all }: &Count) -> String {
        match self {
            Self::ExternalName(_) => "-".to_owned(),
            Self::ClusterIp { .. } | Self::Headless { .. } => {
                format!("{} of {}", ready.len(), all.len())
            }
        }
    }
}

/// The type of the records that hold a Service's addresses, or those of its endpoints.
fn address_type(service: &Service) -> &'static str {
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.as_deref());
    match families.and_then(<[String]>::first).map(String::as_str) {
        Some("IPv6") => "AAAA",
        _ => "A",
    }
}

/// Commands that show the most interesting names of what is there.
fn ways_to_ask(
    services: &[Service],
    pods: &[Pod],
    dns: SocketAddr,
    domain: &Name,
) -> Vec<(&'static str, String)> {
    let dig = |rtype: &str, name: &str| {
        format!(
            "dig @{} -p {} +short {rtype} {name}.svc.{}",
            dns.ip(),
            dns.port(),
            domain.to_string().trim_end_matches('.')
        )
    };
    let full = |service: &Service| {
        format!("{}.{}", service.name_any(), service.namespace().unwrap_or_default())
    };
    // The user's own first: those of the system are in kube-system, and `kubernetes` is in default.
    let own = |service: &&Service| {
        service.namespace().as_deref() != Some("kube-system")
            && full(service) != "kubernetes.default"
    };
    let mut ways = Vec::new();
    let headless = services
        .iter()
        .filter(own)
        .find(|service| matches!(Shape::of(service), Shape::Headless { .. }));
    if let Some(service) = headless {
        ways.push(("the peers' addresses", dig(address_type(service), &full(service))));
        let peer =
            pods.iter().filter(|pod| pod.namespace() == service.namespace()).find_map(|pod| {
                let spec = pod.spec.as_ref()?;
                (spec.subdomain.as_deref()? == service.name_any())
                    .then_some(spec.hostname.as_deref()?)
            });
        if let Some(peer) = peer {
            let peer = format!("{peer}.{}", full(service));
            ways.push(("one peer by its name", dig(address_type(service), &peer)));
        }
        if service.spec.as_ref().is_some_and(|spec| spec.ports.iter().flatten().next().is_some()) {
            ways.push(("their ports", dig("SRV", &full(service))));
        }
    }
    let other = |wanted: fn(&Shape<'_>) -> bool| {
        services.iter().filter(own).find(move |service| wanted(&Shape::of(service)))
    };
    let leads_on = |shape: &Shape<'_>| matches!(shape, Shape::ExternalName(to) if to.parse::<IpAddr>().is_err());
    if let Some(service) = other(leads_on) {
        ways.push(("the alias", dig("CNAME", &full(service))));
    }
    if let Some(service) = other(|shape| matches!(shape, Shape::ClusterIp { .. })) {
        ways.push(("the virtual address", dig(address_type(service), &full(service))));
    }
    let kubernetes = services.iter().find(|service| full(service) == "kubernetes.default");
    if let (true, Some(service)) = (ways.is_empty(), kubernetes) {
        ways.push(("the API's own Service", dig(address_type(service), &full(service))));
    }
    ways
}

/// Quotes for a shell where that is needed.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%=".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn service(name: &str, families: &[&str]) -> Service {
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "default" },
            "spec": { "clusterIPs": ["None"], "ipFamilies": families, "ports": [{ "port": 80 }] },
        }))
        .expect("a Service")
    }

    fn slice(endpoints: &Value) -> EndpointSlice {
        serde_json::from_value(json!({
            "metadata": { "namespace": "default", "labels": { "kubernetes.io/service-name": "web" } },
            "addressType": "IPv4",
            "endpoints": endpoints,
        }))
        .expect("an EndpointSlice")
    }

    #[test]
    fn a_pod_of_two_families_is_one_endpoint() {
        let check = |slices: &[Value], expected: &str| {
            let slices: Vec<_> = slices.iter().map(slice).collect();
            let endpoints = count(&slices);
            let none = Count::default();
            let counted = endpoints.get(&("default".to_owned(), "web".to_owned())).unwrap_or(&none);
            let service = service("web", &["IPv4"]);
            assert_eq!(Shape::of(&service).ready(counted), expected);
        };
        let pod = |name: &str, address: &str, ready: bool| {
            json!({
                "addresses": [address],
                "conditions": { "ready": ready },
                "targetRef": { "kind": "Pod", "name": name },
            })
        };
        check(&[], "0 of 0");
        check(&[json!([pod("a", "10.0.0.1", true), pod("b", "10.0.0.2", false)])], "1 of 2");
        check(&[json!([pod("a", "10.0.0.1", true)]), json!([pod("a", "fd00::1", true)])], "1 of 1");
        check(&[json!([{ "addresses": ["10.0.0.1"] }, { "addresses": ["10.0.0.2"] }])], "2 of 2");
    }

    #[test]
    fn the_commands_ask_for_the_family_that_there_is() {
        let check = |families: &[&str], expected: &str| {
            let dns = "127.0.0.1:1053".parse().expect("an address");
            let domain = Name::parse("cluster.local").expect("a name");
            let ways = ways_to_ask(&[service("web", families)], &[], dns, &domain);
            let expected =
                format!("dig @127.0.0.1 -p 1053 +short {expected} web.default.svc.cluster.local");
            assert_eq!(ways[0].1, expected);
        };
        check(&["IPv4"], "A");
        check(&["IPv6"], "AAAA");
        check(&["IPv4", "IPv6"], "A");
        check(&["IPv6", "IPv4"], "AAAA");
        check(&[], "A");
    }
}
