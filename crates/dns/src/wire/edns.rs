//! EDNS: the OPT pseudo-record (RFC 6891 §6.1).

/// What a client says about itself in its OPT record. Options are read past: none changes our answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// The longest reply that the client takes over UDP, in octets, as it said: values under 512 mean 512
    /// (RFC 6891 §6.2.3).
    pub udp_size: u16,
    /// The EDNS version; ours is 0.
    pub version: u8,
    /// The DO flag, which goes back as it came (RFC 3225 §3).
    pub dnssec_ok: bool,
}

/// The length of an OPT record without options, in octets.
pub(crate) const OPT_LEN: usize = 11;

/// The DO flag among the OPT record's TTL bits.
const DNSSEC_OK: u32 = 0x8000;

/// The option code of an Extended DNS Error (RFC 8914 §2).
const EXTENDED_ERROR: u16 = 15;

impl Edns {
    /// Reads the OPT record's class, TTL and data. `None` when the options do not fill the data exactly.
    pub(super) fn read(class: u16, ttl: u32, data: &[u8]) -> Option<Self> {
        let mut rest = data;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at_checked(4)?;
            rest = tail.get(usize::from(u16::from_be_bytes([head[2], head[3]]))..)?;
        }
        Some(Self { udp_size: class, version: (ttl >> 16) as u8, dnssec_ok: ttl & DNSSEC_OK != 0 })
    }
}

/// An Extended DNS Error to go with a reply.
#[derive(Clone, Debug)]
pub(crate) struct ExtendedError {
    /// INFO-CODE (RFC 8914 §4).
    pub(crate) code: u16,
    /// EXTRA-TEXT; may be empty.
    pub(crate) text: String,
}

/// Writes our OPT record: the upper bits of the response code, our own UDP size, and an Extended DNS Error
/// as far as `room` octets hold it: its text is given up first, then all of it.
pub(crate) fn write(
    out: &mut Vec<u8>,
    client: Edns,
    udp_size: u16,
    rcode: u16,
    error: Option<&ExtendedError>,
    room: usize,
) {
    out.push(0);
    out.extend_from_slice(&directory::RecordType::OPT.0.to_be_bytes());
    out.extend_from_slice(&udp_size.to_be_bytes());
    let ttl = u32::from(rcode >> 4) << 24 | if client.dnssec_ok { DNSSEC_OK } else { 0 };
    out.extend_from_slice(&ttl.to_be_bytes());
    let room = room.saturating_sub(OPT_LEN);
    let text_len = error.map_or(0, |error| error.text.len());
    let (error, text) = match error {
        Some(error) if room >= 6 + text_len && text_len <= 1024 => (Some(error), &*error.text),
        Some(error) if room >= 6 => (Some(error), ""),
        _ => (None, ""),
    };
    let Some(error) = error else {
        out.extend_from_slice(&[0, 0]);
        return;
    };
    // At most 1024 octets of text.
    let option_len = 2 + text.len() as u16;
    for number in [option_len + 4, EXTENDED_ERROR, option_len, error.code] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(text.as_bytes());
}
