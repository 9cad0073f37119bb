//! `headcount dns`: a DNS server for a cluster or for manifests.

mod config;
mod config_file;
mod manifests;
mod memory;
mod names;
mod ops;
mod run;
mod settings;
mod source;
mod upstreams;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use config::{ConfigFile, Pods};
use directory::Name;

use crate::arguments::{cluster_domain, listen_address};
use crate::error::{Error, Exit};
use crate::live::LiveCluster;

/// Serve DNS for a cluster, or for manifests without a cluster
///
/// Without -f it serves a cluster: the one of the kubeconfig or, in a pod, the pod's own. With -f it serves manifests:
/// StatefulSets, Deployments and pods are expanded as Kubernetes' controllers would expand them; EndpointSlices are served
/// as they are. Files that change are read again, and no query is lost meanwhile; SIGHUP does so at once. What is wrong in
/// them is reported with file, line and field, and what was served before is served still.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Dns {
    /// A manifest or a folder of manifests to serve (repeatable). A folder stands for the .yaml, .yml and .json files
    /// in it; one that has none stands for its folders
    #[arg(short = 'f', long = "filename", value_name = "PATH", conflicts_with_all = ["kubeconfig", "context"])]
    filenames: Vec<PathBuf>,

    /// Namespace for objects that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,

    #[command(flatten)]
    cluster: LiveCluster,

    /// Settings; flags come before them. Read again when it changes
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    flags: Flags,

    /// Print the JSON Schema of the settings
    #[arg(long)]
    print_schema: bool,
}

/// The settings that are flags, too.
#[derive(Args)]
pub(crate) struct Flags {
    /// Where to listen, UDP and TCP (repeatable); port 0 takes a free one [default: 127.0.0.1:1053]
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    listen: Vec<SocketAddr>,

    /// The zone that the cluster's names are in [default: cluster.local, or what the kubeconfig of headcount up says]
    #[arg(long, value_name = "DOMAIN", value_parser = cluster_domain)]
    cluster_domain: Option<Name>,

    /// Names of pods by their addresses [default: insecure for a cluster, verified for manifests]
    #[arg(long, value_name = "MODE")]
    pods: Option<Pods>,

    /// Where /health says whether the server lives [default: port 8080 in a pod, else nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    health_listen: Option<SocketAddr>,

    /// Where /ready says whether queries should come here [default: port 8181 in a pod, else nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    ready_listen: Option<SocketAddr>,

    /// Where /metrics has counters for Prometheus, and /debug/top who asks for what [default: port 9153 in a pod, else
    /// nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    metrics_listen: Option<SocketAddr>,
}

const EXAMPLES: &str = "\
Examples:
  headcount dns -f examples/redis                    # on 127.0.0.1:1053, until Ctrl-C
  headcount dns -f prod.yaml --listen 127.0.0.1:53 --listen '[::1]:53'
  headcount dns --context prod                       # what headcount would answer in that cluster
  headcount dns --config /etc/headcount/dns.yaml     # in a pod, for its cluster
  dig @127.0.0.1 -p 1053 redis-headless.default.svc.cluster.local";

impl Dns {
    pub(crate) fn run(self) -> Result<Exit, Error> {
        if self.print_schema {
            crate::terminal::print_text(&ConfigFile::schema())?;
            return Ok(Exit::Clean);
        }
        if self.filenames.iter().any(|path| crate::files::is_stdin(path)) {
            return Err(Error::new("stdin cannot be read again when manifests change")
                .hint("name files or folders with -f"));
        }
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::caused("could not start the runtime", &error))?
            .block_on(run::run(self))
    }
}
