//! The parts of a cluster, put together: store, API, watches, controllers, pods, DNS.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use api::ApiServer;
use api::allocate::{dns_address, kubernetes_address};
use api::serve::{Authenticate, Credentials, DnsAddress, Kubeconfig, Limits, Token, write_private};
use api::store::{Memory, Sqlite, Store};
use cluster::bootstrap::{DNS_NAMESPACE, DNS_SERVICE, keep_up};
use cluster::{Controllers, Feed, Recorder, RunningWatches, Watches};
use directory::view::ObjectName;
use directory::{Cidr, ZoneConfig};
use ipnet::IpNet;
use kube::Client;
use node::{Logs, Outlets, Simulation};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceBuilder;

use super::apply::{apply, print_line};
use super::folder::Folder;
use super::kubelet::SimulatedKubelet;
use super::origin::Origin;
use super::{Up, descriptors, reach, report};
use crate::error::{Error, Exit};
use crate::files;
use crate::reading::Reading;

/// Starts everything, applies, reports, and serves until a signal.
pub(super) async fn run(up: Up) -> Result<Exit, Error> {
    let started = Instant::now();
    // From here on a signal ends the start in order, too.
    let mut stop = std::pin::pin!(stop_signal()?);
    let files = tokio::select! {
        files = files::read(up.filenames.clone()) => files?,
        signal = &mut stop => return Ok(stopped_early(signal)),
    };
    let reading = Reading::new(files, &up.namespace);
    let mut findings = reading.report();

    let running = tokio::select! {
        running = Running::start(&up) => running?,
        signal = &mut stop => return Ok(stopped_early(signal)),
    };
    tracing::info!("serving; {} objects to apply", reading.objects.len());
    let settled = async {
        findings |=
            apply(&running.client, running.watches.activity(), &reading.objects, &up.namespace)
                .await;
        // Served from now on; what was read need not be held as well.
        drop(reading);
        tracing::info!("applied; waiting for the controllers and pods");
        running.watches.idle().await;
        running.report(&up).await
    };
    let text = tokio::select! {
        text = settled => text?,
        signal = &mut stop => {
            running.shutdown().await;
            return Ok(stopped_early(signal));
        }
    };
    print_line(format_args!("\n{text}"));
    if let Some(path) = &up.ready_file {
        std::fs::write(path, "").map_err(|error| {
            Error::caused(format_args!("could not create {}", path.display()), &error)
                .hint("name a file that can be created with --ready-file")
        })?;
    }
    print_line(format_args!(
        "ready api=https://{} dns={} in {} ms; Ctrl-C stops it",
        reach::from_here(running.api_address),
        running.dns_address(),
        started.elapsed().as_millis(),
    ));

    let signal = stop.await;
    tracing::info!("{signal}: stopping");
    if let Some(path) = &up.ready_file {
        let _ = std::fs::remove_file(path);
    }
    running.shutdown().await;
    Ok(if findings { Exit::Findings } else { Exit::Clean })
}

fn stopped_early(signal: &str) -> Exit {
    eprintln!("{signal} before everything was ready");
    Exit::CouldNotRun
}

/// A cluster that serves.
struct Running {
    client: Client,
    watches: RunningWatches,
    controllers: Controllers,
    simulation: Simulation,
    _feed: Feed,
    dns: dns::Server,
    api_address: SocketAddr,
    api: JoinHandle<()>,
    maintenance: JoinHandle<()>,
    stop_api: watch::Sender<bool>,
    kubeconfig: PathBuf,
    // Last: an ephemeral folder goes when all that uses it has ended.
    _folder: Folder,
}

