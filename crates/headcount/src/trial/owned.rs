//! An address, and whose it is.

use std::fmt;
use std::net::IpAddr;

/// An address, and whose it is, for people: `10.244.1.2 (db-0)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owned {
    pub(super) address: IpAddr,
    pub(super) owner: String,
}

impl Owned {
    pub(super) fn new(address: IpAddr, owner: impl Into<String>) -> Self {
        Self { address, owner: owner.into() }
    }
}

impl fmt::Display for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, owner } = self;
        write!(f, "{address} ({owner})")
    }
}
