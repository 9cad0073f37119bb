//! headcount: service discovery for Kubernetes in one binary.

// It panics where stderr cannot be written; `terminal::say` does not.
#![deny(clippy::print_stderr)]

mod arguments;
mod cli;
mod design;
mod dns;
mod error;
mod explain;
mod files;
mod lint;
mod live;
mod local;
mod reading;
mod records;
#[cfg(unix)]
mod run;
mod signal;
mod terminal;
mod trial;
mod up;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    sandbox::run_if_asked();
    let cli = cli::Cli::parse();
    terminal::start_log(cli.verbose);
    match cli.run() {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print();
            error::Exit::CouldNotRun.into()
        }
    }
}