impl Running {
    async fn start(up: &Up) -> Result<Self, Error> {
        if let Some(path) = &up.write_kubeconfig {
            spare_others(path)?;
        }
        let (folder, store) = open_store(up)?;
        let services = up.service_cidr.ranges().to_vec();
        let first_addresses: Vec<IpAddr> = services.iter().filter_map(kubernetes_address).collect();
        let dns_addresses: Vec<IpAddr> = services.iter().filter_map(dns_address).collect();

        let credentials = credentials(up, folder.path(), &first_addresses)?;
        let listener = api::serve::Server::bind(up.api_listen, &credentials)
            .await
            .map_err(|e| Error::new(e.to_string()))?;
        let api_address = listener.address();
        let limits = Limits::default();
        let connections = limits.connections.min(descriptors::connections());
        let listener = listener.with_limits(Limits { connections, ..limits });
        let (writer, reader) = directory::new(zone(up, dns_addresses.clone()));
        let config = dns::Config { ede: dns::EdeMode::Text, ..dns::Config::default() };
        let dns = dns::Server::bind(&[up.dns_listen], config, reader).map_err(|error| {
            Error::of(&error)
                .hint("stop what listens there, or name another address with --dns-listen")
        })?;

        let advertise = reach::from_elsewhere(api_address);
        if advertise.ip() != api_address.ip() {
            tracing::warn!(
                "the API is there for other machines, too: with the kubeconfig and --server https://{advertise}"
            );
        }
        let logs = Logs::default();
        let mut config = api::Config::new(services, advertise);
        config.kubelet = Some(Arc::new(SimulatedKubelet(logs.clone())));
        let server = ApiServer::new(store, config)
            .map_err(|error| Error::new(error.to_string()).hint("change --service-cidr"))?;
        server.bootstrap().await.map_err(|error| Error::new(error.to_string()))?;
        let client = Client::new(server.clone(), "default");

        let mut watches = Watches::new(client.clone());
        // The feed subscribes first: answers before reactions.
        let feed = Feed::start(&mut watches, writer);
        let recorder = Recorder::start(client.clone(), watches.activity().clone());
        let controllers = Controllers::start(&mut watches, recorder.clone());
        let nodes = node::Config { nodes: up.nodes, pod_ranges: up.pod_cidr.ranges().to_vec() };
        let outlets = Outlets { recorder, logs };
        let simulation =
            Simulation::start(&mut watches, &nodes, outlets).await.map_err(|error| {
                let told = Error::caused("could not simulate the nodes", &error);
                match error {
                    node::StartError::Config(_) => told.hint("change --nodes or --pod-cidr"),
                    node::StartError::Node { .. } => told,
                }
            })?;
        cluster::bootstrap(&client, &dns_addresses).await.map_err(|error| {
            Error::caused("could not create the Service of the cluster's DNS", &error)
        })?;

        let (maintained, keeper) = (server.clone(), client.clone());
        let maintenance = tokio::spawn(async move {
            futures::join!(maintained.maintain(), keep_up(keeper, dns_addresses));
        });
        let (stop_api, stopped) = watch::channel(false);
        let service = ServiceBuilder::new()
            .layer(Authenticate::new(credentials.token().clone()))
            .service(server);
        let api = tokio::spawn(listener.serve(service, until_true(stopped)));

        let kubeconfig =
            up.write_kubeconfig.clone().unwrap_or_else(|| folder.path().join("kubeconfig"));
        // The line that is printed is for other terminals, in other folders.
        let kubeconfig = std::path::absolute(&kubeconfig).unwrap_or(kubeconfig);
        let running = Self {
            client,
            watches: watches.start(),
            controllers,
            simulation,
            _feed: feed,
            dns,
            api_address,
            api,
            maintenance,
            stop_api,
            kubeconfig,
            _folder: folder,
        };
        running.write_kubeconfig(up, &credentials)?;
        Ok(running)
    }

    /// Where programs on this machine ask.
    fn dns_address(&self) -> SocketAddr {
        // One address was asked for, so one is served.
        reach::from_here(self.dns.local_addresses()[0])
    }

    fn write_kubeconfig(&self, up: &Up, credentials: &Credentials) -> Result<(), Error> {
        let path = &self.kubeconfig;
        let dns = DnsAddress { address: self.dns_address(), domain: domain(up) };
        let text = Kubeconfig::new(self.api_address, credentials, Some(dns)).to_string();
        write_private(path, text.as_bytes()).map_err(|error| {
            Error::caused(format_args!("could not write the kubeconfig {}", path.display()), &error)
                .hint("name another file with --write-kubeconfig")
        })
    }

    async fn report(&self, up: &Up) -> Result<String, Error> {
        report::report(&self.client, self.dns_address(), &up.cluster_domain, &self.kubeconfig)
            .await
            .map_err(|error| Error::caused("could not list the Services", &error))
    }

    /// Stops in the order in which parts depend on one another.
    async fn shutdown(self) {
        let Self {
            watches, controllers, simulation, _feed, dns, api, maintenance, stop_api, ..
        } = self;
        maintenance.abort();
        stop_api.send_replace(true);
        tokio::join!(controllers.shutdown(), simulation.shutdown(), dns.shutdown(), async {
            let _ = api.await;
        });
        drop(watches);
    }
}

