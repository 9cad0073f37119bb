//! Why an answer is negative.

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use crate::view::{Protocol, Publisher};

/// Why an answer is negative. `Display` is the text of an Extended DNS Error (RFC 8914 §2): ASCII, at most
/// 200 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The name exists, with other types only.
    TypeMissing,
    /// The Service or endpoint exists, without an address of the family asked for.
    FamilyMissing {
        /// The Service.
        service: Publisher,
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The name has no records of its own, only names below it (an empty non-terminal).
    OnlyNamesBelow,
    /// No name of this shape is ever published.
    NoSuchShape,
    /// The namespace does not exist.
    NamespaceMissing {
        /// Its name, as asked.
        namespace: Arc<str>,
    },
    /// The namespace exists, the Service does not.
    ServiceMissing {
        /// The Service, as asked.
        service: Publisher,
    },
    /// A headless {service} (or, by option, any) has no endpoint to publish.
    NoEndpointReady {
        /// The Service.
        service: Publisher,
        /// Whether it is headless.
        headless: bool,
        /// How many endpoints it has, none of them ready.
        total: usize,
    },
    /// The Service publishes no endpoint of this name.
    EndpointUnknown {
        /// The Service.
        service: Publisher,
        /// The label asked for.
        endpoint: Arc<str>,
        /// The endpoint names there are, when they are few; else empty.
        known: Vec<Arc<str>>,
    },
    /// The endpoint exists but is not ready.
    EndpointNotReady {
        /// The Service.
        service: Publisher,
        /// The label asked for.
        endpoint: Arc<str>,
    },
    /// No published endpoint of an import is of this cluster.
    ClusterUnknown {
        /// The ServiceImport.
        service: Publisher,
        /// The cluster asked for.
        cluster: Arc<str>,
    },
    /// The import has addresses of its own, behind which no cluster and no endpoint has a name (Multi-Cluster DNS
    /// specification 2.3.4).
    BelowClusterSetIp {
        /// The ServiceImport.
        service: Publisher,
    },
    /// The Service has no port of this name and protocol.
    PortUnknown {
        /// The Service.
        service: Publisher,
        /// The port name asked for.
        port: Arc<str>,
        /// The protocol asked for.
        protocol: Protocol,
    },
    /// The Service declares the port, but no slice with a ready endpoint carries it: a named `targetPort` that
    /// the pods do not declare, or slices whose port has another name.
    PortNotInSlices {
        /// The Service.
        service: Publisher,
        /// The port name asked for.
        port: Arc<str>,
        /// The protocol asked for.
        protocol: Protocol,
    },
    /// The Service has no named port of this protocol.
    ProtocolUnknown {
        /// The Service.
        service: Publisher,
        /// The protocol asked for.
        protocol: Protocol,
    },
    /// Nothing exists below the name of an ExternalName Service.
    BelowExternalName {
        /// The Service.
        service: Publisher,
    },
    /// `externalName` is an address; a CNAME record needs a name.
    ExternalNameAddress {
        /// The Service.
        service: Publisher,
        /// `externalName`, as written.
        target: Arc<str>,
    },
    /// `externalName` is not a domain name.
    ExternalNameInvalid {
        /// The Service.
        service: Publisher,
        /// `externalName`, as written.
        target: Arc<str>,
    },
    /// Names under `pod` are switched off.
    PodsDisabled,
    /// The label under `pod` is not an address with dashes.
    PodNameMalformed,
    /// No live pod of the namespace has the address.
    PodMissing {
        /// The namespace.
        namespace: Arc<str>,
        /// The address asked for.
        address: IpAddr,
    },
    /// No published endpoint is in the topology zone.
    ZoneEmpty {
        /// The Service.
        service: Publisher,
        /// The zone asked for.
        zone: Arc<str>,
    },
    /// No name of the search path has a Service.
    SearchEmpty {
        /// The name searched for.
        name: Arc<str>,
        /// The namespace whose search path it is.
        namespace: Arc<str>,
    },
    /// Neither a Service nor a published endpoint has the address.
    AddressUnknown {
        /// The address.
        address: IpAddr,
    },
    /// The reverse name is none of an address, and nothing lies below it.
    ReverseNameEmpty,
    /// ExternalName Services point at each other in a circle.
    AliasLoop {
        /// A Service of the circle.
        service: Publisher,
    },
    /// A chain of ExternalName Services is longer than is followed.
    AliasChainTooLong {
        /// The Service at which following stopped.
        service: Publisher,
    },
    /// Objects are still being read.
    NotSynced,
}

/// The longest text, in octets.
const TEXT_MAX: usize = 200;

