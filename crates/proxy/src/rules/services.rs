//! The rules by which connections to Services reach their endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use manifest::IpFamily;

use super::endpoints::Endpoints;
use super::names::name;
use super::table::{Elements, Set, Table, Words};
use super::{UdpFlows, keys};
use crate::config::{Config, of_family};
use crate::world::{Key, Node, Port, Protocol, Service, World};

/// Where a packet goes on.
const SERVICE_IPS: &str = "service-ips";
const SERVICE_NODE_PORTS: &str = "service-node-ports";
/// What is refused, for want of endpoints.
pub(super) const NO_ENDPOINT_IPS: &str = "no-endpoint-ips";
pub(super) const NO_ENDPOINT_NODE_PORTS: &str = "no-endpoint-node-ports";
/// Ports of addresses outside of the cluster's own that Services have all the same.
pub(super) const OUTER_IPS: &str = "outer-ips";
pub(super) const CLUSTER_IPS: &str = "cluster-ips";
pub(super) const NODE_IPS: &str = "node-ips";
/// Endpoints, paired with themselves.
pub(super) const HAIRPIN: &str = "hairpin";

/// What the rules of one family are made with.
pub(super) struct Maker<'w> {
    world: &'w World,
    config: &'w Config,
    family: IpFamily,
    words: Words,
    table: &'w mut Table,
    ips: BTreeMap<String, String>,
    node_ports: BTreeMap<String, String>,
    no_endpoint_ips: Vec<String>,
    no_endpoint_node_ports: Vec<String>,
    outer_ips: Vec<String>,
    cluster_ips: Vec<IpAddr>,
    hairpin: BTreeSet<IpAddr>,
    udp: &'w mut UdpFlows,
}

/// One port of a Service, as its chains are called.
struct Named<'w> {
    key: &'w Key,
    service: &'w Service,
    port: &'w Port,
}

impl Named<'_> {
    /// `service/default/web/tcp/http`
    fn chain(&self, kind: &str) -> String {
        name(&[kind, &self.key.0, &self.key.1, self.port.protocol.word(), &self.port.name])
    }

    /// `endpoint/default/web/tcp/http/10.244.1.2/8080`
    fn endpoint(&self, kind: &str, endpoint: SocketAddr) -> String {
        let (address, port) = (endpoint.ip().to_string(), endpoint.port().to_string());
        let Self { key: (namespace, service), port: of, .. } = self;
        name(&[kind, namespace, service, of.protocol.word(), &of.name, &address, &port])
    }
}

/// Adds the chains and maps of all Services of a family.
pub(super) fn add(
    world: &World,
    config: &Config,
    family: IpFamily,
    table: &mut Table,
    udp: &mut UdpFlows,
) {
    let (ips, node_ports, no_endpoint_ips, no_endpoint_node_ports) = Default::default();
    let (outer_ips, cluster_ips, hairpin) = Default::default();
    let words = Words::of(family);
    let mut maker = Maker {
        world,
        config,
        family,
        words,
        table,
        ips,
        node_ports,
        no_endpoint_ips,
        no_endpoint_node_ports,
        outer_ips,
        cluster_ips,
        hairpin,
        udp,
    };
    for (key, service) in &world.services {
        maker.service(key, service);
    }
    maker.finish();
}

