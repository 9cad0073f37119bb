//! A `headcount up` of a test's own: a child process with a clean environment and ports that the system chose.

#![allow(dead_code, unreachable_pub)] // shared with the benchmark; each uses its part

pub mod dns;
pub mod random;
pub mod server;
pub mod who;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take before a test calls it broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The repository's root, where the README's commands are run.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace's root")
}

/// `headcount` with an environment of its own, started in the repository's root.
pub fn headcount(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(root());
    command
}

/// Runs `headcount` to its end.
pub fn run(home: &Path, arguments: &[&str]) -> Output {
    headcount(home).args(arguments).stdin(Stdio::null()).output().expect("headcount runs")
}

/// A running `headcount up`, stopped and waited for at the end of the test.
pub struct Up {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it printed on stdout up to the `ready` line, that line included.
    pub printed: String,
    pub dns: SocketAddr,
    pub kubeconfig: PathBuf,
    home: TempDir,
}

impl Up {
    /// Starts `up --ephemeral` with these arguments and waits for its `ready` line.
    pub fn ephemeral(arguments: &[&str]) -> Self {
        Self::start(&[&["--ephemeral"], arguments].concat())
    }

    /// Starts `up` with these arguments and free ports, and waits for its `ready` line.
    pub fn start(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        Self::begin(headcount(home.path()), home, arguments)
    }

    /// Starts `up` by this command, whose home is this folder, and waits for its `ready` line.
    pub fn begin(mut command: Command, home: TempDir, arguments: &[&str]) -> Self {
        let kubeconfig = home.path().join("test-kubeconfig");
        command.args(["up", "--dns-listen", "127.0.0.1:0", "--write-kubeconfig"]).arg(&kubeconfig);
        if !arguments.contains(&"--api-listen") {
            command.args(["--api-listen", "127.0.0.1:0"]);
        }
        let mut child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(
                std::fs::File::create(home.path().join("stderr")).expect("a file for stderr"),
            ))
            .spawn()
            .expect("headcount starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut printed = String::new();
        let dns = loop {
            let start = printed.len();
            if stdout.read_line(&mut printed).expect("text on stdout") == 0 {
                let status = child.wait().expect("a child of ours");
                let stderr =
                    std::fs::read_to_string(home.path().join("stderr")).unwrap_or_default();
                panic!("headcount ended ({status}) before it was ready:\n{printed}{stderr}");
            }
            if let Some(ready) = printed[start..].strip_prefix("ready ") {
                let address = ready.split_whitespace().find_map(|word| word.strip_prefix("dns="));
                break address.expect("the ready line names dns=").parse().expect("an address");
            }
        };
        Self { child, stdout, printed, dns, kubeconfig, home }
    }

    /// A folder that is gone after the test.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory, in millions of bytes.
    pub fn resident_megabytes(&self) -> f64 {
        self.resident_kib() as f64 * 1024.0 / 1e6
    }

    /// Its resident memory.
    pub fn resident_kib(&self) -> u64 {
        resident_kib(self.pid())
    }

