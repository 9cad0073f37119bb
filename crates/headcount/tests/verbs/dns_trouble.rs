//! `headcount dns` where something around it fails, or someone means it harm.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use hickory_proto::op::ResponseCode;

use crate::dns::{DB, PAGES, service};
use crate::support::dns::ask;
use crate::support::server::{Dns, folder};
use crate::support::{PATIENCE, signal};

const ARGUMENTS: [&str; 6] =
    ["-f", "manifests", "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"];

/// What would be said is lost; nothing else is.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_its_log_stops_nothing() {
    let files = [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", "ede: text\n")];
    let folder = folder(&files);
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let mut dns = Dns::start_saying_to(folder, &[&ARGUMENTS[..], &PAGES].concat(), full());
    std::fs::write(dns.path("db.yaml"), "broken: [\n").expect("written");
    // A warning of the log, too: this takes a restart.
    std::fs::write(dns.path("dns.conf"), "ede: code\nudpThreads: 3\n").expect("written");
    // Nobody can tell when they have been read: at the latest after three looks, as a rule.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.0.0.1"]);
    std::fs::write(dns.path("dns.conf"), "ede: nonsense\n").expect("written");
    std::thread::sleep(Duration::from_millis(700));
    std::fs::write(dns.path("db.yaml"), service("db", "10.0.0.2")).expect("written");
    dns.until_answers(DB, &["10.0.0.2"]);
    assert!(dns.child.try_wait().expect("a child of ours").is_none(), "it runs");
}

