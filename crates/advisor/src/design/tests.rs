use std::net::IpAddr;

use manifest::read::read_any;
use proptest::prelude::*;

use super::*;
use crate::lint::{self, Objects, Options};
use crate::peers::{MadeBy, peers};

mod software;

/// Words as flags: `name=etcd port=http:80`.
fn draft(words: &str) -> Draft {
    let mut draft = Draft::default();
    for word in words.split_whitespace() {
        let (key, value) = word.split_once('=').expect("key=value");
        let value = value.replace('+', " ");
        let one = |flag| Some(Given::flag(flag, value.clone()));
        match key {
            "workload" => draft.workload = one("--workload"),
            "name" => draft.name = one("--name"),
            "namespace" => draft.namespace = one("--namespace"),
            "image" => draft.image = one("--image"),
            "software" => draft.software = one("--software"),
            "replicas" => draft.replicas = one("--replicas"),
            "port" => draft.ports.push(Given::flag("--port", value)),
            "identity" => draft.identity = one("--identity"),
            "client" => draft.client_namespaces.push(Given::flag("--client-namespace", value)),
            "external" => draft.external = one("--external"),
            "expose" => draft.expose = one("--expose"),
            "host" => draft.host = one("--host"),
            "domain" => draft.cluster_domain = one("--cluster-domain"),
            "mesh" => draft.mesh = one("--mesh"),
            _ => panic!("{key} is no word"),
        }
    }
    draft
}

#[track_caller]
fn intent(words: &str) -> Intent {
    match resolve(&draft(words)) {
        Ok(intent) => intent,
        Err(troubles) => {
            let troubles: Vec<String> = troubles.iter().map(Trouble::to_string).collect();
            panic!("{words}: {}", troubles.join("\n"))
        }
    }
}

/// The words of a design of each software, by its name and by an image.
fn all_software() -> Vec<String> {
    let words = peers().map(|peer| {
        let image = match peer.name {
            // Libraries: the image is one's own.
            "Pekko" | "Akka" => " image=registry.example/shop:1 port=http:8080",
            _ => "",
        };
        format!("software={}{image}", peer.name.replace(' ', "+"))
    });
    words.collect()
}

/// Designs of every shape and exposure.
const SHAPES: [&str; 19] = [
    "workload=deployment name=web image=registry.example/web:1 port=http:80:8080 port=alt:8080 client=shop",
    "software=etcd port=web:80:client port=main:2380 client=shop",
    "workload=external name=mainframe external=192.0.2.10 port=tn3270:23:2323 port=old:24:2323 client=shop",
    "workload=deployment name=web image=registry.example/web:1 port=http:80:8080",
    "workload=deployment name=web image=registry.example/web:1 port=http:80:8080 expose=ingress client=shop client=ops",
    "workload=deployment name=web image=registry.example/web:1 port=grpc:9000 expose=gateway mesh=istio",
    "workload=statefulset name=ledger image=registry.example/ledger:2 port=sql:5432 identity=any client=shop expose=loadbalancer",
    "workload=statefulset name=ledger image=registry.example/ledger:2 port=sql:5432:15432 identity=stable",
    "workload=statefulset name=ledger image=registry.example/ledger:2 port=http:80:8080 identity=stable expose=ingress mesh=linkerd",
    "workload=statefulset name=ledger image=registry.example/ledger:2 port=dns:53:5353/udp identity=any domain=corp.example",
    "software=kafka namespace=streams client=shop expose=nodeport",
    "software=mongo expose=loadbalancer mesh=istio",
    "software=etcd replicas=21 client=shop mesh=istio",
    "workload=external name=orders-db external=db.example.com:5432 client=shop",
    "workload=external name=api external=api.example.com:443 mesh=istio",
    "workload=external name=old external=old.example.com",
    "workload=external name=mainframe external=192.0.2.10,192.0.2.11 port=tn3270:23:2323 client=shop",
    "workload=external name=mainframe external=192.0.2.10,2001:db8::1 port=tn3270:23",
    "workload=external name=mainframe external=192.0.2.10,192.0.2.11 port=tn3270:23 identity=stable",
];

