//! The wire format of RFC 1035 and EDNS (RFC 6891): queries are read here, replies are written here.

mod edns;
mod message;
mod names;
mod query;

pub use edns::Edns;
pub(crate) use edns::{ExtendedError, OPT_LEN, write as write_opt};
pub(crate) use message::{Message, Owner, Section};
pub use query::{Header, Query, Question, Rejection};

/// The header's length, in octets (RFC 1035 §4.1.1).
pub const HEADER_LEN: usize = 12;

/// The longest message, in octets: TCP's length field has 16 bits (RFC 1035 §4.2.2).
pub(crate) const MESSAGE_MAX: usize = 65_535;

/// What every client takes over UDP, in octets (RFC 1035 §2.3.4).
pub(crate) const UDP_MIN: usize = 512;

/// Class IN.
pub(crate) const CLASS_IN: u16 = 1;

/// The flags of the header (RFC 1035 §4.1.1), as one number.
pub(crate) mod flag {
    pub(crate) const RESPONSE: u16 = 0x8000;
    pub(crate) const OPCODE: u16 = 0x7800;
    pub(crate) const AUTHORITATIVE: u16 = 0x0400;
    pub(crate) const TRUNCATED: u16 = 0x0200;
    pub(crate) const RECURSION_DESIRED: u16 = 0x0100;
    pub(crate) const RECURSION_AVAILABLE: u16 = 0x0080;
    pub(crate) const AUTHENTIC_DATA: u16 = 0x0020;
    pub(crate) const CHECKING_DISABLED: u16 = 0x0010;
}

/// A response code; those above 15 need EDNS for their upper bits (RFC 6891 §6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    BadVers = 16,
}

/// Whether a message has the TC flag.
pub(crate) fn is_truncated(message: &[u8]) -> bool {
    message.get(2).is_some_and(|octet| u16::from(*octet) << 8 & flag::TRUNCATED != 0)
}

/// Sets the RA flag of a message.
pub(crate) fn set_recursion_available(message: &mut [u8]) {
    if let Some(octet) = message.get_mut(3) {
        *octet |= flag::RECURSION_AVAILABLE as u8;
    }
}
