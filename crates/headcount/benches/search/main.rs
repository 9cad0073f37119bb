//! What a look-up costs by the plain search path of a pod and by one search entry that the server walks itself, with the
//! resolvers of glibc and of musl; and whether both find the same.
//!
//! `just bench-search` unpacks musl's tools and runs it. A resolver asks port 53 of what /etc/resolv.conf names, so all of
//! this runs in a network namespace and a mount namespace of its own (`unshare`): nothing of the machine's is touched.

#![allow(clippy::print_stdout, reason = "what a benchmark is for")]

mod library;
mod names;
mod run;
mod scene;
mod upstream;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;

use library::Library;
use names::{LOOKUPS, Lookup, MANY};
use run::Run;
use scene::Scene;

#[derive(Parser)]
struct Arguments {
    /// How often each name is looked up
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// The namespaces are there
    #[arg(long, hide = true)]
    inside: bool,
    /// What `cargo bench` passes
    #[arg(long, hide = true)]
    bench: bool,
}

/// The search lists that are compared: the kubelet's, and the one entry.
const PATHS: [&str; 2] =
    ["prod.svc.cluster.local svc.cluster.local cluster.local", "prod.search.cluster.local"];

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { rounds, inside, bench: _ } = Arguments::parse();
    match inside {
        true => compare(rounds),
        false => enter(rounds),
    }
}

/// Runs this program once more, in namespaces of its own.
fn enter(rounds: u32) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new("unshare");
    // Root needs no user namespace, and some machines have none.
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "--net"]).arg(std::env::current_exe()?);
    command.args(["--inside", "--rounds", &rounds.to_string()]);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "the run in namespaces of its own ended with {status}; where unshare was refused, run it as root or on a kernel that lets users make namespaces"
        )
        .into()),
        Err(error) => Err(format!("unshare (util-linux) does not start: {error}").into()),
    }
}

fn compare(rounds: u32) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let libraries = library::build(folder.path())?;
    let scene = Scene::start(folder.path())?;
    let [glibc, musl] = &libraries;
    println!("{rounds} look-ups of each name; {}, {}\n", glibc.title, musl.title);
    println!(
        "| name | what it is | questions, glibc: path, entry | µs | questions, musl: path, entry | µs |\n\
         |---|---|---|---|---|---|"
    );
    let mut differences = Vec::new();
    for lookup in &LOOKUPS {
        // musl takes SERVFAIL for no answer, and asks until its time-out of five seconds.
        let rounds = if lookup.name.starts_with("broken.") { rounds.min(2) } else { rounds };
        let mut row = format!("| `{}` | {} |", lookup.name, lookup.what);
        for library in &libraries {
            let [path, entry] = both(&scene, library, lookup.name, rounds)?;
            row += &format!(
                " {} → {} | {:.0} → {:.0} |",
                path.questions, entry.questions, path.microseconds, entry.microseconds
            );
            differences.extend(differ(library, lookup, &path, &entry));
        }
        println!("{row}");
    }
    println!();
    for library in &libraries {
        let [path, entry] = both(&scene, library, "many", rounds)?;
        println!(
            "{}: of {MANY} endpoints, a look-up sees {} by the path and {} by the entry",
            library.title, path.least, entry.least
        );
        if path.addresses != entry.addresses {
            differences.push(format!("{}: many is not the same over all rounds", library.title));
        }
    }
    match differences.is_empty() {
        true => Ok(()),
        false => Err(format!("not the same by both:\n{}", differences.join("\n")).into()),
    }
}

/// The same name by both search lists.
fn both(
    scene: &Scene,
    library: &Library,
    name: &str,
    rounds: u32,
) -> Result<[Run; 2], Box<dyn Error>> {
    let [path, entry] = PATHS;
    Ok([
        run::look_up(scene, library, path, name, rounds)?,
        run::look_up(scene, library, entry, name, rounds)?,
    ])
}

/// What is not as it should be: the addresses that are due, and by both ways the same end and the same canonical name.
fn differ(library: &Library, lookup: &Lookup, path: &Run, entry: &Run) -> Vec<String> {
    let at = format!("{}: {}", library.title, lookup.name);
    let due = lookup.addresses.iter().map(|address| (*address).to_owned()).collect();
    let mut all = Vec::new();
    for (way, run) in [("path", path), ("entry", entry)] {
        if run.addresses != due || run.least != due.len() {
            all.push(format!("{at}, by the {way}: {run:?}, and {due:?} are due"));
        }
    }
    if (&path.end, &path.canonical) != (&entry.end, &entry.canonical) {
        all.push(format!("{at}: by the path {path:?}, by the entry {entry:?}"));
    }
    all
}

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