fn objects(plan: &Plan) -> Objects {
    let text = to_yaml(&plan.manifests);
    let reading = read_any("design.yaml", &text);
    assert_eq!(reading.problems, [], "{text}");
    let foreign: Vec<&str> = reading.foreign.iter().map(|foreign| foreign.kind()).collect();
    assert!(foreign.iter().all(|kind| *kind == "HTTPRoute"), "{foreign:?}");
    assert_eq!(reading.documents.len() + foreign.len(), plan.manifests.len());
    let options = Options {
        namespace: plan.intent.namespace.clone(),
        cluster_domain: plan.intent.cluster_domain.clone(),
        ..Options::default()
    };
    Objects::new(reading.documents, reading.foreign, options)
}

#[test]
fn every_design_would_be_accepted_and_lints_clean() {
    let mut all: Vec<String> = Vec::new();
    for words in all_software().iter().map(String::as_str).chain(SHAPES) {
        let plan = plan(&intent(words));
        let objects = objects(&plan);
        let refused: Vec<String> = objects
            .refused
            .iter()
            .flat_map(|(_, _, problems)| problems.iter().map(ToString::to_string))
            .collect();
        assert_eq!(refused, [""; 0], "{words}\n{}", to_yaml(&plan.manifests));
        let report = lint::run(&objects, &lint::Selection::default());
        let shown = report.findings.iter();
        all.extend(shown.map(|finding| {
            format!("{words}: {} {}: {}", finding.code, finding.subject, finding.message)
        }));
    }
    assert_eq!(all, [""; 0]);
}

#[test]
fn every_design_says_what_the_request_asks_for() {
    for words in all_software().iter().map(String::as_str).chain(SHAPES) {
        let intent = intent(words);
        let plan = plan(&intent);
        assert_eq!(plan.mistakes.likeliest.len(), 3, "{words}");
        let weighed: Vec<&str> = plan
            .mistakes
            .likeliest
            .iter()
            .chain(&plan.mistakes.unlikely)
            .map(|mistake| mistake.code)
            .collect();
        for always in ["HC003", "HC035", "HC052"] {
            let is_alias = matches!(intent.workload, Workload::Host(_));
            let code = if always == "HC003" && is_alias { "HC034" } else { always };
            assert!(weighed.contains(&code), "{words}: {code} was not weighed: {weighed:?}");
        }
        assert!(plan.choice.rejected.len() >= 3 && !plan.choice.reasons.is_empty(), "{words}");
        let commands: Vec<&str> = plan.checklist.iter().map(|step| step.command.as_str()).collect();
        let has = |part: &str| commands.iter().any(|command| command.contains(part));
        assert!(has("get endpointslices") && has("nslookup"), "{words}: {commands:?}");
        for step in &plan.checklist {
            assert!(!step.expect.is_empty(), "{words}: {} expects nothing", step.command);
        }
        let sentences = (plan.choice.reasons.iter())
            .chain(plan.choice.rejected.iter().map(|rejected| &rejected.because))
            .chain(plan.sections.iter().flat_map(|section| &section.points))
            .chain(plan.checklist.iter().map(|step| &step.shows));
        for sentence in sentences {
            assert!(!sentence.ends_with('.') && !sentence.contains("  "), "{words}: {sentence}");
        }
        assert!(!expectations(&intent).is_empty(), "{words}");
    }
}

