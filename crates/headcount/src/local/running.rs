//! Pods that run: what this process serves inside of their network. Its sockets are made there by the engine and handed
//! over, so that the process itself stays outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use cluster::{Change, Delivery, Subscription};
use dns::forward::{ForwardConfig, interface_index, resolv_conf};
use ipnet::IpNet;
use manifest::Object;
use sandbox::{Engine, Failure, Network};

/// This machine's DNS servers: who asks them from inside asks what this machine asks.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What pods run by.
pub(crate) struct RunningPods {
    /// Runs them.
    pub(crate) engine: Engine,
    /// Which programs stand for which images.
    pub(crate) images: node::Images,
    /// Where their files are.
    pub(crate) folder: PathBuf,
    /// Addresses for Services of type LoadBalancer.
    pub(crate) load_balancers: IpNet,
}

/// Sockets for the cluster's DNS, on every address of the nodes: a pod asks the Service's address, and the Service leads to
/// the address of the pod that stands for this server.
pub(super) async fn dns_sockets(
    engine: &Engine,
    service_ranges: &[IpNet],
) -> Result<Vec<dns::Handed>, Failure> {
    let mut handed = Vec::new();
    for range in service_ranges {
        let any: IpAddr = match range {
            IpNet::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpNet::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let address = SocketAddr::new(any, 53);
        let udp = vec![engine.bind(Network::Cluster, address).await?];
        let tcp = engine.listen(Network::Cluster, address).await?;
        handed.push(dns::Handed { udp, tcp });
    }
    Ok(handed)
}

/// Names outside of the cluster are asked of this machine's servers, as a cluster's DNS does.
pub(super) fn forwarding(own: SocketAddr) -> ForwardConfig {
    let text = std::fs::read_to_string(RESOLV_CONF).unwrap_or_else(|error| {
        tracing::warn!(%error, "{RESOLV_CONF} could not be read: pods are told of no names outside of the cluster");
        String::new()
    });
    let (upstreams, unusable) = resolv_conf(&text, &[own], interface_index);
    for unusable in unusable {
        tracing::warn!("{RESOLV_CONF}:{}: {}", unusable.line, unusable.reason);
    }
    ForwardConfig { upstreams, ..ForwardConfig::default() }
}

/// Makes the addresses of pods that are served by this process its own inside: those of mirror pods, which no node runs.
pub(super) async fn own_addresses(engine: Engine, mut pods: Subscription) {
    while let Some(Delivery { change, busy: _busy }) = pods.next().await {
        let Change::Applied(object) = change else { continue };
        let Object::Pod(pod) = &*object else { continue };
        if !node::is_mirror(pod) {
            continue;
        }
        let addresses = pod.status.iter().flat_map(|status| status.pod_ips.iter().flatten());
        for address in addresses.filter_map(|address| address.ip.parse::<IpAddr>().ok()) {
            if let Err(error) = engine.add_address(address).await {
                tracing::warn!(%error, %address, "an address of the cluster's DNS");
            }
        }
    }
}
