//! `headcount dns -f`: manifests served, files changed under it, signals.

use std::io::BufRead as _;
use std::sync::atomic::{AtomicBool, Ordering};

use hickory_proto::op::ResponseCode;

use crate::support::dns::{ask, ask_tcp};
use crate::support::server::{Dns, folder};
use crate::support::{Up, run, signal};

/// A headless Service and its slice with these addresses.
pub(crate) fn service(name: &str, addresses: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Service
metadata: {{ name: {name} }}
spec: {{ clusterIP: None, ports: [{{ name: pg, port: 5432 }}] }}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{ name: {name}-1, labels: {{ kubernetes.io/service-name: {name} }} }}
addressType: IPv4
ports: [{{ name: pg, port: 5432 }}]
endpoints:
- addresses: [{addresses}]
  hostname: db-0
"
    )
}

pub(crate) const DB: &str = "db.default.svc.cluster.local.";

#[test]
fn slices_are_served_as_they_are_and_workloads_expanded() {
    let redis = std::fs::read_to_string(crate::support::root().join("examples/redis/redis.yaml"));
    let redis = redis.expect("the example");
    let files = [("db.yaml", &*service("db", "10.0.0.7")), ("redis.yaml", &redis)];
    let dns = Dns::start(
        folder(&files),
        &["-f", "manifests", "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"],
    );
    assert_eq!(dns.addresses.len(), 2);
    assert!(dns.ready.contains(" services=2 endpoints=4 "), "{}", dns.ready);
    for address in &dns.addresses {
        for reply in [ask(*address, DB, "A"), ask_tcp(*address, DB, "A")] {
            assert_eq!(reply.data("A"), ["10.0.0.7"]);
        }
    }
    assert_eq!(dns.ask(&format!("db-0.{DB}"), "A").data("A"), ["10.0.0.7"]);
    let srv = dns.ask(&format!("_pg._tcp.{DB}"), "SRV").data("SRV");
    assert_eq!(srv, ["0 100 5432 db-0.db.default.svc.cluster.local."]);
    assert_eq!(dns.ask("redis-headless.default.svc.cluster.local.", "A").data("A").len(), 3);
    let missing = dns.ask("no.default.svc.cluster.local.", "A");
    assert_eq!(missing.rcode(), ResponseCode::NXDomain);
    assert_eq!(dns.stderr(), "");
    let (status, rest) = dns.stop();
    assert!(status.success() && rest.is_empty(), "{status} {rest}");
}

/// What a controller made stands for what it would make of the pods.
#[test]
fn slices_from_a_cluster_are_not_made_again() {
    let text = "\
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: db }, ports: [{ port: 1 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db-0, labels: { app: db } }
spec: { containers: [{ name: db, image: db }] }
";
    let slice = |label: &str| {
        let text = service("db", "10.0.0.7");
        let (_, slice) = text.split_once("---\n").expect("two documents");
        slice.replace("labels: { ", &format!("labels: {{ {label}"))
    };
    let by_hand = format!("{text}---\n{}", slice(""));
    let dns = Dns::serve(&[("db.yaml", &by_hand)]);
    assert_eq!(dns.ask(DB, "A").data("A").len(), 2);
    let made = slice("endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io, ");
    let dns = Dns::serve(&[("db.yaml", &format!("{text}---\n{made}"))]);
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.0.0.7"]);
}

#[test]
fn files_are_read_again_when_they_change_and_no_query_is_lost() {
    let dns = Dns::serve(&[
        ("db.yaml", &service("db", "10.0.0.1")),
        ("stays.yaml", &service("stays", "10.0.0.9")),
    ]);
    let (done, stays) = (AtomicBool::new(false), "stays.default.svc.cluster.local.");
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(dns.ask(stays, "A").data("A"), ["10.0.0.9"]);
                asked += 1;
            }
            asked
        });
        dns.until_answers(DB, &["10.0.0.1"]);
        std::fs::write(dns.path("db.yaml"), service("db", "10.0.0.1, 10.0.0.2")).expect("written");
        dns.until_answers(DB, &["10.0.0.1", "10.0.0.2"]);
        std::fs::write(dns.path("web.yaml"), service("web", "10.0.0.3")).expect("written");
        dns.until_answers("web.default.svc.cluster.local.", &["10.0.0.3"]);
        std::fs::remove_file(dns.path("db.yaml")).expect("removed");
        dns.until("db is gone", |dns| dns.ask(DB, "A").rcode() == ResponseCode::NXDomain);
        done.store(true, Ordering::Relaxed);
        assert!(asked.join().expect("every answer was right") > 0);
    });
    assert_eq!(dns.stderr(), "");
}

