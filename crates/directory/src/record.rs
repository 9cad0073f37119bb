//! Resource records, as the directory hands them out.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::Name;

/// A record type or query type number (RFC 1035 §3.2.2, IANA DNS parameters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordType(pub u16);

#[allow(missing_docs)]
impl RecordType {
    pub const A: Self = Self(1);
    pub const NS: Self = Self(2);
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const PTR: Self = Self(12);
    pub const HINFO: Self = Self(13);
    pub const MX: Self = Self(15);
    pub const TXT: Self = Self(16);
    pub const AAAA: Self = Self(28);
    pub const SRV: Self = Self(33);
    pub const OPT: Self = Self(41);
    pub const HTTPS: Self = Self(65);
    pub const AXFR: Self = Self(252);
    pub const ANY: Self = Self(255);
}

/// A record of class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Owner name.
    pub owner: Name,
    /// Time to live, in seconds.
    pub ttl: u32,
    /// Type and data.
    pub data: Rdata,
}

/// Record data of the types that we publish.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Rdata {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(Name),
    /// RFC 2782.
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: Name,
    },
    Ptr(Name),
    Ns(Name),
    /// RFC 1035 §3.3.13; times in seconds.
    Soa {
        mname: Name,
        rname: Name,
        serial: u32,
        refresh: u32,
        retry: u32,
        expire: u32,
        minimum: u32,
    },
    /// One character-string.
    Txt(String),
    /// RFC 8482 §4.2: the minimal answer to ANY.
    Hinfo {
        cpu: String,
        os: String,
    },
}
