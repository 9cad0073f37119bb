//! What is in force: the flags, else the file, else the defaults.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use cluster::bootstrap::{DNS_NAMESPACE, DNS_SERVICE};
use directory::view::ObjectName;
use directory::{Name, PodMode, ZoneConfig};

use super::Flags;
use super::config::forward::Encrypted;
use super::config::{
    ConfigFile, Domain, Ede, Listen, NegativeTtls, Pods, Positive, QueryLog, Tcp, Ttls,
};
use super::ops::Page;
use super::upstreams::forwarding;
use crate::error::Error;
use crate::local::seconds_now;
use crate::up::reach;

/// Where the objects are from, which decides some defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A person's files.
    Manifests,
    /// A cluster, whose namespaces may be of people who have nothing to do with one another.
    Cluster,
    /// The cluster that this pod is of.
    Pod,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) listen: Vec<SocketAddr>,
    pub(super) zone: ZoneConfig,
    pub(super) dns: dns::Config,
    /// Where pages are shown.
    pub(super) pages: Vec<(Page, SocketAddr)>,
    pub(super) lameduck: Duration,
}

impl Settings {
    /// `domain` is what the kubeconfig says.
    pub(super) fn new(
        flags: &Flags,
        file: ConfigFile,
        origin: Origin,
        domain: Option<&Name>,
    ) -> Result<Self, Error> {
        let ConfigFile {
            listen,
            cluster_domain,
            cluster_set_domain,
            ttl,
            negative_ttl,
            pods,
            endpoint_pod_names,
            serving_while_terminating,
            ignore_empty_service,
            single_ptr,
            zone_names,
            search_names,
            reverse,
            dns_services,
            ede,
            max_udp_size,
            udp_threads,
            tcp,
            transfer_to,
            encrypted,
            forward,
            health,
            ready,
            metrics,
            lameduck_seconds,
            query_log,
            query_log_one_in,
        } = file;
        let listen = match (flags.listen.as_slice(), listen) {
            ([], None) => vec![SocketAddr::from(([127, 0, 0, 1], 1053))],
            ([], Some(listen)) => listen.0.into_iter().map(|listen| listen.0).collect(),
            (listen, _) => listen.to_vec(),
        };
        let domain = flags
            .cluster_domain
            .clone()
            .or(cluster_domain.map(|Domain(domain)| domain))
            .or(domain.cloned())
            .unwrap_or_else(|| Name::parse("cluster.local").expect("a name"));
        let cluster_set_domain = cluster_set_domain.map(|Domain(domain)| domain);
        if let Some(other) = cluster_set_domain.as_ref().filter(|other| overlap(&domain, other)) {
            return Err(Error::new(format!(
                "the setting clusterSetDomain is {other}, and the cluster's zone {domain}: neither may lie in the other"
            ))
            .hint("name another clusterSetDomain; clusterset.local is usual"));
        }
        let pods = match (flags.pods.or(pods), origin) {
            (Some(Pods::Disabled), _) => PodMode::Disabled,
            (Some(Pods::Insecure), _) | (None, Origin::Cluster | Origin::Pod) => PodMode::Insecure,
            (Some(Pods::Verified), _) | (None, Origin::Manifests) => PodMode::Verified,
        };
        let ede = match (ede, origin) {
            (Some(Ede::Off), _) => dns::EdeMode::Off,
            (Some(Ede::Code), _) | (None, Origin::Cluster | Origin::Pod) => dns::EdeMode::Code,
            (Some(Ede::Text), _) | (None, Origin::Manifests) => dns::EdeMode::Text,
        };
        let dns_services = match dns_services {
            Some(services) => services.into_iter().map(|service| service.0).collect(),
            None => vec![ObjectName::new(DNS_NAMESPACE, DNS_SERVICE)],
        };
        let pages = [
            (Page::Health, flags.health_listen, health, 8080),
            (Page::Ready, flags.ready_listen, ready, 8181),
            (Page::Metrics, flags.metrics_listen, metrics, 9153),
        ];
        let pages = pages.into_iter().filter_map(|(page, flag, file, usual)| {
            let usual = || (origin == Origin::Pod).then(|| everywhere(usual));
            Some((page, flag.or(file.map(|listen| listen.0)).or_else(usual)?))
        });
        let pages = pages.collect();
        let lameduck = lameduck_seconds.unwrap_or(if origin == Origin::Pod { 5 } else { 0 });
        let addresses = listen.iter().map(|listen| reach::from_elsewhere(*listen).ip());
        let Tcp { connections, connections_per_client, idle_seconds } = tcp;
        let size = |Positive(count): Positive| usize::try_from(count).unwrap_or(usize::MAX);
        let encrypted = encrypted.map(encryption);
        let secret = encrypted.iter().flat_map(|encrypted| &encrypted.tls);
        let own: Vec<_> = listen.iter().chain(secret).copied().collect();
        let forward = forward.map(|forward| forwarding(forward, &own)).transpose()?;
        Ok(Self {
            zone: ZoneConfig {
                domain,
                cluster_set_domain,
                ttl: ttls(ttl),
                negative_ttl: negative_ttls(negative_ttl),
                server_addresses: addresses.collect(),
                dns_services,
                pods,
                reverse: reverse.into_iter().map(|range| range.0).collect(),
                endpoint_pod_names,
                publish_serving_terminating: serving_while_terminating,
                ignore_empty_service,
                single_ptr,
                zone_names,
                search_names,
                first_serial: seconds_now(),
            },
            dns: dns::Config {
                ede,
                max_udp_size: max_udp_size.0,
                udp_threads: udp_threads.map(|threads| threads.0),
                tcp: dns::TcpLimits {
                    connections: size(connections),
                    connections_per_client: size(connections_per_client),
                    idle_timeout: Duration::from_secs(idle_seconds.0.into()),
                    ..dns::TcpLimits::default()
                },
                log: match query_log {
                    QueryLog::Off => dns::QueryLog::Off,
                    QueryLog::Errors => dns::QueryLog::Errors,
                    QueryLog::Sampled => dns::QueryLog::OneIn(query_log_one_in.0),
                },
                transfer_to: transfer_to.into_iter().map(|range| range.0).collect(),
                forward,
                encrypted,
                ..dns::Config::default()
            },
            pages,
            lameduck: Duration::from_secs(lameduck.into()),
            listen,
        })
    }

