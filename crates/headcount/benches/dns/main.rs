//! What a DNS answer costs, beside a bare echo, Knot and NSD, on the same questions.
//!
//! `just bench-dns` unpacks what this needs and runs it for a small and a large cluster; `just bench-dns --help` has its
//! options. Servers share one core, dnsperf has another; they are measured in turn, round after round, so that what
//! else the machine does falls on all alike.

#![allow(clippy::print_stdout, reason = "what a benchmark is for")]

mod client;
mod dnsperf;
mod expected;
mod figures;
mod objects;
mod process;
mod serve;
mod servers;

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Parser, Subcommand};

use client::Connection;
use dnsperf::Load;
use expected::Expected;
use figures::Figures;
use objects::{LARGE, SMALL, Scale};
use servers::{Kind, Server};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// What `cargo bench` passes
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Task {
    /// Compare the servers (the default: at both sizes)
    Compare {
        /// 1,000 Services with 5,000 endpoints alone
        #[arg(long)]
        small: bool,
        /// Ask with EDNS, so that every server sends answers of more than 512 octets
        #[arg(long)]
        edns: bool,
        /// Another build of headcount, to be measured beside this one
        #[arg(long, value_name = "PROGRAM")]
        beside: Option<PathBuf>,
        #[command(flatten)]
        rounds: Rounds,
    },
    /// The echo with batches of many sizes
    Batches(Rounds),
    /// Write manifests and questions for a cluster
    Generate {
        /// Manifests go into its folder manifests, questions into its file questions
        folder: PathBuf,
        #[arg(long, default_value_t = SMALL.services)]
        services: usize,
        /// Of each headless Service
        #[arg(long, default_value_t = SMALL.endpoints)]
        endpoints: usize,
    },
    /// Send datagrams back, padded
    #[command(hide = true)]
    Echo { address: SocketAddr, batch: NonZeroUsize, lengths: PathBuf },
}

#[derive(Clone, Copy, clap::Args)]
struct Rounds {
    /// How often each server is measured
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// For how long each time
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Queries under way at once
    #[arg(long, default_value_t = 400)]
    outstanding: usize,
}

/// The core of dnsperf.
const CLIENT_CORE: usize = 0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let rounds = Rounds { rounds: 7, seconds: 4, outstanding: 400 };
    let default = Task::Compare { small: false, edns: false, beside: None, rounds };
    match arguments.task.unwrap_or(default) {
        Task::Compare { small, edns, beside, rounds } => {
            let beside = beside.as_deref();
            compare("small", SMALL, edns, beside, rounds)?;
            if !small {
                compare("large", LARGE, edns, beside, rounds)?;
            }
        }
        Task::Batches(rounds) => batches(rounds)?,
        Task::Generate { folder, services, endpoints } => {
            let scale = Scale { services, endpoints };
            objects::write_manifests(scale, &folder.join("manifests"))?;
            fs::write(folder.join("questions"), objects::questions(scale).join("\n") + "\n")?;
        }
        Task::Echo { address, batch, lengths } => serve::echo(address, batch, &lengths)?,
    }
    Ok(())
}

/// The files of one size.
struct Files {
    folder: tempfile::TempDir,
    questions: Vec<String>,
}

impl Files {
    fn new(scale: Scale) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let files = Self { folder, questions: objects::questions(scale) };
        objects::write_manifests(scale, &files.path("manifests"))?;
        fs::write(files.path("questions"), files.questions.join("\n") + "\n")?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The zone that `headcount records` prints of the manifests.
    fn write_zone(&self) -> Result<PathBuf, Box<dyn Error>> {
        let output = Command::new(env!("CARGO_BIN_EXE_headcount"))
            .args(["records", "-o", "zone", "-f"])
            .arg(self.path("manifests"))
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        fs::write(self.path("zone"), output.stdout)?;
        Ok(self.path("zone"))
    }

    /// The lengths of our replies to all questions, for the echo.
    fn write_lengths(&self, server: &Server, edns: bool) -> Result<PathBuf, Box<dyn Error>> {
        let mut text = String::new();
        for question in &self.questions {
            text += &format!("{}\n", client::ask(server.address, question, edns)?.len());
        }
        fs::write(self.path("lengths"), text)?;
        Ok(self.path("lengths"))
    }
}

