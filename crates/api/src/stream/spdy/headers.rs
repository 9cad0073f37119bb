//! Headers of SPDY/3.1 streams: names and values, compressed with zlib over the whole connection, from a dictionary that
//! both sides know.

use std::sync::LazyLock;

use bytes::Buf as _;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The largest headers of a stream, unpacked, in octets. A stream of Kubernetes has three short ones.
pub(crate) const HEADERS_MAX: usize = 16 * 1024;

/// What the dictionary begins with, each behind its length (SPDY protocol, draft 3.1, section 2.6.10.1).
const WORDS: &str = "\
    options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,accept-ranges,age,\
    allow,authorization,cache-control,connection,content-base,content-encoding,content-language,content-length,\
    content-location,content-md5,content-range,content-type,date,etag,expect,expires,from,host,if-match,\
    if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma,\
    proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,upgrade,\
    user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie,\
    keep-alive,origin";

/// What follows them.
const REST: &str = "\
    100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritat\
    ive Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found5\
    00 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct N\
    ov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,applic\
    ation/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf\
    -8charset=iso-8859-1,utf-,*,enq=0.";

static DICTIONARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut dictionary = Vec::new();
    for word in WORDS.split(',') {
        dictionary.extend_from_slice(&(word.len() as u32).to_be_bytes());
        dictionary.extend_from_slice(word.as_bytes());
    }
    dictionary.extend_from_slice(REST.as_bytes());
    dictionary
});

/// Why octets are no headers. The connection ends: what comes after cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadersError {
    #[error("headers that cannot be unpacked")]
    Packed,
    #[error("headers of more than {HEADERS_MAX} octets")]
    TooLarge,
    #[error("headers that end within a name or value")]
    Short,
    #[error("a header that is no text")]
    NoText,
}

