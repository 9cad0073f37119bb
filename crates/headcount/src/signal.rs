//! The signals by which a person or the system stops the program, or lets it read its files again.

use std::io::{IsTerminal as _, stdin};

use tokio::sync::mpsc;

use crate::error::Error;

/// How many signals wait to be looked at.
const PENDING_MAX: usize = 16;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To stop; the signal's name.
    Stop(&'static str),
    /// To read files again.
    Reload,
}

/// The signals in the order in which they come. When one has asked to stop, the next such one ends the process at once.
pub(crate) struct Signals(mpsc::Receiver<Asked>);

impl Signals {
    /// The next one.
    pub(crate) async fn next(&mut self) -> Asked {
        match self.0.recv().await {
            Some(asked) => asked,
            // No signal can come: serve until the process is ended.
            None => std::future::pending().await,
        }
    }

    /// The next one that asks to stop.
    pub(crate) async fn next_stop(&mut self) -> &'static str {
        loop {
            if let Asked::Stop(name) = self.next().await {
                return name;
            }
        }
    }
}

/// Completes at the first SIGINT, SIGTERM or SIGHUP (its terminal is closed), with its name. A second one ends the process at once.
pub(crate) fn stop() -> Result<impl Future<Output = &'static str>, Error> {
    let mut signals = listen(|| Asked::Stop("hung up"))?;
    Ok(async move { signals.next_stop().await })
}

/// SIGINT and SIGTERM ask to stop, SIGHUP to reload; but it asks to stop when it was sent because the terminal was closed.
pub(crate) fn stop_or_hang_up() -> Result<Signals, Error> {
    let on_terminal = stdin().is_terminal();
    listen(move || match on_terminal && !stdin().is_terminal() {
        true => Asked::Stop("hung up"),
        false => Asked::Reload,
    })
}

/// Listens; `hung_up` says what SIGHUP asks for.
#[cfg(unix)]
fn listen(hung_up: impl Fn() -> Asked + Send + 'static) -> Result<Signals, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|error| Error::caused("could not listen for signals", &error));
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hang_up = listen(SignalKind::hangup())?;
    let (send, receive) = mpsc::channel(PENDING_MAX);
    tokio::spawn(async move {
        let mut stopping = false;
        loop {
            let (asked, status) = tokio::select! {
                _ = interrupt.recv() => (Asked::Stop("interrupted"), 130),
                _ = terminate.recv() => (Asked::Stop("terminated"), 143),
                _ = hang_up.recv() => (hung_up(), 129),
            };
            if matches!(asked, Asked::Stop(_)) && std::mem::replace(&mut stopping, true) {
                std::process::exit(status);
            }
            // When so many wait, one more tells nothing new.
            let _ = send.try_send(asked);
        }
    });
    Ok(Signals(receive))
}

#[cfg(not(unix))]
fn listen(_: impl Fn() -> Asked + Send + 'static) -> Result<Signals, Error> {
    let (send, receive) = mpsc::channel(PENDING_MAX);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = send.try_send(Asked::Stop("interrupted"));
        }
    });
    Ok(Signals(receive))
}
