//! Questions to a DNS server, over a real socket, through a resolver library that is not ours.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};

use tokio::time::{sleep, timeout};

use crate::error::Error;

/// How long an answer may take before the question is asked once more.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long nothing is asked after that.
const PAUSE: Duration = Duration::from_millis(50);

/// A resolver without memory, hosts file and search list: every question reaches the server, as it stands.
pub(super) struct Asker {
    resolver: TokioResolver,
    /// How long a question is asked again that nobody answers.
    within: Duration,
}

/// What a question brought: records' data, or why none.
pub(super) type Reply<T> = Result<BTreeSet<T>, Nothing>;

/// Why a question brought no records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    NoSuchName,
    NoData,
    /// No answer that says anything of the name.
    Failed(String),
}

impl Nothing {
    /// Whether an answer said that there is nothing.
    pub(super) fn is_negative(&self) -> bool {
        match self {
            Self::NoSuchName | Self::NoData => true,
            Self::Failed(_) => false,
        }
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName => f.write_str("NXDOMAIN"),
            Self::NoData => f.write_str("no such records"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Asker {
    /// Asks this server, over UDP, and over TCP where an answer is truncated; for so long, where no answer comes.
    pub(super) fn new(server: SocketAddr, within: Duration) -> Result<Self, Error> {
        let on_port = |mut connection: ConnectionConfig| {
            connection.port = server.port();
            connection
        };
        let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
        let name_server = NameServerConfig::new(server.ip(), true, connections);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
        let mut options = ResolverOpts::default();
        options.cache_size = 0;
        options.positive_max_ttl = Some(Duration::ZERO);
        options.negative_max_ttl = Some(Duration::ZERO);
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = PATIENCE;
        options.attempts = 1;
        options.edns0 = true;
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| Error::caused("could not make a resolver", &error))?;
        Ok(Self { resolver, within })
    }

    /// A and AAAA, together.
    pub(super) async fn addresses(&self, name: &str) -> Reply<IpAddr> {
        let address = |data: &RData| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        };
        let (a, aaaa) = futures::join!(
            self.lookup(name, RecordType::A, address),
            self.lookup(name, RecordType::AAAA, address)
        );
        match (a, aaaa) {
            (Ok(mut a), Ok(aaaa)) => {
                a.extend(aaaa);
                Ok(a)
            }
            (Err(failed @ Nothing::Failed(_)), _) | (_, Err(failed @ Nothing::Failed(_))) => {
                Err(failed)
            }
            (Ok(addresses), Err(_)) | (Err(_), Ok(addresses)) => Ok(addresses),
            (Err(Nothing::NoData), Err(_)) | (Err(_), Err(Nothing::NoData)) => Err(Nothing::NoData),
            (Err(Nothing::NoSuchName), Err(Nothing::NoSuchName)) => Err(Nothing::NoSuchName),
        }
    }

    /// SRV: targets with their ports.
    pub(super) async fn services(&self, name: &str) -> Reply<(String, u16)> {
        let service = |data: &RData| match data {
            RData::SRV(srv) => Some((srv.target.to_lowercase().to_string(), srv.port)),
            _ => None,
        };
        self.lookup(name, RecordType::SRV, service).await
    }

    /// CNAME.
    pub(super) async fn alias(&self, name: &str) -> Reply<String> {
        let alias = |data: &RData| match data {
            RData::CNAME(cname) => Some(cname.0.to_lowercase().to_string()),
            _ => None,
        };
        self.lookup(name, RecordType::CNAME, alias).await
    }

    async fn lookup<T: Ord>(
        &self,
        name: &str,
        rtype: RecordType,
        data: impl Fn(&RData) -> Option<T>,
    ) -> Reply<T> {
        let answered = async {
            loop {
                match self.resolver.lookup(name, rtype).await {
                    // The library gives the same failure, at once, to all who ask the same, until the last of them has heard it.
                    Err(NetError::Timeout) => sleep(PAUSE).await,
                    answer => break answer,
                }
            }
        };
        let Ok(answer) = timeout(self.within, answered).await else {
            let why = format!("no answer within {} s", self.within.as_secs_f32());
            return Err(Nothing::Failed(why));
        };
        match answer {
            Ok(found) => {
                let found: BTreeSet<T> =
                    found.answers().iter().filter_map(|record| data(&record.data)).collect();
                if found.is_empty() { Err(Nothing::NoData) } else { Ok(found) }
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => Err(match none.response_code {
                ResponseCode::NXDomain => Nothing::NoSuchName,
                ResponseCode::NoError => Nothing::NoData,
                other => Nothing::Failed(other.to_string()),
            }),
            Err(error) => Err(Nothing::Failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    /// Those who ask the same at one time share what the library hears, and a failure, too; they end nevertheless.
    #[tokio::test]
    async fn nobody_answers() {
        let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = silent.local_addr().expect("an address");
        let asker = Asker::new(address, Duration::from_millis(1200)).expect("a resolver");
        let (one, other) = futures::join!(asker.addresses("a.test."), asker.addresses("a.test."));
        let failed = Err(Nothing::Failed("no answer within 1.2 s".to_owned()));
        assert_eq!((&one, &other), (&failed, &failed));
    }
}