/// Nor does one behind its stdout, where the line `ready …` and the query log go.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_stops_nothing() {
    let files = [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", "queryLog: errors\n")];
    let folder = folder(&files);
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let stderr = std::fs::File::create(folder.path().join("stderr")).expect("a file");
    let mut child = crate::support::headcount(folder.path())
        .args(["-v", "dns"])
        .args(ARGUMENTS)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(stderr)
        .spawn()
        .expect("headcount starts");
    let said = || std::fs::read_to_string(folder.path().join("stderr")).expect("text");
    let deadline = std::time::Instant::now() + PATIENCE;
    while !said().contains("error: could not write the output: No space left on device") {
        assert!(std::time::Instant::now() < deadline, "{}", said());
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = said();
    let address = said.split_whitespace().find_map(|word| word.strip_prefix("dns="));
    let address = address.expect("where it listens").parse().expect("an address");
    for _ in 0..2 {
        assert_eq!(ask(address, "example.org.", "A").rcode(), ResponseCode::Refused);
        assert_eq!(ask(address, DB, "A").data("A"), ["10.0.0.1"]);
    }
    signal(child.id(), "TERM");
    assert!(child.wait().expect("a child of ours").success());
}

/// As `--config <(…)` of a shell: it cannot be read a second time, when there would be nothing in it.
#[cfg(unix)]
#[test]
fn settings_from_a_pipe_stay() {
    let folder = folder(&[("db.yaml", &service("db", "10.0.0.1"))]);
    let pipe = folder.path().join("manifests/dns.conf");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let writer = std::thread::spawn(move || std::fs::write(pipe, "searchNames: true\n"));
    let dns = Dns::start(folder, &ARGUMENTS);
    writer.join().expect("no panic").expect("written");
    let searched = |dns: &Dns| dns.ask("db.default.search.cluster.local.", "A").data("A");
    assert_eq!(searched(&dns), ["10.0.0.1"]);
    std::fs::write(dns.path("db.yaml"), service("db", "10.0.0.2")).expect("written");
    signal(dns.pid(), "HUP");
    dns.until_answers(DB, &["10.0.0.2"]);
    assert_eq!(searched(&dns), ["10.0.0.2"]);
    assert!(dns.stop().0.success());
}

/// A pipe that nobody writes to, in the place of the settings: before the start, and later.
#[cfg(unix)]
#[test]
fn settings_that_never_come_hold_up_nothing_else() {
    let mkfifo = |path: &std::path::Path| {
        assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
    };
    let files = [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", "ede: text\n")];
    let dns = Dns::start(folder(&files), &ARGUMENTS);
    std::fs::remove_file(dns.path("dns.conf")).expect("removed");
    mkfifo(&dns.path("dns.conf"));
    signal(dns.pid(), "HUP");
    std::fs::write(dns.path("db.yaml"), service("db", "10.0.0.2")).expect("written");
    dns.until_answers(DB, &["10.0.0.2"]);
    assert!(dns.stop().0.success());

    let folder = folder(&[("db.yaml", &service("db", "10.0.0.1"))]);
    mkfifo(&folder.path().join("manifests/dns.conf"));
    let mut child = crate::support::headcount(folder.path())
        .arg("dns")
        .args(ARGUMENTS)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("headcount starts");
    // Whoever opens a pipe to write waits for its reader: by then it has begun to read.
    let writer =
        std::fs::File::options().write(true).open(folder.path().join("manifests/dns.conf"));
    signal(child.id(), "TERM");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("a child of ours").code(), Some(2));
    assert_eq!(said, "terminated before everything was ready\n");
    drop(writer);
}

#[test]
fn whoever_opens_many_connections_to_pages_does_not_hold_up_probes() {
    let files = [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", "")];
    let dns = Dns::start(folder(&files), &[&ARGUMENTS[..], &PAGES].concat());
    let page = dns.word("health");
    let silent: Vec<_> =
        (0..100).map(|_| TcpStream::connect(page).expect("a connection")).collect();
    let asked = std::time::Instant::now();
    assert_eq!(dns.get("health", "/health").0, 200);
    // A connection that says nothing would be closed after ten seconds.
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let (mut oldest, mut newest) = (&silent[0], &silent[99]);
    assert!(matches!(oldest.read(&mut [0]), Ok(0) | Err(_)), "closed");
    newest.write_all(b"GET /health HTTP/1.0\r\n\r\n").expect("sent");
    let mut reply = String::new();
    newest.read_to_string(&mut reply).expect("a reply");
    assert!(reply.starts_with("HTTP/1.0 200 OK"), "{reply}");
}

#[test]
fn settings_that_leave_nothing_to_serve_are_wrong() {
    #[track_caller]
    fn check(settings: &str, expected: &str) {
        let folder = folder(&[("db.yaml", &service("db", "10.0.0.1")), ("dns.conf", settings)]);
        let output = crate::support::headcount(folder.path())
            .args(["dns", "-f", "manifests", "--config", "manifests/dns.conf"])
            .current_dir(folder.path())
            .output()
            .expect("headcount runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert_eq!(output.status.code(), Some(2));
    }
    let last = "error: the settings in manifests/dns.conf cannot be used\n  \
                help: headcount dns --print-schema prints what there may be\n";
    check(
        "listen: []\n",
        &format!(
            "manifests/dns.conf:1:1: error: listen: Invalid value: []: name at least one\n{last}"
        ),
    );
    check(
        "forward: { stubZones: [{ zone: corp, upstreams: [] }] }\n",
        &format!(
            "manifests/dns.conf:1:38: error: forward.stubZones[0].upstreams: Invalid value: []: name at least one\n{last}"
        ),
    );
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    check(
        &format!("listen: ['{address}', '{address}']\n"),
        &format!(
            "error: cannot listen for DNS on {address} over UDP: Address already in use (os error 98)\n  \
             help: it is named twice: name it once\n"
        ),
    );
    check(
        "listen: ['192.0.2.1:1053']\n",
        "error: cannot listen for DNS on 192.0.2.1:1053 over UDP: Cannot assign requested address (os error 99)\n  \
         help: this machine has no such address: ip address shows those that it has\n",
    );
}

/// What takes a restart stays what it was in answers, too, and is warned of for as long as it is another.
#[test]
fn what_takes_a_restart_stays_in_every_answer() {
    let files =
        [("db.yaml", &*service("db", "10.0.0.1")), ("dns.conf", "listen: ['127.0.0.1:0']\n")];
    let arguments = ["-f", "manifests", "--config", "manifests/dns.conf"];
    let dns = Dns::start(folder(&files), &arguments);
    let warning = "the setting listen is another: it takes a restart";
    std::fs::write(dns.path("dns.conf"), "listen: ['127.0.0.9:0']\nsearchNames: true\n")
        .expect("written");
    dns.until("searchNames is in force", |dns| {
        dns.ask("db.default.search.cluster.local.", "A").rcode() == ResponseCode::NoError
    });
    assert!(dns.stderr().contains(warning), "{}", dns.stderr());
    assert_eq!(dns.ask("ns.dns.cluster.local.", "A").data("A"), ["127.0.0.1"]);
    // As it was: there is nothing to warn of.
    std::fs::write(dns.path("dns.conf"), "listen: ['127.0.0.1:0']\n").expect("written");
    dns.until("searchNames is not in force", |dns| {
        dns.ask("db.default.search.cluster.local.", "A").rcode() == ResponseCode::NXDomain
    });
    assert_eq!(dns.stderr().matches(warning).count(), 1, "{}", dns.stderr());
}

/// An API that refuses every list, as for want of rights.
fn refusing() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // It ends with the process of the test.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"services is forbidden: User \"x\" cannot list resource \"services\""}"#;
            let _ = write!(
                stream,
                "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

#[test]
fn rights_that_are_missing_are_said_in_the_words_of_the_api() {
    let folder = folder(&[]);
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{ name: c, cluster: {{ server: 'http://{}' }} }}]\n\
         users: [{{ name: c, user: {{}} }}]\ncontexts: [{{ name: c, context: {{ cluster: c, user: c }} }}]\n",
        refusing()
    );
    std::fs::write(folder.path().join("kubeconfig"), kubeconfig).expect("written");
    let dns = Dns::listen(folder, &["--kubeconfig", "kubeconfig", "--listen", "127.0.0.1:0"]);
    let said = r#"could not list kind="Service" error="services is forbidden: User \"x\" cannot list resource \"services\"""#;
    dns.until("it is said", |dns| dns.stderr().lines().any(|line| line.ends_with(said)));
    assert_eq!(dns.ask(DB, "A").rcode(), ResponseCode::ServFail);
}
