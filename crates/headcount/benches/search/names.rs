//! What is looked up from a pod of namespace prod, and the objects of it.

/// A name, and what it stands for.
pub(crate) struct Lookup {
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) what: &'static str,
    /// All addresses; none: the name is not found.
    pub(crate) addresses: &'static [&'static str],
}

/// How many endpoints `many` has: more than fit in 512 octets.
pub(crate) const MANY: u8 = 40;

const PEERS: [&str; 4] = ["10.244.1.5", "10.244.1.6", "fd00:10:244:1::5", "fd00:10:244:1::6"];
const CACHE: [&str; 1] = ["10.96.2.1"];
const EDGE: [&str; 3] = ["192.0.2.10", "192.0.2.11", "2001:db8::10"];

#[rustfmt::skip]
pub(crate) const LOOKUPS: [Lookup; 22] = [
    Lookup { name: "db", what: "Service of the same namespace", addresses: &["10.96.1.1"] },
    Lookup { name: "cache.shop", what: "Service of another namespace", addresses: &CACHE },
    Lookup { name: "cache.shop.svc", what: "the same", addresses: &CACHE },
    Lookup { name: "cache.shop.svc.cluster.local", what: "the same, whole", addresses: &CACHE },
    Lookup { name: "cache.shop.svc.cluster.local.", what: "the same, with the final dot", addresses: &CACHE },
    Lookup { name: "peers", what: "headless, both families", addresses: &PEERS },
    Lookup { name: "peers-0.peers", what: "one endpoint", addresses: &[PEERS[0], PEERS[2]] },
    Lookup { name: "six", what: "Service with IPv6 alone", addresses: &["fd00:10:96::6"] },
    Lookup { name: "inside", what: "alias of a Service", addresses: &CACHE },
    Lookup { name: "orders", what: "alias of an outside name", addresses: &["192.0.2.20"] },
    Lookup { name: "gone", what: "alias of nothing", addresses: &[] },
    Lookup { name: "empty", what: "headless, nothing ready", addresses: &[] },
    Lookup { name: "peers-9.peers", what: "no such endpoint", addresses: &[] },
    Lookup { name: "nowhere", what: "no such name", addresses: &[] },
    Lookup { name: "example.com", what: "outside", addresses: &["192.0.2.50"] },
    Lookup { name: "www.example.com", what: "outside, by an alias", addresses: &EDGE },
    Lookup { name: "www.example.com.", what: "the same, with the final dot", addresses: &EDGE },
    Lookup { name: "six.example.com", what: "outside, IPv6 alone", addresses: &["2001:db8::6"] },
    Lookup { name: "example.org", what: "outside; `org` is a Service, too", addresses: &["192.0.2.30"] },
    Lookup { name: "a.b.c.d.e.example.com", what: "outside, more than five dots", addresses: &["192.0.2.40"] },
    Lookup { name: "nowhere.example.com", what: "no such name outside", addresses: &[] },
    Lookup { name: "broken.example.com", what: "outside, SERVFAIL", addresses: &[] },
];

/// The manifests.
pub(crate) fn objects() -> String {
    format!("{}{}", include_str!("objects.yaml"), many())
}

/// A headless Service whose addresses are more than a datagram without EDNS takes.
fn many() -> String {
    let mut text = "---\napiVersion: v1\nkind: Service\nmetadata: { name: many, namespace: prod }\n\
                    spec: { clusterIP: None, ports: [{ name: pg, port: 5432 }] }\n\
                    ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
                    metadata: { name: many-1, namespace: prod, labels: { kubernetes.io/service-name: many } }\n\
                    addressType: IPv4\nports: [{ name: pg, port: 5432 }]\nendpoints:\n"
        .to_owned();
    for at in 1..=MANY {
        text += &format!("- {{ addresses: [10.244.3.{at}], hostname: many-{at} }}\n");
    }
    text
}
