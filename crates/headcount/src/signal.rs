//! The signals by which a person or the system stops the program.

use crate::error::Error;

/// Completes at the first SIGINT, SIGTERM or SIGHUP (its terminal is closed), with its name. A second one ends the process at once.
#[cfg(unix)]
pub(crate) fn stop() -> Result<impl Future<Output = &'static str>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|error| Error::caused("could not listen for signals", &error));
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hang_up = listen(SignalKind::hangup())?;
    let (send, receive) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut send = Some(send);
        loop {
            let (name, status) = tokio::select! {
                _ = interrupt.recv() => ("interrupted", 130),
                _ = terminate.recv() => ("terminated", 143),
                _ = hang_up.recv() => ("hung up", 129),
            };
            match send.take() {
                Some(send) => drop(send.send(name)),
                None => std::process::exit(status),
            }
        }
    });
    Ok(async move { receive.await.unwrap_or("stopped") })
}

#[cfg(not(unix))]
pub(crate) fn stop() -> Result<impl Future<Output = &'static str>, Error> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "interrupted",
            // No signal can come: serve until the process is ended.
            Err(_) => std::future::pending().await,
        }
    })
}
