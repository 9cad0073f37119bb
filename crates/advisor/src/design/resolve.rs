//! From what was given to an intent: defaults, and whether it makes sense.

use std::net::IpAddr;

use manifest::rules::{names, net};

use super::draft::{Draft, Given, Trouble, nearest};
use super::intent::{Expose, Identity, Intent, Mesh, Pods, PodsKind, Port, Protocol, Workload};
use crate::peers::{Dials, MadeBy, Peer, Reach, peers};

/// No cluster that one design speaks of is larger: every pod has names of its own in it.
const REPLICAS_MAX: u32 = 500;
/// A StatefulSet's pods carry its name and a hash as a label: 63 characters less those.
const STATEFUL_SET_NAME_MAX: usize = 52;
/// A Service's name is a label of DNS.
const SERVICE_NAME_MAX: usize = 63;

/// Makes an intent of what was given.
///
/// # Errors
///
/// All that is missing or cannot be, each with how to mend it.
pub fn resolve(draft: &Draft) -> Result<Intent, Vec<Trouble>> {
    let mut resolver = Resolver { draft, troubles: Vec::new() };
    let intent = resolver.intent();
    match intent {
        Some(intent) if resolver.troubles.is_empty() => Ok(intent),
        _ => Err(resolver.troubles),
    }
}

struct Resolver<'d> {
    draft: &'d Draft,
    troubles: Vec<Trouble>,
}

/// `--workload`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pods(PodsKind),
    External,
}

