//! Names outside the cluster's zone, and encrypted listeners, as settings.

use std::path::PathBuf;

use dns::forward::Upstream;
use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{AtLeastOne, Domain, Listen};

/// Whom names outside the cluster's zone are asked of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::dns) struct Forward {
    /// Servers, such as 192.0.2.53, tcp://192.0.2.53 or tls://192.0.2.53#dns.example.org, and files that name some, such as
    /// /etc/resolv.conf.
    pub(in crate::dns) upstreams: Vec<Servers>,
    /// Zones that have servers of their own.
    pub(in crate::dns) stub_zones: Vec<StubZone>,
    /// Which of several servers is asked first.
    pub(in crate::dns) order: Order,
    /// The authorities that sign the certificates of tls:// servers, as a file in PEM. Default: those that the system trusts.
    pub(in crate::dns) authorities: Option<PathBuf>,
    /// What is kept of answers.
    pub(in crate::dns) cache: Cache,
}

impl Default for Forward {
    fn default() -> Self {
        Self {
            upstreams: vec![Servers::File("/etc/resolv.conf".into())],
            stub_zones: Vec::new(),
            order: Order::default(),
            authorities: None,
            cache: Cache::default(),
        }
    }
}

/// A zone that has servers of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::dns) struct StubZone {
    /// This name and all below it.
    pub(in crate::dns) zone: Domain,
    /// Its servers.
    pub(in crate::dns) upstreams: AtLeastOne<Servers>,
}

/// A server, or a file that names some.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(in crate::dns) enum Servers {
    One(Upstream),
    File(PathBuf),
}

impl TryFrom<String> for Servers {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.starts_with('/') {
            true => Ok(Self::File(text.into())),
            false => text
                .parse()
                .map(Self::One)
                .map_err(|error: dns::forward::UpstreamError| error.to_string()),
        }
    }
}

/// Which of several servers is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::dns) enum Order {
    /// Any, so that they share the load.
    #[default]
    Random,
    /// The one listed first.
    AsListed,
}

/// What is kept of answers from other servers. Names of the cluster are never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::dns) struct Cache {
    /// Octets of memory; 0: nothing is kept.
    pub(in crate::dns) bytes: u32,
    /// No answer is kept for longer, whatever its time to live.
    pub(in crate::dns) max_seconds: u32,
    /// No negative answer is kept for longer.
    pub(in crate::dns) max_negative_seconds: u32,
    /// How long after their end answers may be given when servers fail; 0: not at all.
    pub(in crate::dns) serve_stale_seconds: u32,
    /// What is asked for often is fetched anew shortly before its end.
    pub(in crate::dns) prefetch: bool,
}

impl Default for Cache {
    fn default() -> Self {
        let dns::forward::CacheConfig {
            bytes_max,
            ttl_max,
            negative_ttl_max,
            failure_ttl: _,
            stale_max,
            prefetch,
        } = dns::forward::CacheConfig::default();
        let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self {
            bytes: u32::try_from(bytes_max).unwrap_or(u32::MAX),
            max_seconds: seconds(ttl_max),
            max_negative_seconds: seconds(negative_ttl_max),
            serve_stale_seconds: seconds(stale_max),
            prefetch,
        }
    }
}

/// Listeners that show a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::dns) struct Encrypted {
    /// Where to listen for DNS over TLS; the usual port is 853.
    #[serde(default)]
    pub(in crate::dns) tls: Vec<Listen>,
    /// Where to listen for DNS over HTTPS, at /dns-query; the usual port is 443.
    #[serde(default)]
    pub(in crate::dns) https: Vec<Listen>,
    /// The certificate and those that it hangs on, as a file in PEM.
    pub(in crate::dns) certificate: PathBuf,
    /// The certificate's key, as a file in PEM.
    pub(in crate::dns) key: PathBuf,
}
