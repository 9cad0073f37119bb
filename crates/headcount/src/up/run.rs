//! A cluster's life under `up`: started, filled, told of, served, stopped.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use api::allocate::kubernetes_address;
use api::serve::{
    Authenticate, Credentials, DnsAddress, Inside, Kubeconfig, Limits, Token, write_private,
};
use api::store::{Memory, Sqlite, Store};
use sandbox::Engine;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceBuilder;

use super::apply::{apply, print_line};
use super::folder::Folder;
use super::origin::Origin;
use super::{Up, descriptors, ingress, pods, reach, report, settle};
use crate::error::{Error, Exit};
use crate::files;
use crate::local::{LocalCluster, Settings, StartError};
use crate::reading::Reading;
use crate::signal;

/// Starts everything, applies, reports, and serves until a signal.
pub(super) async fn run(up: Up) -> Result<Exit, Error> {
    let started = Instant::now();
    // From here on a signal ends the start in order, too.
    let mut stop = std::pin::pin!(signal::stop()?);
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
    let cluster = &running.cluster;
    let settled = async {
        findings |=
            apply(&cluster.client, cluster.watches.activity(), &reading.objects, &up.namespace)
                .await;
        // Served from now on; what was read need not be held as well.
        drop(reading);
        tracing::info!("applied; waiting for the controllers and pods");
        cluster.watches.idle().await;
        let late = match &running.engine {
            Some(_) => settle::wait(&cluster.client)
                .await
                .map_err(|error| Error::caused("could not list the pods", &error))?,
            None => String::new(),
        };
        Ok::<_, Error>(running.report(&up).await? + &late)
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
    let ingresses = running.ingresses.map(|address| format!(" ingress=http://{address}"));
    print_line(format_args!(
        "ready api=https://{} dns={}{} in {} ms; Ctrl-C stops it",
        reach::from_here(running.api_address),
        running.dns_address(),
        ingresses.unwrap_or_default(),
        started.elapsed().as_millis(),
    ));

    let signal = tokio::select! {
        signal = stop => signal,
        () = running.pods_ended() => {
            running.shutdown().await;
            return Err(Error::new("the engine that ran the pods has ended, and all pods with it")
                .hint("start again: what is in the data folder is kept"));
        }
    };
    tracing::info!("{signal}: stopping");
    if let Some(path) = &up.ready_file {
        let _ = std::fs::remove_file(path);
    }
    running.shutdown().await;
    Ok(if findings { Exit::Findings } else { Exit::Clean })
}

fn stopped_early(signal: &str) -> Exit {
    crate::terminal::say(format_args!("{signal} before everything was ready"));
    Exit::CouldNotRun
}

/// A cluster that serves.
struct Running {
    cluster: LocalCluster,
    api_address: SocketAddr,
    api: JoinSet<()>,
    stop_api: watch::Sender<bool>,
    kubeconfig: PathBuf,
    /// Where Ingresses are reached from this machine.
    ingresses: Option<SocketAddr>,
    /// What runs the pods, if they run.
    engine: Option<Engine>,
    // Last: an ephemeral folder goes when all that uses it has ended.
    _folder: Folder,
}

impl Running {
    async fn start(up: &Up) -> Result<Self, Error> {
        if let Some(path) = &up.write_kubeconfig {
            spare_others(path)?;
        }
        let (folder, store) = open_store(up)?;
        let service_ranges = up.service_cidr.ranges().to_vec();
        let first_addresses: Vec<IpAddr> =
            service_ranges.iter().filter_map(kubernetes_address).collect();

        let credentials = credentials(up, folder.path(), &first_addresses)?;
        let listener = api::serve::Server::bind(up.api_listen, &credentials)
            .await
            .map_err(|e| Error::new(e.to_string()))?;
        let api_address = listener.address();
        let limits = Limits::default();
        let all = limits.connections.min(descriptors::connections());

        let running = pods::start(up, folder.path()).await?;
        let inside = match &running {
            Some(running) => Some(pods::inside(up, &running.engine, &service_ranges)?),
            None => None,
        };
        let engine = running.as_ref().map(|running| running.engine.clone());
        // What pods open takes nothing from people: each door has a part of its own, and the way out of the cluster needs the rest.
        let connections = if engine.is_some() { all / 4 } else { all };
        let listener = listener.with_limits(Limits { connections, ..limits });
        let of_pods = Limits { connections: all / 16, ..limits };
        let advertise = reach::from_elsewhere(api_address);
        let settings = Settings {
            store,
            service_ranges,
            pod_ranges: up.pod_cidr.ranges().to_vec(),
            nodes: up.nodes,
            domain: up.cluster_domain.clone(),
            dns_listen: up.dns_listen,
            advertise,
            running,
        };
        let cluster = LocalCluster::start(settings).await.map_err(not_started)?;
        if advertise.ip() != api_address.ip() {
            tracing::warn!(
                "the API is there for other machines, too: with the kubeconfig and --server https://{advertise}"
            );
        }

        let (stop_api, stopped) = watch::channel(false);
        let service = ServiceBuilder::new()
            .layer(Authenticate::new(credentials.token().clone()))
            .service(cluster.api.clone());
        let mut api = JoinSet::new();
        if let Some(engine) = &engine {
            for listener in pods::api_listeners(engine, &first_addresses).await? {
                let server = api::serve::Server::on(listener, &credentials)
                    .map_err(|error| Error::caused("could not serve the API to pods", &error))?
                    .with_limits(of_pods);
                api.spawn(server.serve(service.clone(), until_true(stopped.clone())));
            }
        }
        api.spawn(listener.serve(service, until_true(stopped.clone())));
        let mut ingresses = None;
        if let Some(engine) = &engine
            && let Some(address) = up.ingress_listen
        {
            let listener = ingress::bind(address).await?;
            ingresses = listener.local_addr().ok().map(reach::from_here);
            let inside = SocketAddr::new(pods::nodes(up).gateway_address(), 80);
            api.spawn(ingress::serve(listener, engine.clone(), inside, until_true(stopped)));
        }

        let kubeconfig =
            up.write_kubeconfig.clone().unwrap_or_else(|| folder.path().join("kubeconfig"));
        // The line that is printed is for other terminals, in other folders.
        let kubeconfig = std::path::absolute(&kubeconfig).unwrap_or(kubeconfig);
        let running = Self {
            cluster,
            api_address,
            api,
            stop_api,
            kubeconfig,
            ingresses,
            engine,
            _folder: folder,
        };
        running.write_kubeconfig(up, &credentials, inside)?;
        Ok(running)
    }

    /// Where programs on this machine ask.
    fn dns_address(&self) -> SocketAddr {
        reach::from_here(self.cluster.dns_listen())
    }

    fn write_kubeconfig(
        &self,
        up: &Up,
        credentials: &Credentials,
        inside: Option<Inside>,
    ) -> Result<(), Error> {
        let path = &self.kubeconfig;
        let dns = DnsAddress { address: self.dns_address(), domain: up.domain() };
        let mut kubeconfig = Kubeconfig::new(self.api_address, credentials, Some(dns));
        if let Some(inside) = inside {
            kubeconfig = kubeconfig.with_inside(inside);
        }
        write_private(path, kubeconfig.to_string().as_bytes()).map_err(|error| {
            Error::caused(format_args!("could not write the kubeconfig {}", path.display()), &error)
                .hint("name another file with --write-kubeconfig")
        })
    }

    async fn report(&self, up: &Up) -> Result<String, Error> {
        report::report(
            &self.cluster.client,
            self.dns_address(),
            &up.cluster_domain,
            &self.kubeconfig,
        )
        .await
        .map_err(|error| Error::caused("could not list the Services", &error))
    }

    /// Completes when pods ran and can run no longer.
    async fn pods_ended(&self) {
        match &self.engine {
            Some(engine) => engine.ended().await,
            None => std::future::pending().await,
        }
    }

    async fn shutdown(self) {
        let Self { cluster, mut api, stop_api, .. } = self;
        stop_api.send_replace(true);
        let served = async { while api.join_next().await.is_some() {} };
        cluster.shutdown(served).await;
    }
}

/// Why the cluster did not start, and which flag helps.
fn not_started(error: StartError) -> Error {
    let told = Error::of(&error);
    match error {
        StartError::Dns(_) => {
            told.hint("stop what listens there, or name another address with --dns-listen")
        }
        StartError::Services(_) => told.hint("change --service-cidr"),
        StartError::Nodes(node::StartError::Config(_)) => told.hint("change --nodes or --pod-cidr"),
        StartError::Nodes(node::StartError::Node { .. })
        | StartError::Inside(_)
        | StartError::Store(_)
        | StartError::DnsService(_) => told,
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
    let mut names = Credentials::names(up.api_listen.ip(), &up.domain(), service_addresses);
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
