//! A client's reply, put together of what our own zone says and what an upstream has said.

use directory::RecordType;

use super::cache::{Freshness, Hit};
use super::question::section;
use super::records::{Records, Rr, Section, WireName};
use super::reply::Reply;
use super::write::{NotWritten, Writer};
use crate::wire::{Edns, ExtendedError, HEADER_LEN, OPT_LEN, Query, Rcode, flag, write_opt};
use crate::{Config, EdeMode, Outcome, Rotation};

/// The TTL of answers past their time (RFC 8767 §4).
const STALE_TTL: u32 = 30;

/// How many addresses take turns at being first. No datagram holds more.
const ROTATED_MAX: usize = 64;

/// What our own side has a say in.
pub(crate) struct Own<'a> {
    pub(crate) config: &'a Config,
    pub(crate) rotation: &'a Rotation,
    /// What our own zone answers for a query: [`crate::respond()`] over TCP.
    pub(crate) answer: &'a mut dyn FnMut(&[u8], &mut Vec<u8>) -> Outcome,
}

/// A client and its query, as far as its reply depends on them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    /// The query's octets; it was well-formed.
    pub(super) query: &'a [u8],
    /// Its question section.
    pub(super) question: &'a [u8],
    pub(super) edns: Option<Edns>,
    /// The longest reply, in octets.
    pub(super) limit: usize,
    pub(super) ede: EdeMode,
    /// The UDP size that we say is ours.
    pub(super) udp_size: u16,
}

/// Why upstreams' records are not there, or are old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Too many queries wait.
    Busy,
    /// No upstream has answered in time.
    NoReply,
    /// All that answered said that they can't or won't.
    Unable,
    /// An upstream's aliases go round, or back and forth between it and our zone.
    Loop,
    /// An answer past its time is given instead.
    Stale,
}

impl Trouble {
    /// INFO-CODE (RFC 8914 §4) and text. `name_missing`: a stale answer says that the name does not exist.
    fn error(self, name_missing: bool) -> ExtendedError {
        let (code, text) = match (self, name_missing) {
            (Self::Busy, _) => (0, "too many queries wait for upstream servers"),
            (Self::NoReply, _) => (22, "no upstream server answered in time"),
            (Self::Unable, _) => (22, "the upstream servers failed to answer"),
            (Self::Loop, _) => (0, "the aliases of this name go round in a loop"),
            (Self::Stale, false) => (3, "upstream servers fail; this is their last answer"),
            (Self::Stale, true) => (19, "upstream servers fail; this is their last answer"),
        };
        ExtendedError { code, text: text.to_owned() }
    }
}

impl<'a> Asker<'a> {
    pub(super) fn new(octets: &'a [u8], query: &Query<'a>, limit: usize, config: &Config) -> Self {
        Self {
            query: octets,
            question: query.question.wire,
            edns: query.edns,
            limit,
            ede: config.ede,
            udp_size: config.max_udp_size,
        }
    }

    fn rtype(&self) -> RecordType {
        let end = self.question.len() - 4;
        RecordType(u16::from_be_bytes([self.question[end], self.question[end + 1]]))
    }

    /// Room for records.
    fn room(&self) -> usize {
        self.limit - self.edns.map_or(0, |_| OPT_LEN)
    }

    /// Flags of every reply: response, RA, and what the query had of RD and CD.
    fn flags(&self) -> u16 {
        let asked = u16::from_be_bytes([self.query[2], self.query[3]]);
        let repeated = asked & (flag::RECURSION_DESIRED | flag::CHECKING_DISABLED);
        flag::RESPONSE | flag::RECURSION_AVAILABLE | repeated
    }

    /// Whether AD means anything to the client (RFC 6840 §5.8).
    fn knows_authentic(&self) -> bool {
        u16::from(self.query[3]) & flag::AUTHENTIC_DATA != 0
            || self.edns.is_some_and(|edns| edns.dnssec_ok)
    }

