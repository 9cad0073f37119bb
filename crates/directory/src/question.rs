//! What a query name asks for, decided from the name alone before any data is looked at.

use crate::name::Labels;
use crate::view::Protocol;

/// A name in the cluster zone, parsed. Labels are in lowercase and may hold any bytes.
///
/// Every legal shape, below the cluster domain:
///
/// ```text
/// (the domain itself)        Apex
/// svc                        Services
/// N.svc                      Namespace
/// S.N.svc                    Service
/// H.S.N.svc                  Endpoint
/// _T.S.N.svc                 Protocol
/// _P._T.S.N.svc              Port
/// _zone.S.N.svc              ZoneLabels
/// pin._zone.S.N.svc          ZoneLabels, or prefer for pin
/// Z.pin._zone.S.N.svc        InZone, pinned
/// Z.prefer._zone.S.N.svc     InZone, not pinned
/// pod                        Pods
/// N.pod                      PodNamespace
/// 10-1-2-3.N.pod             Pod
/// dns                        Dns
/// ns.dns                     NameServer
/// dns-version                DnsVersion
/// search                     Searches
/// N.search                   SearchNamespace
/// X.N.search                 Search, X of one label or more
/// ```
///
/// where T is `tcp`, `udp` or `sctp`. Any other name is `BelowService`, `BelowPod` or `Nowhere`, and never exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    Apex,
    Services,
    Namespace {
        namespace: &'a [u8],
    },
    Service {
        namespace: &'a [u8],
        service: &'a [u8],
    },
    Endpoint {
        namespace: &'a [u8],
        service: &'a [u8],
        endpoint: &'a [u8],
    },
    Protocol {
        namespace: &'a [u8],
        service: &'a [u8],
        protocol: Protocol,
    },
    Port {
        namespace: &'a [u8],
        service: &'a [u8],
        port: &'a [u8],
        protocol: Protocol,
    },
    ZoneLabels {
        namespace: &'a [u8],
        service: &'a [u8],
    },
    InZone {
        namespace: &'a [u8],
        service: &'a [u8],
        zone: &'a [u8],
        pinned: bool,
    },
    BelowService {
        namespace: &'a [u8],
        service: &'a [u8],
    },
    Pods,
    PodNamespace {
        namespace: &'a [u8],
    },
    Pod {
        namespace: &'a [u8],
        label: &'a [u8],
    },
    BelowPod {
        namespace: &'a [u8],
    },
    Dns,
    NameServer,
    DnsVersion,
    Searches,
    SearchNamespace {
        namespace: &'a [u8],
    },
    /// The name is in wire form, without the root.
    Search {
        namespace: &'a [u8],
        name: &'a [u8],
    },
    Nowhere,
}

/// More labels than any legal shape has.
const KEPT: usize = 7;

impl<'a> Question<'a> {
    /// Parses the labels left of the cluster domain.
    pub(crate) fn parse(labels: Labels<'a>) -> Self {
        // The labels nearest to the domain decide; one more than the longest shape has is kept, to see that
        // there is more.
        let whole = labels.wire();
        let mut kept = [&[][..]; KEPT];
        let mut count = 0;
        for label in labels {
            if count == KEPT {
                kept.rotate_left(1);
                count -= 1;
            }
            kept[count] = label;
            count += 1;
        }
        match kept[..count] {
            [] => Self::Apex,
            [b"svc"] => Self::Services,
            [namespace, b"svc"] => Self::Namespace { namespace },
            [service, namespace, b"svc"] => Self::Service { namespace, service },
            [b"_zone", service, namespace, b"svc"]
            | [b"pin" | b"prefer", b"_zone", service, namespace, b"svc"] => {
                Self::ZoneLabels { namespace, service }
            }
            [zone, mode @ (b"pin" | b"prefer"), b"_zone", service, namespace, b"svc"] => {
                Self::InZone { namespace, service, zone, pinned: mode == b"pin" }
            }
            [label, service, namespace, b"svc"] => match label {
                [b'_', protocol @ ..] => match parse_protocol(protocol) {
                    Some(protocol) => Self::Protocol { namespace, service, protocol },
                    None => Self::BelowService { namespace, service },
                },
                endpoint => Self::Endpoint { namespace, service, endpoint },
            },
            [[b'_', port @ ..], [b'_', protocol @ ..], service, namespace, b"svc"]
                if !port.is_empty() =>
            {
                match parse_protocol(protocol) {
                    Some(protocol) => Self::Port { namespace, service, port, protocol },
                    None => Self::BelowService { namespace, service },
                }
            }
            [.., service, namespace, b"svc"] => Self::BelowService { namespace, service },
            [b"pod"] => Self::Pods,
            [namespace, b"pod"] => Self::PodNamespace { namespace },
            [label, namespace, b"pod"] => Self::Pod { namespace, label },
            [.., namespace, b"pod"] => Self::BelowPod { namespace },
            [b"dns"] => Self::Dns,
            [b"ns", b"dns"] => Self::NameServer,
            [b"dns-version"] => Self::DnsVersion,
            [b"search"] => Self::Searches,
            [namespace, b"search"] => Self::SearchNamespace { namespace },
            [.., namespace, b"search"] => {
                let rest = 1 + namespace.len() + 1 + b"search".len();
                let name = whole.get(..whole.len() - rest).unwrap_or_default();
                Self::Search { namespace, name }
            }
            _ => Self::Nowhere,
        }
    }
}

