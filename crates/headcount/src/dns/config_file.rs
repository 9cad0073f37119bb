//! The file that settings are in: read, watched, read again.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self as blocking, RecvTimeoutError};
use std::time::Duration;

use directory::Name;
use manifest::read::Problem;
use tokio::sync::mpsc;

use super::Flags;
use super::config::ConfigFile;
use super::manifests::Stamp;
use super::settings::{Origin, Settings};
use crate::error::Error;
use crate::terminal::say;

/// How often the file is looked at.
const POLL: Duration = Duration::from_millis(250);

/// What settings are made of: the file, and what comes before and after it.
pub(super) struct Source {
    pub(super) path: Option<PathBuf>,
    pub(super) flags: Flags,
    pub(super) origin: Origin,
    /// The zone that the kubeconfig says.
    pub(super) domain: Option<Name>,
}

/// Settings that are watched, on a thread of their own: a pipe or a disk that does not answer holds up nothing else.
pub(super) struct Watched {
    reload: blocking::SyncSender<()>,
    read: mpsc::Receiver<Result<Settings, Error>>,
}

impl Watched {
    /// Begins to read the file, and watches it from then on.
    pub(super) fn start(source: Source) -> Result<Self, Error> {
        // One that waits to be looked at stands for those that come meanwhile.
        let (reload, reloads) = blocking::sync_channel(1);
        let (send, read) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("settings".to_owned())
            .spawn(move || source.watch(&send, &reloads))
            .map_err(|error| Error::caused("could not start a thread for the settings", &error))?;
        Ok(Self { reload, read })
    }

    /// Completes whenever the file has been read. Only the first time can it be of no use: later that is said, and what was
    /// in force stays.
    pub(super) async fn next(&mut self) -> Result<Settings, Error> {
        match self.read.recv().await {
            Some(read) => read,
            None => std::future::pending().await,
        }
    }

    /// Reads it again, whether it has changed or not.
    pub(super) fn reload(&self) {
        let _ = self.reload.try_send(());
    }
}

impl Source {
    fn watch(
        &self,
        send: &mpsc::Sender<Result<Settings, Error>>,
        reloads: &blocking::Receiver<()>,
    ) {
        let mut stamp = self.stamp();
        let can_be_read_again = self.path.as_deref().is_none_or(Path::is_file);
        let first = self.read();
        let failed = first.is_err();
        if send.blocking_send(first).is_err() || failed {
            return;
        }
        let mut seen = None;
        loop {
            let asked = match reloads.recv_timeout(POLL) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !can_be_read_again {
                continue;
            }
            let now = self.stamp();
            // As with manifests: half of a file, or none of it yet, says other things than the whole.
            let settled = now != stamp && seen.as_ref() == Some(&now);
            if !asked && !settled {
                seen = Some(now);
                continue;
            }
            (stamp, seen) = (now, None);
            match self.read() {
                Ok(settings) => {
                    if send.blocking_send(Ok(settings)).is_err() {
                        return;
                    }
                }
                Err(error) => say(format_args!("{error}\n  note: the settings stay as they were")),
            }
        }
    }

    fn stamp(&self) -> Stamp {
        Stamp::of(self.path.as_slice())
    }

    fn read(&self) -> Result<Settings, Error> {
        let file = match &self.path {
            Some(path) => read(path).map_err(|error| error.report(path))?,
            None => ConfigFile::default(),
        };
        Settings::new(&self.flags, file, self.origin, self.domain.as_ref())
    }
}

/// Reads the settings in a file.
fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let name = path.display().to_string();
    match crate::files::open(path).content {
        Err(error) => Err(ConfigError::Unreadable(
            Error::caused(format_args!("could not read {name}"), &error)
                .hint("name a file of settings with --config"),
        )),
        Ok(bytes) => ConfigFile::parse(&name, &bytes).map_err(ConfigError::Wrong),
    }
}

/// Why a file of settings is of no use.
enum ConfigError {
    /// It could not be read.
    Unreadable(Error),
    /// What is wrong in it.
    Wrong(Vec<Problem>),
}

impl ConfigError {
    /// Says what is wrong, and returns what is to be said at the end.
    fn report(self, path: &Path) -> Error {
        match self {
            Self::Unreadable(error) => error,
            Self::Wrong(problems) => {
                for problem in &problems {
                    say(problem);
                }
                Error::new(format!("the settings in {} cannot be used", path.display()))
                    .hint("headcount dns --print-schema prints what there may be")
            }
        }
    }
}
