//! `headcount design`: which Services a workload needs, and why.

mod ask;
mod json;
mod markdown;
mod sources;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use advisor::design::{
    Draft, Expectation, Plan, changes, conflicts, expectations, plan, resolve, to_yaml,
};
use advisor::lint::{Finding, Objects, Options, Selection, Texts, run};
use clap::{Args, ValueEnum};
use directory::Name;
use preview::{ServiceRecords, Settings, settle};
use serde_json::Value;

use crate::error::{Error, Exit};
use crate::trial::{self, LiveArgs};

/// Decide which Services a workload needs, and say why: manifests, the records, what to check, what goes wrong
///
/// Takes the workload from flags, from a file of the same words (-f), from manifests that are there (--from), or, on a
/// terminal, from questions. Ports, peers' names and readiness of common software are known by its name or its image.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Design {
    /// What is behind the name: statefulset, deployment or external [default: as the software is run]
    #[arg(long, value_name = "KIND")]
    workload: Option<String>,

    /// The name that clients use; the workload's, too [default: the software's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Its namespace [default: default]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    /// The image that its pods run; common software is known by it
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,

    /// The software, where the image does not tell: etcd, kafka, redis-cluster, postgres …
    #[arg(long, value_name = "NAME")]
    software: Option<String>,

    /// How many pods [default: as is usual for the software; 3 for a StatefulSet, 2 for a Deployment]
    #[arg(long, value_name = "N")]
    replicas: Option<String>,

    /// A port: its name, the number that clients dial, and the one that is listened on (repeatable). One with the
    /// name of a port of the software takes its place; /udp behind it is for UDP
    #[arg(long = "port", value_name = "NAME:NUMBER[:TARGET]")]
    ports: Vec<String>,

    /// What clients need: stable, each replica under its own name, or any that works
    #[arg(long, value_name = "WHICH")]
    identity: Option<String>,

    /// A namespace, other than its own, that clients are in (repeatable)
    #[arg(long = "client-namespace", value_name = "NAME")]
    client_namespaces: Vec<String>,

    /// The target outside of the cluster: a host name, or addresses
    #[arg(long, value_name = "HOST[:PORT] | IP[,IP]")]
    external: Option<String>,

    /// How clients outside of the cluster come in: none, ingress, gateway, loadbalancer or nodeport
    #[arg(long, value_name = "HOW")]
    expose: Option<String>,

    /// The host name that they ask for, by an Ingress or a Gateway [default: NAME.example.com]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// The zone that the cluster's names are in [default: cluster.local]
    #[arg(long, value_name = "DOMAIN")]
    cluster_domain: Option<String>,

    /// The service mesh that the pods are in: none, istio or linkerd
    #[arg(long, value_name = "MESH")]
    mesh: Option<String>,

    /// Read these words from a YAML file ("-" reads stdin); flags win over it. docs/design.md lists its keys
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    filename: Option<PathBuf>,

    /// Begin with the StatefulSet, Deployment or ExternalName Service in these manifests (repeatable); flags win over
    /// what is found there
    #[arg(long, value_name = "PATH", conflicts_with = "filename")]
    from: Vec<PathBuf>,

    /// How to print
    #[arg(short, long, value_name = "FORMAT", default_value = "markdown")]
    output: Output,

    #[command(flatten)]
    live: LiveArgs,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people: choice, manifests, records, checklist, mistakes
    Markdown,
    /// The manifests alone, for kubectl apply -f -
    Yaml,
    /// For programs; docs/design.md describes it
    Json,
}

const EXAMPLES: &str = "\
Examples:
  headcount design --software etcd -n prod --client-namespace shop
  headcount design --workload statefulset --image registry.example/ledger:2 --name ledger --port grpc:9000 --identity any
  headcount design --workload external --name orders-db -n prod --external orders.abc123.eu-west-1.rds.amazonaws.com:5432
  headcount design --workload external --name mainframe --external 192.0.2.10,192.0.2.11 --port tn3270:23:2323
  headcount design --from k8s/ --expose ingress           # what to change of manifests that are there
  headcount design --software kafka -o yaml | kubectl apply -f -";

