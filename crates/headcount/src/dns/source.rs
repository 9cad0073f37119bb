//! Where the objects are from: what fills a directory, and keeps it as they are.

use std::path::PathBuf;
use std::sync::Arc;

use cluster::{Feed, Observer, RunningWatches, Watches};
use directory::{Reader, ZoneConfig};
use kube::Client;

use super::manifests::Manifests;
use super::memory;
use super::ops::Now;
use super::settings::Origin;
use crate::error::Error;

/// Whether something in the manifests is not right.
pub(super) type Findings = bool;

/// Where the objects are from.
#[derive(Clone)]
pub(super) enum Objects {
    Manifests { paths: Vec<PathBuf>, namespace: String },
    Cluster { client: Client, url: String, of_this_pod: bool },
}

impl Objects {
    pub(super) fn origin(&self) -> Origin {
        match self {
            Self::Manifests { .. } => Origin::Manifests,
            Self::Cluster { of_this_pod: false, .. } => Origin::Cluster,
            Self::Cluster { of_this_pod: true, .. } => Origin::Pod,
        }
    }
}

/// A directory that is kept as the objects are, until dropped.
pub(super) struct Kept {
    pub(super) reader: Reader,
    pub(super) source: Source,
}

/// What keeps it so.
pub(super) enum Source {
    Manifests(Manifests),
    Cluster { watches: RunningWatches, feed: Feed },
}

impl Kept {
    /// Begins to fill a directory.
    pub(super) fn start(
        objects: Objects,
        zone: ZoneConfig,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        let (writer, reader) = directory::new(zone);
        let source = match objects {
            Objects::Manifests { paths, namespace } => {
                Source::Manifests(Manifests::start(paths, namespace, writer, observer)?)
            }
            Objects::Cluster { client, url, of_this_pod: _ } => {
                tracing::info!("listing the objects of {url}");
                let mut watches = Watches::new(client);
                let feed = Feed::start(&mut watches, writer, observer);
                Source::Cluster { watches: watches.start(), feed }
            }
        };
        Ok(Self { reader, source })
    }

    /// Completes when everything that there is has been read.
    pub(super) async fn filled(&mut self) -> Result<Findings, Error> {
        match &mut self.source {
            Source::Manifests(manifests) => manifests.filled().await,
            Source::Cluster { watches: _, feed } => {
                feed.synced().await;
                memory::give_back();
                Ok(false)
            }
        }
    }

    /// What there is to show of it.
    pub(super) fn now(&self) -> Now {
        let reader = self.reader.clone();
        match &self.source {
            Source::Manifests(_) => Now { reader, hearings: None, skips: None },
            Source::Cluster { watches, feed } => Now {
                reader,
                hearings: Some(watches.hearings().clone()),
                skips: Some(feed.skips().clone()),
            },
        }
    }

    /// Reads files again, whether they have changed or not. A cluster tells of changes itself.
    pub(super) fn reload(&self) {
        match &self.source {
            Source::Manifests(manifests) => manifests.reload(),
            Source::Cluster { .. } => {}
        }
    }
}