    /// Takes over what takes a restart to change, so that these are what is in force; returns the names of those settings
    /// that were others.
    pub(super) fn keep_fixed(&mut self, old: &Self) -> Vec<&'static str> {
        fn keep<T: Clone + PartialEq>(new: &mut T, old: &T) -> bool {
            let is_another = new != old;
            new.clone_from(old);
            is_another
        }
        let Self { listen, zone, dns, pages, lameduck: _ } = self;
        let dns::Config {
            ede: _,
            max_udp_size: _,
            udp_threads,
            udp_batch: _,
            tcp,
            transfer_to: _,
            forward,
            encrypted,
            log: _,
        } = dns;
        zone.server_addresses.clone_from(&old.zone.server_addresses);
        // Replies say from the first whether recursion is available.
        let forwards_otherwise = forward.is_some() != old.dns.forward.is_some();
        if forwards_otherwise {
            forward.clone_from(&old.dns.forward);
        }
        let others = [
            ("listen", keep(listen, &old.listen)),
            ("udpThreads", keep(udp_threads, &old.dns.udp_threads)),
            ("tcp", keep(tcp, &old.dns.tcp)),
            ("forward (as a whole)", forwards_otherwise),
            ("encrypted", keep(encrypted, &old.dns.encrypted)),
            ("health, ready or metrics", keep(pages, &old.pages)),
        ];
        others.into_iter().filter(|(_, is_another)| *is_another).map(|(name, _)| name).collect()
    }

    /// How often an address is to be listened on, encrypted or not.
    pub(super) fn times_listened(&self, address: SocketAddr) -> usize {
        let encrypted = self.dns.encrypted.iter();
        let encrypted = encrypted.flat_map(|encrypted| [&encrypted.tls, &encrypted.https]);
        self.listen.iter().chain(encrypted.flatten()).filter(|one| **one == address).count()
    }

    /// Whether the same objects make the same zone.
    pub(super) fn has_zone_of(&self, other: &Self) -> bool {
        let serial = other.zone.first_serial;
        ZoneConfig { first_serial: serial, ..self.zone.clone() } == other.zone
    }
}

fn overlap(one: &Name, other: &Name) -> bool {
    one.is_within(other) || other.is_within(one)
}

fn encryption(encrypted: Encrypted) -> dns::EncryptedConfig {
    let Encrypted { tls, https, certificate, key } = encrypted;
    let addresses = |listen: Vec<Listen>| listen.into_iter().map(|listen| listen.0).collect();
    dns::EncryptedConfig { tls: addresses(tls), https: addresses(https), certificate, key }
}

/// A port of every address that this machine has, of both families where it has both.
fn everywhere(port: u16) -> SocketAddr {
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => v6,
        Err(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    }
}

fn ttls(ttls: Ttls) -> directory::Ttl {
    let Ttls { cluster_ip, headless, external_name, pod, reverse, zone } = ttls;
    directory::Ttl {
        cluster_ip: cluster_ip.0,
        headless: headless.0,
        external_name: external_name.0,
        pod: pod.0,
        reverse: reverse.0,
        zone: zone.0,
    }
}

fn negative_ttls(ttls: NegativeTtls) -> directory::NegativeTtl {
    let NegativeTtls { service, missing_service, missing_namespace, other } = ttls;
    directory::NegativeTtl {
        service: service.0,
        missing_service: missing_service.0,
        missing_namespace: missing_namespace.0,
        other: other.0,
    }
}
