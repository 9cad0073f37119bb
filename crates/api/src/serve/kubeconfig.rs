//! The kubeconfig that clients are given.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Credentials, Token};

/// Where the cluster's DNS answers, for tools on the same machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAddress {
    /// UDP and TCP.
    pub address: SocketAddr,
    /// The cluster domain, for example `cluster.local`.
    pub domain: String,
}

/// How programs of the same machine enter the network in which the cluster's pods are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// A process that is in it, by its id.
    pub process: u32,
    /// The number of its network namespace (the inode behind `/proc/ID/ns/net`): another process of that id is not meant.
    pub namespace: u64,
    /// The cluster's DNS servers, as pods ask them.
    pub nameservers: Vec<IpAddr>,
    /// The cluster domain.
    pub domain: String,
}

/// One cluster, one user, one context, all named `headcount`. `Display` gives the YAML, which holds the
/// token: write it with [`super::write_private`].
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    server: SocketAddr,
    ca_pem: String,
    token: Token,
    dns: Option<DnsAddress>,
    inside: Option<Inside>,
}

impl Kubeconfig {
    /// The name of the extension on the cluster entry that carries a [`DnsAddress`] as a map of `address`
    /// and `domain`.
    pub const DNS_EXTENSION: &'static str = "headcount.dev/dns";

    /// The name of the extension on the cluster entry that carries an [`Inside`]: a map of `process`, `namespace`,
    /// `nameservers` and `domain`.
    pub const INSIDE_EXTENSION: &'static str = "headcount.dev/inside";

    /// For a server that listens on this address (on all: clients come by loopback).
    pub fn new(listen: SocketAddr, credentials: &Credentials, dns: Option<DnsAddress>) -> Self {
        let mut server = listen;
        if server.ip().is_unspecified() {
            server.set_ip(match server {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let (ca_pem, token) = (credentials.ca_pem().to_owned(), credentials.token().clone());
        Self { server, ca_pem, token, dns, inside: None }
    }

    /// Says how the cluster's network is entered, too.
    #[must_use]
    pub fn with_inside(self, inside: Inside) -> Self {
        Self { inside: Some(inside), ..self }
    }
}

/// A string as JSON, which YAML reads as it is.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, ca_pem, token, dns, inside } = self;
        writeln!(f, "apiVersion: v1")?;
        writeln!(f, "kind: Config")?;
        writeln!(f, "clusters:")?;
        writeln!(f, "- name: headcount")?;
        writeln!(f, "  cluster:")?;
        writeln!(f, "    server: {}", quoted(&format!("https://{server}")))?;
        writeln!(f, "    certificate-authority-data: {}", BASE64_STANDARD.encode(ca_pem))?;
        if dns.is_some() || inside.is_some() {
            writeln!(f, "    extensions:")?;
        }
        if let Some(DnsAddress { address, domain }) = dns {
            writeln!(f, "    - name: {}", Self::DNS_EXTENSION)?;
            writeln!(f, "      extension:")?;
            writeln!(f, "        address: {}", quoted(&address.to_string()))?;
            writeln!(f, "        domain: {}", quoted(domain))?;
        }
        if let Some(Inside { process, namespace, nameservers, domain }) = inside {
            let nameservers: Vec<_> =
                nameservers.iter().map(|ip| quoted(&ip.to_string())).collect();
            writeln!(f, "    - name: {}", Self::INSIDE_EXTENSION)?;
            writeln!(f, "      extension:")?;
            writeln!(f, "        process: {process}")?;
            writeln!(f, "        namespace: {namespace}")?;
            writeln!(f, "        nameservers: [{}]", nameservers.join(", "))?;
            writeln!(f, "        domain: {}", quoted(domain))?;
        }
        writeln!(f, "users:")?;
        writeln!(f, "- name: headcount")?;
        writeln!(f, "  user:")?;
        writeln!(f, "    token: {}", quoted(token.as_str()))?;
        writeln!(f, "contexts:")?;
        writeln!(f, "- name: headcount")?;
        writeln!(f, "  context:")?;
        writeln!(f, "    cluster: headcount")?;
        writeln!(f, "    namespace: default")?;
        writeln!(f, "    user: headcount")?;
        writeln!(f, "current-context: headcount")
    }
}
