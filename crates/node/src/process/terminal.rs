//! The other side of a container's terminal.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;

/// A terminal; clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Terminal(Arc<OwnedFd>);

impl Terminal {
    /// The terminal, what is written on it, and what can be typed into it.
    pub(super) fn open(descriptor: OwnedFd) -> io::Result<(Self, Screen, pipe::Sender)> {
        let flags = fcntl_getfl(&descriptor)?;
        fcntl_setfl(&descriptor, flags | OFlags::NONBLOCK)?;
        // A terminal is read and written like a pipe.
        let screen = pipe::Receiver::from_owned_fd_unchecked(descriptor.try_clone()?)?;
        let keyboard = pipe::Sender::from_owned_fd_unchecked(descriptor.try_clone()?)?;
        Ok((Self(Arc::new(descriptor)), Screen(screen), keyboard))
    }

    /// Tells its size to what runs in it.
    pub(super) fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(&self.0, size)?)
    }
}

/// What is written on a terminal.
#[derive(Debug)]
pub(super) struct Screen(pipe::Receiver);

impl AsyncRead for Screen {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.0).poll_read(context, buffer)) {
            // So a terminal says that nobody has it open any more.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                Poll::Ready(Ok(()))
            }
            read => Poll::Ready(read),
        }
    }
}
