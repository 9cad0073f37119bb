//! The closed set of answers.

use crate::{Reason, Record};

/// What a name answers for one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records of the asked type, in stable order (the server rotates), and glue for the additional section.
    Records {
        /// The answer section.
        records: Vec<Record>,
        /// Addresses of targets; dropped first when a message is too long.
        additional: Vec<Record>,
    },
    /// CNAMEs from the asked name onwards, then what the last target answers (`NotOurs` when that is for
    /// an upstream). The response code is the target's (RFC 6604 §2).
    Alias {
        /// The CNAME records, first to last.
        chain: Vec<Record>,
        /// The answer of the last target; never itself an `Alias`.
        target: Box<Answer>,
    },
    /// The name exists, this type does not (NOERROR, SOA in authority).
    NoData(Negative),
    /// The name does not exist (NXDOMAIN, SOA in authority).
    NoSuchName(Negative),
    /// A loop or an over-long chain of CNAMEs (SERVFAIL, RFC 1034 §3.6.2).
    Loop(Reason),
    /// Outside our zones: an upstream's, or REFUSED.
    NotOurs,
    /// Objects are still being read (SERVFAIL with Extended DNS Error 14, RFC 8914 §4.15).
    NotSynced,
}

/// What goes with a negative answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negative {
    /// SOA for the authority section; its TTL and MINIMUM are the negative TTL (RFC 2308 §5).
    pub soa: Record,
    /// Why.
    pub reason: Reason,
}

impl Answer {
    /// Why the answer is negative: an alias' reason is its target's.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Records { .. } | Self::NotOurs => None,
            Self::Alias { target, .. } => target.reason(),
            Self::NoData(negative) | Self::NoSuchName(negative) => Some(&negative.reason),
            Self::Loop(reason) => Some(reason),
            Self::NotSynced => Some(&Reason::NotSynced),
        }
    }
}
