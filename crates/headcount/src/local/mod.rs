//! A cluster in this process: store, API, watches, controllers, simulated nodes and pods, DNS. Who wants it reached from
//! outside serves its API; everything in the process speaks to it through its [`Client`].

mod kubelet;
mod network;
mod outside;
mod running;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use api::ApiServer;
use api::allocate::dns_address;
use api::store::Store;
use cluster::bootstrap::{DNS_NAMESPACE, DNS_SERVICE, keep_up};
use cluster::{Controllers, Feed, Recorder, RunningWatches, Watches};
use directory::view::ObjectName;
use directory::{Cidr, Name, ZoneConfig};
use ipnet::IpNet;
use kube::Client;
use node::{Logs, Outlets, Simulation};
use tokio::task::JoinHandle;

use kubelet::NodeKubelet;
use running::Inside;
pub(crate) use running::{API_PORT, RunningPods};

/// What a cluster is started with.
pub(crate) struct Settings {
    pub(crate) store: Arc<dyn Store>,
    /// The Services' addresses: one range, or one of each family, the primary one first.
    pub(crate) service_ranges: Vec<IpNet>,
    /// The pods' addresses, likewise.
    pub(crate) pod_ranges: Vec<IpNet>,
    /// How many nodes to simulate.
    pub(crate) nodes: u16,
    /// The zone of its names.
    pub(crate) domain: Name,
    /// Where DNS listens, UDP and TCP; port 0 takes a free one.
    pub(crate) dns_listen: SocketAddr,
    /// Where clients reach the API: the endpoint of the Service `kubernetes`.
    pub(crate) advertise: SocketAddr,
    /// By what pods run; without it they are simulated.
    pub(crate) running: Option<RunningPods>,
}

/// Why a cluster did not start; who started it knows which setting to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Dns(#[from] dns::BindError),
    /// The API cannot be with these ranges of Services.
    #[error("{0}")]
    Services(String),
    /// The store does not take what the API begins with.
    #[error("{0}")]
    Store(String),
    #[error("could not simulate the nodes")]
    Nodes(#[from] node::StartError),
    #[error("could not serve in the network of the pods")]
    Inside(#[from] sandbox::Failure),
    #[error("could not create the Service of the cluster's DNS")]
    DnsService(#[source] kube::Error),
}

/// A cluster that runs; dropped, it stops without waiting for what is under way.
pub(crate) struct LocalCluster {
    /// The API, to be served to others.
    pub(crate) api: ApiServer,
    /// A client of that API, without a socket between.
    pub(crate) client: Client,
    pub(crate) watches: RunningWatches,
    controllers: Controllers,
    simulation: Simulation,
    _feed: Feed,
    dns: dns::Server,
    inside: Option<Inside>,
    maintenance: Maintenance,
}

impl LocalCluster {
    pub(crate) async fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings {
            store,
            service_ranges,
            pod_ranges,
            nodes,
            domain,
            dns_listen,
            advertise,
            running,
        } = settings;
        let dns_addresses: Vec<IpAddr> = service_ranges.iter().filter_map(dns_address).collect();
        let ranges = pod_ranges.iter().chain(&service_ranges);
        let (writer, reader) = directory::new(zone(domain.clone(), dns_addresses.clone(), ranges));
        let mut config = dns::Config { ede: dns::EdeMode::Text, ..dns::Config::default() };
        let mut handed = Vec::new();
        if let Some(running) = &running {
            config.forward = Some(running::forwarding(dns_listen));
            handed = running::dns_sockets(&running.engine, &service_ranges).await?;
        }
        let live = dns::Live::new(config, reader);
        let dns = dns::Server::bind_live(&[dns_listen], handed, live, Arc::default())?;

        let logs = Logs::default();
        let processes =
            running.as_ref().map(|running| running.processes(&domain, dns_addresses.clone()));
        let mut config = api::Config::new(service_ranges.clone(), advertise);
        config.kubelet =
            Some(Arc::new(NodeKubelet { logs: logs.clone(), processes: processes.clone() }));
        let api = ApiServer::new(store, config)
            .map_err(|error| StartError::Services(error.to_string()))?;
        api.bootstrap().await.map_err(|error| StartError::Store(error.to_string()))?;
        let client = Client::new(api.clone(), "default");

        let mut watches = Watches::new(client.clone());
        // The feed subscribes first: answers before reactions.
        let feed = Feed::start(&mut watches, writer, Arc::new(()));
        let recorder = Recorder::start(client.clone(), watches.activity().clone());
        let controllers = Controllers::start(&mut watches, recorder.clone());
        let nodes = node::Config { nodes, pod_ranges };
        let inside = match running {
            Some(running) => {
                Some(running.serve(&mut watches, &recorder, &nodes, service_ranges).await?)
            }
            None => None,
        };
        let outlets = Outlets { recorder, logs };
        let simulation = Simulation::start(&mut watches, &nodes, outlets, processes).await?;
        cluster::bootstrap(&client, &dns_addresses).await.map_err(StartError::DnsService)?;

        let (maintained, keeper) = (api.clone(), client.clone());
        let maintenance = tokio::spawn(async move {
            futures::join!(maintained.maintain(), keep_up(keeper, dns_addresses));
        });
        Ok(Self {
            api,
            client,
            watches: watches.start(),
            controllers,
            simulation,
            _feed: feed,
            dns,
            inside,
            maintenance: Maintenance(maintenance),
        })
    }

    /// Where DNS listens.
    pub(crate) fn dns_listen(&self) -> SocketAddr {
        // One address was asked for, so one is served.
        self.dns.local_addresses()[0]
    }

    /// Stops in the order in which parts depend on one another; `meanwhile` is waited for with the last of them.
    pub(crate) async fn shutdown(self, meanwhile: impl Future<Output = ()>) {
        let Self {
            api: _,
            client: _,
            watches,
            controllers,
            simulation,
            _feed,
            dns,
            inside,
            maintenance,
        } = self;
        drop(maintenance);
        tokio::join!(controllers.shutdown(), simulation.shutdown(), meanwhile);
        // Nobody starts pods anew any more.
        if let Some(inside) = inside {
            inside.end_pods().await;
            inside.shutdown().await;
        }
        dns.shutdown().await;
        drop(watches);
    }
}

/// The task that keeps the store within bounds and the cluster's own objects there, until dropped.
struct Maintenance(JoinHandle<()>);

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn zone<'r>(
    domain: Name,
    server_addresses: Vec<IpAddr>,
    ranges: impl Iterator<Item = &'r IpNet>,
) -> ZoneConfig {
    ZoneConfig {
        server_addresses,
        dns_services: vec![ObjectName::new(DNS_NAMESPACE, DNS_SERVICE)],
        reverse: ranges.map(directory_cidr).collect(),
        first_serial: seconds_now(),
        ..ZoneConfig::new(domain)
    }
}

/// Unix time, as people number zones by it: a serial that rises from start to start (RFC 1982 lets it wrap).
pub(crate) fn seconds_now() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs() & u64::from(u32::MAX)) as u32
}

fn directory_cidr(range: &IpNet) -> Cidr {
    Cidr::new(range.network(), range.prefix_len()).expect("a prefix that fits its family")
}