impl Reason {
    /// The Extended DNS Error's INFO-CODE (RFC 8914 §4): 14 (Not Ready) speaks of this server, so everything
    /// that concerns the objects is 0 (Other).
    pub fn ede_code(&self) -> u16 {
        match self {
            Self::NotSynced => 14,
            Self::TypeMissing
            | Self::FamilyMissing { .. }
            | Self::OnlyNamesBelow
            | Self::NoSuchShape
            | Self::NamespaceMissing { .. }
            | Self::ServiceMissing { .. }
            | Self::NoEndpointReady { .. }
            | Self::EndpointUnknown { .. }
            | Self::EndpointNotReady { .. }
            | Self::ClusterUnknown { .. }
            | Self::BelowClusterSetIp { .. }
            | Self::PortUnknown { .. }
            | Self::PortNotInSlices { .. }
            | Self::ProtocolUnknown { .. }
            | Self::BelowExternalName { .. }
            | Self::ExternalNameAddress { .. }
            | Self::ExternalNameInvalid { .. }
            | Self::PodsDisabled
            | Self::PodNameMalformed
            | Self::PodMissing { .. }
            | Self::ZoneEmpty { .. }
            | Self::SearchEmpty { .. }
            | Self::AddressUnknown { .. }
            | Self::ReverseNameEmpty
            | Self::AliasLoop { .. }
            | Self::AliasChainTooLong { .. } => 0,
        }
    }

    fn write(&self, text: &mut Text) -> fmt::Result {
        match self {
            Self::TypeMissing => text.write_str("the name exists without records of this type"),
            Self::FamilyMissing { service, family } => {
                write!(text, "{service} has no {family} address")
            }
            Self::OnlyNamesBelow => text.write_str("the name only has names below it"),
            Self::NoSuchShape => text.write_str("no name of this shape exists in the zone"),
            Self::NamespaceMissing { namespace } => {
                write!(text, "namespace {namespace} does not exist")
            }
            Self::ServiceMissing { service } => write!(text, "{service} does not exist"),
            Self::NoEndpointReady { service, headless, total } => {
                let headless = if *headless { "headless " } else { "" };
                match total {
                    0 => write!(text, "{headless}{service}: it has no endpoints"),
                    _ => write!(text, "{headless}{service}: 0 of {total} endpoints ready"),
                }
            }
            Self::EndpointUnknown { service, endpoint, known } => {
                write!(text, "{service} has no endpoint {endpoint}")?;
                for (at, name) in known.iter().enumerate() {
                    write!(text, "{}{name}", if at == 0 { "; known: " } else { ", " })?;
                }
                Ok(())
            }
            Self::EndpointNotReady { service, endpoint } => {
                write!(text, "endpoint {endpoint} of {service} is not ready")
            }
            Self::ClusterUnknown { service, cluster } => {
                write!(text, "{service} has no ready endpoint in cluster {cluster}")
            }
            Self::BelowClusterSetIp { service } => {
                write!(text, "{service} is of type ClusterSetIP: no cluster or endpoint has a name")
            }
            Self::PortUnknown { service, port, protocol } => {
                write!(text, "{service} has no {protocol} port named {port}")
            }
            Self::PortNotInSlices { service, port, protocol } => {
                write!(
                    text,
                    "{service} declares {protocol} port {port}, but no ready endpoint's slice carries it"
                )
            }
            Self::ProtocolUnknown { service, protocol } => {
                write!(text, "{service} has no named {protocol} port")
            }
            Self::BelowExternalName { service } => {
                write!(text, "ExternalName {service} has no names below it")
            }
            Self::ExternalNameAddress { service, target } => {
                write!(
                    text,
                    "ExternalName {service}: {} is an address, a CNAME needs a name",
                    target.escape_default()
                )
            }
            Self::ExternalNameInvalid { service, target } => {
                write!(
                    text,
                    "ExternalName {service}: {} is not a domain name",
                    target.escape_default()
                )
            }
            Self::PodsDisabled => text.write_str("names of pods are switched off"),
            Self::PodNameMalformed => {
                text.write_str("a pod's name is its address with dashes, such as 10-1-2-3")
            }
            Self::PodMissing { namespace, address } => {
                write!(text, "no pod in namespace {namespace} has the address {address}")
            }
            Self::ZoneEmpty { service, zone } => {
                write!(text, "{service} has no ready endpoint in zone {zone}")
            }
            Self::SearchEmpty { name, namespace } => {
                write!(text, "no Service answers to {name} in namespace {namespace}, nor beyond it")
            }
            Self::AddressUnknown { address } => {
                write!(text, "no Service and no ready endpoint has the address {address}")
            }
            Self::ReverseNameEmpty => text.write_str("no known address has a name below this one"),
            Self::AliasLoop { service } => {
                write!(text, "ExternalName {service} is part of a loop")
            }
            Self::AliasChainTooLong { service } => {
                write!(text, "the chain of ExternalName Services is too long at {}", service.id)
            }
            Self::NotSynced => text.write_str("objects are still being read"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Text(String::new());
        // A full text is an error for the writer, not for us: what fits is the text.
        if self.write(&mut text).is_err() {
            text.0.truncate(TEXT_MAX - 3);
            text.0.push_str("...");
        }
        f.write_str(&text.0)
    }
}

/// ASCII text that takes at most [`TEXT_MAX`] octets; other characters become `?`.
struct Text(String);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.0.len() == TEXT_MAX {
                return Err(fmt::Error);
            }
            self.0.push(if matches!(character, ' '..='~') { character } else { '?' });
        }
        Ok(())
    }
}