    /// Completes a message: id, flags, and our OPT record.
    fn finish(&self, writer: Writer<'_>, flags: u16, rcode: u8, trouble: Option<Trouble>) {
        let out = writer.finish();
        out[..2].copy_from_slice(&self.query[..2]);
        let flags = flags | u16::from(rcode & 0xF);
        out[2..4].copy_from_slice(&flags.to_be_bytes());
        let Some(edns) = self.edns else { return };
        let error = match (self.ede, trouble) {
            (EdeMode::Off, _) | (_, None) => None,
            (EdeMode::Text, Some(trouble)) => Some(trouble.error(rcode == 3)),
            (EdeMode::Code, Some(trouble)) => {
                Some(ExtendedError { text: String::new(), ..trouble.error(rcode == 3) })
            }
        };
        let room = self.limit - out.len();
        write_opt(out, edns, self.udp_size, 0, error.as_ref(), room);
        let additional = u16::from_be_bytes([out[10], out[11]]) + 1;
        out[10..12].copy_from_slice(&additional.to_be_bytes());
    }

    /// A reply that says why there is none.
    pub(super) fn fail(&self, trouble: Trouble, out: &mut Vec<u8>) {
        let writer = Writer::new(out, self.question, self.room());
        self.finish(writer, self.flags(), Rcode::ServFail as u8, Some(trouble));
    }

    /// A reply of the aliases of our zone that `own_reply` has, if any, and what an upstream said of the last one's
    /// target.
    pub(super) fn complete(&self, own_reply: &[u8], hit: &Hit, own: Own<'_>, out: &mut Vec<u8>) {
        let rotation = own.rotation;
        let Hit { reply, age, freshness } = hit;
        // A failure has no records, of ours neither.
        let own_reply = if reply.is_answer() { own_reply } else { &[] };
        let is_stale = matches!(freshness, Freshness::Stale | Freshness::StaleHeld);
        let ttl = |record: &Rr<'_>| match is_stale {
            true => STALE_TTL,
            false => capped(record.ttl, reply).saturating_sub(*age),
        };
        let trouble = match reply.is_answer() {
            true => is_stale.then_some(Trouble::Stale),
            false => Some(Trouble::Unable),
        };
        let end = if reply.has_alias() { self.follow(reply, own) } else { Ok(None) };
        let end = match end {
            Ok(end) => end,
            Err(trouble) => return self.fail(trouble, out),
        };

        let mut writer = Writer::new(out, self.question, self.room());
        let mut flags = self.flags();
        let own_answer = || records(own_reply).filter(|record| record.section == Section::Answer);
        if own_answer().next().is_some() {
            flags |= flag::AUTHORITATIVE;
        } else if end.is_none() && self.knows_authentic() && reply.is_authentic() {
            flags |= flag::AUTHENTIC_DATA;
        }
        let own_ttl = |record: &Rr<'_>| record.ttl;
        let aliases = write_all(&mut writer, own_answer(), own_ttl);
        let (fitted, rcode) = match &end {
            None => {
                let all = |()| write_all(&mut writer, rotated(reply, rotation), ttl);
                (aliases.and_then(all), reply.rcode())
            }
            Some(Inside { chain, own_reply }) => {
                let is_glue = |record: &Rr<'_>| record.section == Section::Additional;
                let answer = || records(own_reply).filter(|record| !is_glue(record));
                let fitted = aliases
                    .and_then(|()| write_all(&mut writer, chain.iter().copied(), ttl))
                    .and_then(|()| write_all(&mut writer, answer(), own_ttl));
                if fitted.is_ok() {
                    // Glue may be missing without a word.
                    let _ = write_all(&mut writer, records(own_reply).filter(is_glue), own_ttl);
                }
                (fitted, own_reply[3] & 0xF)
            }
        };
        match fitted {
            Ok(()) => {}
            Err(NotWritten::Full) => flags |= flag::TRUNCATED,
            // Both were written by us, so this can't be; and if it is, the client asks again.
            Err(NotWritten::Broken) => return self.fail(Trouble::Unable, out),
        }
        self.finish(writer, flags, rcode, trouble);
    }

    /// Follows the aliases of an upstream's answer. `Some` when they lead into our zone: what lies there is answered
    /// from our own data, whatever the upstream says of it.
    fn follow<'r>(&self, reply: &'r Reply, own: Own<'_>) -> Result<Option<Inside<'r>>, Trouble> {
        let rtype = self.rtype();
        let mut name = reply.name().ok_or(Trouble::Unable)?;
        let mut chain = Vec::new();
        let mut own_reply = Vec::new();
        while let Some((record, target)) = alias_of(reply, &name) {
            if chain.len() == reply.aliases().count() {
                return Err(Trouble::Loop);
            }
            chain.push(record);
            // An alias that was asked for itself is the answer.
            if matches!(rtype, RecordType::CNAME | RecordType::ANY) {
                return Ok(None);
            }
            match (own.answer)(&plain_query(&target, rtype), &mut own_reply) {
                Outcome::NotOurs => name = target,
                Outcome::AliasNotOurs | Outcome::Loop => return Err(Trouble::Loop),
                Outcome::Answered | Outcome::NoData | Outcome::NoSuchName | Outcome::NotSynced => {
                    return Ok(Some(Inside { chain, own_reply }));
                }
                Outcome::Refused
                | Outcome::Malformed
                | Outcome::NotImplemented
                | Outcome::BadVersion
                | Outcome::Dropped => return Err(Trouble::Unable),
            }
        }
        Ok(None)
    }
}