#[test]
fn every_look_up_can_be_asked_where_pods_have_no_shell() {
    #[track_caller]
    fn check(words: &str, expected: &[&str]) {
        let plan = plan(&intent(words));
        let asks = |step: &&Step| step.command.contains("nslookup");
        let local: Vec<String> = (plan.checklist.iter().filter(asks))
            .filter_map(|step| step.local.as_ref())
            .flat_map(|local| std::iter::once(&local.command).chain(&local.expect).cloned())
            .collect();
        assert_eq!(local, expected, "{words}");
        let elsewhere = plan.checklist.iter().filter(|step| !asks(step));
        assert!(elsewhere.into_iter().all(|step| step.local.is_none()), "{words}");
    }
    check(
        "software=etcd replicas=2",
        &[
            "dig @127.0.0.1 -p 1053 +short etcd-peers.default.svc.cluster.local",
            "<IP of etcd-0>",
            "<IP of etcd-1>",
            "dig @127.0.0.1 -p 1053 +short etcd-1.etcd-peers.default.svc.cluster.local",
            "<IP of etcd-1>",
            "dig @127.0.0.1 -p 1053 +short _peer._tcp.etcd-peers.default.svc.cluster.local SRV",
            "0 50 2380 etcd-0.etcd-peers.default.svc.cluster.local.",
            "0 50 2380 etcd-1.etcd-peers.default.svc.cluster.local.",
            "dig @127.0.0.1 -p 1053 +short etcd.default.svc.cluster.local",
            "<cluster IP of etcd>",
        ],
    );
    check(
        "name=db external=db.example.com client=shop",
        &["dig @127.0.0.1 -p 1053 +short db.default.svc.cluster.local CNAME", "db.example.com."],
    );
    check(
        "name=db external=2001:db8::1 port=sql:5432",
        &["dig @127.0.0.1 -p 1053 +short db.default.svc.cluster.local AAAA", "<cluster IP of db>"],
    );
    check(
        "name=db external=192.0.2.1,2001:db8::1 port=sql:5432 identity=stable",
        &[
            "dig @127.0.0.1 -p 1053 +short db.default.svc.cluster.local A db.default.svc.cluster.local AAAA",
            "192.0.2.1",
            "2001:db8::1",
        ],
    );
}

#[test]
fn who_dials_an_outside_name_hears_of_the_search_path() {
    #[track_caller]
    fn check(words: &str, entry: Option<&str>) {
        let plan = plan(&intent(words));
        let mut points = plan.sections.iter().flat_map(|section| &section.points);
        let said = points.find(|point| point.starts_with("the search path: "));
        let its_entry = said.map(|point| point.split('`').find(|word| word.contains(".search.")));
        assert_eq!(its_entry, entry.map(Some), "{words}");
    }
    check("name=db external=db.example.com", Some("default.search.cluster.local"));
    check(
        "name=db namespace=prod domain=corp.example external=db.example.com",
        Some("prod.search.corp.example"),
    );
    // Asked as it stands first.
    check("name=db external=db.a.b.c.example.com", None);
    check("name=db external=192.0.2.1 port=sql:5432", None);
    check("software=etcd client=shop", None);
}

#[test]
fn what_is_not_sure_is_not_said_as_if_it_were() {
    use crate::peers::Known;
    for peer in peers() {
        let image =
            if wiring::image(peer).is_none() { " image=r.example/a:1 port=http:8080" } else { "" };
        let plan = plan(&intent(&format!("software={}{image}", peer.name.replace(' ', "+"))));
        for fact in [peer.discovery, peer.client] {
            let Known::Perhaps(fact) = fact else { continue };
            for reason in plan.choice.reasons.iter().filter(|reason| reason.contains(fact)) {
                let sure = [" find one another by ", " dial "].map(|verb| format!("{verb}{fact}"));
                let said = sure.iter().find(|said| reason.contains(*said)).expect("its verb");
                let (before, _) = reason.split_once(said).expect("found before");
                assert!(before.ends_with("probably"), "{}: {reason}", peer.name);
            }
        }
        if peer.made_by == Known::Perhaps(MadeBy::Deployment) {
            let said = plan.sections.iter().flat_map(|section| &section.points);
            assert!(said.into_iter().any(|point| point.contains("probably runs as a Deployment")));
        }
    }
}

