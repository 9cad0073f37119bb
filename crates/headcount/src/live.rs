//! A cluster that is there already, by kubeconfig.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use api::serve::{Inside, Kubeconfig as OwnKubeconfig};
use clap::Args;
use cluster::SnapshotError;
use directory::Name;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

use crate::error::Error;

/// How long a cluster may take to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which cluster.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LiveCluster {
    /// A live cluster, by this kubeconfig
    #[arg(long, value_name = "PATH")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// A live cluster, by this context of the kubeconfig ($KUBECONFIG or ~/.kube/config without --kubeconfig)
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

/// A way to its API.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// Where the API is, for messages.
    pub(crate) url: String,
    /// The zone of its names, if the kubeconfig says so.
    pub(crate) domain: Option<Name>,
    /// Where its DNS is reached from here, if the kubeconfig says so.
    pub(crate) dns: Option<SocketAddr>,
}

impl LiveCluster {
    /// Whether a cluster was named.
    pub(crate) fn is_named(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some()
    }

    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        let kubeconfig = self.read()?;
        let options = KubeConfigOptions { context: self.context.clone(), ..Default::default() };
        let (domain, dns) = dns(&kubeconfig, self.context.as_deref()).unwrap_or_default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| Error::caused("the kubeconfig is of no use", &error))?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        Connection::new(config, domain, dns)
    }

    /// How the network of its pods is entered on this machine.
    pub(crate) fn inside(&self) -> Result<Inside, Error> {
        let kubeconfig = self.read()?;
        extension(&kubeconfig, self.context.as_deref(), OwnKubeconfig::INSIDE_EXTENSION)
            .and_then(inside)
            .ok_or_else(|| {
                Error::new("the kubeconfig names no cluster whose pods run on this machine").hint(
                    "start one with headcount up --pods process, and name its kubeconfig with --kubeconfig or KUBECONFIG",
                )
            })
    }

    fn read(&self) -> Result<Kubeconfig, Error> {
        let kubeconfig = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path).map_err(|error| {
                Error::caused(
                    format_args!("could not read the kubeconfig {}", path.display()),
                    &error,
                )
                .hint("name a file that kubectl --kubeconfig takes")
            })?,
            None => Kubeconfig::read().map_err(|error| {
                Error::caused("could not read the kubeconfig", &error)
                    .hint("name one with --kubeconfig")
            })?,
        };
        if let Some(asked) = &self.context {
            let known: Vec<&str> =
                kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
            if !known.contains(&asked.as_str()) {
                return Err(Error::new(format!("the kubeconfig has no context {asked}"))
                    .hint(format!("its contexts are: {}", known.join(", "))));
            }
        }
        Ok(kubeconfig)
    }
}

impl Connection {
    /// A way to the API of the cluster that this process runs in, as its pod's service account; `None` outside of one.
    pub(crate) fn in_cluster() -> Option<Result<Self, Error>> {
        std::env::var_os("KUBERNETES_SERVICE_HOST")?;
        Some(Config::incluster().map_err(|error| {
            Error::caused("this pod's way to the API is of no use", &error)
                .hint("let the pod have a service account's token: automountServiceAccountToken: true")
        }).and_then(|mut config| {
            config.connect_timeout = Some(CONNECT_TIMEOUT);
            Self::new(config, None, None)
        }))
    }

    fn new(config: Config, domain: Option<Name>, dns: Option<SocketAddr>) -> Result<Self, Error> {
        let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config)
            .map_err(|error| Error::caused(format_args!("no client for {url}"), &error))?;
        Ok(Self { client, url, domain, dns })
    }
}

/// What `headcount up` writes into its kubeconfig: the zone of its names, and where its DNS answers.
fn dns(
    kubeconfig: &Kubeconfig,
    context: Option<&str>,
) -> Option<(Option<Name>, Option<SocketAddr>)> {
    let own = extension(kubeconfig, context, OwnKubeconfig::DNS_EXTENSION)?;
    let text = |key| own.get(key)?.as_str();
    let domain = text("domain").and_then(|domain| Name::parse(domain).ok());
    let address = text("address").and_then(|address| address.parse().ok());
    Some((domain, address))
}

