//! Replies of upstreams, made by hand.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use directory::{Name, RecordType};

/// A reply under construction. Sections come in order.
#[derive(Clone)]
pub struct Made(Vec<u8>);

#[derive(Clone, Copy)]
pub enum In {
    Answer,
    Authority,
    Additional,
}

impl Made {
    /// A reply to a query of ours: its id and question, with QR, RD and RA.
    pub fn to(query: &[u8]) -> Self {
        let end = 12 + query[12..].iter().position(|octet| *octet == 0).expect("a name") + 5;
        let mut reply = query[..end].to_vec();
        reply[2..4].copy_from_slice(&[0x81, 0x80]);
        reply[6..12].fill(0);
        Self(reply)
    }

    pub fn rcode(mut self, rcode: u8) -> Self {
        self.0[3] |= rcode;
        self
    }

    pub fn flags(mut self, second: u8, third: u8) -> Self {
        self.0[2] |= second;
        self.0[3] |= third;
        self
    }

    /// A record whose owner is the question's name, by a pointer.
    pub fn asked(self, section: In, rtype: RecordType, ttl: u32, data: &[u8]) -> Self {
        self.raw(section, &[0xC0, 12], rtype, ttl, data)
    }

    pub fn record(
        self,
        section: In,
        owner: &str,
        rtype: RecordType,
        ttl: u32,
        data: &[u8],
    ) -> Self {
        let owner = wire(owner);
        self.raw(section, &owner, rtype, ttl, data)
    }

    pub fn raw(
        mut self,
        section: In,
        owner: &[u8],
        rtype: RecordType,
        ttl: u32,
        data: &[u8],
    ) -> Self {
        self.0[7 + 2 * section as usize] += 1;
        self.0.extend(owner);
        self.0.extend(rtype.0.to_be_bytes());
        self.0.extend([0, 1]);
        self.0.extend(ttl.to_be_bytes());
        self.0.extend((data.len() as u16).to_be_bytes());
        self.0.extend(data);
        self
    }

    /// An address record of the name asked for, or of another type's worth of nothing.
    pub fn a(self, ttl: u32, address: [u8; 4]) -> Self {
        self.asked(In::Answer, RecordType::A, ttl, &address)
    }

    pub fn alias(self, owner: &str, ttl: u32, target: &str) -> Self {
        self.record(In::Answer, owner, RecordType::CNAME, ttl, &wire(target))
    }

    pub fn soa(self, ttl: u32, minimum: u32) -> Self {
        let numbers = [1, 7200, 1800, 86400, minimum].map(u32::to_be_bytes).concat();
        let data = [wire("ns.example.com"), wire("host.example.com"), numbers].concat();
        self.record(In::Authority, "example.com", RecordType::SOA, ttl, &data)
    }

    pub fn octets(self) -> Vec<u8> {
        self.0
    }
}

pub fn wire(name: &str) -> Vec<u8> {
    Name::parse(name).expect("a name").wire().to_vec()
}
