//! What can go wrong.

use serde::{Deserialize, Serialize};

/// Why nothing can run on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unsupported {
    /// Another system than Linux.
    #[error("pods run as processes on Linux alone")]
    NotLinux,
    /// The program could not start itself again.
    #[error("the engine that runs the pods did not start: {0}")]
    Program(String),
    /// No user namespace, which all else needs.
    #[error("this system gives out no user namespaces ({error}); {hint}")]
    UserNamespaces {
        /// What the system said.
        error: String,
        /// The settings that may be the cause, as they are here.
        hint: String,
    },
    /// A user namespace, but no numbers of users in it.
    #[error("the users of pods cannot be mapped to {0}")]
    Users(String),
    /// No network, mount, PID, UTS or IPC namespace.
    #[error(
        "this system does not give out all namespaces that pods need (network, mount, PID, UTS, IPC): {0}"
    )]
    Namespaces(String),
    /// File systems cannot be mounted, or not as pods need them.
    #[error("{what}: {error}")]
    Mounts {
        /// What was tried.
        what: String,
        /// What the system said.
        error: String,
    },
    /// The cluster's network cannot be set up.
    #[error("the cluster's network: {what}: {error}")]
    Network {
        /// What was tried.
        what: String,
        /// What the system said.
        error: String,
    },
}

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// The program is nowhere in `PATH`, in the words of a container's runtime.
    #[error("exec: \"{0}\": executable file not found in $PATH")]
    NoProgram(String),
    /// The program cannot be run, in the words of a container's runtime.
    #[error("exec: \"{program}\": {reason}")]
    CannotRun {
        /// The program, as it was asked for.
        program: String,
        /// Why: it is not there, it may not be executed, it is a folder.
        reason: String,
    },
    /// No such pod, container or process (any more).
    #[error("{0} is not there")]
    Gone(String),
    /// There is one of that name already.
    #[error("{0} is there already")]
    Exists(String),
    /// The system refused.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        error: String,
    },
    /// The engine has ended.
    #[error("the engine that runs the pods has ended")]
    Ended,
}

impl Failure {
    /// What the system said when something was tried.
    #[cfg(target_os = "linux")]
    pub(crate) fn system(what: impl Into<String>, error: impl ToString) -> Self {
        Self::System { what: what.into(), error: error.to_string() }
    }
}
