//! What became of queries, as it is counted.

use crate::respond::Outcome;

impl Outcome {
    /// As it is called in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoData => "no_data",
            Self::NoSuchName => "no_such_name",
            Self::Loop => "loop",
            Self::NotSynced => "not_synced",
            Self::NotOurs => "not_ours",
            Self::AliasNotOurs => "alias_not_ours",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::NotImplemented => "not_implemented",
            Self::BadVersion => "bad_version",
            Self::Dropped => "dropped",
        }
    }

    /// The response code, as it is written; `none` where there is no reply.
    pub fn rcode(self) -> &'static str {
        match self {
            Self::Answered | Self::NoData | Self::AliasNotOurs => "NOERROR",
            Self::NoSuchName => "NXDOMAIN",
            Self::Loop | Self::NotSynced => "SERVFAIL",
            Self::NotOurs | Self::Refused => "REFUSED",
            Self::Malformed => "FORMERR",
            Self::NotImplemented => "NOTIMP",
            Self::BadVersion => "BADVERS",
            Self::Dropped => "none",
        }
    }

    /// Whether the client got no answer to its question, not even that there is none.
    pub fn is_error(self) -> bool {
        match self {
            Self::Answered | Self::NoData | Self::AliasNotOurs | Self::NoSuchName => false,
            Self::Loop
            | Self::NotSynced
            | Self::NotOurs
            | Self::Refused
            | Self::Malformed
            | Self::NotImplemented
            | Self::BadVersion
            | Self::Dropped => true,
        }
    }
}

/// What became of a query, whoever answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Our own zone's answer, or a refusal of ours.
    Own(Outcome),
    /// What an upstream said, now or before, or that none does: the lower four bits of the response code.
    Forwarded(u8),
}

/// How many response codes a header can hold.
const RCODES: usize = 16;

impl End {
    /// How many there are.
    pub(super) const COUNT: usize = Outcome::ALL.len() + RCODES;

    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        Outcome::ALL.into_iter().map(Self::Own).chain((0..RCODES as u8).map(Self::Forwarded))
    }

    pub(crate) fn of_forwarded(reply: &[u8]) -> Self {
        Self::Forwarded(reply.get(3).map_or(0, |flags| flags & 0x0f))
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Own(outcome) => outcome as usize,
            Self::Forwarded(rcode) => Outcome::ALL.len() + usize::from(rcode & 0x0f),
        }
    }

    /// The kind of answer, as it is called in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own(outcome) => outcome.as_str(),
            Self::Forwarded(_) => "forwarded",
        }
    }

    /// The response code, as it is written; `none` where there is no reply.
    pub fn rcode(self) -> &'static str {
        match self {
            Self::Own(outcome) => outcome.rcode(),
            Self::Forwarded(0) => "NOERROR",
            Self::Forwarded(1) => "FORMERR",
            Self::Forwarded(2) => "SERVFAIL",
            Self::Forwarded(3) => "NXDOMAIN",
            Self::Forwarded(4) => "NOTIMP",
            Self::Forwarded(5) => "REFUSED",
            Self::Forwarded(_) => "other",
        }
    }

    /// Whether the client got no answer to its question, not even that there is none.
    pub fn is_error(self) -> bool {
        match self {
            Self::Own(outcome) => outcome.is_error(),
            Self::Forwarded(0 | 3) => false,
            Self::Forwarded(_) => true,
        }
    }

    /// Whether the name does not exist.
    pub(super) fn is_no_such_name(self) -> bool {
        matches!(self, Self::Own(Outcome::NoSuchName) | Self::Forwarded(3))
    }
}