#[test]
fn shapes() {
    #[track_caller]
    fn check(words: &str, shape: Shape, peers: Option<&str>, client: Option<&str>) {
        let intent = intent(words);
        assert_eq!(intent.shape(), shape, "{words}");
        assert_eq!(intent.peer_service().as_deref(), peers, "{words}");
        assert_eq!(intent.client_service().as_deref(), client, "{words}");
    }
    let both = Shape::HeadlessAndClient;
    check("software=etcd", both, Some("etcd-peers"), Some("etcd"));
    check("software=vault", both, Some("vault-peers"), Some("vault-active"));
    check("software=mongo name=db", Shape::Headless, Some("db"), None);
    check("software=pekko image=r.example/a:1", Shape::Headless, Some("pekko"), None);
    check(
        "software=pekko image=r.example/a:1 port=http:80",
        both,
        Some("pekko-peers"),
        Some("pekko"),
    );
    let deployment = "workload=deployment name=web image=r.example/a:1 port=http:80";
    check(deployment, Shape::ClusterIp, None, Some("web"));
    let set = "workload=statefulset name=db image=r.example/a:1 port=sql:5432";
    check(&format!("{set} identity=any"), both, Some("db-headless"), Some("db"));
    check(&format!("{set} identity=stable"), Shape::Headless, Some("db"), None);
    check(&format!("{set} identity=stable expose=nodeport"), Shape::Headless, Some("db"), None);
    let web = "workload=statefulset name=db image=r.example/a:1 port=http:80 identity=stable";
    check(&format!("{web} expose=ingress"), both, Some("db-headless"), Some("db"));
    check("name=db external=db.example.com", Shape::ExternalName, None, None);
    let addresses = "name=db external=192.0.2.1 port=sql:5432";
    check(addresses, Shape::Addresses(Identity::Any), None, Some("db"));
    check(&format!("{addresses} identity=stable"), Shape::Addresses(Identity::Stable), None, None);
}

