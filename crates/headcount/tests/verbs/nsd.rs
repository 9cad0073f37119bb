//! The zones that `records` prints, loaded into NSD: it must answer as headcount's own server does.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use directory::{Name, Reader};
use preview::{Settings, settle};
use tempfile::TempDir;

use crate::support::{PATIENCE, dns, root, run, signal};

/// Asked at every name: all types that names own, and one that none does.
const TYPES: [&str; 9] = ["SOA", "NS", "A", "AAAA", "CNAME", "SRV", "PTR", "TXT", "MX"];

/// NSD, serving these zones; ended with the test.
struct Nsd {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nsd {
    fn start(zones: &[(Name, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Between choosing the port and taking it, another may: then again.
        for _ in 0..8 {
            let address = free_port();
            let config = write_config(folder.path(), address, zones);
            let log = std::fs::File::create(folder.path().join("log")).expect("a log");
            let mut child = Command::new(nsd())
                .arg("-d")
                .arg("-c")
                .arg(config)
                .stdin(Stdio::null())
                .stdout(Stdio::from(log.try_clone().expect("a file")))
                .stderr(Stdio::from(log))
                .spawn()
                .expect("NSD starts");
            if serves(&mut child, address) {
                return Self { child, address, _folder: folder };
            }
            let log = std::fs::read_to_string(folder.path().join("log")).expect("its log");
            assert!(log.contains("in use"), "NSD does not serve:\n{log}");
        }
        panic!("no port stays free");
    }
}

impl Drop for Nsd {
    fn drop(&mut self) {
        // It has children of its own, which it ends when it is asked to.
        if let Ok(None) = self.child.try_wait() {
            signal(self.child.id(), "TERM");
        }
        let _ = self.child.wait();
    }
}

/// The program: of PATH, or where Debian has it.
fn nsd() -> PathBuf {
    let answers = |program: &Path| {
        let output = Command::new(program).arg("-v").output();
        output.is_ok_and(|output| {
            let text = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&text).contains("NSD version")
        })
    };
    let found = ["nsd", "/usr/sbin/nsd"].map(PathBuf::from).into_iter().find(|path| answers(path));
    found.expect("this test needs the DNS server NSD, and PATH has none; .ci/test unpacks one")
}

/// A port that nobody has, for UDP and TCP.
fn free_port() -> SocketAddr {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn write_config(folder: &Path, address: SocketAddr, zones: &[(Name, String)]) -> PathBuf {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut config = format!(
        "server:\n  ip-address: {}\n  port: {}\n  server-count: 1\n  username: \"\"\n  zonesdir: \"{}\"\n  \
         database: \"\"\n  pidfile: \"{}\"\n  xfrdfile: \"{}\"\n  xfrdir: \"{}\"\n  zonelistfile: \"{}\"\n\
         remote-control:\n  control-enable: no\n",
        address.ip(),
        address.port(),
        folder.display(),
        path("pid"),
        path("xfrd.state"),
        folder.display(),
        path("zone.list"),
    );
    for (number, (zone, text)) in zones.iter().enumerate() {
        let file = path(&format!("{number}.zone"));
        std::fs::write(&file, text).expect("the zone is written");
        config += &format!("zone:\n  name: \"{zone}\"\n  zonefile: \"{file}\"\n");
    }
    let file = folder.join("nsd.conf");
    std::fs::write(&file, config).expect("the configuration is written");
    file
}

/// Waits until it takes connections; false when it ends before.
fn serves(child: &mut Child, address: SocketAddr) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if child.try_wait().expect("a child of ours").is_some() {
            return false;
        }
        assert!(Instant::now() < deadline, "NSD does not come up");
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The folders of the examples that hold manifests themselves.
fn examples() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("examples")];
    while let Some(folder) = folders.pop() {
        let mut has_manifests = false;
        for entry in std::fs::read_dir(&folder).expect("an example") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => has_manifests |= path.extension().is_some_and(|e| e == "yaml"),
            }
        }
        if has_manifests {
            found.push(folder);
        }
    }
    found.sort();
    found
}

/// What the manifests of a folder come to.
pub(crate) fn reader(folder: &Path) -> Reader {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder).expect("an example") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).expect("a manifest");
            documents.extend(manifest::read::read(&path.display().to_string(), &text).0);
        }
    }
    let (checked, _) = manifest::read::check(documents, "default");
    let domain = Name::parse("cluster.local").expect("a name");
    let settings = Settings { domain, not_ready: Vec::new() };
    let values = checked.into_iter().map(|checked| checked.value);
    settle(values, &settings).expect("examples settle").now.reader().clone()
}

/// The zone as the verb prints it.
fn zone(folder: &Path, zone: &Name) -> String {
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.display().to_string();
    let output = run(home.path(), &["records", "-f", &folder, "--zone", &zone.to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The response code and the answer section, in no order.
fn answer(server: SocketAddr, name: &str, rtype: &str) -> (String, Vec<String>) {
    let reply = dns::ask(server, name, rtype);
    let mut answers: Vec<String> = reply.message.answers.iter().map(ToString::to_string).collect();
    answers.sort();
    (reply.rcode().to_string(), answers)
}

#[test]
fn nsd_answers_the_printed_zones_of_the_examples_as_headcount_does() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let loopback: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let mut asked = 0;
    for folder in examples() {
        let reader = reader(&folder);
        let own = ::dns::Server::bind(&[loopback], ::dns::Config::default(), reader.clone())
            .expect("it serves");
        let own_address = own.local_addresses()[0];

        let domain = reader.config().domain.clone();
        let mut zones = vec![(domain.clone(), zone(&folder, &domain))];
        let mut owners = vec![(domain, reader.owners())];
        for (apex, names) in reader.reverse_zones() {
            zones.push((apex.clone(), zone(&folder, &apex)));
            owners.push((apex, names));
        }
        let nsd = Nsd::start(&zones);
        for (apex, owners) in owners {
            let mut names = BTreeSet::from([format!("no-such-name.{apex}")]);
            for owner in &owners {
                // The name, and all between it and the zone's: they exist without records.
                let mut name = owner.name.to_string();
                while name != apex.to_string() {
                    names.insert(name.clone());
                    name = name.split_once('.').expect("a name in the zone").1.to_owned();
                }
                names.insert(name);
            }
            for name in names {
                for rtype in TYPES {
                    asked += 1;
                    let expected = answer(own_address, &name, rtype);
                    let seen = answer(nsd.address, &name, rtype);
                    assert_eq!(seen, expected, "{}: {name} {rtype}", folder.display());
                }
            }
        }
    }
    assert!(asked > 1000, "{asked} questions are too few for all examples");
}