fn compare(
    name: &str,
    scale: Scale,
    edns: bool,
    beside: Option<&Path>,
    rounds: Rounds,
) -> Result<(), Box<dyn Error>> {
    let files = Files::new(scale)?;
    let manifests = files.path("manifests");
    let zone = files.write_zone()?;
    let program = None;
    let own = Server::start(Kind::Headcount { program, manifests: manifests.clone() })?;
    let lengths = files.write_lengths(&own, edns)?;
    let mut servers = vec![
        Server::start(Kind::Echo { batch: BATCH, lengths: lengths.clone() })?,
        Server::start(Kind::Echo { batch: 1, lengths })?,
        own,
    ];
    let beside = beside.map(|program| Kind::Headcount { program: Some(program.into()), manifests });
    for kind in beside.into_iter().chain([Kind::Knot { zone: zone.clone() }, Kind::Nsd { zone }]) {
        servers.push(Server::start(kind)?);
    }
    let questions = &files.questions;
    let title = format!(
        "{} Services, {} endpoints, {} questions",
        scale.services,
        scale.services / 2 * scale.endpoints,
        questions.len()
    );
    let (option, ending) = if edns { (" -e", "-edns") } else { ("", "") };
    println!("\n{title}; dnsperf -c 8 -T 1 -q {}{option}\n", rounds.outstanding);
    compare_answers(&servers, &files)?;
    let all = measure(&servers, &files.path("questions"), edns, rounds)?;
    println!("{}", figures::table(&all));
    let plot = root().join(format!("docs/dns-{name}{ending}.svg"));
    fs::write(&plot, figures::plot(&title, &all))?;
    Ok(())
}

/// The batch size of our server.
const BATCH: usize = 32;

fn batches(rounds: Rounds) -> Result<(), Box<dyn Error>> {
    let files = Files::new(SMALL)?;
    let manifests = files.path("manifests");
    let own = Server::start(Kind::Headcount { program: None, manifests })?;
    let lengths = files.write_lengths(&own, false)?;
    drop(own);
    let servers: Vec<Server> = [64, 1, 2, 4, 8, 16, 32, 128]
        .into_iter()
        .map(|batch| Server::start(Kind::Echo { batch, lengths: lengths.clone() }))
        .collect::<Result<_, _>>()?;
    let all = measure(&servers, &files.path("questions"), false, rounds)?;
    println!("{}", figures::table(&all));
    Ok(())
}

/// Asks every server every question once, and compares with what the manifests come to by another way.
fn compare_answers(servers: &[Server], files: &Files) -> Result<(), Box<dyn Error>> {
    let expected = Expected::read(&files.path("manifests"))?;
    for server in servers.iter().filter(|server| server.kind.is_dns()) {
        let mut connection = Connection::new(server.address)?;
        let mut wrong = Vec::new();
        for question in &files.questions {
            let (answer, expected) = (connection.ask(question)?, expected.answer(question));
            if answer != expected {
                wrong.push(format!("{question}\n  {answer:?}\n  not {expected:?}"));
            }
        }
        println!("{}: {} wrong answers", server.kind.title(), wrong.len());
        for line in wrong.iter().take(3) {
            println!("{line}");
        }
    }
    println!();
    Ok(())
}

/// Measures all servers in turn, in every round.
fn measure(
    servers: &[Server],
    questions: &Path,
    edns: bool,
    rounds: Rounds,
) -> Result<Vec<Figures>, Box<dyn Error>> {
    let program = servers::program("dnsperf")?;
    let Rounds { rounds, seconds, outstanding } = rounds;
    let load = Load { core: CLIENT_CORE, seconds, clients: 8, outstanding, edns };
    let mut all: Vec<Figures> = servers
        .iter()
        .map(|server| Figures {
            title: server.kind.title(),
            is_echo: !server.kind.is_dns(),
            per_second: Vec::new(),
            cpu_per_query: Vec::new(),
            sent: 0.0,
            lost: 0.0,
            reply_length: 0.0,
            resident_mb: 0.0,
        })
        .collect();
    for round in 0..=rounds {
        for (server, figures) in servers.iter().zip(&mut all) {
            let before = process::cpu_time(server.id());
            // The first round is for the caches.
            let load = if round == 0 { Load { seconds: 1, ..load } } else { load };
            let seen = dnsperf::run(&program, server.address, questions, load)?;
            let taken = process::cpu_time(server.id()) - before;
            if round == 0 {
                continue;
            }
            figures.per_second.push(seen.per_second);
            figures.cpu_per_query.push(taken.as_secs_f64() * 1e6 / seen.completed);
            figures.sent += seen.sent;
            figures.lost += seen.sent - seen.completed;
            figures.reply_length = seen.reply_length;
            figures.resident_mb = process::resident_mb(server.id());
        }
    }
    Ok(all)
}

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
