//! A `headcount dns` of a test's own: a child process in a folder of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::dns::{Reply, ask};
use super::{PATIENCE, headcount, signal};

/// A running `headcount dns`.
pub struct Dns {
    pub child: Child,
    pub stdout: BufReader<std::process::ChildStdout>,
    pub addresses: Vec<SocketAddr>,
    /// The line `ready …`.
    pub ready: String,
    pub folder: TempDir,
}

impl Dns {
    /// Starts it in a folder with these files, and waits until it is ready. It serves the folder unless the arguments say
    /// what else.
    pub fn start(folder: TempDir, arguments: &[&str]) -> Self {
        let stderr = stderr(&folder);
        Self::start_saying_to(folder, arguments, stderr)
    }

    /// As [`Dns::start`], with its stderr elsewhere.
    pub fn start_saying_to(folder: TempDir, arguments: &[&str], stderr: File) -> Self {
        let (child, mut stdout) = spawn(&folder, arguments, stderr);
        let mut ready = String::new();
        stdout.read_line(&mut ready).expect("text on stdout");
        let words = ready.split_whitespace().filter_map(|word| word.strip_prefix("dns="));
        let addresses = words.map(|word| word.parse().expect("an address")).collect();
        let dns = Self { child, stdout, addresses, ready, folder };
        assert!(dns.ready.starts_with("ready "), "{:?}\n{}", dns.ready, dns.stderr());
        dns
    }

    /// Starts it and waits until it listens, which it says with `-v`; it need not become ready.
    pub fn listen(folder: TempDir, arguments: &[&str]) -> Self {
        let (child, stdout) = spawn(&folder, &[&["-v"], arguments].concat(), stderr(&folder));
        let (ready, addresses) = (String::new(), Vec::new());
        let mut dns = Self { child, stdout, addresses, ready, folder };
        dns.until("it listens", |dns| {
            dns.stderr().lines().any(|line| line.contains(" listening "))
        });
        let stderr = dns.stderr();
        let line = stderr.lines().find(|line| line.contains(" listening ")).expect("found before");
        line.clone_into(&mut dns.ready);
        dns.addresses = vec![dns.word("dns")];
        dns
    }

    /// The address that a word of the line `ready …` says.
    pub fn word(&self, name: &str) -> SocketAddr {
        let words = self.ready.split_whitespace();
        let mut found = words.filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found
            .next()
            .unwrap_or_else(|| panic!("no {name} in {}", self.ready))
            .parse()
            .expect("an address")
    }

    /// GET: the status and the body.
    pub fn get(&self, page: &str, path: &str) -> (u16, String) {
        get(self.word(page), path)
    }

    pub fn serve(files: &[(&str, &str)]) -> Self {
        Self::start(folder(files), &["-f", "manifests", "--listen", "127.0.0.1:0"])
    }

    /// What a metric of `/metrics` says; the name with its labels.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let (status, body) = self.get("metrics", "/metrics");
        assert_eq!(status, 200);
        let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).expect("its stderr")
    }

    pub fn ask(&self, name: &str, rtype: &str) -> Reply {
        ask(self.addresses[0], name, rtype)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("manifests").join(file)
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "not within {PATIENCE:?}: {what}\n{}",
                self.stderr()
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[track_caller]
    pub fn until_answers(&self, name: &str, expected: &[&str]) {
        self.until(&format!("{name} answers {expected:?}"), |dns| {
            dns.ask(name, "A").data("A") == expected
        });
    }

    pub fn stop(mut self) -> (ExitStatus, String) {
        signal(self.pid(), "TERM");
        let mut rest = String::new();
        while self.stdout.read_line(&mut rest).expect("text on stdout") > 0 {}
        (self.child.wait().expect("a child of ours"), rest)
    }
}

fn stderr(folder: &TempDir) -> File {
    File::create(folder.path().join("stderr")).expect("a file")
}

fn spawn(
    folder: &TempDir,
    arguments: &[&str],
    stderr: File,
) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = headcount(folder.path())
        .arg("dns")
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("headcount starts");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    (child, stdout)
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    let status = reply.split(' ').nth(1).expect("a status").parse().expect("a number");
    let (_, body) = reply.split_once("\r\n\r\n").expect("a body");
    (status, body.to_owned())
}

impl Drop for Dns {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A folder with these files in its folder `manifests`.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("manifests")).expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join("manifests").join(name), text).expect("written");
    }
    folder
}