/// What `headcount up` writes into its kubeconfig when its pods run.
fn inside(extension: &Value) -> Option<Inside> {
    let nameservers = extension.get("nameservers")?.as_array()?.iter();
    Some(Inside {
        process: u32::try_from(extension.get("process")?.as_u64()?).ok()?,
        namespace: extension.get("namespace")?.as_u64()?,
        nameservers: nameservers.filter_map(|ip| ip.as_str()?.parse().ok()).collect(),
        domain: extension.get("domain")?.as_str()?.to_owned(),
    })
}

/// An extension of the cluster that a context is of.
fn extension<'k>(
    kubeconfig: &'k Kubeconfig,
    context: Option<&str>,
    name: &str,
) -> Option<&'k Value> {
    let current = context.or(kubeconfig.current_context.as_deref())?;
    let context = kubeconfig.contexts.iter().find(|context| context.name == current)?;
    let cluster = &context.context.as_ref()?.cluster;
    let cluster = kubeconfig.clusters.iter().find(|own| own.name == *cluster)?;
    let extensions = cluster.cluster.as_ref()?.extensions.as_ref()?;
    extensions.iter().find(|own| own.name == name).map(|own| &own.extension)
}

/// Why the objects could not be listed, and what to do about it.
pub(crate) fn not_listed(error: &SnapshotError, url: &str) -> Error {
    match &error.source {
        kube::Error::Api(status) if status.code == 403 => Error::of(error).hint(format!(
            "let this user list services, pods, endpointslices (discovery.k8s.io) and namespaces, or one namespace of them with -n; kubectl auth can-i list {} tells",
            error.resource
        )),
        kube::Error::Api(status) if status.code == 401 => {
            Error::of(error).hint("the credentials in the kubeconfig are no longer good: renew them")
        }
        kube::Error::Api(_) => Error::of(error),
        cause => Error::caused(format_args!("could not reach the cluster at {url}"), cause)
            .hint("see whether kubectl get services works with the same kubeconfig and context"),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[track_caller]
    fn check(source: kube::Error, expected: &str) {
        let error = SnapshotError { resource: "pods", source };
        assert_eq!(not_listed(&error, "https://cluster:6443").to_string(), expected);
    }

    #[test]
    fn what_the_api_refuses_is_said_with_what_to_do() {
        let refused = |code, message: &str| {
            kube::Error::Api(Status::failure(message, "").with_code(code).boxed())
        };
        check(
            refused(403, "pods is forbidden: User \"eve\" cannot list resource \"pods\""),
            "error: could not list pods: pods is forbidden: User \"eve\" cannot list resource \"pods\"\n  \
             help: let this user list services, pods, endpointslices (discovery.k8s.io) and namespaces, or one \
             namespace of them with -n; kubectl auth can-i list pods tells",
        );
        check(
            refused(401, "Unauthorized"),
            "error: could not list pods: Unauthorized\n  \
             help: the credentials in the kubeconfig are no longer good: renew them",
        );
        check(refused(500, "the disk is full"), "error: could not list pods: the disk is full");
    }

    #[test]
    fn the_domain_is_what_up_wrote() {
        let text = |extension: &str| {
            format!(
                "clusters:\n- name: c\n  cluster:\n    server: https://x\n{extension}\
                 contexts:\n- name: one\n  context: {{ cluster: c }}\ncurrent-context: one\n"
            )
        };
        let own = "    extensions:\n    - name: headcount.dev/dns\n      extension: { domain: corp.example }\n";
        let told = |text: &str, context: Option<&str>| {
            let kubeconfig = Kubeconfig::from_yaml(text).expect("a kubeconfig");
            dns(&kubeconfig, context)?.0.map(|name| name.to_string())
        };
        assert_eq!(told(&text(own), None).as_deref(), Some("corp.example."));
        assert_eq!(told(&text(own), Some("one")).as_deref(), Some("corp.example."));
        assert_eq!(told(&text(own), Some("two")), None);
        assert_eq!(told(&text(""), None), None);
    }
}