impl Maker<'_> {
    fn service(&mut self, key: &Key, service: &Service) {
        let family = self.family;
        let ours = |addresses: &[IpAddr]| -> Vec<IpAddr> {
            addresses.iter().copied().filter(|address| IpFamily::of(*address) == family).collect()
        };
        let cluster_ips = ours(&service.cluster_ips);
        if cluster_ips.is_empty() {
            return;
        }
        self.cluster_ips.extend(&cluster_ips);
        let (external_ips, balancer_ips) =
            (ours(&service.external_ips), ours(&service.balancer_ips));
        for port in &service.ports {
            let of = Named { key, service, port };
            let address = |ip: &IpAddr| SocketAddr::new(*ip, port.number);
            let is_served = |address: &SocketAddr| {
                port.protocol == Protocol::Tcp && self.config.served.contains(address)
            };
            let inner: Vec<SocketAddr> =
                cluster_ips.iter().map(address).filter(|address| !is_served(address)).collect();
            let external: Vec<SocketAddr> = external_ips.iter().map(address).collect();
            let balanced: Vec<SocketAddr> = balancer_ips.iter().map(address).collect();
            let outer = external.iter().chain(&balanced);
            self.outer_ips.extend(outer.map(|address| triple(*address, port.protocol)));
            let endpoints = Endpoints::of(self.world, key, port, family);
            self.note_udp(&of, &endpoints, inner.iter().chain(&external).chain(&balanced));
            if endpoints.eligible().is_empty() {
                self.refuse(port, inner.iter().chain(&external).chain(&balanced));
                continue;
            }
            let service_chain = of.chain("service");
            self.choice(&of, &service_chain, &endpoints);
            let internal = match service.internal_local {
                true => self.internal_local(&of, &endpoints),
                false => service_chain.clone(),
            };
            let firewalled = match service.source_ranges.is_empty() || balanced.is_empty() {
                true => service_chain.clone(),
                false => self.firewall(&of, &service_chain),
            };
            for (addresses, chain) in
                [(inner, &internal), (external, &service_chain), (balanced, &firewalled)]
            {
                for address in addresses {
                    self.ips.insert(triple(address, port.protocol), format!("goto {chain}"));
                }
            }
            if let Some(number) = port.node_port {
                let chain = match service.external_local {
                    true => self.external_local(&of, &endpoints),
                    false => service_chain,
                };
                let key = format!("{} . {number}", port.protocol.word());
                self.node_ports.insert(key, format!("goto {chain}"));
            }
        }
    }

    /// No endpoint takes connections, so they are refused.
    fn refuse<'a>(&mut self, port: &Port, addresses: impl Iterator<Item = &'a SocketAddr>) {
        self.no_endpoint_ips.extend(addresses.map(|address| triple(*address, port.protocol)));
        if let Some(number) = port.node_port {
            self.no_endpoint_node_ports.push(format!("{} . {number}", port.protocol.word()));
        }
    }

    /// One of the endpoints by chance, or the one that the client was with before.
    fn choice(&mut self, of: &Named<'_>, chain: &str, endpoints: &Endpoints<'_>) {
        let eligible = endpoints.eligible();
        let ip = self.words.ip;
        if let Some(seconds) = of.service.affinity {
            for endpoint in &eligible {
                let set = of.endpoint(&format!("affinity/{seconds}"), *endpoint);
                let endpoint = of.endpoint("endpoint", *endpoint);
                self.table.rule(chain, format!("{ip} saddr @{set} goto {endpoint}"));
            }
        }
        let verdicts: Vec<String> = eligible
            .iter()
            .enumerate()
            .map(|(index, endpoint)| {
                format!("{index} : goto {}", of.endpoint("endpoint", *endpoint))
            })
            .collect();
        let (count, verdicts) = (verdicts.len(), verdicts.join(", "));
        self.table.rule(chain, format!("numgen random mod {count} vmap {{ {verdicts} }}"));
        for endpoint in eligible {
            self.endpoint(of, endpoint);
        }
    }

    /// The chain that sends a connection to an endpoint. One outside of the cluster is dialled by who takes TCP to the outside.
    fn endpoint(&mut self, of: &Named<'_>, endpoint: SocketAddr) {
        let chain = of.endpoint("endpoint", endpoint);
        if self.table.chains.contains_key(&chain) {
            return;
        }
        if let Some(seconds) = of.service.affinity {
            let set = of.endpoint(&format!("affinity/{seconds}"), endpoint);
            let Words { ip, address, .. } = self.words;
            self.table.rule(&chain, format!("update @{set} {{ {ip} saddr }}"));
            let spec = format!("type {address}; flags dynamic,timeout; timeout {seconds}s;");
            self.table.sets.insert(set, Set { spec, elements: Elements::Learned });
        }
        let protocol = of.port.protocol;
        let egress = self.config.egress(self.family).filter(|_| protocol == Protocol::Tcp);
        let (word, outside) = (protocol.word(), !self.is_inside(endpoint.ip()));
        let rule = match egress {
            Some(egress) if outside => format!("meta l4proto {word} dnat to {egress}"),
            None if outside => super::base::prohibited(self.words),
            _ => {
                self.hairpin.insert(endpoint.ip());
                format!("meta l4proto {word} dnat to {endpoint}")
            }
        };
        self.table.rule(&chain, rule);
    }

    /// Each client gets an endpoint of its own node, or none. Which node this process speaks for nobody can tell: it gets any.
    fn internal_local(&mut self, of: &Named<'_>, endpoints: &Endpoints<'_>) -> String {
        let chain = of.chain("internal");
        let ip = self.words.ip;
        for (node, Node { pod_ranges, .. }) in &self.world.nodes {
            let ranges = of_family(pod_ranges.iter().copied(), self.family);
            if let Some(ranges) = listed(&ranges) {
                let then = self.local(of, node, endpoints);
                self.table.rule(&chain, format!("{ip} saddr {ranges} {then}"));
            }
        }
        self.table.rule(&chain, format!("goto {}", of.chain("service")));
        chain
    }

    /// A node's own port leads to the node's own endpoints, but for clients on the same node, who get any.
    fn external_local(&mut self, of: &Named<'_>, endpoints: &Endpoints<'_>) -> String {
        let (chain, any) = (of.chain("external"), of.chain("service"));
        let ip = self.words.ip;
        self.table.rule(&chain, format!("fib saddr type local goto {any}"));
        for (node, Node { addresses, pod_ranges }) in &self.world.nodes {
            let ranges = of_family(pod_ranges.iter().copied(), self.family);
            let addresses = addresses.iter().map(|address| IpNet::from(*address));
            let Some(addresses) = listed(&of_family(addresses, self.family)) else { continue };
            if let Some(ranges) = listed(&ranges) {
                let rule = format!("{ip} daddr {addresses} {ip} saddr {ranges} goto {any}");
                self.table.rule(&chain, rule);
            }
            let then = self.local(of, node, endpoints);
            self.table.rule(&chain, format!("{ip} daddr {addresses} {then}"));
        }
        self.table.rule(&chain, "drop");
        chain
    }

    /// The verdict that leads to a node's own endpoints.
    fn local(&mut self, of: &Named<'_>, node: &str, endpoints: &Endpoints<'_>) -> String {
        let endpoints = endpoints.on(node);
        if endpoints.eligible().is_empty() {
            return "drop".to_owned();
        }
        let chain = of.chain(&format!("local/{node}"));
        if !self.table.chains.contains_key(&chain) {
            self.choice(of, &chain, &endpoints);
        }
        format!("goto {chain}")
    }

    /// `loadBalancerSourceRanges`
    fn firewall(&mut self, of: &Named<'_>, service: &str) -> String {
        let chain = of.chain("firewall");
        let ranges = of_family(of.service.source_ranges.iter().copied(), self.family);
        if let Some(ranges) = listed(&ranges) {
            let ip = self.words.ip;
            self.table.rule(&chain, format!("{ip} saddr {ranges} goto {service}"));
        }
        self.table.rule(&chain, "drop");
        chain
    }

    fn note_udp<'a>(
        &mut self,
        of: &Named<'_>,
        endpoints: &Endpoints<'_>,
        addresses: impl Iterator<Item = &'a SocketAddr>,
    ) {
        if of.port.protocol != Protocol::Udp {
            return;
        }
        let node_port = of.port.node_port;
        let node_ips = node_port.iter().flat_map(|port| {
            let ips = node_ips(self.world, self.family);
            ips.into_iter().map(|address| SocketAddr::new(address, *port))
        });
        for address in addresses.copied().chain(node_ips) {
            self.udp.insert(address, endpoints.answering());
        }
    }

    fn is_inside(&self, address: IpAddr) -> bool {
        let mut nodes = self.world.nodes.values();
        self.config.is_inside(address) || nodes.any(|node| node.addresses.contains(&address))
    }

    fn finish(self) {
        let Self { world, family, words: Words { ip, address, .. }, table, .. } = self;
        let triple = format!("type {address} . inet_proto . inet_service");
        let mut set = |name: &str, spec: &str, elements| {
            table.sets.insert(name.to_owned(), Set { spec: spec.to_owned(), elements });
        };
        set(SERVICE_IPS, &format!("{triple} : verdict;"), Elements::Verdicts(self.ips));
        let verdicts = Elements::Verdicts(self.node_ports);
        set(SERVICE_NODE_PORTS, "type inet_proto . inet_service : verdict;", verdicts);
        set(NO_ENDPOINT_IPS, &format!("{triple};"), keys(self.no_endpoint_ips));
        let refused = keys(self.no_endpoint_node_ports);
        set(NO_ENDPOINT_NODE_PORTS, "type inet_proto . inet_service;", refused);
        set(OUTER_IPS, &format!("{triple};"), keys(self.outer_ips));
        let one = format!("type {address};");
        set(CLUSTER_IPS, &one, keys(self.cluster_ips));
        set(NODE_IPS, &one, keys(node_ips(world, family)));
        let pairs = self.hairpin.iter().map(|address| format!("{address} . {address}"));
        set(HAIRPIN, &format!("type {address} . {address};"), keys(pairs));
        let key = "meta l4proto . th dport";
        table.rule("services", format!("{ip} daddr . {key} vmap @{SERVICE_IPS}"));
        table.rule("services", format!("{ip} daddr @{NODE_IPS} {key} vmap @{SERVICE_NODE_PORTS}"));
    }
}

/// All nodes' addresses.
fn node_ips(world: &World, family: IpFamily) -> Vec<IpAddr> {
    let addresses = world.nodes.values().flat_map(|node| &node.addresses).copied();
    addresses.filter(|address| IpFamily::of(*address) == family).collect()
}

/// A key of address, protocol and port.
fn triple(address: SocketAddr, protocol: Protocol) -> String {
    format!("{} . {} . {}", address.ip(), protocol.word(), address.port())
}

/// Ranges as a set in a rule, if there are any.
pub(super) fn listed(ranges: &[IpNet]) -> Option<String> {
    let written: Vec<String> = ranges.iter().map(IpNet::to_string).collect();
    (!written.is_empty()).then(|| format!("{{ {} }}", written.join(", ")))
}