fn parse_protocol(label: &[u8]) -> Option<Protocol> {
    match label {
        b"tcp" => Some(Protocol::Tcp),
        b"udp" => Some(Protocol::Udp),
        b"sctp" => Some(Protocol::Sctp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;
    use crate::name::LowerName;

    #[track_caller]
    fn check(name: &str, question: Option<Question<'_>>) {
        let lower = LowerName::new((&Name::parse(name).unwrap()).into());
        let zone = Name::parse("cluster.local").unwrap();
        assert_eq!(lower.labels_before(zone.wire()).map(Question::parse), question, "{name}");
    }

    #[test]
    fn every_shape() {
        use Question::*;
        let (namespace, service) = (&b"prod"[..], &b"db"[..]);
        let below = Some(BelowService { namespace, service });
        check("cluster.local", Some(Apex));
        check("CLUSTER.Local.", Some(Apex));
        check("svc.cluster.local", Some(Services));
        check("prod.svc.cluster.local", Some(Namespace { namespace }));
        check("Prod.SVC.cluster.local", Some(Namespace { namespace }));
        check("db.prod.svc.cluster.local", Some(Service { namespace, service }));
        check(
            "db-0.db.prod.svc.cluster.local",
            Some(Endpoint { namespace, service, endpoint: b"db-0" }),
        );
        check(
            "_TCP.db.prod.svc.cluster.local",
            Some(Protocol { namespace, service, protocol: crate::view::Protocol::Tcp }),
        );
        for (label, protocol) in [
            ("_tcp", crate::view::Protocol::Tcp),
            ("_udp", crate::view::Protocol::Udp),
            ("_sctp", crate::view::Protocol::Sctp),
        ] {
            check(
                &format!("_Pg.{label}.db.prod.svc.cluster.local"),
                Some(Port { namespace, service, port: b"pg", protocol }),
            );
        }
        check("_foo.db.prod.svc.cluster.local", below);
        check("_.db.prod.svc.cluster.local", below);
        check("_pg._foo.db.prod.svc.cluster.local", below);
        check("_._tcp.db.prod.svc.cluster.local", below);
        check("pg.tcp.db.prod.svc.cluster.local", below);
        check("_pg.tcp.db.prod.svc.cluster.local", below);
        check("a._pg._tcp.db.prod.svc.cluster.local", below);
        check("a.b.c.d.e.f.db.prod.svc.cluster.local", below);
        check("pod.cluster.local", Some(Pods));
        check("prod.pod.cluster.local", Some(PodNamespace { namespace }));
        check("10-1-2-3.prod.pod.cluster.local", Some(Pod { namespace, label: b"10-1-2-3" }));
        check("a.10-1-2-3.prod.pod.cluster.local", Some(BelowPod { namespace }));
        check("dns.cluster.local", Some(Dns));
        check("ns.dns.cluster.local", Some(NameServer));
        check("a.ns.dns.cluster.local", Some(Nowhere));
        check("x.dns.cluster.local", Some(Nowhere));
        check("_zone.db.prod.svc.cluster.local", Some(ZoneLabels { namespace, service }));
        check("PIN._zone.db.prod.svc.cluster.local", Some(ZoneLabels { namespace, service }));
        for (mode, pinned) in [("pin", true), ("prefer", false)] {
            check(
                &format!("Eu-1.{mode}._zone.db.prod.svc.cluster.local"),
                Some(InZone { namespace, service, zone: b"eu-1", pinned }),
            );
        }
        check("eu-1.any._zone.db.prod.svc.cluster.local", below);
        check("x.eu-1.pin._zone.db.prod.svc.cluster.local", below);
        check("search.cluster.local", Some(Searches));
        check("prod.search.cluster.local", Some(SearchNamespace { namespace }));
        check("Db.prod.search.cluster.local", Some(Search { namespace, name: b"\x02db" }));
        check(
            "a.b.c.d.e.f.g.prod.search.cluster.local",
            Some(Search { namespace, name: b"\x01a\x01b\x01c\x01d\x01e\x01f\x01g" }),
        );
        check("dns-version.cluster.local", Some(DnsVersion));
        check("x.dns-version.cluster.local", Some(Nowhere));
        check("db.prod.cluster.local", Some(Nowhere));
        check("svc", None);
        check("local", None);
        check("mycluster.local", None);
        check("example.com", None);
        check(".", None);
    }

    #[test]
    fn a_zone_matches_whole_labels_only() {
        // The wire form of the label `x\007cluster` ends like the zone's without its first label being one.
        let mut wire = vec![9, b'x', 7];
        wire.extend_from_slice(b"cluster\x05local\0");
        let lower = LowerName::new((&Name::from_wire(&wire).unwrap()).into());
        let zone = Name::parse("cluster.local").unwrap();
        assert!(lower.labels_before(zone.wire()).is_none());
    }
}
