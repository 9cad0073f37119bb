//! The kubeconfig that clients are given.

use std::fmt;
use std::net::SocketAddr;

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

/// One cluster, one user, one context, all named `headcount`. `Display` gives the YAML, which holds the
/// token: write it with [`super::write_private`].
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    server: SocketAddr,
    ca_pem: String,
    token: Token,
    dns: Option<DnsAddress>,
}

impl Kubeconfig {
    /// The name of the extension on the cluster entry that carries a [`DnsAddress`] as a map of `address`
    /// and `domain`.
    pub const DNS_EXTENSION: &'static str = "headcount.dev/dns";

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
        Self { server, ca_pem, token, dns }
    }
}

/// A string as JSON, which YAML reads as it is.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, ca_pem, token, dns } = self;
        writeln!(f, "apiVersion: v1")?;
        writeln!(f, "kind: Config")?;
        writeln!(f, "clusters:")?;
        writeln!(f, "- name: headcount")?;
        writeln!(f, "  cluster:")?;
        writeln!(f, "    server: {}", quoted(&format!("https://{server}")))?;
        writeln!(f, "    certificate-authority-data: {}", BASE64_STANDARD.encode(ca_pem))?;
        if let Some(DnsAddress { address, domain }) = dns {
            writeln!(f, "    extensions:")?;
            writeln!(f, "    - name: {}", Self::DNS_EXTENSION)?;
            writeln!(f, "      extension:")?;
            writeln!(f, "        address: {}", quoted(&address.to_string()))?;
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
