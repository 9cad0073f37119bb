//! How pods run.

use std::path::Path;

use clap::ValueEnum;
use sandbox::{Engine, Settings};

use crate::error::Error;

/// How pods run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum How {
    /// They have an address and a readiness, and no process
    Simulated,
    /// They are programs of this machine, each pod in a network of its own
    Process,
    /// As processes where that is possible, simulated elsewhere
    Auto,
}

impl How {
    /// Starts what runs pods, if they are to run and can.
    pub(super) async fn start(self, settings: Settings) -> Result<Option<Engine>, Error> {
        if self == Self::Simulated {
            return Ok(None);
        }
        match Engine::start(settings).await {
            Ok(engine) => Ok(Some(engine)),
            Err(why) if self == Self::Auto => {
                crate::terminal::say(format_args!("pods are simulated: {}", Error::of(&why)));
                Ok(None)
            }
            Err(why) => Err(Error::caused("pods cannot run as processes here", &why)
                .hint("with --pods auto they are simulated where they cannot run")),
        }
    }
}