/// All that is printed.
struct Report {
    plan: Plan,
    /// What was taken from manifests, and what changes of them.
    taken: Vec<String>,
    changes: Vec<String>,
    /// The records that clients will see.
    records: Vec<ServiceRecords>,
    expectations: Vec<Expectation>,
    /// What lint says of the manifests: what was asked for may be unwise in itself.
    findings: Vec<Finding>,
    /// What was asked of the names, and answered.
    verified: trial::Report,
}

impl Design {
    pub(crate) fn run(self) -> Result<Exit, Error> {
        let (draft, taken, objects) = match self.draft()? {
            sources::Sourced::Draft { draft, taken, objects } => (*draft, taken, objects),
            sources::Sourced::Interrupted => return Ok(Exit::Interrupted),
            sources::Sourced::Wrong => return Ok(Exit::CouldNotRun),
        };
        let intent = match resolve(&draft) {
            Ok(intent) => intent,
            Err(troubles) => {
                for trouble in troubles {
                    crate::terminal::say(&trouble);
                }
                return Ok(Exit::CouldNotRun);
            }
        };
        let plan = plan(&intent);
        if let Some(objects) = &objects {
            let troubles = conflicts(&plan, objects);
            if !troubles.is_empty() {
                for trouble in troubles {
                    crate::terminal::say(&trouble);
                }
                return Ok(Exit::CouldNotRun);
            }
        }
        let against_cluster = self.live.is_wanted()?;
        let live = against_cluster.then_some(&self.live);
        let report = Report::new(plan, taken, objects.as_deref(), live)?;
        let text = match self.output {
            Output::Markdown => markdown::text(&report),
            Output::Yaml => to_yaml(&report.plan.manifests),
            Output::Json => json::text(&report),
        };
        crate::terminal::print_text(&text)?;
        if self.output == Output::Yaml {
            // Not in the way of kubectl, and not unsaid.
            let verified =
                if report.verified.passed() { Vec::new() } else { report.verified.lines() };
            let changes = report.changes.iter().cloned();
            for line in changes.chain(report.findings.iter().map(finding)).chain(verified) {
                crate::terminal::say(&line);
            }
        }
        let good = report.verified.passed() && report.findings.is_empty();
        Ok(if good { Exit::Clean } else { Exit::Findings })
    }

    /// Whether anything was said that a design is made of.
    fn is_silent(&self) -> bool {
        let Self {
            workload,
            name,
            namespace: _,
            image,
            software,
            replicas,
            ports,
            identity,
            client_namespaces,
            external,
            expose,
            host,
            cluster_domain: _,
            mesh,
            filename,
            from,
            output: _,
            live: _,
        } = self;
        let words =
            [workload, name, image, software, replicas, identity, external, expose, host, mesh];
        words.iter().all(|word| word.is_none())
            && ports.is_empty()
            && client_namespaces.is_empty()
            && filename.is_none()
            && from.is_empty()
    }

    fn draft(&self) -> Result<sources::Sourced, Error> {
        let flags = sources::flags(self);
        if !self.is_silent() {
            return sources::read(self, flags);
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(Error::new("there is nothing to design for").hint(
                "say what is behind the name: --software NAME or --image IMAGE; --workload external --external HOST; -f FILE; or --from PATH. On a terminal you are asked",
            ));
        }
        Ok(match ask::draft(flags)? {
            Some(draft) => {
                sources::Sourced::Draft { draft: Box::new(draft), taken: Vec::new(), objects: None }
            }
            None => sources::Sourced::Interrupted,
        })
    }
}

