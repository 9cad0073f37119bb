//! Pods that run: what this process serves inside of their network. Its sockets are made there by the engine and handed
//! over, so that the process itself stays outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use api::allocate::{dns_address, kubernetes_address};
use cluster::{Change, Delivery, Recorder, Subscription, Watches};
use directory::Name;
use dns::forward::{ForwardConfig, interface_index, resolv_conf};
use gateway::Gateway;
use ipnet::IpNet;
use manifest::{KindId, Object};
use node::{ProcessSettings, Processes};
use proxy::{Balancer, Proxy, Userspace};
use sandbox::{Engine, Failure, Network};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::network::ClusterNetwork;
use super::outside;

/// This machine's DNS servers: who asks them from inside asks what this machine asks.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where the Service `kubernetes` listens.
pub(crate) const API_PORT: u16 = 443;

/// How long a container waits that has ended, and at most: as with Kubernetes.
const BACK_OFF: Duration = Duration::from_secs(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(300);

/// So long pods have at the end to finish what they are about, such as writing what they hold to their volumes.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What takes no longer needs no word.
const AT_ONCE: Duration = Duration::from_millis(700);

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

impl RunningPods {
    /// What runs the pods of a cluster of this domain.
    pub(super) fn processes(&self, domain: &Name, dns: Vec<IpAddr>) -> Processes {
        let engine = self.engine.clone();
        Processes::new(ProcessSettings {
            runtime: Arc::new(self.engine.clone()),
            folder: self.folder.clone(),
            cluster_domain: domain.to_string().trim_end_matches('.').to_owned(),
            dns,
            resolv_conf: RESOLV_CONF.into(),
            images: self.images.clone(),
            owner: Arc::new(move |uid, gid| engine.owner(uid, gid)),
            back_off: BACK_OFF,
            back_off_max: BACK_OFF_MAX,
        })
    }

    /// Begins to serve what pods need besides DNS: Services, policies, load balancers, the way out.
    pub(super) async fn serve(
        self,
        watches: &mut Watches,
        recorder: &Recorder,
        nodes: &node::Config,
        service_ranges: Vec<IpNet>,
    ) -> Result<Inside, Failure> {
        let Self { engine, images: _, folder: _, load_balancers } = self;
        let mut tasks = JoinSet::new();
        let mut egress = Vec::new();
        let mut listeners = Vec::new();
        for range in &service_ranges {
            let v4 = range.network().is_ipv4();
            let own = nodes.node_addresses().into_iter().find(|address| address.is_ipv4() == v4);
            let Some(address) = own else { continue };
            let listener = engine.listen(Network::Cluster, SocketAddr::new(address, 0)).await?;
            egress.extend(listener.local_addr());
            listeners.push(listener);
        }
        let dns: Vec<_> = service_ranges.iter().filter_map(dns_address).collect();
        let mut config = proxy::Config {
            pod_ranges: nodes.pod_ranges.clone(),
            balancer_ranges: vec![load_balancers, nodes.gateway_address().into()],
            egress,
            served: service_ranges
                .iter()
                .filter_map(kubernetes_address)
                .map(|address| SocketAddr::new(address, API_PORT))
                .collect(),
            service_ranges,
        };
        let network = ClusterNetwork::new(engine.clone(), config.inside_ranges(), nodes);
        let proxy = if engine.has_nft() {
            engine.open_outside(config.inside_ranges()).await?;
            let proxy = Arc::new(Proxy::start(watches, network.clone(), config));
            for listener in listeners {
                tasks.spawn(outside::serve(listener, proxy.clone()));
            }
            ServiceProxy::Rules(proxy)
        } else {
            tracing::warn!(
                "nft is not in PATH (Debian's package nftables): Services are proxied by this process, pods reach nothing outside, \
                 and NetworkPolicies are NOT enforced"
            );
            // DNS is served at the Service's own address then.
            config.served.extend(dns.iter().map(|address| SocketAddr::new(*address, 53)));
            let proxy = Userspace::start(watches, network.clone(), config, recorder.clone());
            ServiceProxy::Userspace(proxy)
        };
        let balancer = Balancer::start(watches, vec![load_balancers], recorder.clone());
        let gateway = Gateway::start(
            watches,
            Arc::new(network),
            gateway::Config { address: nodes.gateway_address(), http_port: 80, https_port: 443 },
        );
        let pods = watches.subscribe(&[KindId::Pod]);
        tasks.spawn(own_addresses(engine.clone(), pods));
        Ok(Inside { engine, _proxy: proxy, _balancer: balancer, _gateway: gateway, tasks })
    }
}

/// What is served inside; dropped, it is served no longer.
pub(super) struct Inside {
    engine: Engine,
    _proxy: ServiceProxy,
    _balancer: Balancer,
    _gateway: Gateway,
    tasks: JoinSet<()>,
}

/// What leads Services' addresses to their endpoints.
#[expect(dead_code, reason = "held for as long as it is to run")]
enum ServiceProxy {
    Rules(Arc<Proxy>),
    Userspace(Userspace),
}

impl Inside {
    /// Lets pods end what they are about, as far as they listen. DNS and Services are still there for them.
    pub(super) async fn end_pods(&self) {
        let mut end = pin!(self.engine.end(LAST_WORDS));
        if timeout(AT_ONCE, &mut end).await.is_err() {
            crate::terminal::say(format_args!(
                "waiting for pods to end, {} s at most; another signal ends them at once",
                LAST_WORDS.as_secs()
            ));
            // An engine that has ended has no pods any more.
            let _ = end.await;
        }
    }

    /// Ends all that runs, and returns when nothing is left.
    pub(super) async fn shutdown(mut self) {
        self.tasks.shutdown().await;
        self.engine.shutdown().await;
    }
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