#[test]
fn what_does_not_make_sense_is_said_with_a_way_out() {
    #[track_caller]
    fn check(words: &str, expected: &str) {
        let shown: Vec<String> = match resolve(&draft(words)) {
            Ok(intent) => panic!("{words} is {intent:?}"),
            Err(troubles) => troubles.iter().map(Trouble::to_string).collect(),
        };
        assert_eq!(shown.join("\n"), expected);
    }
    check(
        "",
        "error: what is behind the name is not said\n  help: --workload statefulset, deployment or external; or --software, such as --software etcd",
    );
    check(
        "software=etdc",
        "error: --software etdc: nothing is known of this software\n  help: did you mean etcd?",
    );
    check(
        "workload=statefulset name=db image=r.example/ledger:2",
        "error: --image r.example/ledger:2: nothing is known of this image\n  help: say --port NAME:NUMBER, for each port that it listens on; --identity stable if clients or peers address each replica by its name, any if not",
    );
    check(
        "workload=statefulset name=cache image=redis:7",
        "error: --image redis:7: this image does not tell whether it runs as Redis with Sentinel or Redis Cluster or otherwise\n  help: say --software \"redis with sentinel\" or \"redis cluster\"; or --port NAME:NUMBER, for each port that it listens on; --identity stable if clients or peers address each replica by its name, any if not",
    );
    check(
        "image=r.example/ledger:2",
        "error: --image r.example/ledger:2: nothing is known of this image\n  help: say --workload statefulset or deployment; --name NAME, by which clients know it; --port NAME:NUMBER, for each port that it listens on; for a StatefulSet --identity stable if clients or peers address each replica by its name, any if not",
    );
    check(
        "image=mariadb:11.4 name=db port=mysql:3306 identity=any",
        "error: --image mariadb:11.4: this image does not tell whether it runs as Galera or otherwise\n  help: say --software \"galera\"; or --workload statefulset or deployment",
    );
    check(
        "workload=statefulset name=db",
        "error: which image the pods run is not said\n  help: --image: such as --image registry.example.com/shop/db:1.4\nerror: nothing is known of what the pods run\n  help: say --port NAME:NUMBER, for each port that it listens on; --identity stable if clients or peers address each replica by its name, any if not",
    );
    check(
        "software=kafka workload=deployment",
        "error: --workload deployment: peers of Kafka know one another by the names of their pods, and a Deployment's pods have new names after every restart\n  help: --workload statefulset, whose pods keep their names and volumes, or leave --workload out",
    );
    check(
        "software=consul workload=deployment",
        "error: --workload deployment: each server of Consul goes on from its own data, and a Deployment's pods have no volume of their own\n  help: --workload statefulset, whose pods keep their names and volumes, or leave --workload out",
    );
    check(
        "workload=sattefulset",
        "error: --workload sattefulset: no such choice\n  help: did you mean statefulset?",
    );
    check(
        "software=etcd port=http",
        "error: --port http: a port is name:number or name:number:target\n  help: for example http:80:8080; by its name it has SRV records",
    );
    check(
        "software=etcd port=averylongportname:80",
        "error: --port averylongportname:80: as a port's name \"averylongportname\" must be no more than 15 bytes\n  help: for example averylongportna",
    );
    check(
        "software=etcd port=http:70000",
        "error: --port http:70000: \"70000\" is no port: those are 1 to 65535",
    );
    check(
        "software=etcd replicas=0",
        "error: --replicas 0: without pods no name answers\n  help: for example 3",
    );
    check(
        "software=etcd name=My_Db",
        "error: --name My_Db: as a Service's name it must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character\n  help: for example my-db",
    );
    check(
        "name=api external=https://api.example.com/v1",
        "error: --external https://api.example.com/v1: a DNS name has no https:// before it and no path behind it\n  help: --external api.example.com",
    );
    check(
        "name=api external=Api_1.example.com",
        "error: --external Api_1.example.com: as the target of an alias it must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    );
    check(
        "name=db external=db",
        "error: --external db: an alias's target is taken as it stands, never completed by a search path\n  help: give the full name, such as db.prod.svc.cluster.local or db.example.com",
    );
    check(
        "name=db external=db.example.com:6432 port=sql:5432",
        "error: --port sql:5432: an alias is DNS alone: who dials 5432 arrives at 5432, not at 6432\n  help: --port sql:6432, and clients dial 6432; or give addresses (--external IP,IP) to have the port changed on the way",
    );
    check(
        "name=db external=127.0.0.1:5432",
        "error: --external 127.0.0.1:5432: 127.0.0.1 may not be in the loopback range (127.0.0.0/8, ::1/128)\n  help: endpoints are dialled from pods and nodes: give the address that they reach it at",
    );
    check(
        "name=db external=192.0.2.1",
        "error: --external 192.0.2.1: on which port it listens is not said\n  help: --external IP:PORT, or --port name:number[:target]",
    );
    check(
        "name=db external=192.0.2.1,db.example.com",
        "error: --external 192.0.2.1,db.example.com: \"db.example.com\" is no address, and the others are\n  help: give one host name, or addresses alone",
    );
    check(
        "workload=deployment name=web image=r.example/a:1 port=http:80 identity=stable",
        "error: --identity stable: a Deployment's pods have new names after every restart\n  help: --workload statefulset gives each replica a name that stays; or --identity any",
    );
    check(
        "software=zookeeper expose=ingress",
        "error: --expose ingress: it carries HTTP, and none of the clients' ports is known to speak it\n  help: --expose loadbalancer or nodeport takes any TCP; if a port does speak HTTP, name it http: --port http:8080",
    );
    check(
        "name=db external=db.example.com expose=ingress",
        "error: --expose ingress: it is outside of the cluster already\n  help: leave --expose out: who is outside uses the target's own name",
    );
    check(
        "name=db namespace=shop external=db.shop.svc.cluster.local",
        "error: --external db.shop.svc.cluster.local: db.shop.svc.cluster.local would be an alias of itself: whoever looks it up is sent around until the resolver gives up, and gets no address\n  help: give the name that the target has elsewhere; or, if the target is in this cluster, another --name or --namespace for the alias",
    );
    check(
        "name=db domain=corp.example external=a.db.default.svc.corp.example:5432",
        "error: --external a.db.default.svc.corp.example:5432: a.db.default.svc.corp.example is a name below db.default.svc.corp.example, and below an alias there is none: it would be NXDOMAIN\n  help: give the name that the target has elsewhere; or, if the target is in this cluster, another --name or --namespace for the alias",
    );
    check(
        "name=db external=192.0.2.1,192.0.2.1 port=sql:5432",
        "error: --external 192.0.2.1,192.0.2.1: 192.0.2.1 is among the addresses twice\n  help: name each address once: it is one endpoint, and gets its share of connections as one",
    );
    let web = "workload=deployment name=web image=r.example/a:1";
    check(
        &format!("{web} port=web:80:dnst port=dns:53"),
        "error: --port web:80:dnst: nothing defines a port \"dnst\" to lead to\n  help: give the number that the pods listen on, from 1 to 65535",
    );
    check(
        "software=etcd port=web:80:pear",
        "error: --port web:80:pear: nothing defines a port \"pear\" to lead to\n  help: did you mean peer?",
    );
    check(
        &format!("{web} port=web:80 port=web:81/udp"),
        "error: --port web:81/udp: another port is named web, too: 80 TCP\n  help: each port of a Service has a name of its own: SRV records are found by it",
    );
    for words in [web, "name=m external=192.0.2.1"] {
        check(
            &format!("{words} port=web:80 port=api:80:8080"),
            "error: --port api:80:8080: port web has the number 80, too\n  help: clients dial a Service's ports by number, so each has its own; several may lead to one target: NAME:NUMBER:TARGET",
        );
    }
    check(
        "software=etcd port=web:2380:8080",
        "error: --port web:2380:8080: port peer has the number 2380, too\n  help: clients dial a Service's ports by number, so each has its own; several may lead to one target: NAME:NUMBER:TARGET",
    );
    check(
        "workload=statefulset name=db image=r.example/a:1 identity=stable port=sql:5432 port=old:3306:5432",
        "error: --port old:3306:5432: port sql leads to 5432 already, and a headless Service is DNS alone: clients dial 5432 itself, whatever the Service's number is\n  help: leave one of the two out; or --identity any, for a Service whose virtual address changes the port on the way",
    );
    check(
        &format!("{web} port=a:80/sctp"),
        "error: --port a:80/sctp: sctp is no protocol that a design is made for\n  help: /tcp or /udp",
    );
    let long = "a".repeat(53);
    check(
        &format!("software=etcd name={long}"),
        &format!(
            "error: --name {long}: it is 53 characters long, and 52 is the most here\n  help: names are made of it: those of the pods' label controller-revision-hash and of its Services have 63 characters at most"
        ),
    );
}

#[test]
fn ports() {
    #[track_caller]
    fn check(words: &str, all: &[(&str, u16, u16)], listened: &[&str]) {
        let intent = intent(words);
        let ports = intent.ports.iter().map(|port| (port.name.as_str(), port.number, port.target));
        assert_eq!(ports.collect::<Vec<_>>(), all, "{words}");
        let listens: Vec<&str> = intent.listened().map(|port| port.name.as_str()).collect();
        assert_eq!(listens, listened, "{words}");
    }
    let web = "workload=deployment name=web image=r.example/a:1";
    // Two of the Service's ports lead to one of the pods'; by UDP it is another.
    check(
        &format!("{web} port=http:80:8080 port=alt:8080 port=quic:80:8080/udp"),
        &[("http", 80, 8080), ("alt", 8080, 8080), ("quic", 80, 8080)],
        &["http", "quic"],
    );
    check("software=etcd", &[("client", 2379, 2379), ("peer", 2380, 2380)], &["client", "peer"]);
    check(
        "software=etcd port=client:80:2379",
        &[("client", 80, 2379), ("peer", 2380, 2380)],
        &["client", "peer"],
    );
    // The same port under another name.
    check(
        "software=etcd port=kv:2379",
        &[("kv", 2379, 2379), ("peer", 2380, 2380)],
        &["kv", "peer"],
    );
    // One more to the same target, which is named after.
    check(
        "software=etcd port=web:80:client",
        &[("client", 2379, 2379), ("peer", 2380, 2380), ("web", 80, 2379)],
        &["client", "peer"],
    );
}

#[test]
fn what_must_answer_follows_from_the_intent() {
    let all = expectations(&intent("software=etcd namespace=prod replicas=2"));
    let pods = |names: &[&str]| Backends::Pods(names.iter().map(|&name| name.to_owned()).collect());
    let of = |name: &str| {
        let found = all.iter().find(|expectation| expectation.name == name);
        found.unwrap_or_else(|| panic!("{name} is not expected"))
    };
    let headless = of("etcd-peers.prod.svc.cluster.local.");
    assert_eq!(headless.answer, Expected::Each(pods(&["etcd-0", "etcd-1"])));
    assert_eq!(headless.not_ready, WhileNotReady::Stays);
    let one = of("etcd-1.etcd-peers.prod.svc.cluster.local.");
    assert_eq!(one.answer, Expected::Each(pods(&["etcd-1"])));
    let client = of("etcd.prod.svc.cluster.local.");
    let behind = pods(&["etcd-0", "etcd-1"]);
    let service = "etcd".to_owned();
    assert_eq!(client.answer, Expected::Virtual { service, behind, ports: vec![2379] });
    assert_eq!(client.not_ready, WhileNotReady::Leaves);
    let srv = of("_peer._tcp.etcd-peers.prod.svc.cluster.local.");
    let targets = Targets::Each {
        of: pods(&["etcd-0", "etcd-1"]),
        below: "etcd-peers.prod.svc.cluster.local.".to_owned(),
    };
    assert_eq!(srv.answer, Expected::Ports { targets, port: 2380 });
    // The headless name, two pods, two ports; the virtual address and its port.
    assert_eq!(all.len(), 1 + 2 + 2 + 1 + 1);

    let alias = expectations(&intent("name=db external=db.example.com domain=corp.example"));
    assert_eq!(alias.len(), 1);
    assert_eq!(alias[0].name, "db.default.svc.corp.example.");
    assert_eq!(alias[0].answer, Expected::Alias("db.example.com.".to_owned()));

    let kept = expectations(&intent("name=m external=192.0.2.1 port=tn3270:23:2323"));
    let address: IpAddr = "192.0.2.1".parse().expect("an address");
    let behind = Backends::Addresses(vec![address]);
    let service = "m".to_owned();
    assert_eq!(kept[0].answer, Expected::Virtual { service, behind, ports: vec![2323] });
}

#[test]
fn an_answer_that_does_not_fit_a_datagram_is_among_the_mistakes() {
    let told = |replicas: u32| {
        let plan = plan(&intent(&format!("software=etcd replicas={replicas}")));
        plan.mistakes.likeliest.iter().any(|mistake| mistake.code == "HC055")
    };
    assert!(told(30) && !told(25));
}

/// Words of a design of pods, of every kind.
fn any_pods() -> impl Strategy<Value = String> {
    let software = proptest::sample::select(peers().collect::<Vec<_>>());
    let replicas = 1u32..8;
    let identity = proptest::sample::select(vec!["", " identity=any", " identity=stable"]);
    let kind = proptest::sample::select(vec!["", " workload=statefulset", " workload=deployment"]);
    let expose = proptest::sample::select(vec![
        "",
        " expose=ingress",
        " expose=gateway",
        " expose=loadbalancer",
        " expose=nodeport",
    ]);
    let mesh = proptest::sample::select(vec!["", " mesh=istio", " mesh=linkerd"]);
    let client = proptest::sample::select(vec!["", " client=shop", " client=shop client=ops"]);
    (software, replicas, identity, kind, expose, mesh, client).prop_map(
        |(software, replicas, identity, kind, expose, mesh, client)| {
            let software = software.name.replace(' ', "+");
            format!(
                "software={software} replicas={replicas} image=r.example/a:1 port=web:8088{identity}{kind}{expose}{mesh}{client}"
            )
        },
    )
}

proptest! {
    #[test]
    fn peers_never_have_a_load_balancing_service_as_theirs(words in any_pods()) {
        let Ok(intent) = resolve(&draft(&words)) else { return Ok(()) };
        let plan = plan(&intent);
        let objects = objects(&plan);
        prop_assert!(objects.refused.is_empty(), "{words}");
        for workload in &objects.workloads {
            let own = objects.selecting(workload).filter(|service| service.is_headless()).count();
            prop_assert_eq!(own, 1, "{}", words);
            if workload.is("StatefulSet") {
                let governing = objects.governing(workload);
                prop_assert!(governing.is_some_and(|service| service.is_headless()), "{words}");
            }
        }
        let report = lint::run(&objects, &lint::Selection::default());
        prop_assert!(report.findings.is_empty(), "{words}: {:?}", report.findings);
        // A virtual address neither in the list of peers, nor where a pod's own name is due.
        let client = intent.client_service().map(|client| intent.full_name(&client));
        for expectation in expectations(&intent) {
            let of_client = client.as_ref().is_some_and(|client| expectation.name.ends_with(&format!("{client}.")));
            let is_virtual = matches!(expectation.answer, Expected::Virtual { .. });
            prop_assert!(!is_virtual || of_client, "{words}: {}", expectation.name);
        }
    }
}
