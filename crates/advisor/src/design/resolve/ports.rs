//! Ports, as they are known and as they are given.

use manifest::rules::names;

use super::Resolver;
use crate::design::draft::Given;
use crate::design::intent::{Port, Protocol};
use crate::peers::{self, Dials, Peer};

impl Resolver<'_> {
    /// The software's ports and those given; one of the same name takes its place.
    pub(super) fn ports(&mut self, software: Option<&Peer>) -> Vec<Port> {
        let mut ports: Vec<Port> =
            software.into_iter().flat_map(|peer| peer.ports).flat_map(known).collect();
        let draft = self.draft;
        for given in &draft.ports {
            let Some(port) = self.port(given) else { continue };
            match ports.iter_mut().find(|other| other.name == port.name) {
                Some(other) => {
                    other.number = port.number;
                    other.target = port.target;
                }
                None => ports.push(port),
            }
        }
        for (at, port) in ports.iter().enumerate() {
            let twice = ports[..at].iter().find(|other| {
                other.protocol == port.protocol
                    && (other.number == port.number || other.target == port.target)
            });
            let given =
                draft.ports.iter().find(|given| given.text.starts_with(&format!("{}:", port.name)));
            if let (Some(other), Some(given)) = (twice, given) {
                let trouble = given.trouble(format!("port {} has this number, too", other.name));
                self.refuse(trouble.help("each port has its own number, to dial and to listen on"));
            }
        }
        ports
    }

    pub(super) fn port(&mut self, given: &Given) -> Option<Port> {
        let (text, protocol) = match given.text.rsplit_once('/') {
            None => (given.text.as_str(), Protocol::Tcp),
            Some((text, "tcp" | "TCP")) => (text, Protocol::Tcp),
            Some((text, "udp" | "UDP")) => (text, Protocol::Udp),
            Some((_, other)) => {
                self.refuse(given.trouble(format!("{other} is no protocol")).help("/tcp or /udp"));
                return None;
            }
        };
        let parts: Vec<&str> = text.split(':').collect();
        let ([name, number] | [name, number, _]) = parts.as_slice() else {
            let trouble = given.trouble("a port is name:number or name:number:target");
            self.refuse(trouble.help("for example http:80:8080; by its name it has SRV records"));
            return None;
        };
        if let Some(problem) = names::port_name(name).into_iter().next() {
            let short: String = name.chars().take(15).collect();
            let trouble = given.trouble(format!("as a port's name {name:?} {problem}"));
            self.refuse(match name.len() > 15 && names::port_name(&short).is_empty() {
                true => trouble.help(format!("for example {short}")),
                false => trouble.help("for example http"),
            });
            return None;
        }
        let mut number_of = |text: &str| match text.parse::<u16>() {
            Ok(number) if number > 0 => Some(number),
            _ => {
                self.refuse(given.trouble(format!("{text:?} is no port: those are 1 to 65535")));
                None
            }
        };
        let number = number_of(number)?;
        let target = match parts.get(2) {
            Some(target) => number_of(target)?,
            None => number,
        };
        let name = (*name).to_owned();
        Some(Port { name, number, target, for_clients: true, for_peers: false, protocol })
    }
}

/// A port of the table, of each of its protocols.
fn known(port: &peers::Port) -> Vec<Port> {
    let of = |name: String, protocol| Port {
        name,
        number: port.number,
        target: port.number,
        for_clients: port.who != Dials::Peers,
        for_peers: port.who != Dials::Clients,
        protocol,
    };
    let mut ports = vec![of(port.name.to_owned(), Protocol::Tcp)];
    if port.udp {
        ports.push(of(format!("{}-udp", port.name), Protocol::Udp));
    }
    ports
}

/// What a port is usually for.
pub(in crate::design) fn usual_name(number: u16) -> Option<&'static str> {
    Some(match number {
        80 | 8080 => "http",
        443 | 8443 => "https",
        389 => "ldap",
        636 => "ldaps",
        587 => "smtp",
        1433 => "mssql",
        1521 => "oracle",
        3306 => "mysql",
        5432 => "postgresql",
        5671 => "amqps",
        5672 => "amqp",
        6379 => "redis",
        9092 => "kafka",
        27017 => "mongodb",
        _ => return None,
    })
}
