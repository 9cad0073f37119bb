//! What goes to the terminal beside a verb's own output: the log, on stderr.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

/// Starts the log on stderr. Warnings always; more with `-v`; `HEADCOUNT_LOG` takes `tracing` filters.
pub(crate) fn start_log(verbose: u8) {
    let default = match verbose {
        // What the client says of its failures, verbs say better.
        0 => "warn,kube_client::client::builder=off",
        1 => "warn,api=info,cluster=info,dns=info,headcount=info,node=info",
        2 => "info,api=debug,cluster=debug,dns=debug,headcount=debug,node=debug",
        _ => "trace",
    };
    let filter =
        EnvFilter::try_from_env("HEADCOUNT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .compact()
        .init();
}
