//! Values that not every text or number is.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use directory::view::ObjectName;
use directory::{Cidr, Name};
use schemars::JsonSchema;
use serde::Deserialize;

/// The longest time to live, in seconds.
const TTL_MAX: u32 = 3600;

/// From what every client takes (RFC 1035 §2.3.4) to what servers offered before fragments were known to be harmful.
const UDP_SIZES: std::ops::RangeInclusive<u16> = 512..=4096;

/// More threads than any machine that this is run on has cores.
const THREADS_MAX: u16 = 1024;

/// An address and a port to listen on, such as 0.0.0.0:53 or [::]:53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(in crate::dns) struct Listen(pub(in crate::dns) SocketAddr);

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        crate::arguments::listen_address(&text).map(Self)
    }
}

/// A list with something in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<T>")]
#[schemars(inline, extend("minItems" = 1))]
pub(in crate::dns) struct AtLeastOne<T>(pub(in crate::dns) Vec<T>);

impl<T> TryFrom<Vec<T>> for AtLeastOne<T> {
    type Error = &'static str;

    fn try_from(list: Vec<T>) -> Result<Self, Self::Error> {
        match list.is_empty() {
            true => Err("name at least one"),
            false => Ok(Self(list)),
        }
    }
}

/// A domain, such as cluster.local.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(in crate::dns) struct Domain(pub(in crate::dns) Name);

impl TryFrom<String> for Domain {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        crate::arguments::cluster_domain(&text).map(Self)
    }
}

/// A range of addresses, such as 10.244.0.0/16 or fd00::/64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(in crate::dns) struct Range(pub(in crate::dns) Cidr);

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse::<Cidr>().map(Self).map_err(|error| error.to_string())
    }
}

/// A Service, as namespace/name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(in crate::dns) struct ServiceName(pub(in crate::dns) ObjectName);

impl TryFrom<String> for ServiceName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name))
                if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
            {
                Ok(Self(ObjectName::new(namespace, name)))
            }
            _ => Err("a Service is named here as NAMESPACE/NAME, such as kube-system/kube-dns"
                .to_owned()),
        }
    }
}

/// A time to live in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
#[schemars(extend("maximum" = TTL_MAX))]
pub(in crate::dns) struct Ttl(pub(in crate::dns) u32);

impl TryFrom<u32> for Ttl {
    type Error = String;

    fn try_from(seconds: u32) -> Result<Self, String> {
        match seconds {
            0..=TTL_MAX => Ok(Self(seconds)),
            _ => Err(format!("a time to live is 0 to {TTL_MAX} seconds")),
        }
    }
}

/// The longest reply over UDP, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u16")]
#[schemars(extend("minimum" = UDP_SIZES.start(), "maximum" = UDP_SIZES.end()))]
pub(in crate::dns) struct MaxUdpSize(pub(in crate::dns) u16);

impl Default for MaxUdpSize {
    fn default() -> Self {
        Self(dns::Config::default().max_udp_size)
    }
}

impl TryFrom<u16> for MaxUdpSize {
    type Error = String;

    fn try_from(octets: u16) -> Result<Self, String> {
        match UDP_SIZES.contains(&octets) {
            true => Ok(Self(octets)),
            false => Err(format!("a size is {} to {} octets", UDP_SIZES.start(), UDP_SIZES.end())),
        }
    }
}

/// How many threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u16")]
#[schemars(extend("minimum" = 1, "maximum" = THREADS_MAX))]
pub(in crate::dns) struct Threads(pub(in crate::dns) NonZeroUsize);

impl TryFrom<u16> for Threads {
    type Error = String;

    fn try_from(count: u16) -> Result<Self, String> {
        NonZeroUsize::new(count.into())
            .filter(|_| count <= THREADS_MAX)
            .map(Self)
            .ok_or_else(|| format!("there are 1 to {THREADS_MAX} threads"))
    }
}

/// A number other than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
#[schemars(extend("minimum" = 1))]
pub(in crate::dns) struct Positive(pub(in crate::dns) u32);

impl TryFrom<u32> for Positive {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        match number {
            0 => Err("it is at least 1"),
            number => Ok(Self(number)),
        }
    }
}

/// One in so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
#[schemars(extend("minimum" = 1))]
pub(in crate::dns) struct OneIn(pub(in crate::dns) u32);

impl Default for OneIn {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u32> for OneIn {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        match count {
            0 => Err("one in 1 are all; there is nothing in 0".to_owned()),
            count => Ok(Self(count)),
        }
    }
}
