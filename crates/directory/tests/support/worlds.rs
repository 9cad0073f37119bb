//! Objects and questions of every kind, as property tests want them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::HashSet;
use std::net::IpAddr;

use directory::view::{
    EndpointView, ImportedFrom, ObjectName, PodView, Protocol, ServicePort, ServiceShape,
    ServiceView, SlicePort, SliceView,
};
use directory::{Change, Name, PodMode, RecordType, ZoneConfig};
use proptest::prelude::*;
use proptest::sample::select;

pub const NAMESPACES: [&str; 2] = ["prod", "dev"];
pub const SERVICES: [&str; 3] = ["db", "web", "x_y"];
/// Two of them stand for addresses, which may be other endpoints' own.
pub const HOSTNAMES: [&str; 6] = ["db-0", "DB-1", "a.b", "", "10-244-1-5", "fd00--0"];
pub const ADDRESSES: [&str; 5] =
    ["10.244.1.5", "10.244.2.6", "203.0.113.9", "fd00:10:244::5", "fd00::"];
pub const TYPES: [RecordType; 7] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::SRV,
    RecordType::PTR,
    RecordType::CNAME,
    RecordType::SOA,
    RecordType::ANY,
];

pub fn config() -> ZoneConfig {
    let mut config = ZoneConfig::new(Name::parse("cluster.local").unwrap());
    config.reverse = ["10.244.0.0/15", "10.96.0.0/12", "fd00:10::/30"]
        .map(|range| range.parse().unwrap())
        .to_vec();
    config.cluster_set_domain = Some(Name::parse("ClusterSet.local").unwrap());
    config.dns_services = vec![ObjectName::new("prod", "db")];
    config.zone_names = true;
    config.search_names = true;
    config
}

/// Settings with any of the options.
pub fn any_config() -> impl Strategy<Value = ZoneConfig> {
    let pods = select(vec![PodMode::Disabled, PodMode::Insecure, PodMode::Verified]);
    let dns_services = prop::collection::btree_set(id(&SERVICES), 0..3);
    (any::<[bool; 7]>(), pods, addresses(0..3), dns_services).prop_map(
        |(options, pods, server_addresses, dns_services)| {
            let [pod_names, terminating, empty, single, zones, searches, imports] = options;
            ZoneConfig {
                cluster_set_domain: config().cluster_set_domain.filter(|_| imports),
                endpoint_pod_names: pod_names,
                publish_serving_terminating: terminating,
                ignore_empty_service: empty,
                single_ptr: single,
                zone_names: zones,
                search_names: searches,
                pods,
                server_addresses,
                dns_services: dns_services.into_iter().collect(),
                ..config()
            }
        },
    )
}

pub fn id(names: &'static [&'static str]) -> impl Strategy<Value = ObjectName> {
    (select(&NAMESPACES[..]), select(names))
        .prop_map(|(namespace, name)| ObjectName::new(namespace, name))
}