#[test]
fn what_is_broken_is_said_and_what_was_served_is_served_still() {
    let dns = Dns::serve(&[("db.yaml", &service("db", "10.0.0.1"))]);
    let broken = service("db", "10.0.0.2").replace("hostname", "hostnam");
    std::fs::write(dns.path("db.yaml"), broken).expect("written");
    dns.until("the error is said", |dns| dns.stderr().contains("served still"));
    assert_eq!(
        dns.stderr(),
        "manifests/db.yaml:13:12: error: endpoints[0].hostnam: EndpointSlice has no such field\n  \
         help: did you mean hostname?\n\
         error: the manifests have 1 error, see above: what was served before is served still\n"
    );
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.0.0.1"]);
    std::fs::write(dns.path("db.yaml"), service("db", "10.0.0.3")).expect("written");
    dns.until_answers(DB, &["10.0.0.3"]);
    // All files gone is an error like any other.
    std::fs::remove_file(dns.path("db.yaml")).expect("removed");
    dns.until("the error is said", |dns| dns.stderr().contains("has no manifests"));
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.0.0.3"]);
}

#[test]
fn a_hang_up_reads_files_that_do_not_look_changed() {
    let dns = Dns::serve(&[("db.yaml", &service("db", "10.0.0.1"))]);
    let modified =
        std::fs::metadata(dns.path("db.yaml")).expect("a file").modified().expect("a time");
    // Put in its place as a whole: nobody sees it with another time.
    let new = dns.folder.path().join("new.yaml");
    std::fs::write(&new, service("db", "10.0.0.2")).expect("written");
    let file = std::fs::File::options().append(true).open(&new).expect("a file");
    file.set_modified(modified).expect("a time");
    std::fs::rename(&new, dns.path("db.yaml")).expect("renamed");
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.0.0.1"]);
    signal(dns.pid(), "HUP");
    dns.until_answers(DB, &["10.0.0.2"]);
}

#[test]
fn what_is_wrong_at_the_start_is_a_finding_and_the_rest_is_served() {
    let twice = format!("{}---\n{}", service("db", "10.0.0.1"), service("db", "10.0.0.2"));
    let dns = Dns::serve(&[("a.yaml", &twice)]);
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.0.0.1"]);
    assert!(
        dns.stderr().contains("manifests/a.yaml:17:19: error: metadata.name: Service db in namespace default is there twice, first at manifests/a.yaml:3:19"),
        "{}",
        dns.stderr()
    );
    assert_eq!(dns.stop().0.code(), Some(1), "findings");
}

#[test]
fn what_cannot_run_says_why() {
    #[track_caller]
    fn check(arguments: &[&str], expected: &str) {
        let home = tempfile::tempdir().expect("a temporary folder");
        let output = run(home.path(), &[&["dns"], arguments].concat());
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert_eq!(output.status.code(), Some(2));
    }
    check(
        &["-f", "-"],
        "error: stdin cannot be read again when manifests change\n  help: name files or folders with -f\n",
    );
    check(
        &["-f", "nowhere", "--listen", "127.0.0.1:0"],
        "error: could not read nowhere: No such file or directory (os error 2)\n  \
         help: name a file or a folder of manifests\n",
    );
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = taken.local_addr().expect("an address").to_string();
    check(
        &["-f", "examples/redis", "--listen", &address],
        &format!(
            "error: cannot listen for DNS on {address} over UDP: Address already in use (os error 98)\n  \
             help: stop what listens there, or name another address with --listen\n"
        ),
    );
}

