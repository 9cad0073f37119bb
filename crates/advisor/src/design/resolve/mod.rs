//! From what was given to an intent: defaults, and whether it makes sense.

mod external;
mod ports;

use manifest::rules::names;

use crate::design::draft::{Draft, Given, Trouble, nearest};
use crate::design::intent::{Expose, Identity, Intent, Mesh, Pods, PodsKind, Port, Workload};
use crate::peers::{Keeps, MadeBy, Peer, Reach, peers};

pub(super) use ports::usual_name;

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

/// What Kubernetes says of a name, as the end of a sentence that begins with "it": without the kind of name before, and
/// without the examples and the regular expression behind.
fn rule(problem: &str) -> &str {
    let begin = problem.find("must ").unwrap_or_default();
    let text = &problem[begin..];
    text.split(" (e.g.").next().unwrap_or(text)
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
        self.told_apart(&intent);
        self.own_alias(&intent);
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
            match (&draft.software, &draft.image) {
                (Some(_), _) => {}
                (None, Some(_)) => self.unknown_image(None, true),
                (None, None) => self.refuse(
                    Trouble::missing("what is behind the name is not said").help(
                        "--workload statefulset, deployment or external; or --software, such as --software etcd",
                    ),
                ),
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
            self.refuse(given.trouble(format!("as the name of a {what} it {}", rule(&problem))));
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
            self.refuse(given.trouble(format!("as a domain it {}", rule(&problem))));
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
            let trouble = given.trouble(format!("as a Service's name it {}", rule(&problem)));
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
            self.refuse(given.trouble(format!("as a host name it {}", rule(&problem))));
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
        let image = match (&draft.image, software.and_then(crate::design::wiring::image)) {
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
            self.unknown_image(Some(kind), ports.is_empty());
        }
        self.deployed(kind, software);
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

    /// Some software cannot do with pods that begin anew each time.
    fn deployed(&mut self, kind: PodsKind, software: Option<&Peer>) {
        let draft = self.draft;
        let (Some(given), Some(software), PodsKind::Deployment) = (&draft.workload, software, kind)
        else {
            return;
        };
        let name = software.name;
        let trouble = match software.keeps {
            Keeps::Nothing => return,
            Keeps::Name => given.trouble(format!(
                "peers of {name} know one another by the names of their pods, and a Deployment's pods have new names after every restart"
            )),
            Keeps::Volume => given.trouble(format!(
                "each server of {name} goes on from its own data, and a Deployment's pods have no volume of their own"
            )),
        };
        self.refuse(trouble.help(
            "--workload statefulset, whose pods keep their names and volumes, or leave --workload out",
        ));
    }

    /// Of an image that nothing is known of, all must be said that a design needs: at once, so that nobody has to ask
    /// again and again.
    fn unknown_image(&mut self, kind: Option<PodsKind>, no_port: bool) {
        let draft = self.draft;
        if draft.software.is_some() {
            return;
        }
        let mut flags = Vec::new();
        if kind.is_none() {
            flags.push("--workload statefulset or deployment");
        }
        if kind.is_none() && draft.name.is_none() {
            flags.push("--name NAME, by which clients know it");
        }
        if no_port && draft.ports.is_empty() {
            flags.push("--port NAME:NUMBER, for each port that it listens on");
        }
        if draft.identity.is_none() && kind != Some(PodsKind::Deployment) {
            flags.push(match kind {
                Some(_) => "--identity stable if clients or peers address each replica by its name, any if not",
                None => "for a StatefulSet --identity stable if clients or peers address each replica by its name, any if not",
            });
        }
        if flags.is_empty() {
            return;
        }
        let say = flags.join("; ");
        let Some(given) = &draft.image else {
            let message = "nothing is known of what the pods run";
            self.refuse(Trouble::missing(message).help(format!("say {say}")));
            return;
        };
        let candidates: Vec<&str> =
            Peer::perhaps_by_image(&given.text).map(|peer| peer.name).collect();
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