/// A stream's headers, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a name, which is written in small letters.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(candidate, _)| candidate == name)?;
        value.split('\0').next()
    }

    /// How many octets the names and values have.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn octets(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    fn parse(mut octets: &[u8]) -> Result<Self, HeadersError> {
        let count = number(&mut octets)?;
        let mut headers = Vec::new();
        // Each takes eight octets at least, so that the count alone allocates nothing.
        for _ in 0..count {
            let name = text(&mut octets)?.to_ascii_lowercase();
            headers.push((name, text(&mut octets)?));
        }
        Ok(Self(headers))
    }

    #[cfg(test)]
    fn write(&self) -> Vec<u8> {
        let mut octets = (self.0.len() as u32).to_be_bytes().to_vec();
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            octets.extend_from_slice(&(text.len() as u32).to_be_bytes());
            octets.extend_from_slice(text.as_bytes());
        }
        octets
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Headers {
    fn from(headers: [(&str, &str); N]) -> Self {
        Self(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

fn number(octets: &mut &[u8]) -> Result<usize, HeadersError> {
    octets.try_get_u32().map(|number| number as usize).map_err(|_| HeadersError::Short)
}

fn text(octets: &mut &[u8]) -> Result<String, HeadersError> {
    let length = number(octets)?;
    let (text, rest) = octets.split_at_checked(length).ok_or(HeadersError::Short)?;
    *octets = rest;
    String::from_utf8(text.to_vec()).map_err(|_| HeadersError::NoText)
}

/// Unpacks the headers of one direction of a connection.
pub(crate) struct Unpacker(Decompress);

impl Unpacker {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// The headers of the next stream.
    pub(crate) fn unpack(&mut self, mut packed: &[u8]) -> Result<Headers, HeadersError> {
        let mut octets = Vec::with_capacity(1024);
        loop {
            if octets.len() == octets.capacity() {
                octets.reserve(octets.capacity());
            }
            let (taken, made) = (self.0.total_in(), octets.len());
            let outcome = self.0.decompress_vec(packed, &mut octets, FlushDecompress::Sync);
            let status = match outcome {
                Ok(status) => status,
                Err(error) if error.needs_dictionary().is_some() => {
                    let known = self.0.set_dictionary(&DICTIONARY);
                    known.map_err(|_| HeadersError::Packed)?;
                    Status::Ok
                }
                Err(_) => return Err(HeadersError::Packed),
            };
            let taken = usize::try_from(self.0.total_in() - taken).unwrap_or(usize::MAX);
            packed = packed.get(taken..).ok_or(HeadersError::Packed)?;
            if octets.len() > HEADERS_MAX {
                return Err(HeadersError::TooLarge);
            }
            let full = octets.len() == octets.capacity();
            let stuck = taken == 0 && octets.len() == made;
            match status {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError if packed.is_empty() && !full => break,
                Status::Ok | Status::BufError if stuck && !full => {
                    return Err(HeadersError::Packed);
                }
                Status::Ok | Status::BufError => {}
            }
        }
        Headers::parse(&octets)
    }
}

/// Packs the headers of one direction of a connection.
pub(crate) struct Packer(Compress);

impl Packer {
    pub(crate) fn new() -> Self {
        let mut compress = Compress::new(Compression::fast(), true);
        compress.set_dictionary(&DICTIONARY).expect("the stream has not begun");
        Self(compress)
    }

    /// No headers at all, which is what a reply needs.
    pub(crate) fn none(&mut self) -> Vec<u8> {
        self.pack(&[0; 4])
    }

    fn pack(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(octets.len() + 128);
        self.0
            .compress_vec(octets, &mut packed, FlushCompress::Sync)
            .expect("there is room for what is packed");
        packed
    }

    #[cfg(test)]
    pub(super) fn headers(&mut self, headers: &Headers) -> Vec<u8> {
        self.pack(&headers.write())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_dictionary_is_that_of_the_specification() {
        assert_eq!(DICTIONARY.len(), 1423);
        // zlib names a dictionary by its checksum, which a client's first headers carry.
        let mut packer = Packer::new();
        assert_eq!(packer.none()[2..6], [0xe3, 0xc6, 0xa7, 0xc2]);
    }

    #[test]
    fn headers_are_unpacked_in_the_order_of_the_connection() {
        let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
        for id in ["0", "1", "2"] {
            let headers =
                Headers::from([("streamtype", "data"), ("port", "8080"), ("requestid", id)]);
            let packed = packer.headers(&headers);
            let unpacked = unpacker.unpack(&packed).unwrap();
            assert_eq!(unpacked, headers);
            assert_eq!(unpacked.get("requestid"), Some(id));
            assert_eq!(unpacked.get("nothing"), None);
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let headers = Headers::from([("a", "x".repeat(10 << 20).as_str())]);
        let mut compress = Compress::new(Compression::best(), true);
        compress.set_dictionary(&DICTIONARY).unwrap();
        let mut packed = Vec::with_capacity(64 * 1024);
        compress.compress_vec(&headers.write(), &mut packed, FlushCompress::Sync).unwrap();
        assert_eq!(Unpacker::new().unpack(&packed), Err(HeadersError::TooLarge));
    }

    #[test]
    fn what_are_no_headers() {
        let check = |octets: &[u8], expected| {
            assert_eq!(Headers::parse(octets), Err(expected), "{octets:?}");
        };
        check(&[], HeadersError::Short);
        check(&[0xff; 4], HeadersError::Short);
        check(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff], HeadersError::Short);
        check(&[0, 0, 0, 1, 0, 0, 0, 1, 0xff], HeadersError::NoText);
        assert_eq!(Unpacker::new().unpack(b"plain"), Err(HeadersError::Packed));
    }

    proptest! {
        #[test]
        fn arbitrary_octets_are_headers_or_faults(octets: Vec<u8>) {
            _ = Headers::parse(&octets);
            _ = Unpacker::new().unpack(&octets);
            let mut unpacker = Unpacker::new();
            let mut begun = Packer::new().none();
            unpacker.unpack(&begun).unwrap();
            _ = unpacker.unpack(&octets);
            begun.extend_from_slice(&octets);
            _ = Unpacker::new().unpack(&begun);
        }
    }
}