impl Report {
    fn new(
        plan: Plan,
        taken: Vec<String>,
        objects: Option<&Objects>,
        live: Option<&LiveArgs>,
    ) -> Result<Self, Error> {
        let changes = objects.map(|objects| changes(&plan, objects)).unwrap_or_default();
        let expectations = expectations(&plan.intent);
        let domain = Name::parse(&plan.intent.cluster_domain).map_err(|error| Error::of(&error))?;
        let records = records(&plan, &domain)?;
        let values: Vec<_> =
            plan.manifests.iter().map(advisor::design::Manifest::to_value).collect();
        let verified = verify(&plan, &values, &expectations, &domain, live)?;
        let findings = lint(&plan);
        Ok(Self { plan, taken, changes, records, expectations, findings, verified })
    }
}

/// What lint says of a design's own manifests.
fn lint(plan: &Plan) -> Vec<Finding> {
    let mut texts = Texts::default();
    texts.add("design", Ok(to_yaml(&plan.manifests).as_bytes()));
    let options = Options {
        namespace: plan.intent.namespace.clone(),
        cluster_domain: plan.intent.cluster_domain.clone(),
        ..Options::default()
    };
    run(&Objects::read(texts, options), &Selection::default()).findings
}

/// A finding as a line.
fn finding(finding: &Finding) -> String {
    let Finding { code, level, subject, message, help, .. } = finding;
    let help: String = help.iter().map(|help| format!("; {help}")).collect();
    format!("{level}[{code}]: {subject}: {message}{help}")
}

/// Whether the objects do what the intent asks for: in a cluster of their own, or as a live cluster has them.
fn verify(
    plan: &Plan,
    objects: &[Value],
    expectations: &[Expectation],
    domain: &Name,
    live: Option<&LiveArgs>,
) -> Result<trial::Report, Error> {
    let namespace = &plan.intent.namespace;
    let tried = trial::Plan { objects, expectations, namespace, domain };
    trial::run(async {
        match live {
            Some(live) => trial::verify_live(&tried, live).await,
            None => trial::verify(&tried).await,
        }
    })
}

/// What clients will see, of the plan's own objects.
fn records(plan: &Plan, domain: &Name) -> Result<Vec<ServiceRecords>, Error> {
    let (documents, problems) = manifest::read::read("design", &to_yaml(&served(plan)));
    let (checked, wrong) = manifest::read::check(documents, &plan.intent.namespace);
    if let Some(problem) = problems.iter().chain(&wrong).find(|problem| problem.is_error()) {
        return Err(Error::new(format!("the design would not be accepted: {problem}")));
    }
    let settings = Settings { domain: domain.clone(), not_ready: Vec::new() };
    let settled = settle(checked.into_iter().map(|checked| checked.value), &settings)
        .map_err(|error| Error::of(&error))?;
    // In the order in which they stand above.
    let place = |service: &ServiceRecords| {
        let reference = format!("Service/{}", service.service.name);
        plan.manifests.iter().position(|manifest| manifest.reference() == reference)
    };
    let mut services = settled.services();
    services.sort_by_key(place);
    Ok(services)
}

/// The objects of kinds that are served here.
fn served(plan: &Plan) -> Vec<advisor::design::Manifest> {
    plan.manifests.iter().filter(|manifest| manifest.is_served()).cloned().collect()
}

/// The words of the command line and what else there is.
fn given(flag: &'static str, text: &Option<String>) -> Option<advisor::design::Given> {
    text.as_ref().map(|text| advisor::design::Given::flag(flag, text))
}

