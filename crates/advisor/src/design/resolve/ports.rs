//! Ports, as they are known and as they are given.

use manifest::rules::names;

use super::Resolver;
use crate::design::draft::{Given, nearest};
use crate::design::intent::{Intent, Port, Protocol, Shape};
use crate::peers::{self, Dials, Peer};

impl Resolver<'_> {
    /// The software's ports and those given; one of the same name takes its place, and one of the same number its name.
    pub(super) fn ports(&mut self, software: Option<&Peer>) -> Vec<Port> {
        let mut ports: Vec<Port> =
            software.into_iter().flat_map(|peer| peer.ports).flat_map(known).collect();
        let own = ports.len();
        for port in self.given_ports(&ports.clone()) {
            let replaced = ports[..own].iter().position(|other| other.name == port.name);
            let renamed = || {
                ports[..own].iter().position(|other| {
                    other.number == port.number
                        && other.target == port.target
                        && other.protocol == port.protocol
                })
            };
            match replaced.or_else(renamed) {
                Some(at) => {
                    let (for_clients, for_peers) = (ports[at].for_clients, ports[at].for_peers);
                    let protocol = ports[at].protocol;
                    ports[at] = Port { for_clients, for_peers, protocol, ..port };
                }
                None => ports.push(port),
            }
        }
        self.each_number_once(&ports);
        ports
    }

    /// The ports that were given; `known` are those that a target can be named after.
    pub(super) fn given_ports(&mut self, known: &[Port]) -> Vec<Port> {
        let draft = self.draft;
        let mut ports: Vec<Port> = Vec::new();
        for given in &draft.ports {
            let Some(port) = self.port(given, known) else { continue };
            if let Some(other) = ports.iter().find(|other| other.name == port.name) {
                let trouble = given.trouble(format!(
                    "another port is named {}, too: {} {}",
                    port.name,
                    other.number,
                    other.protocol.name()
                ));
                self.refuse(trouble.help(
                    "each port of a Service has a name of its own: SRV records are found by it",
                ));
                continue;
            }
            ports.push(port);
        }
        ports
    }

    /// A Service's ports differ by number or protocol; several of them can lead to one target.
    pub(super) fn each_number_once(&mut self, ports: &[Port]) {
        let draft = self.draft;
        for (at, port) in ports.iter().enumerate() {
            let twice = ports[..at]
                .iter()
                .find(|other| other.protocol == port.protocol && other.number == port.number);
            let Some(other) = twice else { continue };
            let of = |port: &Port| {
                let prefix = format!("{}:", port.name);
                draft.ports.iter().find(move |given| given.text.starts_with(&prefix))
            };
            // Of two that are the same, one at least was given.
            let (given, other) = match (of(port), of(other)) {
                (Some(given), _) => (given, other),
                (None, Some(given)) => (given, port),
                (None, None) => continue,
            };
            let trouble =
                given.trouble(format!("port {} has the number {}, too", other.name, port.number));
            self.refuse(trouble.help("clients dial a Service's ports by number, so each has its own; several may lead to one target: NAME:NUMBER:TARGET"));
        }
    }

    /// Under a headless Service nothing leads from a number to another.
    pub(super) fn told_apart(&mut self, intent: &Intent) {
        if intent.shape() != Shape::Headless {
            return;
        }
        let draft = self.draft;
        for port in &intent.ports {
            let first = intent.declared_name(port);
            let prefix = format!("{}:", port.name);
            let given = draft.ports.iter().find(|given| given.text.starts_with(&prefix));
            if let Some(given) = given.filter(|_| first != port.name) {
                let trouble = given.trouble(format!(
                    "port {first} leads to {} already, and a headless Service is DNS alone: clients dial {0} itself, whatever the Service's number is",
                    port.target
                ));
                self.refuse(trouble.help(
                    "leave one of the two out; or --identity any, for a Service whose virtual address changes the port on the way",
                ));
            }
        }
    }

    fn port(&mut self, given: &Given, known: &[Port]) -> Option<Port> {
        let (text, protocol) = match given.text.rsplit_once('/') {
            None => (given.text.as_str(), Protocol::Tcp),
            Some((text, "tcp" | "TCP")) => (text, Protocol::Tcp),
            Some((text, "udp" | "UDP")) => (text, Protocol::Udp),
            Some((_, other)) => {
                let message = format!("{other} is no protocol that a design is made for");
                self.refuse(given.trouble(message).help("/tcp or /udp"));
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
            Some(target) if is_name(target) => self.named_target(given, target, known)?,
            Some(target) => number_of(target)?,
            None => number,
        };
        let name = (*name).to_owned();
        Some(Port { name, number, target, for_clients: true, for_peers: false, protocol })
    }

    /// The number of a target that is given by name: of the software's ports, or of those that the containers declare.
    fn named_target(&mut self, given: &Given, target: &str, known: &[Port]) -> Option<u16> {
        let declared = self.draft.existing.declared_ports();
        let names = || {
            let known = known.iter().map(|port| (port.name.as_str(), port.target));
            known.chain(declared.iter().map(|(name, number)| (name.as_str(), *number)))
        };
        if let Some((_, number)) = names().find(|(name, _)| *name == target) {
            return Some(number);
        }
        let near = nearest(target, names().map(|(name, _)| (name, name)));
        let help = match near {
            Some(near) => format!("did you mean {near}?"),
            None => "give the number that the pods listen on, from 1 to 65535".to_owned(),
        };
        let message = format!("nothing defines a port {target:?} to lead to");
        self.refuse(given.trouble(message).help(help));
        None
    }
}

/// Whether a target is meant as a name: all but numbers have a letter.
fn is_name(target: &str) -> bool {
    target.bytes().any(|byte| byte.is_ascii_alphabetic())
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
