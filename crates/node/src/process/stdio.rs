//! The streams of a process: what it is given, and what is kept of them on this side.

use std::io;
use std::os::fd::OwnedFd;

use sandbox::{Stdio, WindowSize};
use tokio::net::unix::pipe;

use super::output::Reading;
use super::runtime::Process;
use super::terminal::Terminal;

/// What goes into a process.
pub(super) type Writing = Box<dyn tokio::io::AsyncWrite + Send + Unpin>;

/// Which streams a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) tty: bool,
}

/// This side of a process's streams.
pub(super) struct Ends {
    pub(super) stdin: Option<Writing>,
    pub(super) stdout: Option<Reading>,
    pub(super) stderr: Option<Reading>,
    pub(super) terminal: Option<Terminal>,
}

/// Before somebody says how large a terminal is.
const SIZE: WindowSize = WindowSize { columns: 80, rows: 24 };

/// What a process is to be started with, and this side of it as far as it is there before the start.
pub(super) fn open(wanted: Wanted) -> io::Result<(Stdio, Ends)> {
    let mut ends = Ends { stdin: None, stdout: None, stderr: None, terminal: None };
    if wanted.tty {
        return Ok((Stdio::Terminal(SIZE), ends));
    }
    let mut stdin = None;
    if wanted.stdin {
        let (reader, writer) = io::pipe()?;
        stdin = Some(OwnedFd::from(reader));
        ends.stdin = Some(Box::new(pipe::Sender::from_owned_fd(writer.into())?));
    }
    let outgoing = |wanted: bool, end: &mut Option<Reading>| -> io::Result<Option<OwnedFd>> {
        if !wanted {
            return Ok(None);
        }
        let (reader, writer) = io::pipe()?;
        *end = Some(Box::new(pipe::Receiver::from_owned_fd(reader.into())?));
        Ok(Some(writer.into()))
    };
    let stdout = outgoing(wanted.stdout, &mut ends.stdout)?;
    let stderr = outgoing(wanted.stderr, &mut ends.stderr)?;
    Ok((Stdio::Pipes { stdin, stdout, stderr }, ends))
}

impl Ends {
    /// Takes the terminal of a process that was started, if it has one.
    pub(super) fn take_terminal(
        &mut self,
        process: &mut dyn Process,
        stdin: bool,
    ) -> io::Result<()> {
        let Some(descriptor) = process.take_terminal() else { return Ok(()) };
        let (terminal, screen, keyboard) = Terminal::open(descriptor)?;
        self.stdin = stdin.then(|| Box::new(keyboard) as Writing);
        self.stdout = Some(Box::new(screen));
        self.terminal = Some(terminal);
        Ok(())
    }
}