impl From<&Design> for Draft {
    fn from(design: &Design) -> Self {
        let many = |flag, texts: &[String]| {
            texts.iter().map(|text| advisor::design::Given::flag(flag, text)).collect()
        };
        Self {
            workload: given("--workload", &design.workload),
            name: given("--name", &design.name),
            namespace: given("--namespace", &design.namespace),
            image: given("--image", &design.image),
            software: given("--software", &design.software),
            replicas: given("--replicas", &design.replicas),
            ports: many("--port", &design.ports),
            identity: given("--identity", &design.identity),
            client_namespaces: many("--client-namespace", &design.client_namespaces),
            external: given("--external", &design.external),
            expose: given("--expose", &design.expose),
            host: given("--host", &design.host),
            cluster_domain: given("--cluster-domain", &design.cluster_domain),
            mesh: given("--mesh", &design.mesh),
            existing: advisor::design::Existing::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use advisor::design::Given;
    use serde_json::json;

    use super::*;

    /// Verifies a design of etcd in which something was changed; what the first failure is told as.
    fn check(break_it: fn(&mut [Value]), told: Option<&str>) {
        let draft = Draft { software: Some(Given::flag("--software", "etcd")), ..Draft::default() };
        let plan = plan(&resolve(&draft).expect("an intent"));
        let mut objects: Vec<Value> =
            plan.manifests.iter().map(advisor::design::Manifest::to_value).collect();
        break_it(&mut objects);
        let domain = Name::parse("cluster.local").expect("a name");
        let report = verify(&plan, &objects, &expectations(&plan.intent), &domain, None);
        let report = report.unwrap_or_else(|_| panic!("a trial"));
        assert_eq!(report.passed(), told.is_none(), "{:?}", report.lines());
        let first = report.failures().next().map(|check| check.line());
        assert!(
            first.as_deref().unwrap_or_default().contains(told.unwrap_or_default()),
            "{told:?}: {first:?}"
        );
    }

    fn named<'o>(objects: &'o mut [Value], kind: &str, name: &str) -> &'o mut Value {
        let mut all = objects.iter_mut();
        all.find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
            .expect("it is there")
    }

    #[test]
    fn what_was_asked_for_may_be_unwise_in_itself() {
        #[track_caller]
        fn check(name: &str, namespace: &str, expected: &[&str]) {
            let given = |flag, text: &str| Some(Given::flag(flag, text));
            let draft = Draft {
                software: given("--software", "etcd"),
                name: given("--name", name),
                namespace: given("--namespace", namespace),
                ..Draft::default()
            };
            let findings = lint(&plan(&resolve(&draft).expect("an intent")));
            assert_eq!(findings.iter().map(finding).collect::<Vec<_>>(), expected);
        }
        check("etcd", "prod", &[]);
        check(
            "svc",
            "com",
            &[
                "warning[HC037]: Service/com/svc-peers: a namespace called com takes over names of the internet that end in .com, in all pods; pods that ask for svc-peers.com get the Service svc-peers of this namespace: rename it, or let nobody else create Services there",
            ],
        );
    }

    #[test]
    fn a_design_that_does_not_do_what_was_asked_is_found_out() {
        check(|_| {}, None);
        check(
            |objects| named(objects, "StatefulSet", "etcd")["spec"]["serviceName"] = json!("etcd"),
            Some("A etcd-0.etcd-peers.default.svc.cluster.local.: expected 10."),
        );
        check(
            |objects| {
                named(objects, "Service", "etcd-peers")["spec"]["selector"] =
                    json!({"app": "etdc"});
            },
            Some("A etcd-peers.default.svc.cluster.local.: expected 10."),
        );
        check(
            |objects| {
                named(objects, "Service", "etcd")["spec"]["ports"][0]["targetPort"] = json!("peer");
            },
            Some("port 2379; answered 10."),
        );
        check(
            |objects| {
                let service = named(objects, "Service", "etcd-peers");
                service["spec"]["publishNotReadyAddresses"] = json!(false);
            },
            Some("A etcd-peers.default.svc.cluster.local.: expected 10."),
        );
        check(
            |objects| {
                let service = named(objects, "Service", "etcd-peers");
                service["spec"].as_object_mut().expect("a map").remove("clusterIP");
            },
            Some("A etcd-peers.default.svc.cluster.local.: expected 10."),
        );
    }
}
