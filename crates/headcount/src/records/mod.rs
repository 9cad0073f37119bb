//! `headcount records`: which names there are, and what each answers.

pub(crate) mod json;
mod live;
pub(crate) mod manifests;
pub(crate) mod table;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use directory::Name;
use preview::{NamedRecord, PodName, Preview, ServiceRecords, zone_text};

use crate::arguments::cluster_domain;
use crate::error::{Error, Exit};
use crate::live::LiveCluster;

/// Print the DNS records that clients will see, for manifests or for a live cluster
///
/// Needs no server. StatefulSets, Deployments and pods are expanded as Kubernetes' controllers would expand them, and
/// each Service's names are printed with what they answer and what they are for. Addresses that only a cluster can
/// allot are shown by what they stand for, such as <ip of redis-0>.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Records {
    /// These Services alone: SERVICE or NAMESPACE/SERVICE
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,

    /// A manifest or a folder of manifests (repeatable; "-" reads stdin). A folder stands for the .yaml, .yml and
    /// .json files in it; one that has none stands for its folders
    #[arg(short = 'f', long = "filename", value_name = "PATH", conflicts_with_all = ["kubeconfig", "context"])]
    filenames: Vec<PathBuf>,

    #[command(flatten)]
    cluster: LiveCluster,

    /// Namespace for objects that name none [default: default]; of a live cluster the one to look at [default: all]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    /// How to print
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,

    /// Show what changes when these pods are not ready: POD or NAMESPACE/POD. All pods had been ready before
    #[arg(long, value_name = "POD[,POD]", value_delimiter = ',', conflicts_with_all = ["kubeconfig", "context"])]
    not_ready: Vec<PodName>,

    /// Print this zone, as -o zone does: the cluster domain, or one of the zones of reverse names that the zone's
    /// first lines list
    #[arg(long, value_name = "ZONE", value_parser = zone_name)]
    zone: Option<Name>,

    /// The zone that the cluster's names are in [default: cluster.local, or what the kubeconfig of headcount up says]
    #[arg(long, value_name = "DOMAIN", value_parser = cluster_domain)]
    cluster_domain: Option<Name>,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people: a table for each Service
    Table,
    /// For DNS servers: a zone as text, with example addresses where only a cluster can allot them
    Zone,
    /// For programs; docs/records.md describes it
    Json,
}

const EXAMPLES: &str = "\
Examples:
  headcount records -f examples/redis                        # every name, and what it is for
  headcount records -f examples/redis --not-ready redis-1    # what changes when it is not ready
  headcount records -f examples/redis -o zone > redis.zone   # for any DNS server
  kubectl kustomize overlays/prod | headcount records -f -   # what is about to be applied
  headcount records --context prod -n payments db            # one Service of a live cluster";

fn zone_name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| error.to_string())
}

/// What there is to print.
struct View {
    /// The names as they are.
    now: Preview,
    services: Vec<ServiceRecords>,
    /// The pods that are not ready on demand; `None` when none was asked for.
    not_ready: Option<Vec<String>>,
    source: Source,
    findings: bool,
}

/// Where the objects are from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Manifests,
    /// A live cluster, or one namespace of it.
    Cluster {
        namespace: Option<String>,
    },
}

impl Records {
    pub(crate) fn run(self) -> Result<Exit, Error> {
        if self.filenames.is_empty() && !self.cluster.is_named() {
            return Err(Error::new("there is nothing to look at").hint(
                "name manifests with -f PATH, or a live cluster with --kubeconfig PATH or --context NAME",
            ));
        }
        let is_zone = self.output == Output::Zone || self.zone.is_some();
        if self.zone.is_some() && self.output == Output::Json {
            return Err(Error::new("--zone prints a zone file, not JSON")
                .hint("leave out one of --zone and -o json"));
        }
        if is_zone && !self.services.is_empty() {
            return Err(Error::new("a zone is printed whole, not for single Services")
                .hint("leave out the Services, or take -o table or -o json"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::caused("could not start the runtime", &error))?;
        let mut view = match self.cluster.is_named() {
            true => runtime.block_on(live::view(&self))?,
            false => runtime.block_on(manifests::view(&self))?,
        };
        self.choose(&mut view)?;
        let text = if is_zone {
            let gone: Vec<NamedRecord> =
                view.services.iter().flat_map(|service| service.records.clone()).collect();
            zone_text(&view.now, self.zone.as_ref(), &gone)
                .map_err(|error| Error::of(&error).hint("name one of these with --zone"))?
        } else {
            match self.output {
                Output::Json => json::text(&view),
                Output::Table | Output::Zone => table::text(&view),
            }
        };
        crate::terminal::print_text(&text)?;
        Ok(if view.findings { Exit::Findings } else { Exit::Clean })
    }

    /// Leaves the Services that were asked for.
    fn choose(&self, view: &mut View) -> Result<(), Error> {
        if self.services.is_empty() {
            return Ok(());
        }
        let is_named = |service: &ServiceRecords, asked: &str| {
            asked == &*service.service.name || asked == service.service.to_string()
        };
        for asked in &self.services {
            if !view.services.iter().any(|service| is_named(service, asked)) {
                return Err(unknown_service(asked, &view.services));
            }
        }
        view.services.retain(|service| self.services.iter().any(|asked| is_named(service, asked)));
        Ok(())
    }
}

/// A Service that is not there, and those that may have been meant.
fn unknown_service(asked: &str, services: &[ServiceRecords]) -> Error {
    let mut near: Vec<_> = services
        .iter()
        .map(|service| {
            let name = asked.rsplit('/').next().unwrap_or_default();
            (manifest::kind::distance(&service.service.name, name), service.service.to_string())
        })
        .collect();
    near.sort();
    let near: Vec<String> = near.into_iter().take(5).map(|(_, name)| name).collect();
    let hint = match near.is_empty() {
        true => "there is no Service at all".to_owned(),
        false => format!("there are {}", near.join(", ")),
    };
    Error::new(format!("there is no Service {asked}")).hint(hint)
}
