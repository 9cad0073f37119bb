//! How a verb ends: its exit status, and the error it could not get past.

use std::error::Error as StdError;
use std::fmt::Display;
use std::process::ExitCode;

/// The exit statuses that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing to object to.
    Clean,
    /// It ran, and something it was given is not right.
    Findings,
    /// It could not run.
    CouldNotRun,
    /// A person ended it, at a question (128 and SIGINT's number, as shells have it).
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Clean => Self::from(0),
            Exit::Findings => Self::from(1),
            Exit::CouldNotRun => Self::from(2),
            Exit::Interrupted => Self::from(130),
        }
    }
}

/// Why a verb could not run: what failed, the chain of causes, and how to mend it.
#[derive(Debug)]
pub(crate) struct Error {
    message: String,
    hint: Option<String>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// What failed, followed by the causes behind it.
    pub(crate) fn caused(what: impl Display, cause: &(dyn StdError + 'static)) -> Self {
        Self::new(format!("{what}: {}", Self::of(cause).message))
    }

    /// An error that says what failed by itself, with the causes behind it.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut message = String::new();
        let mut next = Some(error);
        while let Some(error) = next {
            let (text, source) = match error.downcast_ref::<kube::Error>() {
                // What the API says, rather than the whole of its answer.
                Some(kube::Error::Api(status)) => (status.message.clone(), None),
                _ => (error.to_string(), error.source()),
            };
            // Many errors print their source as part of themselves.
            if !message.contains(&text) {
                message = if message.is_empty() { text } else { format!("{message}: {text}") };
            }
            next = source;
        }
        Self::new(message)
    }

    /// Adds what a person can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn print(&self) {
        crate::terminal::say(self);
    }
}

/// As people read it.
impl Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  help: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer<E>(E);

    impl<E> Display for Outer<E> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("could not create node-3")
        }
    }

    impl<E: StdError + 'static> StdError for Outer<E> {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    fn check(error: &(dyn StdError + 'static), expected: &str) {
        assert_eq!(Error::of(error).message, expected);
    }

    #[test]
    fn causes_follow_once_each_and_a_refusal_is_what_the_api_says() {
        let io = || std::io::Error::other("no space");
        check(&Outer(io()), "could not create node-3: no space");
        check(&Outer(Outer(io())), "could not create node-3: no space");
        let status = kube::core::Status::failure("the disk is full", "InternalError").boxed();
        check(&Outer(kube::Error::Api(status)), "could not create node-3: the disk is full");
    }
}