pub fn addresses(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<IpAddr>> {
    prop::collection::vec(select(&ADDRESSES[..]).prop_map(|text| text.parse().unwrap()), count)
}

pub fn service() -> impl Strategy<Value = ServiceView> {
    let shape = prop_oneof![
        addresses(0..3).prop_map(ServiceShape::ClusterIp),
        Just(ServiceShape::Headless),
        Just(ServiceShape::Headless),
        select(vec![
            "db.prod.svc.cluster.local",
            "web.dev.svc.cluster.local.",
            "web.prod.svc.Cluster.local",
            "example.com",
            "db.prod.search.cluster.local",
            "_pg._tcp.db.prod.svc.cluster.local",
            "10-244-1-5.prod.pod.cluster.local",
            "5.1.244.10.in-addr.arpa",
            "Cluster.Local",
            "db.prod.svc.clusterset.local",
            "db-0.east.db.prod.svc.clusterset.local",
            "192.0.2.1",
            "..",
        ])
        .prop_map(|target| ServiceShape::ExternalName(target.to_owned())),
    ];
    let ports = prop::collection::vec((select(vec!["pg", "HTTP", ""]), 1..4u16, protocol()), 0..3);
    (id(&SERVICES), shape, ports).prop_map(|(id, shape, ports)| {
        let port = |(name, port, protocol): (&str, _, _)| ServicePort {
            name: name.to_owned(),
            port,
            protocol,
        };
        ServiceView { id, shape, ports: ports.into_iter().map(port).collect() }
    })
}

/// A ServiceImport: with addresses or headless.
pub fn import() -> impl Strategy<Value = ServiceView> {
    let shape = prop_oneof![
        addresses(0..3).prop_map(ServiceShape::ClusterIp),
        Just(ServiceShape::Headless),
        Just(ServiceShape::Headless),
    ];
    (service(), shape).prop_map(|(service, shape)| ServiceView { shape, ..service })
}

pub fn protocol() -> impl Strategy<Value = Protocol> {
    select(vec![Protocol::Tcp, Protocol::Tcp, Protocol::Udp])
}

pub fn slice() -> impl Strategy<Value = SliceView> {
    let port = (select(vec!["pg", "http", ""]), prop::option::of(1..4u16), protocol());
    let port =
        port.prop_map(|(name, port, protocol)| SlicePort { name: name.to_owned(), port, protocol });
    (
        id(&["s1", "s2", "s3"]),
        prop::option::weighted(0.8, select(&SERVICES[..])),
        prop::option::of((select(&SERVICES[..]), select(vec!["east", "WEST", "no.label"]))),
        prop::collection::vec(port, 0..3),
        prop::collection::vec(endpoint(), 0..4),
    )
        .prop_map(|(id, service, import, mut ports, endpoints)| {
            // As the API has it: a name only once.
            let mut seen = HashSet::new();
            ports.retain(|port| seen.insert(port.name.clone()));
            let import = import.map(|(import, cluster): (&str, &str)| ImportedFrom {
                import: import.into(),
                cluster: cluster.into(),
            });
            SliceView { id, service: service.map(Into::into), import, ports, endpoints }
        })
}

fn endpoint() -> impl Strategy<Value = EndpointView> {
    // Ready; neither; serving while terminating, or only one of the two.
    let conditions = prop_oneof![
        6 => Just((true, true, false)),
        2 => Just((false, false, false)),
        2 => Just((false, true, true)),
        1 => Just((false, true, false)),
        1 => Just((false, false, true)),
    ];
    (
        addresses(1..3),
        prop::option::of(select(&HOSTNAMES[..])),
        conditions,
        prop::option::of(select(vec!["pod-0", "pod-1"])),
        prop::option::of(select(vec!["eu-1", "EU-2"])),
    )
        .prop_map(|(addresses, hostname, (ready, serving, terminating), pod, zone)| {
            EndpointView {
                addresses,
                hostname: hostname.map(Into::into),
                ready,
                serving,
                terminating,
                pod: pod.map(Into::into),
                zone: zone.map(Into::into),
            }
        })
}

pub fn pod() -> impl Strategy<Value = PodView> {
    (id(&["pod-0", "pod-1"]), addresses(0..3), prop::option::of(select(&SERVICES[..]))).prop_map(
        |(id, addresses, subdomain)| PodView {
            id,
            addresses,
            subdomain: subdomain.map(Into::into),
        },
    )
}

pub fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => select(&NAMESPACES[..]).prop_map(|name| Change::Namespace(name.into())),
        1 => select(&NAMESPACES[..]).prop_map(|name| Change::NamespaceGone(name.into())),
        4 => service().prop_map(Change::Service),
        1 => id(&SERVICES).prop_map(Change::ServiceGone),
        3 => import().prop_map(Change::Import),
        1 => id(&SERVICES).prop_map(Change::ImportGone),
        8 => slice().prop_map(Change::Slice),
        2 => id(&["s1", "s2", "s3"]).prop_map(Change::SliceGone),
        3 => pod().prop_map(Change::Pod),
        1 => id(&["pod-0", "pod-1"]).prop_map(Change::PodGone),
    ]
}

/// Names that are other ways to ask for those below. What lies below a search that finds nothing may be found all the same,
/// for resolvers go on where a name does not exist, and not all of them where it has no data.
pub fn views() -> Vec<Name> {
    let zones = ["eu-1.pin", "eu-2.prefer", "eu-3.pin", "eu-3.prefer", "pin"]
        .map(|zone| format!("{zone}._zone.db.prod.svc.cluster.local"));
    let searches = [
        "db",
        "web.dev",
        "db-0.db",
        "db-0.dev",
        "db.dev",
        "no",
        "www.example.com",
        "db.prod.search",
    ]
    .map(|name| format!("{name}.prod.search.cluster.local"));
    zones.iter().chain(&searches).map(|name| Name::parse(name).unwrap()).collect()
}

