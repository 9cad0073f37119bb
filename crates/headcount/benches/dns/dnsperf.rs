//! dnsperf: the load, and what it saw.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// How dnsperf asks.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// The core that it runs on.
    pub(crate) core: usize,
    /// For how long.
    pub(crate) seconds: u32,
    /// Its sockets.
    pub(crate) clients: usize,
    /// Queries under way at once.
    pub(crate) outstanding: usize,
    /// Whether queries have an OPT record, which then offers 4,096 octets.
    pub(crate) edns: bool,
}

/// What dnsperf saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) sent: f64,
    pub(crate) completed: f64,
    pub(crate) per_second: f64,
    pub(crate) reply_length: f64,
}

/// Runs dnsperf once.
pub(crate) fn run(
    program: &Path,
    server: SocketAddr,
    questions: &Path,
    load: Load,
) -> io::Result<Seen> {
    let output = Command::new("taskset")
        .arg("-c")
        .arg(load.core.to_string())
        .arg(program)
        .args(["-s", &server.ip().to_string(), "-p", &server.port().to_string()])
        .arg("-d")
        .arg(questions)
        .args(["-T", "1", "-t", "1", "-b", "4096", "-c", &load.clients.to_string()])
        .args(["-q", &load.outstanding.to_string(), "-l", &load.seconds.to_string()])
        .args(load.edns.then_some("-e"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |label: &str, after: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label))?;
        let from = line.find(after)? + after.len();
        line[from..].split([' ', ',']).find(|word| !word.is_empty())?.parse().ok()
    };
    let found = || {
        Some(Seen {
            sent: number("Queries sent:", "")?,
            completed: number("Queries completed:", "")?,
            per_second: number("Queries per second:", "")?,
            reply_length: number("Average packet size:", "response ")?,
        })
    };
    found().ok_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("dnsperf printed no figures:\n{text}{errors}"))
    })
}
