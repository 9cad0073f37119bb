//! What goes to the terminal: a verb's output, on stdout; the log, on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write as _, stderr};

use tracing_subscriber::EnvFilter;

/// Starts the log on stderr. Warnings always; more with `-v`; `HEADCOUNT_LOG` takes `tracing` filters.
pub(crate) fn start_log(verbose: u8) {
    let default = match verbose {
        // What the client says of its failures, verbs say better; and what became of a request, its answer says.
        0 => "warn,kube_client::client::builder=off,axum_reverse_proxy=off",
        1 => {
            "warn,api=info,cluster=info,dns=info,gateway=info,headcount=info,node=info,axum_reverse_proxy=off"
        }
        2 => "info,api=debug,cluster=debug,dns=debug,gateway=debug,headcount=debug,node=debug",
        _ => "trace",
    };
    let filter =
        EnvFilter::try_from_env("HEADCOUNT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(is_coloured(&stderr()))
        // Where the log cannot be written, neither can that it cannot: trying to would end the thread.
        .log_internal_errors(false)
        .with_target(false)
        .compact()
        .init();
}

/// Whether to colour what goes there: on a terminal, unless `NO_COLOR` says otherwise (no-color.org).
pub(crate) fn is_coloured(to: &impl IsTerminal) -> bool {
    to.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a line for people on stderr. That it cannot be written, as when the disk of the log is full, stops nothing.
pub(crate) fn say(line: impl Display) {
    // Once as a whole: what other threads say does not come between.
    let _ = stderr().write_all(format!("{line}\n").as_bytes());
}

/// Writes a verb's output on stdout. That its reader has enough of it, as `head` may, is no error.
pub(crate) fn print(
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), crate::error::Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| io::Write::flush(&mut out)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(crate::error::Error::caused("could not write the output", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// As [`print`], of a whole text.
pub(crate) fn print_text(text: &str) -> Result<(), crate::error::Error> {
    print(|out| out.write_all(text.as_bytes()))
}