fn open_store(up: &Up) -> Result<(Folder, Arc<dyn Store>), Error> {
    if up.ephemeral {
        return Ok((Folder::ephemeral()?, Arc::new(Memory::new())));
    }
    let folder = Folder::open(up.data_dir.clone())?;
    tracing::info!("data folder: {}", folder.path().display());
    Origin::check_not_emptied(folder.path())?;
    let store = Sqlite::open(folder.path()).map_err(|error| Error::new(error.to_string()))?;
    // Now that the folder is ours alone.
    let origin = Origin {
        service_cidr: up.service_cidr.clone(),
        pod_cidr: up.pod_cidr.clone(),
        nodes: up.nodes,
    };
    origin.check_and_keep(folder.path())?;
    Ok((folder, Arc::new(store)))
}

fn credentials(up: &Up, folder: &Path, service_addresses: &[IpAddr]) -> Result<Credentials, Error> {
    let mut names = Credentials::names(up.api_listen.ip(), &domain(up), service_addresses);
    for name in reach::names(up.api_listen.ip()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let token = up.token.clone().map(Token::new).transpose();
    token
        .and_then(|token| {
            if up.ephemeral {
                Credentials::ephemeral(&names, token)
            } else {
                Credentials::load_or_create(folder, &names, token)
            }
        })
        .map_err(|error| Error::new(error.to_string()))
}

fn zone(up: &Up, server_addresses: Vec<IpAddr>) -> ZoneConfig {
    let reverse =
        up.pod_cidr.ranges().iter().chain(up.service_cidr.ranges()).map(directory_cidr).collect();
    ZoneConfig {
        server_addresses,
        dns_services: vec![ObjectName::new(DNS_NAMESPACE, DNS_SERVICE)],
        reverse,
        first_serial: seconds_now(),
        ..ZoneConfig::new(up.cluster_domain.clone())
    }
}

/// Unix time, as people number zones by it: a serial that rises from start to start (RFC 1982 lets it wrap).
fn seconds_now() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs() & u64::from(u32::MAX)) as u32
}

fn domain(up: &Up) -> String {
    up.cluster_domain.to_string().trim_end_matches('.').to_owned()
}

fn directory_cidr(range: &IpNet) -> Cidr {
    Cidr::new(range.network(), range.prefix_len()).expect("a prefix that fits its family")
}

/// Refuses to replace a kubeconfig that holds somebody's other clusters.
fn spare_others(path: &Path) -> Result<(), Error> {
    let hint = "name a file of its own with --write-kubeconfig; KUBECONFIG=A:B reads several";
    match kube::config::Kubeconfig::read_from(path) {
        Ok(existing) if existing.clusters.iter().all(|cluster| cluster.name == "headcount") => {
            Ok(())
        }
        Ok(_) => {
            Err(Error::new(format!("{} holds other clusters; it is left as it is", path.display()))
                .hint(hint))
        }
        Err(_) if !path.exists() => Ok(()),
        Err(_) => Err(Error::new(format!(
            "{} is there, and is no kubeconfig; it is left as it is",
            path.display()
        ))
        .hint(hint)),
    }
}

async fn until_true(mut flag: watch::Receiver<bool>) {
    // An error means that the sender is gone: stop as well.
    let _ = flag.wait_for(|stop| *stop).await;
}

/// Completes at the first SIGINT, SIGTERM or SIGHUP (its terminal is closed), with its name. A second one ends the process at once.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = &'static str>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|error| Error::caused("could not listen for signals", &error));
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hang_up = listen(SignalKind::hangup())?;
    let (send, receive) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut send = Some(send);
        loop {
            let (name, status) = tokio::select! {
                _ = interrupt.recv() => ("interrupted", 130),
                _ = terminate.recv() => ("terminated", 143),
                _ = hang_up.recv() => ("hung up", 129),
            };
            match send.take() {
                Some(send) => drop(send.send(name)),
                None => std::process::exit(status),
            }
        }
    });
    Ok(async move { receive.await.unwrap_or("stopped") })
}

#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = &'static str>, Error> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "interrupted",
            // No signal can come: serve until the process is ended.
            Err(_) => std::future::pending().await,
        }
    })
}
