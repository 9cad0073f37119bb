//! How pods run.

use std::fs::{File, Permissions};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use api::allocate::dns_address;
use api::serve::Inside;
use clap::ValueEnum;
use ipnet::IpNet;
use node::Images;
use sandbox::{Engine, Network, PROGRAMS, Settings};
use tokio::net::TcpListener;

use super::Up;
use crate::error::Error;
use crate::local::{API_PORT, RunningPods};

/// How pods run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum How {
    /// They have an address and a readiness, and no process
    Simulated,
    /// They are programs of this machine, each pod in a network of its own
    Process,
    /// As processes where that is possible, simulated elsewhere
    Auto,
}

/// Starts what runs pods, if they are to run and can.
pub(super) async fn start(up: &Up, data: &Path) -> Result<Option<RunningPods>, Error> {
    if up.pods == How::Simulated {
        let idle =
            [("--images", up.images.is_some()), ("--ingress-listen", up.ingress_listen.is_some())];
        for (flag, _) in idle.into_iter().filter(|(_, given)| *given) {
            crate::terminal::say(format_args!(
                "{flag} is for pods that run, and does nothing here: add --pods process"
            ));
        }
        return Ok(None);
    }
    let images = images(up.images.as_deref())?;
    let folder = folder(data)?;
    let nodes = nodes(up);
    let settings = Settings {
        folder: folder.clone(),
        service_ranges: [up.service_cidr.ranges(), &[up.load_balancer_cidr]].concat(),
        node_addresses: [nodes.node_addresses(), vec![nodes.gateway_address()]].concat(),
        program: None,
    };
    match Engine::start(settings).await {
        Ok(engine) => {
            let load_balancers = up.load_balancer_cidr;
            Ok(Some(RunningPods { engine, images, folder, load_balancers }))
        }
        Err(why) if up.pods == How::Auto => {
            crate::terminal::say(format_args!("pods are simulated: {why}"));
            Ok(None)
        }
        Err(why) => Err(Error::caused("pods cannot run as processes here", &why)
            .hint("with --pods auto they are simulated where they cannot run")),
    }
}

/// The nodes as they are asked for.
pub(super) fn nodes(up: &Up) -> node::Config {
    node::Config { nodes: up.nodes, pod_ranges: up.pod_cidr.ranges().to_vec() }
}

/// Where the pods' files are: a path without links, as mounts want it.
fn folder(data: &Path) -> Result<PathBuf, Error> {
    let folder = data.join("pods");
    let made = std::fs::create_dir_all(&folder)
        // Pods' users, who are others than root, pass it; the data folder keeps everybody else out.
        .and_then(|()| std::fs::set_permissions(&folder, Permissions::from_mode(0o711)))
        .and_then(|()| folder.canonicalize());
    let made = made.map_err(|error| {
        Error::caused(format_args!("could not make the folder {}", folder.display()), &error)
            .hint("name a folder that can be written to with --data-dir")
    })?;
    match PROGRAMS.iter().map(|name| Path::new("/").join(name)).find(|seen| made.starts_with(seen))
    {
        None => Ok(made),
        Some(seen) => Err(Error::new(format!(
            "pods see all of {}, and the data folder {} with the keys and the token is in it",
            seen.display(),
            data.display()
        ))
        .hint("name a folder elsewhere with --data-dir, or with TMPDIR for --ephemeral")),
    }
}

/// The table of images that somebody wrote.
fn images(path: Option<&Path>) -> Result<Images, Error> {
    let Some(path) = path else { return Ok(Images::default()) };
    let bytes = std::fs::read(path).map_err(|error| {
        Error::caused(format_args!("could not read the images in {}", path.display()), &error)
            .hint("name a file with --images; docs/pods.md says what is in it")
    })?;
    Images::parse(&path.display().to_string(), &bytes).map_err(|problems| {
        for problem in &problems {
            crate::terminal::say(problem);
        }
        Error::new(format!("the images in {} cannot be used", path.display()))
            .hint("docs/pods.md says what is in such a file")
    })
}

/// How other programs of this machine enter the network of the pods.
pub(super) fn inside(up: &Up, engine: &Engine, services: &[IpNet]) -> Result<Inside, Error> {
    let process = engine.pid();
    let namespace = File::open(format!("/proc/{process}/ns/net"))
        .and_then(|namespace| Ok(namespace.metadata()?.ino()))
        .map_err(|error| Error::caused("could not look at the network of the pods", &error))?;
    let nameservers = services.iter().filter_map(dns_address).collect();
    Ok(Inside { process, namespace, nameservers, domain: up.domain() })
}

/// Where pods reach the API: at the Service `kubernetes`.
pub(super) async fn api_listeners(
    engine: &Engine,
    addresses: &[IpAddr],
) -> Result<Vec<TcpListener>, Error> {
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(*address, API_PORT);
        let listener = engine.listen(Network::Cluster, address).await;
        listeners.push(
            listener.map_err(|error| Error::caused("could not serve the API to pods", &error))?,
        );
    }
    Ok(listeners)
}
