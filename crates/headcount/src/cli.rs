//! The command line: one variant per verb, whose doc comment is its help text.

use clap::{Parser, Subcommand};

use crate::design::Design;
use crate::dns::Dns;
use crate::error::{Error, Exit};
use crate::explain::Explain;
use crate::lint::Lint;
use crate::records::Records;
#[cfg(unix)]
use crate::run::Run;
use crate::up::Up;

/// Service discovery for Kubernetes: which names your Services get, and what each one answers.
#[derive(Parser)]
#[command(name = "headcount", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Say more on stderr: -v what happens, -vv each step, -vvv each message (HEADCOUNT_LOG takes filters)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str =
    "Exit status: 0 clean, 1 findings (something given was not right), 2 could not run.";

#[derive(Subcommand)]
enum Verb {
    Up(Box<Up>),
    Lint(Box<Lint>),
    Explain(Explain),
    Records(Box<Records>),
    Design(Box<Design>),
    Dns(Box<Dns>),
    #[cfg(unix)]
    Run(Run),
}

impl Cli {
    pub(crate) fn run(self) -> Result<Exit, Error> {
        match self.verb {
            Verb::Up(up) => up.run(),
            Verb::Lint(lint) => lint.run(),
            Verb::Explain(explain) => explain.run(),
            Verb::Records(records) => records.run(),
            Verb::Design(design) => design.run(),
            Verb::Dns(dns) => dns.run(),
            #[cfg(unix)]
            Verb::Run(run) => run.run(),
        }
    }
}