/// Aliases that lead into our zone, and what it says of the last one's target.
struct Inside<'r> {
    chain: Vec<Rr<'r>>,
    own_reply: Vec<u8>,
}

/// The target of the last alias in our own reply.
pub(super) fn last_target(own_reply: &[u8]) -> Option<WireName> {
    records(own_reply).filter_map(|record| record.cname()).last()
}

fn alias_of<'r>(reply: &'r Reply, name: &WireName) -> Option<(Rr<'r>, WireName)> {
    let record = reply.aliases().find(|record| record.owner.is(name.octets()))?;
    Some((record, record.cname()?))
}

/// Writes records up to the first that does not fit.
fn write_all<'r>(
    writer: &mut Writer<'_>,
    mut records: impl Iterator<Item = Rr<'r>>,
    ttl: impl Fn(&Rr<'_>) -> u32,
) -> Result<(), NotWritten> {
    records.try_for_each(|record| writer.record(record.section, &record, ttl(&record)))
}

/// The records of a reply of ours, but for its OPT record.
fn records(message: &[u8]) -> impl Iterator<Item = Rr<'_>> {
    let records = Records::of(message).into_iter().flatten().flatten();
    records.filter(|record| record.rtype != RecordType::OPT)
}

/// The least TTL of a reply's records but for its additional ones; `None` when it has none.
pub(crate) fn ttl_min(message: &[u8]) -> Option<u32> {
    let kept = records(message).filter(|record| record.section != Section::Additional);
    kept.map(|record| record.ttl).min()
}

/// The records of a reply, its addresses from another one on each time, so that clients spread over them.
fn rotated<'r>(reply: &'r Reply, rotation: &Rotation) -> impl Iterator<Item = Rr<'r>> {
    let is_address = |record: &Rr<'_>| {
        let is_type = matches!(record.rtype, RecordType::A | RecordType::AAAA);
        record.section == Section::Answer && is_type
    };
    // Looking at no more than can take turns: a reply may have thousands.
    let few = || reply.records().take(ROTATED_MAX);
    let before = few().take_while(|record| !is_address(record)).count();
    let count = few().skip(before).take_while(is_address).count();
    let start = rotation.start(count);
    let part = move |from: usize, count: usize| reply.records().skip(before + from).take(count);
    let head = reply.records().take(before);
    let tail = reply.records().skip(before + count);
    head.chain(part(start, count - start)).chain(part(0, start)).chain(tail)
}

/// Records are not shown to live longer than they are kept.
fn capped(ttl: u32, reply: &Reply) -> u32 {
    // What is not kept has age 0, and its records' own TTLs.
    match u32::try_from(reply.ttl.as_secs()) {
        Ok(0) => ttl,
        Ok(kept) if reply.is_answer() => ttl.min(kept.max(1)),
        _ => ttl,
    }
}

/// A query without EDNS.
fn plain_query(name: &WireName, rtype: RecordType) -> Vec<u8> {
    let mut query = vec![0; HEADER_LEN];
    query[5] = 1;
    query.extend(section(name.octets(), rtype));
    query
}