impl Resolver<'_> {
    fn refuse(&mut self, trouble: Trouble) {
        self.troubles.push(trouble);
    }

    fn intent(&mut self) -> Option<Intent> {
        let draft = self.draft;
        let software = self.software();
        let kind = self.kind(software);
        let expose = self.expose();
        let mesh = self.mesh();
        let identity = self.identity();
        let namespace = self.label(&draft.namespace, "namespace").unwrap_or("default".to_owned());
        let client_namespaces = self.client_namespaces(&namespace);
        let cluster_domain = self.cluster_domain();
        let kind = kind?;
        let (workload, ports) = match kind {
            Kind::External => self.external(software, identity)?,
            Kind::Pods(kind) => self.pods(kind, software, identity)?,
        };
        let name = self.name(software, &workload)?;
        let host = self.host(&name, expose);
        let intent = Intent {
            name,
            namespace,
            workload,
            ports,
            client_namespaces,
            expose,
            host,
            cluster_domain,
            mesh,
        };
        self.lengths(&intent);
        self.exposure(&intent);
        Some(intent)
    }

    fn software(&mut self) -> Option<&'static Peer> {
        let draft = self.draft;
        if let Some(given) = &draft.software {
            let found = Peer::by_name(&given.text);
            if found.is_none() {
                let help = match nearest_software(&given.text) {
                    Some(near) => format!("did you mean {near}?"),
                    None => {
                        "leave --software out, and say --image, --port and --identity".to_owned()
                    }
                };
                self.refuse(given.trouble("nothing is known of this software").help(help));
            }
            return found;
        }
        Peer::by_image(&draft.image.as_ref()?.text)
    }

    fn kind(&mut self, software: Option<&Peer>) -> Option<Kind> {
        let draft = self.draft;
        let Some(given) = &draft.workload else {
            if draft.external.is_some() {
                return Some(Kind::External);
            }
            if let Some(software) = software {
                return Some(Kind::Pods(match software.made_by.value() {
                    MadeBy::StatefulSet | MadeBy::Operator => PodsKind::StatefulSet,
                    MadeBy::Deployment => PodsKind::Deployment,
                }));
            }
            if draft.software.is_none() {
                self.refuse(
                    Trouble::missing("what is behind the name is not said").help(
                        "--workload statefulset, deployment or external; or --software, such as --software etcd",
                    ),
                );
            }
            return None;
        };
        match given.text.to_lowercase().as_str() {
            "statefulset" | "sts" => Some(Kind::Pods(PodsKind::StatefulSet)),
            "deployment" | "deploy" => Some(Kind::Pods(PodsKind::Deployment)),
            "external" => Some(Kind::External),
            _ => {
                self.choice(given, &["statefulset", "deployment", "external"]);
                None
            }
        }
    }

    fn choice(&mut self, given: &Given, choices: &[&str]) {
        let help = match nearest(&given.text, choices.iter().map(|choice| (*choice, *choice))) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("one of {}", choices.join(", ")),
        };
        self.refuse(given.trouble("no such choice").help(help));
    }

    fn expose(&mut self) -> Expose {
        let draft = self.draft;
        let Some(given) = &draft.expose else { return Expose::None };
        match given.text.to_lowercase().as_str() {
            "none" => Expose::None,
            "ingress" => Expose::Ingress,
            "gateway" => Expose::Gateway,
            "loadbalancer" => Expose::LoadBalancer,
            "nodeport" => Expose::NodePort,
            _ => {
                self.choice(given, &["none", "ingress", "gateway", "loadbalancer", "nodeport"]);
                Expose::None
            }
        }
    }

    fn mesh(&mut self) -> Mesh {
        let draft = self.draft;
        let Some(given) = &draft.mesh else { return Mesh::None };
        match given.text.to_lowercase().as_str() {
            "none" => Mesh::None,
            "istio" => Mesh::Istio,
            "linkerd" => Mesh::Linkerd,
            _ => {
                self.choice(given, &["none", "istio", "linkerd"]);
                Mesh::None
            }
        }
    }

    fn identity(&mut self) -> Option<Identity> {
        let draft = self.draft;
        let given = draft.identity.as_ref()?;
        match given.text.to_lowercase().as_str() {
            "stable" => Some(Identity::Stable),
            "any" => Some(Identity::Any),
            _ => {
                self.choice(given, &["stable", "any"]);
                None
            }
        }
    }

    /// A namespace's name.
    fn label(&mut self, given: &Option<Given>, what: &str) -> Option<String> {
        let given = given.as_ref()?;
        if let Some(problem) = names::dns_1123_label(&given.text).into_iter().next() {
            self.refuse(given.trouble(format!("as the name of a {what} it {problem}")));
        }
        Some(given.text.clone())
    }

    fn client_namespaces(&mut self, own: &str) -> Vec<String> {
        let draft = self.draft;
        let mut all: Vec<String> = Vec::new();
        for given in &draft.client_namespaces {
            let name = self.label(&Some(given.clone()), "namespace");
            all.extend(name.filter(|name| name != own && !all.contains(name)));
        }
        all
    }

    fn cluster_domain(&mut self) -> String {
        let draft = self.draft;
        let Some(given) = &draft.cluster_domain else { return "cluster.local".to_owned() };
        let domain = given.text.strip_suffix('.').unwrap_or(&given.text);
        if let Some(problem) = names::dns_1123_subdomain(domain).into_iter().next() {
            self.refuse(given.trouble(format!("as a domain it {problem}")));
        }
        domain.to_owned()
    }

    fn name(&mut self, software: Option<&Peer>, workload: &Workload) -> Option<String> {
        let draft = self.draft;
        let Some(given) = &draft.name else {
            let Some(software) = software else {
                let example = match workload {
                    Workload::Pods(_) => "--name db",
                    Workload::Host(_) | Workload::Addresses { .. } => "--name orders-db",
                };
                self.refuse(
                    Trouble::missing("the name that clients will use is not said").help(example),
                );
                return None;
            };
            let words = software.name.to_lowercase().replace(" with ", " ");
            return Some(words.replace(' ', "-"));
        };
        if let Some(problem) = names::dns_1035_label(&given.text).into_iter().next() {
            let lower = given.text.trim().to_lowercase().replace(['_', ' ', '.'], "-");
            let trouble = given.trouble(format!("as a Service's name it {problem}"));
            let fits = lower != given.text && names::dns_1035_label(&lower).is_empty();
            self.refuse(match fits {
                true => trouble.help(format!("for example {lower}")),
                false => trouble,
            });
        }
        Some(given.text.clone())
    }

    fn host(&mut self, name: &str, expose: Expose) -> String {
        let draft = self.draft;
        let Some(given) = &draft.host else { return format!("{name}.example.com") };
        if let Some(problem) = names::dns_1123_subdomain(&given.text).into_iter().next() {
            self.refuse(given.trouble(format!("as a host name it {problem}")));
        }
        if !matches!(expose, Expose::Ingress | Expose::Gateway) {
            let message = "only an Ingress or a Gateway's route goes by a host name";
            self.refuse(given.trouble(message).help("add --expose ingress or --expose gateway"));
        }
        given.text.clone()
    }

    /// Names that the design makes of the given one.
    fn lengths(&mut self, intent: &Intent) {
        let services = [intent.peer_service(), intent.client_service()];
        let longest = services.iter().flatten().map(String::len).max().unwrap_or(intent.name.len());
        let over = longest.saturating_sub(SERVICE_NAME_MAX);
        let room = match intent.pods().map(|pods| pods.kind) {
            Some(PodsKind::StatefulSet) => STATEFUL_SET_NAME_MAX.min(intent.name.len() - over),
            _ => intent.name.len() - over,
        };
        if intent.name.len() > room {
            let name =
                self.draft.name.clone().unwrap_or(Given::flag("--name", intent.name.clone()));
            let message =
                format!("it is {} characters long, and {room} is the most here", intent.name.len());
            self.refuse(name.trouble(message).help(
                "names are made of it: those of the pods' label controller-revision-hash and of its Services have 63 characters at most",
            ));
        }
    }

    fn exposure(&mut self, intent: &Intent) {
        let draft = self.draft;
        let Some(given) = draft.expose.as_ref().filter(|_| intent.expose != Expose::None) else {
            return;
        };
        let trouble = match (intent.expose, &intent.workload) {
            (_, Workload::Host(_) | Workload::Addresses { .. }) => given
                .trouble("it is outside of the cluster already")
                .help("leave --expose out: who is outside uses the target's own name"),
            (Expose::Ingress | Expose::Gateway, _) if intent.client_service().is_none() => given
                .trouble(format!(
                    "clients of {} dial pods by their names, and a route has one Service behind it",
                    intent.what()
                ))
                .help("--expose loadbalancer or nodeport makes a Service for each pod"),
            (Expose::Ingress | Expose::Gateway, _)
                if !intent.client_ports().any(Port::is_http) =>
            {
                given
                    .trouble("it carries HTTP, and none of the clients' ports is known to speak it")
                    .help("--expose loadbalancer or nodeport takes any TCP; if a port does speak HTTP, name it http: --port http:8080")
            }
            _ => return,
        };
        self.refuse(trouble);
    }

    fn pods(
        &mut self,
        kind: PodsKind,
        software: Option<&'static Peer>,
        identity: Option<Identity>,
    ) -> Option<(Workload, Vec<Port>)> {
        let draft = self.draft;
        if let Some(given) = &draft.external {
            let message = "the workload is in this cluster";
            self.refuse(given.trouble(message).help("leave one out: --external, or --workload"));
        }
        let ports = self.ports(software);
        let replicas = self.replicas(kind, software);
        let image = match (&draft.image, software.and_then(super::wiring::image)) {
            (Some(given), _) => given.text.clone(),
            (None, Some(image)) => image.to_owned(),
            (None, None) => {
                let example = match software {
                    Some(software) => {
                        format!("{} is a library: its image is your own", software.name)
                    }
                    None => "such as --image registry.example.com/shop/db:1.4".to_owned(),
                };
                let missing = "which image the pods run is not said";
                self.refuse(Trouble::missing(missing).help(format!("--image: {example}")));
                String::new()
            }
        };
        if image.contains(char::is_whitespace) {
            let given = Given::flag("--image", image.clone());
            self.refuse(
                draft.image.as_ref().unwrap_or(&given).trouble("an image's name has no spaces"),
            );
        }
        let identity = identity.or_else(|| {
            let software = software?;
            Some(match software.reach {
                Reach::Any | Reach::Leader { .. } => Identity::Any,
                Reach::SeedThenPods | Reach::Pods => Identity::Stable,
            })
        });
        if software.is_none() {
            self.unknown_image(kind, &image, &ports, identity);
        }
        let stable_deployment = kind == PodsKind::Deployment
            && software.is_none()
            && identity == Some(Identity::Stable);
        if let Some(given) = draft.identity.as_ref().filter(|_| stable_deployment) {
            self.refuse(
                given
                    .trouble("a Deployment's pods have new names after every restart")
                    .help("--workload statefulset gives each replica a name that stays; or --identity any"),
            );
        }
        let existing = draft.existing.clone();
        let identity = identity.unwrap_or(Identity::Any);
        let pods = Pods { kind, software, image, replicas, identity, existing };
        Some((Workload::Pods(pods), ports))
    }

    /// Of an image that nothing is known of, ports and identity must be said.
    fn unknown_image(
        &mut self,
        kind: PodsKind,
        image: &str,
        ports: &[Port],
        identity: Option<Identity>,
    ) {
        let draft = self.draft;
        if draft.software.is_some() || (image.is_empty() && draft.image.is_none()) {
            return;
        }
        let mut flags = Vec::new();
        if ports.is_empty() && draft.ports.is_empty() {
            flags.push("--port NAME:NUMBER, for each port that it listens on");
        }
        if identity.is_none() && draft.identity.is_none() && kind == PodsKind::StatefulSet {
            flags.push("--identity stable if clients or peers address each replica by its name, any if not");
        }
        if flags.is_empty() {
            return;
        }
        let candidates: Vec<&str> = Peer::perhaps_by_image(image).map(|peer| peer.name).collect();
        let say = flags.join("; ");
        let given = draft.image.clone().unwrap_or(Given::flag("--image", image));
        self.refuse(match candidates.as_slice() {
            [] => given.trouble("nothing is known of this image").help(format!("say {say}")),
            candidates => given
                .trouble(format!(
                    "this image does not tell whether it runs as {} or otherwise",
                    candidates.join(" or ")
                ))
                .help(format!("say --software {}; or {say}", quoted(candidates))),
        });
    }

    fn replicas(&mut self, kind: PodsKind, software: Option<&Peer>) -> u32 {
        let draft = self.draft;
        let usual = match (kind, software.map(|software| software.name)) {
            (_, Some("Redis Cluster")) => 6,
            (_, Some("MinIO")) => 4,
            (PodsKind::StatefulSet, _) | (_, Some(_)) => 3,
            (PodsKind::Deployment, None) => 2,
        };
        let Some(given) = &draft.replicas else { return usual };
        match given.text.trim().parse::<u32>() {
            Ok(0) => self.refuse(
                given.trouble("without pods no name answers").help(format!("for example {usual}")),
            ),
            Ok(replicas) if replicas > REPLICAS_MAX => self.refuse(given.trouble(format!(
                "each pod has records of its own in the design, and {REPLICAS_MAX} is the most that it writes down"
            ))),
            Ok(replicas) => return replicas,
            Err(_) => self.refuse(given.trouble("expected a number").help(format!("for example {usual}"))),
        }
        usual
    }

    /// The software's ports and those given; one of the same name takes its place.
    fn ports(&mut self, software: Option<&Peer>) -> Vec<Port> {
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

    fn port(&mut self, given: &Given) -> Option<Port> {
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

    fn external(
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
            let mut addresses: Vec<IpAddr> = addresses.into_iter().map(|(ip, _)| ip).collect();
            let mut seen = std::collections::HashSet::new();
            addresses.retain(|ip| seen.insert(*ip));
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
            let trouble = given.trouble(format!("as the target of an alias it {problem}"));
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

    fn external_ports(
        &mut self,
        external: &Given,
        workload: &Workload,
        port: Option<u16>,
        software: Option<&Peer>,
    ) -> Vec<Port> {
        let draft = self.draft;
        let mut ports: Vec<Port> =
            draft.ports.iter().filter_map(|given| self.port(given)).collect();
        let is_alias = matches!(workload, Workload::Host(_));
        let apart = matches!(workload, Workload::Addresses { identity: Identity::Stable, .. });
        if let ([only], Some(target)) = (ports.as_mut_slice(), port) {
            // The target's port was given with it.
            if !is_alias && only.target == only.number {
                only.target = target;
            }
        }
        for (at, port_given) in draft.ports.iter().enumerate().take(ports.len()) {
            let (number, target) =
                (ports[at].number, port.filter(|_| is_alias).unwrap_or(ports[at].target));
            if (is_alias || apart) && number != target {
                let kind = if is_alias { "an alias" } else { "a headless Service" };
                let trouble = port_given.trouble(format!(
                    "{kind} is DNS alone: who dials {number} arrives at {number}, not at {target}"
                ));
                self.refuse(trouble.help(match is_alias {
                    true => format!("--port {}:{target}, and clients dial {target}; or give addresses (--external IP,IP) to have the port changed on the way", ports[at].name),
                    false => format!("--port {}:{target}; or --identity any, whose virtual address changes the port on the way", ports[at].name),
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

/// A port of the table, of each of its protocols.
fn known(port: &crate::peers::Port) -> Vec<Port> {
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

/// An address with or without a port: `10.0.0.1`, `10.0.0.1:5432`, `2001:db8::1`, `[2001:db8::1]:5432`.
fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some((ip, None));
    }
    let (ip, port) = text.rsplit_once(':')?;
    let ip = ip.trim_matches(['[', ']']).parse().ok()?;
    Some((ip, Some(port.parse().ok().filter(|port| *port > 0)?)))
}

/// What a port is usually for.
pub(super) fn usual_name(number: u16) -> Option<&'static str> {
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

/// The software whose name differs by a slip.
fn nearest_software(written: &str) -> Option<&'static str> {
    let names = peers().flat_map(|peer| {
        let aliases = peer.aliases.iter().map(move |alias| (*alias, peer.name));
        std::iter::once((peer.name, peer.name)).chain(aliases)
    });
    nearest(written, names)
}

/// Names as values of a flag: `"redis cluster" or "galera"`.
fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> =
        names.iter().map(|name| format!("{:?}", name.to_lowercase())).collect();
    quoted.join(" or ")
}
