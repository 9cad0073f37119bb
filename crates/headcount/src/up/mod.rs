//! `headcount up`: a self-contained cluster in one process.

mod apply;
mod descriptors;
mod families;
mod folder;
mod ingress;
mod origin;
mod pods;
pub(crate) mod reach;
mod report;
mod run;
mod settle;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use directory::Name;
use ipnet::IpNet;

use crate::arguments::{cluster_domain, listen_address};
use crate::error::{Error, Exit};
use families::Families;

/// Run a cluster in one process: a Kubernetes API for kubectl, controllers, pods and DNS
///
/// Applies the manifests given with -f, waits until they have settled, prints how to ask, and serves until
/// Ctrl-C. A manifest that is wrong is reported with file, line and field; the rest is applied.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Up {
    /// A manifest or a folder of manifests to apply (repeatable; "-" reads stdin). A folder stands for the
    /// .yaml, .yml and .json files in it; one that has none stands for its folders
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    filenames: Vec<PathBuf>,

    /// Namespace for objects that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,

    /// Keep the cluster's data in this folder [default: $XDG_DATA_HOME/headcount]
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data_dir: Option<PathBuf>,

    /// Keep everything in memory; nothing is left behind
    #[arg(long)]
    ephemeral: bool,

    /// Where the Kubernetes API listens (HTTPS); port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6443", value_parser = listen_address)]
    api_listen: SocketAddr,

    /// Where DNS listens (UDP and TCP); port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1053", value_parser = listen_address)]
    dns_listen: SocketAddr,

    /// Listen beyond loopback, where --api-listen, --dns-listen or --ingress-listen say so. Everyone who reaches the API's port
    /// and has its token may do everything; DNS answers everyone who reaches its port
    #[arg(long)]
    allow_remote: bool,

    /// The zone that the cluster's names are in
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local", value_parser = cluster_domain)]
    cluster_domain: Name,

    /// The pods' addresses: one range, or one of each family
    #[arg(long, value_name = "CIDR[,CIDR]", default_value = "10.244.0.0/16")]
    pod_cidr: Families,

    /// The Services' addresses: one range, or one of each family
    #[arg(long, value_name = "CIDR[,CIDR]", default_value = "10.96.0.0/12")]
    service_cidr: Families,

    /// How many nodes there are
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=250))]
    nodes: u16,

    /// How pods run
    #[arg(long, value_name = "HOW", default_value = "simulated")]
    pods: pods::How,

    /// Which programs of this machine stand for which images, before those that are known (docs/pods.md)
    #[arg(long, value_name = "PATH")]
    images: Option<PathBuf>,

    /// The addresses that Services of type LoadBalancer are given, where pods run
    #[arg(long, value_name = "CIDR", default_value = "172.18.255.0/24")]
    load_balancer_cidr: IpNet,

    /// Where Ingresses and HTTPRoutes are reached from this machine (HTTP), where pods run; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    ingress_listen: Option<SocketAddr>,

    /// Write the kubeconfig here [default: DIR/kubeconfig in the data folder]
    #[arg(long, value_name = "PATH")]
    write_kubeconfig: Option<PathBuf>,

    /// The bearer token of the API [default: made at the first start]
    #[arg(long, value_name = "TOKEN", env = "HEADCOUNT_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Create this file when everything serves; it is removed at the end
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  headcount up --ephemeral -f examples/redis     # try something, leave nothing behind
  headcount up --ephemeral --pods process -f examples/redis     # the same with pods that run
  headcount up                                   # the cluster of last time, from its data folder
  kubectl annotate pod redis-1 headcount.dev/ready=false    # play \"not ready\": redis-1 leaves the answers";

/// A range of the Services whose family the pods have no range of: its Services could not have endpoints.
fn without_pods(services: &Families, pods: &Families) -> Option<IpNet> {
    let family = |range: &IpNet| range.addr().is_ipv4();
    let pods: Vec<bool> = pods.ranges().iter().map(family).collect();
    services.ranges().iter().find(|range| !pods.contains(&family(range))).copied()
}

/// Whether only programs on this machine reach an address.
fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

impl Up {
    /// The cluster's zone as text, without a dot at its end.
    fn domain(&self) -> String {
        self.cluster_domain.to_string().trim_end_matches('.').to_owned()
    }

    pub(crate) fn run(self) -> Result<Exit, Error> {
        self.check_reach()?;
        if let Some((pods, services)) = self.pod_cidr.overlap(&self.service_cidr) {
            return Err(Error::new(format!(
                "the pods' range {pods} and the Services' range {services} overlap"
            ))
            .hint("give ranges that share no address with --pod-cidr and --service-cidr"));
        }
        let balancers = Families::from(self.load_balancer_cidr);
        for (flag, ranges) in
            [("--pod-cidr", &self.pod_cidr), ("--service-cidr", &self.service_cidr)]
        {
            if let Some((range, of_balancers)) = ranges.overlap(&balancers) {
                return Err(Error::new(format!(
                    "the load balancers' range {of_balancers} and the range {range} overlap"
                ))
                .hint(format!(
                    "give ranges that share no address with --load-balancer-cidr and {flag}"
                )));
            }
        }
        if let Some(services) = without_pods(&self.service_cidr, &self.pod_cidr) {
            return Err(Error::new(format!(
                "no pod would have an address of the family of the Services' range {services}"
            ))
            .hint("give --pod-cidr a range of each family that --service-cidr has"));
        }
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::caused("could not start the runtime", &error))?
            .block_on(run::run(self))
    }

    /// What others may reach must have been meant.
    fn check_reach(&self) -> Result<(), Error> {
        let listens = [
            (
                "--api-listen",
                self.api_listen,
                "who reaches the API there and has its token may do everything",
            ),
            ("--dns-listen", self.dns_listen, "DNS answers everyone who reaches it there"),
        ];
        let ingress = self.ingress_listen.map(|address| {
            ("--ingress-listen", address, "Ingresses answer everyone who reaches them there")
        });
        match listens.into_iter().chain(ingress).find(|(_, address, _)| !self.allow_remote && !is_local(*address)) {
            None => Ok(()),
            Some((flag, address, means)) => Err(Error::new(format!(
                "{flag} {address} is for other machines, too: {means}"
            ))
            .hint(format!(
                "add --allow-remote if that is meant; else give {flag} an address of this machine alone, such as 127.0.0.1:{}",
                address.port()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local() {
        let check = |address: &str, local: bool| {
            assert_eq!(is_local(address.parse().expect("an address")), local, "{address}");
        };
        check("127.0.0.1:0", true);
        check("127.9.9.9:53", true);
        check("[::1]:0", true);
        check("[::ffff:127.0.0.1]:0", true);
        check("0.0.0.0:0", false);
        check("[::]:0", false);
        check("192.0.2.1:0", false);
        check("[fe80::1]:0", false);
    }

    #[test]
    fn every_family_of_the_services_needs_pods() {
        let check = |services: &str, pods: &str, expected: Option<&str>| {
            let families = |text: &str| text.parse::<Families>().expect("ranges");
            let seen = without_pods(&families(services), &families(pods));
            assert_eq!(seen.map(|range| range.to_string()).as_deref(), expected);
        };
        check("10.96.0.0/12", "10.244.0.0/16", None);
        check("10.96.0.0/12", "fd00:1::/56,10.244.0.0/16", None);
        check("fd00::/112", "fd00:1::/56", None);
        check("10.96.0.0/12", "fd00:1::/56", Some("10.96.0.0/12"));
        check("10.96.0.0/12,fd00::/112", "10.244.0.0/16", Some("fd00::/112"));
    }
}
