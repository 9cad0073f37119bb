//! Targets outside of the cluster: a host or addresses, and their ports.

use std::collections::HashSet;
use std::net::IpAddr;

use manifest::rules::{names, net};

use super::Resolver;
use super::ports::usual_name;
use crate::design::draft::{Given, Trouble};
use crate::design::intent::{Identity, Intent, Port, Protocol, Workload};
use crate::peers::{Dials, Peer};

impl Resolver<'_> {
    pub(super) fn external(
        &mut self,
        software: Option<&Peer>,
        identity: Option<Identity>,
    ) -> Option<(Workload, Vec<Port>)> {
        let draft = self.draft;
        for (given, flag) in [(&draft.image, "--image"), (&draft.replicas, "--replicas")] {
            if let Some(given) = given {
                let message =
                    format!("an external target has no pods here, so {flag} says nothing");
                self.refuse(given.trouble(message).help(format!("leave {flag} out")));
            }
        }
        let Some(given) = &draft.external else {
            self.refuse(
                Trouble::missing("where the external target is is not said").help(
                    "--external HOST[:PORT] for a DNS name, --external IP[,IP…] for addresses",
                ),
            );
            return None;
        };
        let (workload, port) = self.target(given, identity)?;
        let ports = self.external_ports(given, &workload, port, software);
        Some((workload, ports))
    }

    /// `HOST[:PORT]` or `IP[,IP…]`, each with or without a port.
    fn target(
        &mut self,
        given: &Given,
        identity: Option<Identity>,
    ) -> Option<(Workload, Option<u16>)> {
        let parts: Vec<&str> =
            given.text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let addresses: Vec<Option<(IpAddr, Option<u16>)>> =
            parts.iter().map(|part| address(part)).collect();
        if addresses.iter().any(Option::is_some) {
            if let Some(at) = addresses.iter().position(Option::is_none) {
                let message = format!("{:?} is no address, and the others are", parts[at]);
                self.refuse(given.trouble(message).help("give one host name, or addresses alone"));
                return None;
            }
            let addresses: Vec<(IpAddr, Option<u16>)> = addresses.into_iter().flatten().collect();
            for (ip, _) in &addresses {
                if let Some(problem) = net::unreachable(*ip).into_iter().next() {
                    let help = "endpoints are dialled from pods and nodes: give the address that they reach it at";
                    self.refuse(given.trouble(format!("{ip} {problem}")).help(help));
                }
            }
            let port = addresses[0].1;
            if addresses.iter().any(|(_, other)| *other != port) {
                let message = "all endpoints of a slice listen on the same ports";
                self.refuse(
                    given.trouble(message).help("give each address the same port, or none"),
                );
            }
            let addresses: Vec<IpAddr> = addresses.into_iter().map(|(ip, _)| ip).collect();
            let mut seen = HashSet::new();
            if let Some(twice) = addresses.iter().find(|ip| !seen.insert(**ip)) {
                let trouble = given.trouble(format!("{twice} is among the addresses twice"));
                self.refuse(trouble.help("name each address once: it is one endpoint, and gets its share of connections as one"));
            }
            let identity = identity.unwrap_or(Identity::Any);
            return Some((Workload::Addresses { addresses, identity }, port));
        }
        let [host] = parts.as_slice() else {
            let message = "an alias has one target";
            self.refuse(given.trouble(message).help("give one host name, or addresses"));
            return None;
        };
        self.host_target(given, host)
    }

    fn host_target(&mut self, given: &Given, host: &str) -> Option<(Workload, Option<u16>)> {
        if let Some((scheme, rest)) = host.split_once("://") {
            let bare = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let message = format!("a DNS name has no {scheme}:// before it and no path behind it");
            self.refuse(given.trouble(message).help(format!("--external {bare}")));
            return None;
        }
        let (host, port) = match host.split_once(':') {
            None => (host, None),
            Some((host, port)) => match port.parse::<u16>() {
                Ok(port) if port > 0 => (host, Some(port)),
                _ => {
                    let message = format!("{port:?} is no port: those are 1 to 65535");
                    self.refuse(given.trouble(message));
                    return None;
                }
            },
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        if let Some(problem) = names::dns_1123_subdomain(host).into_iter().next() {
            let lower = host.to_lowercase();
            let trouble =
                given.trouble(format!("as the target of an alias it {}", super::rule(&problem)));
            self.refuse(match lower != host && names::dns_1123_subdomain(&lower).is_empty() {
                true => trouble.help(format!("--external {lower}: case does not matter in DNS")),
                false => trouble,
            });
            return None;
        }
        let last = host.rsplit('.').next().unwrap_or_default();
        let trouble = if host == "localhost" || host.ends_with(".localhost") {
            given
                .trouble("every client would dial itself")
                .help("name the host as other machines know it")
        } else if !host.contains('.') {
            given
                .trouble("an alias's target is taken as it stands, never completed by a search path")
                .help(format!("give the full name, such as {host}.prod.svc.cluster.local or {host}.example.com"))
        } else if last.bytes().all(|byte| byte.is_ascii_digit()) {
            given.trouble("it is neither an address nor a name: no domain ends in a number")
        } else if last == "svc" {
            given
                .trouble("an alias's target is taken as it stands, and svc is no domain")
                .help(format!("add the cluster's domain: {host}.cluster.local"))
        } else if host == "metadata.google.internal" {
            given
                .trouble("that is the node's own metadata service, which holds its credentials")
                .help("it is no target for an alias")
        } else {
            return Some((Workload::Host(host.to_owned()), port));
        };
        self.refuse(trouble);
        None
    }

    /// An alias stands for another name.
    pub(super) fn own_alias(&mut self, intent: &Intent) {
        let (Workload::Host(host), Some(given)) = (&intent.workload, &self.draft.external) else {
            return;
        };
        let own = intent.full_name(&intent.name);
        let message = if *host == own {
            format!(
                "{own} would be an alias of itself: whoever looks it up is sent around until the resolver gives up, and gets no address"
            )
        } else if host.ends_with(&format!(".{own}")) {
            format!(
                "{host} is a name below {own}, and below an alias there is none: it would be NXDOMAIN"
            )
        } else {
            return;
        };
        let trouble = given.trouble(message);
        self.refuse(trouble.help("give the name that the target has elsewhere; or, if the target is in this cluster, another --name or --namespace for the alias"));
    }

    fn external_ports(
        &mut self,
        external: &Given,
        workload: &Workload,
        port: Option<u16>,
        software: Option<&Peer>,
    ) -> Vec<Port> {
        let draft = self.draft;
        let mut ports = self.given_ports(&[]);
        self.each_number_once(&ports);
        let is_alias = matches!(workload, Workload::Host(_));
        let apart = matches!(workload, Workload::Addresses { identity: Identity::Stable, .. });
        if let ([only], Some(target)) = (ports.as_mut_slice(), port) {
            // The target's port was given with it.
            if !is_alias && only.target == only.number {
                only.target = target;
            }
        }
        for declared in &ports {
            let prefix = format!("{}:", declared.name);
            let given = draft.ports.iter().find(|given| given.text.starts_with(&prefix));
            let Some(port_given) = given else { continue };
            let (number, target) =
                (declared.number, port.filter(|_| is_alias).unwrap_or(declared.target));
            if (is_alias || apart) && number != target {
                let kind = if is_alias { "an alias" } else { "a headless Service" };
                let trouble = port_given.trouble(format!(
                    "{kind} is DNS alone: who dials {number} arrives at {number}, not at {target}"
                ));
                self.refuse(trouble.help(match is_alias {
                    true => format!("--port {}:{target}, and clients dial {target}; or give addresses (--external IP,IP) to have the port changed on the way", declared.name),
                    false => format!("--port {}:{target}; or --identity any, whose virtual address changes the port on the way", declared.name),
                }));
            }
        }
        if ports.is_empty() {
            let known = software
                .and_then(|software| software.ports.iter().find(|port| port.who != Dials::Peers));
            let number = port.or(known.map(|known| known.number));
            if let Some(number) = number {
                let name = known.filter(|known| known.number == number).map(|known| known.name);
                let name = name.or(usual_name(number)).unwrap_or("main").to_owned();
                let (target, protocol) = (number, Protocol::Tcp);
                ports.push(Port {
                    name,
                    number,
                    target,
                    for_clients: true,
                    for_peers: false,
                    protocol,
                });
            } else if !is_alias {
                self.refuse(
                    external
                        .trouble("on which port it listens is not said")
                        .help("--external IP:PORT, or --port name:number[:target]"),
                );
            }
        }
        ports
    }
}

/// An address with or without a port: `10.0.0.1`, `10.0.0.1:5432`, `2001:db8::1`, `[2001:db8::1]:5432`.
fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some((ip, None));
    }
    let (ip, port) = text.rsplit_once(':')?;
    let ip = ip.trim_matches(['[', ']']).parse().ok()?;
    Some((ip, Some(port.parse().ok().filter(|port| *port > 0)?)))
}
