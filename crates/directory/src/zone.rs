//! What a zone is made of besides the objects: its names, times and options.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::name::{Name, NameBuilder};
use crate::view::ObjectName;

/// The settings of one cluster zone and its reverse ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneConfig {
    /// The cluster domain, `cluster.local` as a rule.
    pub domain: Name,
    /// The zone of ServiceImports, `clusterset.local` as a rule; without it none is answered. Neither of the two domains may
    /// lie in the other.
    pub cluster_set_domain: Option<Name>,
    /// Times to live of positive answers.
    pub ttl: Ttl,
    /// Times to live of negative answers.
    pub negative_ttl: NegativeTtl,
    /// The addresses of this server: what `ns.dns.<domain>` answers.
    pub server_addresses: Vec<IpAddr>,
    /// The Services in front of this server; those that exist are the zone's NS names, in this order.
    pub dns_services: Vec<ObjectName>,
    /// How `10-1-2-3.N.pod.<domain>` answers.
    pub pods: PodMode,
    /// Address ranges whose reverse names are ours whether an address is known or not: those of pods and Services.
    pub reverse: Vec<Cidr>,
    /// Names an endpoint without hostname by its pod, where that is a legal label, instead of its address.
    pub endpoint_pod_names: bool,
    /// Also publishes endpoints that are serving while terminating.
    pub publish_serving_terminating: bool,
    /// Lets a ClusterIP Service without a published endpoint answer NXDOMAIN.
    pub ignore_empty_service: bool,
    /// Answers a reverse name with its first PTR record only.
    pub single_ptr: bool,
    /// Answers `Z.pin._zone.S.N.svc` and `Z.prefer._zone.S.N.svc` with the endpoints in topology zone Z.
    pub zone_names: bool,
    /// Answers `X.N.search` by walking the search path of namespace N.
    pub search_names: bool,
    /// The SOA serial before the first change. One that grows from start to start keeps the serial rising.
    pub first_serial: u32,
}

/// Times to live of positive answers, in seconds, by what the records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// Services with cluster IPs.
    pub cluster_ip: u32,
    /// Headless Services, and the endpoints of every Service.
    pub headless: u32,
    /// CNAME records of ExternalName Services.
    pub external_name: u32,
    /// Names under `pod`.
    pub pod: u32,
    /// PTR records.
    pub reverse: u32,
    /// The zone's own records: SOA, NS, `ns.dns`, `dns-version`.
    pub zone: u32,
}

/// Times to live of negative answers, in seconds (RFC 2308 §5), by what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegativeTtl {
    /// The Service exists: no endpoint ready, unknown endpoint or port, no record of the type.
    pub service: u32,
    /// The namespace exists, the Service (or pod, or reverse name) does not.
    pub missing_service: u32,
    /// The namespace does not exist.
    pub missing_namespace: u32,
    /// Everything else: the zone's own names.
    pub other: u32,
}

/// How names under `pod` are answered (the Corefile's `pods` option).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodMode {
    /// Not at all: NXDOMAIN.
    Disabled,
    /// Any address is echoed when its namespace exists.
    Insecure,
    /// Only addresses of live pods of the namespace.
    Verified,
}

impl ZoneConfig {
    /// The defaults for a domain: 5 s, verified pods, no reverse ranges.
    pub fn new(domain: Name) -> Self {
        Self {
            domain,
            cluster_set_domain: None,
            ttl: Ttl::default(),
            negative_ttl: NegativeTtl::default(),
            server_addresses: Vec::new(),
            dns_services: Vec::new(),
            pods: PodMode::Verified,
            reverse: Vec::new(),
            endpoint_pod_names: false,
            publish_serving_terminating: false,
            ignore_empty_service: false,
            single_ptr: false,
            zone_names: false,
            search_names: false,
            first_serial: 1,
        }
    }
}

impl Default for Ttl {
    fn default() -> Self {
        Self { cluster_ip: 5, headless: 5, external_name: 5, pod: 5, reverse: 5, zone: 5 }
    }
}

impl Default for NegativeTtl {
    fn default() -> Self {
        Self { service: 1, missing_service: 5, missing_namespace: 30, other: 30 }
    }
}

impl NegativeTtl {
    /// The shortest: the MINIMUM of the SOA record at the apex, since a secondary would apply it to every
    /// negative answer alike.
    pub(crate) fn shortest(&self) -> u32 {
        let Self { service, missing_service, missing_namespace, other } = *self;
        service.min(missing_service).min(missing_namespace).min(other)
    }
}

/// A zone's names.
pub(crate) struct Zone {
    /// As configured.
    pub(crate) domain: Name,
    /// The domain in lowercase wire form.
    pub(crate) suffix: Box<[u8]>,
    /// `svc` below the domain.
    pub(crate) services: Name,
}

impl Zone {
    pub(crate) fn new(domain: Name) -> Self {
        let (suffix, services) = (domain.to_lowercase().wire().into(), below(&domain, &[b"svc"]));
        Self { domain, suffix, services }
    }
}

/// A name below a domain. A domain that leaves no room for names below it stands in for them: nobody can ask for those.
pub(crate) fn below(domain: &Name, labels: &[&[u8]]) -> Name {
    let name = labels.iter().fold(NameBuilder::new(), |name, label| name.label(label));
    name.under(domain).unwrap_or_else(|| domain.to_lowercase())
}

/// An address range in CIDR notation; bits after the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// Why text is not an address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CidrError;

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address range such as 10.244.0.0/16 or fd00::/64")
    }
}

impl std::error::Error for CidrError {}

impl Cidr {
    /// A range; bits of `address` after the prefix are cleared. `None` when the prefix is too long.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let network = match address {
            IpAddr::V4(v4) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V4((v4.to_bits() & mask).into())
            }
            IpAddr::V6(v6) if prefix <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V6((v6.to_bits() & mask).into())
            }
            _ => return None,
        };
        Some(Self { network, prefix })
    }

    /// The first address.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// How many leading bits all addresses of the range share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The first and the last address.
    pub fn bounds(&self) -> (IpAddr, IpAddr) {
        let last = match self.network {
            IpAddr::V4(v4) => {
                let rest = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V4((v4.to_bits() | rest).into())
            }
            IpAddr::V6(v6) => {
                let rest = u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V6((v6.to_bits() | rest).into())
            }
        };
        (self.network, last)
    }

    /// Whether the address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address, self.prefix) == Some(*self)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = text.split_once('/').ok_or(CidrError)?;
        let address = address.parse().map_err(|_| CidrError)?;
        Self::new(address, prefix.parse().map_err(|_| CidrError)?).ok_or(CidrError)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}
