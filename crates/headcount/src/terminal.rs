//! What goes to the terminal: a verb's output, on stdout; the log, on stderr.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};

use tracing_subscriber::EnvFilter;

/// Starts the log on stderr. Warnings always; more with `-v`; `HEADCOUNT_LOG` takes `tracing` filters.
pub(crate) fn start_log(verbose: u8) {
    let default = match verbose {
        0 => "warn",
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

/// Prints on stdout; that nobody reads on is no failure.
pub(crate) fn print(text: &str) {
    let mut stdout = stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
