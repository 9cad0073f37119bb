//! Resource records, as the directory hands them out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::{Name, NameParts};

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

/// The types that have a name here; others are written `TYPE65280` (RFC 3597 §5).
const NAMES: [(RecordType, &str); 16] = [
    (RecordType::A, "A"),
    (RecordType::NS, "NS"),
    (RecordType::CNAME, "CNAME"),
    (RecordType::SOA, "SOA"),
    (RecordType::PTR, "PTR"),
    (RecordType::HINFO, "HINFO"),
    (RecordType::MX, "MX"),
    (RecordType::TXT, "TXT"),
    (RecordType::AAAA, "AAAA"),
    (RecordType::SRV, "SRV"),
    (RecordType::OPT, "OPT"),
    (RecordType(43), "DS"),
    (RecordType(64), "SVCB"),
    (RecordType::HTTPS, "HTTPS"),
    (RecordType::AXFR, "AXFR"),
    (RecordType::ANY, "ANY"),
];

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(rtype, _)| rtype == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// Why text is not a record type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordTypeError;

impl fmt::Display for RecordTypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a record type such as AAAA or TYPE65")
    }
}

impl std::error::Error for RecordTypeError {}

/// A name such as `AAAA` in any case, or `TYPE65`.
impl FromStr for RecordType {
    type Err = RecordTypeError;

    fn from_str(text: &str) -> Result<Self, RecordTypeError> {
        if let Some((rtype, _)) = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)) {
            return Ok(*rtype);
        }
        let (prefix, number) = text.split_at_checked(4).ok_or(RecordTypeError)?;
        match number.parse() {
            Ok(number) if prefix.eq_ignore_ascii_case("TYPE") => Ok(Self(number)),
            _ => Err(RecordTypeError),
        }
    }
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

/// Record data of the types that we publish: owned, or by reference as [`RdataRef`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Rdata<N = Name, T = String> {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(N),
    /// RFC 2782.
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: N,
    },
    Ptr(N),
    Ns(N),
    /// RFC 1035 §3.3.13; times in seconds.
    Soa {
        mname: N,
        rname: N,
        serial: u32,
        refresh: u32,
        retry: u32,
        expire: u32,
        minimum: u32,
    },
    /// One character-string.
    Txt(T),
    /// RFC 8482 §4.2: the minimal answer to ANY.
    Hinfo {
        cpu: T,
        os: T,
    },
}

/// Record data that owns nothing.
pub type RdataRef<'a> = Rdata<NameParts<'a>, &'a str>;

impl From<IpAddr> for RdataRef<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::A(v4),
            IpAddr::V6(v6) => Self::Aaaa(v6),
        }
    }
}

impl RdataRef<'_> {
    /// The same data, owned.
    pub fn to_owned(self) -> Rdata {
        match self {
            Self::A(address) => Rdata::A(address),
            Self::Aaaa(address) => Rdata::Aaaa(address),
            Self::Cname(name) => Rdata::Cname(name.to_name()),
            Self::Srv { priority, weight, port, target } => {
                Rdata::Srv { priority, weight, port, target: target.to_name() }
            }
            Self::Ptr(name) => Rdata::Ptr(name.to_name()),
            Self::Ns(name) => Rdata::Ns(name.to_name()),
            Self::Soa { mname, rname, serial, refresh, retry, expire, minimum } => {
                let (mname, rname) = (mname.to_name(), rname.to_name());
                Rdata::Soa { mname, rname, serial, refresh, retry, expire, minimum }
            }
            Self::Txt(text) => Rdata::Txt(text.to_owned()),
            Self::Hinfo { cpu, os } => Rdata::Hinfo { cpu: cpu.to_owned(), os: os.to_owned() },
        }
    }
}

impl Rdata {
    /// The same data by reference.
    pub fn by_ref(&self) -> RdataRef<'_> {
        match self {
            Self::A(address) => Rdata::A(*address),
            Self::Aaaa(address) => Rdata::Aaaa(*address),
            Self::Cname(name) => Rdata::Cname(name.into()),
            Self::Srv { priority, weight, port, target } => Rdata::Srv {
                priority: *priority,
                weight: *weight,
                port: *port,
                target: target.into(),
            },
            Self::Ptr(name) => Rdata::Ptr(name.into()),
            Self::Ns(name) => Rdata::Ns(name.into()),
            Self::Soa { mname, rname, serial, refresh, retry, expire, minimum } => Rdata::Soa {
                mname: mname.into(),
                rname: rname.into(),
                serial: *serial,
                refresh: *refresh,
                retry: *retry,
                expire: *expire,
                minimum: *minimum,
            },
            Self::Txt(text) => Rdata::Txt(text),
            Self::Hinfo { cpu, os } => Rdata::Hinfo { cpu, os },
        }
    }
}

impl<N, T> Rdata<N, T> {
    /// The type of the data.
    pub fn rtype(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::AAAA,
            Self::Cname(_) => RecordType::CNAME,
            Self::Srv { .. } => RecordType::SRV,
            Self::Ptr(_) => RecordType::PTR,
            Self::Ns(_) => RecordType::NS,
            Self::Soa { .. } => RecordType::SOA,
            Self::Txt(_) => RecordType::TXT,
            Self::Hinfo { .. } => RecordType::HINFO,
        }
    }
}

/// Presentation format (RFC 1035 §5.1): `db.prod.svc.cluster.local. 5 IN A 10.244.1.5`.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, ttl, data } = self;
        write!(f, "{owner} {ttl} IN {} {data}", data.rtype())
    }
}

/// Presentation format of the data alone.
impl fmt::Display for Rdata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => write!(f, "{address}"),
            Self::Aaaa(address) => write!(f, "{address}"),
            Self::Cname(name) | Self::Ptr(name) | Self::Ns(name) => write!(f, "{name}"),
            Self::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {target}")
            }
            Self::Soa { mname, rname, serial, refresh, retry, expire, minimum } => {
                write!(f, "{mname} {rname} {serial} {refresh} {retry} {expire} {minimum}")
            }
            Self::Txt(text) => quoted(f, text),
            Self::Hinfo { cpu, os } => {
                quoted(f, cpu)?;
                f.write_str(" ")?;
                quoted(f, os)
            }
        }
    }
}

/// A character-string in quotes; bytes outside printable ASCII as `\DDD`.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            b' '..=b'~' => write!(f, "{}", char::from(byte))?,
            _ => write!(f, "\\{byte:03}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_and_written() {
        for (text, number, written) in [
            ("A", 1, "A"),
            ("aaaa", 28, "AAAA"),
            ("https", 65, "HTTPS"),
            ("TYPE65", 65, "HTTPS"),
            ("type65280", 65280, "TYPE65280"),
        ] {
            let rtype: RecordType = text.parse().unwrap();
            assert_eq!((rtype.0, rtype.to_string().as_str()), (number, written), "{text}");
        }
        for text in ["", "B", "TYPE", "TYPE65536", "TYPE-1", "\u{e4}\u{e4}1"] {
            assert_eq!(text.parse::<RecordType>(), Err(RecordTypeError), "{text}");
        }
    }

    #[test]
    fn character_strings_are_quoted() {
        for (text, written) in
            [("1.1.0", r#""1.1.0""#), ("", r#""""#), ("a\"\\\n", r#""a\"\\\010""#)]
        {
            assert_eq!(Rdata::Txt(text.to_owned()).to_string(), written);
        }
    }
}