/// What a cluster's own DNS answers.
#[test]
fn a_cluster_is_served_and_followed() {
    let up = Up::ephemeral(&["-f", "examples/redis", "-f", "examples/mysql"]);
    let kubeconfig = up.kubeconfig.display().to_string();
    let dns = Dns::start(
        folder(&[]),
        &["--kubeconfig", &kubeconfig, "--listen", "127.0.0.1:0", "--pods", "verified"],
    );
    let redis = "redis-headless.default.svc.cluster.local.";
    for (name, rtype) in [
        (redis, "A"),
        (redis, "SRV"),
        ("redis-1.redis-headless.default.svc.cluster.local.", "A"),
        ("kubernetes.default.svc.cluster.local.", "A"),
        ("_https._tcp.kubernetes.default.svc.cluster.local.", "SRV"),
        ("no.default.svc.cluster.local.", "A"),
    ] {
        let (own, theirs) = (up.ask(name, rtype), dns.ask(name, rtype));
        assert_eq!(theirs.data(rtype), own.data(rtype), "{name} {rtype}");
        assert_eq!(theirs.rcode(), own.rcode(), "{name} {rtype}");
    }
    let pod = up.records(redis, "A")[0].replace('.', "-");
    assert_eq!(dns.ask(&format!("{pod}.default.pod.cluster.local."), "A").data("A").len(), 1);
    assert_eq!(dns.ask("9-9-9-9.default.pod.cluster.local.", "A").rcode(), ResponseCode::NXDomain);
    up.kubectl(&["annotate", "pod", "redis-1", "headcount.dev/ready=false"]);
    dns.until("redis-1 is not ready", |dns| dns.ask(redis, "A").data("A").len() == 2);
    up.kubectl(&["delete", "service", "redis-headless"]);
    dns.until("it is gone", |dns| dns.ask(redis, "A").rcode() == ResponseCode::NXDomain);
    assert!(dns.stop().0.success());
}