/// Every name that the objects above may publish, and names around them.
pub fn names() -> Vec<Name> {
    let mut names: Vec<String> = ["", "svc.", "pod.", "dns.", "ns.dns.", "dns-version.", "no."]
        .map(|name| format!("{name}cluster.local"))
        .to_vec();
    for name in ["", "svc.", "dns.", "ns.dns.", "dns-version.", "pod.", "prod.svc.", "nope.svc."] {
        names.push(format!("{name}clusterset.local"));
    }
    for namespace in ["prod", "dev", "nope"] {
        names.push(format!("{namespace}.svc.cluster.local"));
        names.push(format!("{namespace}.pod.cluster.local"));
        for address in ["10-244-1-5", "203-0-113-9", "fd00--0", "fd00-10-244--5"] {
            names.push(format!("{address}.{namespace}.pod.cluster.local"));
        }
        for service in SERVICES {
            for below in [
                "",
                "db-0.",
                "Db-1.",
                "10-244-1-5.",
                "10-244-2-6.",
                "fd00--0.",
                "_tcp.",
                "_udp.",
                "_pg._tcp.",
                "_http._tcp.",
                "_pg._udp.",
                "a.b.",
                "a.b.c.",
            ] {
                names.push(format!("{below}{service}.{namespace}.svc.cluster.local"));
            }
            for below in [
                "",
                "east.",
                "West.",
                "db-0.east.",
                "Db-1.WEST.",
                "10-244-1-5.east.",
                "fd00--0.west.",
                "db-0.",
                "_tcp.",
                "_pg._tcp.",
                "_http._tcp.",
                "_pg._tcp.east.",
            ] {
                names.push(format!("{below}{service}.{namespace}.svc.clusterset.local"));
            }
        }
    }
    for reverse in [
        "5.1.244.10.in-addr.arpa",
        "1.244.10.in-addr.arpa",
        "244.10.in-addr.arpa",
        "6.2.244.10.in-addr.arpa",
        "2.244.10.in-addr.arpa",
        "9.113.0.203.in-addr.arpa",
        "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.4.2.0.0.1.0.0.0.0.d.f.ip6.arpa",
        "4.4.2.0.0.1.0.0.0.0.d.f.ip6.arpa",
        "4.2.0.0.1.0.0.0.0.d.f.ip6.arpa",
    ] {
        names.push(reverse.to_owned());
    }
    names.iter().map(|name| Name::parse(name).unwrap()).collect()
}

/// A name made of labels that mean something somewhere.
pub fn any_name() -> impl Strategy<Value = Name> {
    let label = select(vec![
        "db",
        "web",
        "x_y",
        "prod",
        "dev",
        "nope",
        "svc",
        "pod",
        "dns",
        "ns",
        "search",
        "db-0",
        "dB-1",
        "10-244-1-5",
        "10-244-2-6",
        "fd00--0",
        "fd00--",
        "pod-0",
        "_tcp",
        "_udp",
        "_sctp",
        "_pg",
        "_http",
        "east",
        "_zone",
        "pin",
        "prefer",
        "eu-1",
        "EU-2",
        "pg",
        "tcp",
        "_",
        "dns-version",
        "5",
        "1",
        "244",
        "10",
        "05",
        "0",
        "d",
        "f",
    ]);
    let end = select(vec![
        "cluster.local",
        "svc.cluster.local",
        "prod.svc.cluster.local",
        "db.prod.svc.cluster.local",
        "web.dev.svc.Cluster.local",
        "prod.pod.cluster.local",
        "prod.search.cluster.local",
        "svc.clusterset.local",
        "db.prod.svc.ClusterSet.local",
        "244.10.in-addr.arpa",
        "in-addr.arpa",
        "0.0.1.0.0.0.0.d.f.ip6.arpa",
        "local",
    ]);
    (prop::collection::vec(label, 0..5), end).prop_map(|(labels, end)| {
        let text: String = labels.iter().map(|label| format!("{label}.")).collect();
        Name::parse(&(text + end)).expect("a short name")
    })
}