    /// The CPU time it has taken, in steps of a hundredth of a second.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("its stat");
        // After the command's name in parentheses, which is field 2; utime and stime are 14 and 15 (proc(5)).
        let (_, fields) = stat.rsplit_once(") ").expect("a command in parentheses");
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// What it said on stderr so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.home.path().join("stderr")).expect("its stderr")
    }

    /// Asks its DNS server over UDP, with EDNS.
    pub fn ask(&self, name: &str, rtype: &str) -> dns::Reply {
        dns::ask(self.dns, name, rtype)
    }

    /// The data of the records of one type that a name answers with, sorted.
    pub fn records(&self, name: &str, rtype: &str) -> Vec<String> {
        self.ask(name, rtype).data(rtype)
    }

    /// Asks until the records satisfy `wanted`.
    pub fn until(
        &self,
        name: &str,
        rtype: &str,
        wanted: impl Fn(&dns::Reply) -> bool,
    ) -> dns::Reply {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.ask(name, rtype);
            if wanted(&reply) {
                return reply;
            }
            assert!(
                Instant::now() < deadline,
                "{name} {rtype} still answers {reply:?}\n{}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The address of its API, as the kubeconfig says it.
    pub fn api(&self) -> String {
        let text = std::fs::read_to_string(&self.kubeconfig).expect("its kubeconfig");
        let server = text.split("https://").nth(1).expect("a server");
        server.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect()
    }

    /// A client for its API.
    pub async fn client(&self) -> kube::Client {
        let kubeconfig =
            kube::config::Kubeconfig::read_from(&self.kubeconfig).expect("its kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default())
            .await
            .expect("complete");
        kube::Client::try_from(config).expect("a client")
    }

    /// Runs a stock kubectl against it and returns what it printed on stdout; it must succeed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.kubectl_output(arguments, "");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "kubectl {arguments:?}: {}\n{}",
            text(&output.stderr),
            self.stderr()
        );
        text(&output.stdout)
    }

    /// Runs a stock kubectl against it with this standard input.
    pub fn kubectl_output(&self, arguments: &[&str], stdin: &str) -> Output {
        use std::io::Write as _;
        let mut child = self.kubectl_spawn(arguments);
        child.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("kubectl reads");
        child.wait_with_output().expect("a child of ours")
    }

    /// Starts a stock kubectl against it.
    pub fn kubectl_spawn(&self, arguments: &[&str]) -> Child {
        kubectl()
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments)
            .env("HOME", self.home.path())
            .current_dir(root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts")
    }

    /// Asks it to stop (SIGTERM) and returns its exit status with the rest of its stdout.
    pub fn stop(self) -> (ExitStatus, String) {
        signal(self.child.id(), "TERM");
        self.wait()
    }

    /// Waits for its end; its exit status with the rest of its stdout.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text on stdout");
        (self.child.wait().expect("a child of ours"), rest)
    }

    /// Ends it without a chance to clean up (SIGKILL).
    pub fn kill(mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let engine = children(self.pid());
            let _ = self.child.kill();
            let _ = self.child.wait();
            // What ran in pods may still write into a folder that is about to be removed.
            let deadline = Instant::now() + PATIENCE;
            while engine.iter().any(|pid| is_there(*pid)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The processes that a process has started and that are still there.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let of = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children"));
    let children: Vec<String> = threads.flatten().filter_map(|thread| of(thread).ok()).collect();
    children.join(" ").split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Whether a process is there and has not ended.
pub fn is_there(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The resident memory of a process.
pub fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let text = line.expect("a line VmRSS").trim().trim_end_matches(" kB");
    text.parse().expect("a number")
}

/// Sends a signal to a process that a test started.
pub fn signal(pid: u32, name: &str) {
    let status =
        Command::new("kill").args(["-s", name, &pid.to_string()]).status().expect("kill runs");
    assert!(status.success(), "kill -s {name} {pid}");
}

/// Fails with a clear message where PATH has no stock kubectl that is new enough; which 1.x it is.
pub fn stock_kubectl() -> u32 {
    static MINOR: OnceLock<Option<u32>> = OnceLock::new();
    let minor = *MINOR.get_or_init(kubectl_minor);
    assert!(
        minor.is_some_and(|minor| minor >= 30),
        "this test drives a stock kubectl, 1.30 or newer, and PATH has {}; .ci/test installs one",
        minor.map_or("none".to_owned(), |minor| format!("1.{minor}")),
    );
    minor.unwrap_or_default()
}

fn kubectl_minor() -> Option<u32> {
    let version = Command::new("kubectl").args(["version", "--client", "-o", "json"]).output();
    let version: serde_json::Value = serde_json::from_slice(&version.ok()?.stdout).ok()?;
    version["clientVersion"]["minor"].as_str()?.trim_end_matches('+').parse().ok()
}

/// The stock kubectl on PATH.
fn kubectl() -> Command {
    stock_kubectl();
    let mut command = Command::new("kubectl");
    command.env_remove("KUBECONFIG");
    command
}