#[test]
fn settings_change_while_it_serves() {
    let files = [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", "ttl: { headless: 7 }\n")];
    let dns = Dns::start(
        folder(&files),
        &["-f", "manifests", "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"],
    );
    let ttl = |dns: &Dns| dns.ask(DB, "A").message.answers[0].ttl;
    assert_eq!(ttl(&dns), 7);
    std::fs::write(dns.path("dns.conf"), "ttl: { headless: 8 }\ntcp: { connections: 5 }\n")
        .expect("written");
    dns.until("the TTL is another", |dns| ttl(dns) == 8);
    assert!(dns.stderr().contains("the setting tcp is another: it takes a restart"));
    std::fs::write(dns.path("dns.conf"), "ttl: { headless: 9000 }\n").expect("written");
    dns.until("it is said", |dns| dns.stderr().contains("the settings stay as they were"));
    assert!(
        dns.stderr().contains("manifests/dns.conf:1:18: error: ttl.headless: Invalid value: 9000"),
        "{}",
        dns.stderr()
    );
    assert_eq!(ttl(&dns), 8);
    // Of what needs no other directory, too.
    let size = |dns: &Dns| {
        dns.ask("no.default.svc.cluster.local.", "A").message.edns.map(|edns| edns.max_payload())
    };
    assert_eq!(size(&dns), Some(1232));
    std::fs::write(dns.path("dns.conf"), "ttl: { headless: 8 }\nmaxUdpSize: 1400\n")
        .expect("written");
    signal(dns.pid(), "HUP");
    dns.until("the size is another", |dns| size(dns) == Some(1400));
}

pub(crate) const PAGES: [&str; 6] = [
    "--health-listen",
    "127.0.0.1:0",
    "--ready-listen",
    "127.0.0.1:0",
    "--metrics-listen",
    "127.0.0.1:0",
];

/// The value of a metric with these labels, if it is there.
#[test]
fn queries_are_counted_and_the_most_frequent_shown() {
    let files = [("db.yaml", &*service("db", "10.0.0.1"))];
    let dns = Dns::start(
        folder(&files),
        &[&["-f", "manifests", "--listen", "127.0.0.1:0"], &PAGES[..]].concat(),
    );
    assert_eq!(dns.get("health", "/health"), (200, "OK\n".to_owned()));
    assert_eq!(dns.get("ready", "/ready"), (200, "ready\n".to_owned()));
    assert_eq!(dns.get("ready", "/metrics").0, 404, "each page is where it was asked for");
    for _ in 0..3 {
        assert_eq!(dns.ask(DB, "A").data("A").len(), 1);
    }
    for _ in 0..200 {
        assert_eq!(
            dns.ask("No.default.svc.cluster.local.", "AAAA").rcode(),
            ResponseCode::NXDomain
        );
    }
    assert_eq!(ask_tcp(dns.addresses[0], "example.org.", "MX").rcode(), ResponseCode::Refused);
    let queries = |labels: &str| dns.metric(&format!("headcount_dns_queries_total{{{labels}}}"));
    assert_eq!(queries(r#"proto="udp",type="A",rcode="NOERROR",answer="answered""#), Some(3.0));
    let missing = r#"proto="udp",type="AAAA",rcode="NXDOMAIN",answer="no_such_name""#;
    assert_eq!(queries(missing), Some(200.0));
    assert_eq!(queries(r#"proto="tcp",type="MX",rcode="REFUSED",answer="not_ours""#), Some(1.0));
    assert_eq!(dns.metric("headcount_dns_endpoints"), Some(1.0));
    assert_eq!(dns.metric("headcount_dns_ready"), Some(1.0));
    // Of 203 queries at least one was picked: the gaps are at most 127.
    let timed = dns.metric(r#"headcount_dns_answer_duration_seconds_count{proto="udp"}"#);
    assert!(timed.is_some_and(|count| count >= 1.0), "{timed:?}");
    dns.until("the name and the client are shown", |dns| {
        let (_, top) = dns.get("metrics", "/debug/top");
        top.contains("  no.default.svc.cluster.local.") && top.contains("  127.0.0.1")
    });
}

#[test]
fn changes_of_a_cluster_are_dated_and_its_watches_watched() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let kubeconfig = up.kubeconfig.display().to_string();
    let dns = Dns::start(
        folder(&[]),
        &[&["--kubeconfig", &kubeconfig, "--listen", "127.0.0.1:0"], &PAGES[..]].concat(),
    );
    let (status, body) = dns.get("ready", "/ready");
    assert_eq!(status, 200);
    for kind in ["Namespace", "Service", "EndpointSlice"] {
        assert!(body.contains(&format!("{kind}: last heard of ")), "{body}");
        let age = dns.metric(&format!("headcount_dns_data_age_seconds{{kind=\"{kind}\"}}"));
        assert!(age.is_some_and(|age| age < 30.0), "{age:?}");
        assert_eq!(dns.metric(&format!("headcount_dns_lists_total{{kind=\"{kind}\"}}")), Some(1.0));
    }
    assert!(!body.contains("Pod: "), "pods are not watched unless their names are verified");
    let programmed = |dns: &Dns| {
        dns.metric(r#"headcount_dns_programming_duration_seconds_count{service_kind="headless"}"#)
    };
    assert_eq!(programmed(&dns), Some(0.0), "what was there before is not counted");
    up.kubectl(&["annotate", "pod", "redis-1", "headcount.dev/ready=false"]);
    dns.until("the change is dated", |dns| programmed(dns).is_some_and(|count| count >= 1.0));
    up.kubectl(&["create", "namespace", "com"]);
    dns.until("it is warned of", |dns| dns.stderr().contains("the namespace com takes over"));
}

#[test]
fn without_an_api_it_is_not_ready_and_says_so() {
    // Nobody listens there: the socket is bound and takes no connections.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    let folder = folder(&[]);
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{ name: c, cluster: {{ server: 'http://{address}' }} }}]\n\
         users: [{{ name: c, user: {{}} }}]\ncontexts: [{{ name: c, context: {{ cluster: c, user: c }} }}]\n"
    );
    std::fs::write(folder.path().join("kubeconfig"), kubeconfig).expect("written");
    let dns = Dns::listen(
        folder,
        &[&["--kubeconfig", "kubeconfig", "--listen", "127.0.0.1:0"], &PAGES[..]].concat(),
    );
    let reply = dns.ask(DB, "A");
    assert_eq!(reply.rcode(), ResponseCode::ServFail);
    let code = hickory_proto::rr::rdata::opt::EdnsCode::Unknown(15);
    let edns = reply.message.edns.as_ref().expect("EDNS was asked for");
    let option = format!("{:?}", edns.option(code));
    assert!(option.contains("[0, 14"), "Extended DNS Error 14: {option}");
    let (status, body) = dns.get("ready", "/ready");
    assert_eq!(status, 503);
    assert!(body.starts_with("not ready: objects are still being read\n"), "{body}");
    // The watches are begun while it serves already.
    dns.until("it says whom it has not heard of", |dns| {
        dns.get("ready", "/ready").1.contains("Service: not heard of yet")
    });
    assert_eq!(dns.get("health", "/health").0, 200);
    dns.until("failures are counted", |dns| {
        let failures = dns.metric(r#"headcount_dns_watch_failures_total{kind="Service"}"#);
        failures.is_some_and(|count| count >= 1.0)
    });
    assert_eq!(dns.stop().0.code(), Some(2));
}

#[test]
fn it_leaves_in_order() {
    let files = [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", "lameduckSeconds: 600\n")];
    let arguments =
        ["-f", "manifests", "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"];
    let mut dns = Dns::start(folder(&files), &[&arguments[..], &PAGES[..]].concat());
    assert_eq!(dns.get("ready", "/ready").0, 200);
    signal(dns.pid(), "TERM");
    dns.until("it is not ready", |dns| dns.get("ready", "/ready").0 == 503);
    assert_eq!(dns.get("ready", "/ready").1, "not ready: stopping\n");
    assert_eq!(dns.get("health", "/health").0, 200);
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.0.0.1"]);
    // Who does not want to wait asks again.
    signal(dns.pid(), "TERM");
    assert_eq!(dns.child.wait().expect("a child of ours").code(), Some(143));
}

#[test]
fn errors_are_written_down() {
    let files = [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", "queryLog: errors\n")];
    let mut dns = Dns::start(
        folder(&files),
        &["-f", "manifests", "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"],
    );
    assert_eq!(dns.ask(DB, "A").rcode(), ResponseCode::NoError);
    assert_eq!(dns.ask("Example.org.", "MX").rcode(), ResponseCode::Refused);
    let mut line = String::new();
    dns.stdout.read_line(&mut line).expect("text on stdout");
    let (client, rest) = line.split_once(" transport=").expect("a line of the log");
    assert!(client.starts_with("query client=127.0.0.1:"), "{line}");
    assert!(
        rest.starts_with("udp name=Example.org. type=MX rcode=REFUSED answer=not_ours size="),
        "{line}"
    );
}

#[test]
fn other_names_are_asked_of_others() {
    let upstream = Dns::start(
        folder(&[("db.yaml", &service("db", "10.0.0.9"))]),
        &["-f", "manifests", "--listen", "127.0.0.1:0", "--cluster-domain", "corp.example"],
    );
    let settings = format!("forward: {{ upstreams: ['{}'] }}\n", upstream.addresses[0]);
    let files = [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", &*settings)];
    let arguments =
        ["-f", "manifests", "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"];
    let dns = Dns::start(folder(&files), &[&arguments[..], &PAGES[..]].concat());
    for _ in 0..2 {
        let reply = dns.ask("db.default.svc.corp.example.", "A");
        assert_eq!(reply.data("A"), ["10.0.0.9"]);
        assert!(reply.message.metadata.recursion_available);
    }
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.0.0.1"]);
    let forwarded =
        r#"headcount_dns_queries_total{proto="udp",type="A",rcode="NOERROR",answer="forwarded"}"#;
    dns.until("both are counted", |dns| dns.metric(forwarded) == Some(2.0));
    assert_eq!(dns.metric(r#"headcount_dns_forward_events_total{event="hit"}"#), Some(1.0));
    assert_eq!(dns.metric(r#"headcount_dns_forward_events_total{event="miss"}"#), Some(1.0));
}
