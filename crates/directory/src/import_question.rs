//! What a name in the zone of the cluster set asks for.

use crate::name::Labels;
use crate::question::Question;
use crate::view::Protocol;

/// A name in the zone of ServiceImports, parsed (Multi-Cluster DNS specification 1.0.0). Labels are in lowercase and may hold
/// any bytes.
///
/// Every legal shape, below the domain of the cluster set:
///
/// ```text
/// (the domain itself)        Apex
/// svc                        Services
/// N.svc                      Namespace
/// S.N.svc                    Import
/// C.S.N.svc                  Cluster
/// H.C.S.N.svc                Endpoint
/// _T.S.N.svc                 Protocol
/// _P._T.S.N.svc              Port
/// dns-version                DnsVersion
/// ```
///
/// where C is the id of a cluster, and T is `tcp`, `udp` or `sctp`. Any other name is `BelowImport` or `Nowhere`, and never
/// exists. Pods, topology zones and search paths have names in the cluster's own zone only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImportQuestion<'a> {
    Apex,
    Services,
    Namespace { namespace: &'a [u8] },
    Import { namespace: &'a [u8], service: &'a [u8] },
    Cluster { namespace: &'a [u8], service: &'a [u8], cluster: &'a [u8] },
    Endpoint { namespace: &'a [u8], service: &'a [u8], cluster: &'a [u8], endpoint: &'a [u8] },
    Protocol { namespace: &'a [u8], service: &'a [u8], protocol: Protocol },
    Port { namespace: &'a [u8], service: &'a [u8], port: &'a [u8], protocol: Protocol },
    BelowImport { namespace: &'a [u8], service: &'a [u8] },
    DnsVersion,
    Nowhere,
}

impl<'a> ImportQuestion<'a> {
    /// Parses the labels left of the domain: as those of the cluster's own zone, but for what is a cluster here.
    pub(crate) fn parse(labels: Labels<'a>) -> Self {
        match Question::parse(labels.clone()) {
            Question::Apex => Self::Apex,
            Question::Services => Self::Services,
            Question::Namespace { namespace } => Self::Namespace { namespace },
            Question::Service { namespace, service } => Self::Import { namespace, service },
            Question::Endpoint { namespace, service, endpoint: cluster } => {
                Self::Cluster { namespace, service, cluster }
            }
            Question::Protocol { namespace, service, protocol } => {
                Self::Protocol { namespace, service, protocol }
            }
            Question::Port { namespace, service, port, protocol } => {
                Self::Port { namespace, service, port, protocol }
            }
            Question::ZoneLabels { namespace, service }
            | Question::InZone { namespace, service, .. }
            | Question::BelowService { namespace, service } => {
                Self::below_import(labels, namespace, service)
            }
            Question::DnsVersion => Self::DnsVersion,
            Question::Pods
            | Question::PodNamespace { .. }
            | Question::Pod { .. }
            | Question::BelowPod { .. }
            | Question::Dns
            | Question::NameServer
            | Question::Searches
            | Question::SearchNamespace { .. }
            | Question::Search { .. }
            | Question::Nowhere => Self::Nowhere,
        }
    }

    fn below_import(mut labels: Labels<'a>, namespace: &'a [u8], service: &'a [u8]) -> Self {
        let (endpoint, cluster, rest) = (labels.next(), labels.next(), labels.count());
        match (endpoint, cluster, rest) {
            // What begins with an underscore is a port or a protocol, if it is anything.
            (Some(endpoint @ [first, ..]), Some(cluster @ [start, ..]), 3)
                if *first != b'_' && *start != b'_' =>
            {
                Self::Endpoint { namespace, service, cluster, endpoint }
            }
            _ => Self::BelowImport { namespace, service },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;
    use crate::name::LowerName;

    #[test]
    fn every_shape() {
        use ImportQuestion::*;
        let (namespace, service) = (&b"prod"[..], &b"db"[..]);
        let below = BelowImport { namespace, service };
        let protocol = crate::view::Protocol::Tcp;
        for (name, question) in [
            ("", Apex),
            ("svc.", Services),
            ("Prod.svc.", Namespace { namespace }),
            ("db.prod.svc.", Import { namespace, service }),
            ("East.db.prod.svc.", Cluster { namespace, service, cluster: b"east" }),
            (
                "db-0.east.db.prod.svc.",
                Endpoint { namespace, service, cluster: b"east", endpoint: b"db-0" },
            ),
            ("_tcp.db.prod.svc.", Protocol { namespace, service, protocol }),
            ("_pg._tcp.db.prod.svc.", Port { namespace, service, port: b"pg", protocol }),
            ("pg._tcp.db.prod.svc.", below),
            ("_pg.tcp.db.prod.svc.", below),
            ("_foo.db.prod.svc.", below),
            ("a.db-0.east.db.prod.svc.", below),
            ("_pg._tcp.east.db.prod.svc.", below),
            ("a.b.c.d.e.f.db.prod.svc.", below),
            ("_zone.db.prod.svc.", below),
            ("eu-1.pin._zone.db.prod.svc.", below),
            ("dns-version.", DnsVersion),
            ("ns.dns.", Nowhere),
            ("10-1-2-3.prod.pod.", Nowhere),
            ("db.prod.search.", Nowhere),
            ("x.", Nowhere),
        ] {
            let zone = Name::parse("clusterset.local").unwrap();
            let name = Name::parse(&format!("{name}clusterset.local")).unwrap();
            let lower = LowerName::new((&name).into());
            let labels = lower.labels_before(zone.wire()).unwrap();
            assert_eq!(ImportQuestion::parse(labels), question, "{name}");
        }
    }
}
