//! Replies of upstreams: which are believed, and what is kept of them.

use std::time::Duration;

use directory::RecordType;

use super::config::CacheConfig;
use super::question::{Question, Sent};
use super::records::{Counts, Records, Rr, Section, WireName};
use super::write::Writer;
use crate::wire::{CLASS_IN, HEADER_LEN, MESSAGE_MAX, Rcode, flag};

/// An upstream's reply in our own form: header, the question in lowercase, the answer section, and of the authority
/// section what a negative answer or its proof needs. Upstreams' OPT and additional records end here: what is in
/// them is for us, or can be asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    message: Box<[u8]>,
    /// How long it may be kept; 0: not at all.
    pub ttl: Duration,
    /// Where the CNAME records of the answer section are.
    aliases: Box<[u16]>,
}

/// More CNAME records than this are no answer.
const ALIASES_MAX: usize = 16;

/// Octets that came are not the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbelieved {
    /// Not a response to what was sent: forged, or late. The reply may still come.
    Stranger,
    /// All is right but the case of the question: the upstream changes it, or someone guessed the rest.
    CaseChanged,
    /// The whole of it is to be had over TCP.
    Truncated,
    /// The right id and question, but not what the format says.
    Malformed,
}

impl Reply {
    /// Reads what an upstream sent. Takes time and memory that the octets' number bounds; never panics.
    pub fn read(
        octets: &[u8],
        sent: &Sent,
        question: &Question,
        limits: &CacheConfig,
    ) -> Result<Self, Unbelieved> {
        let counts = Counts::read(octets).ok_or(Unbelieved::Stranger)?;
        let number = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        let flags = number(2);
        let is_response = flags & flag::RESPONSE != 0 && flags & flag::OPCODE == 0;
        if !is_response || number(0) != sent.id() {
            return Err(Unbelieved::Stranger);
        }
        let rcode = flags & 0xF;
        if counts.questions == 0 && rcode != 0 {
            // Servers that could not read a query may say so without its question.
            let bare = Self::bare(octets[3] & 0xF, question);
            return Ok(Self { ttl: limits.failure_ttl, ..bare });
        }
        let asked = sent.question();
        match octets.get(HEADER_LEN..HEADER_LEN + asked.len()) {
            Some(echoed) if counts.questions == 1 && echoed == asked => {}
            Some(echoed) if counts.questions == 1 && is_same(echoed, asked) => {
                return Err(Unbelieved::CaseChanged);
            }
            _ => return Err(Unbelieved::Stranger),
        }
        if flags & flag::TRUNCATED != 0 {
            return Err(Unbelieved::Truncated);
        }
        // What points into the question is read in lowercase, as the question is asked.
        let mut message = octets.to_vec();
        message[HEADER_LEN..HEADER_LEN + asked.len() - 4].make_ascii_lowercase();
        Self::keep(&message, flags, question, limits).ok_or(Unbelieved::Malformed)
    }

    /// Stands for no reply at all: SERVFAIL.
    pub(super) fn no_reply(question: &Question, ttl: Duration) -> Self {
        Self { ttl, ..Self::bare(Rcode::ServFail as u8, question) }
    }

    /// A reply without records.
    fn bare(rcode: u8, question: &Question) -> Self {
        let mut message = Vec::new();
        Writer::new(&mut message, &question.section(), MESSAGE_MAX).finish();
        message[3] = rcode;
        Self { message: message.into(), ttl: Duration::ZERO, aliases: Box::default() }
    }

    fn keep(message: &[u8], flags: u16, question: &Question, limits: &CacheConfig) -> Option<Self> {
        let rtype = question.rtype();
        let mut kept = Kept::default();
        let mut has_opt = false;
        for record in Records::of(message)? {
            let record = record.ok()?;
            if record.rtype == RecordType::OPT {
                let is_right = record.section == Section::Additional && !has_opt;
                // The upper bits of the response code: an error of EDNS, which we did not make.
                if !is_right || record.ttl >> 24 != 0 {
                    return None;
                }
                has_opt = true;
                continue;
            }
            match record.section {
                Section::Additional => continue,
                _ if record.class != CLASS_IN => return None,
                Section::Answer => kept.answer(&record, rtype)?,
                Section::Authority => kept.authority(&record),
            }
        }
        let rcode = flags & 0xF;
        let is_negative = rcode == 3 || rcode == 0 && !kept.has_type;
        let ttl = match rcode {
            0 | 3 => kept.ttl(is_negative, limits),
            _ => limits.failure_ttl,
        };
        let mut out = Vec::with_capacity(message.len());
        let mut aliases = Vec::new();
        let mut writer = Writer::new(&mut out, &question.section(), MESSAGE_MAX);
        for record in Records::of(message)? {
            let record = record.ok()?;
            let is_wanted = match record.section {
                Section::Answer => true,
                Section::Authority => is_negative || question.wishes().dnssec_ok,
                Section::Additional => false,
            };
            if is_wanted {
                if record.section == Section::Answer && record.rtype == RecordType::CNAME {
                    aliases.push(u16::try_from(writer.position()).ok()?);
                }
                // A negative TTL is the lesser of SOA's two (RFC 2308 §5). In the answer section it is a record as others.
                let says_negative = is_negative && record.section == Section::Authority;
                let soa = if says_negative { record.soa_minimum() } else { None };
                let lifetime = lifetime(&record).min(soa.unwrap_or(u32::MAX));
                writer.record(record.section, &record, lifetime).ok()?;
            }
        }
        writer.finish();
        let kept_flags = flags & (flag::AUTHENTIC_DATA | 0xF);
        out[2..4].copy_from_slice(&kept_flags.to_be_bytes());
        Some(Self { message: out.into(), ttl, aliases: aliases.into() })
    }

    /// The message, in our form.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The response code, 0 to 15.
    pub fn rcode(&self) -> u8 {
        self.message[3] & 0xF
    }

    /// Whether it says something of the name: records, no data or no such name.
    pub fn is_answer(&self) -> bool {
        matches!(self.rcode(), 0 | 3)
    }

    /// Whether the upstream has validated it (AD).
    pub(super) fn is_authentic(&self) -> bool {
        u16::from(self.message[3]) & flag::AUTHENTIC_DATA != 0
    }

    /// The records, as [`Reply::read`] has checked and written them.
    pub(super) fn records(&self) -> impl Iterator<Item = Rr<'_>> {
        Records::of(&self.message).into_iter().flatten().flatten()
    }

    /// The CNAME records of the answer section, at most 16.
    pub(super) fn aliases(&self) -> impl Iterator<Item = Rr<'_>> {
        let at = self.aliases.iter().map(|at| usize::from(*at));
        at.filter_map(|at| Records::answer_at(&self.message, at))
    }

    /// Whether a CNAME record is in the answer section.
    pub fn has_alias(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// The name that was asked for.
    pub(super) fn name(&self) -> Option<WireName> {
        WireName::read(&self.message, HEADER_LEN).map(|(name, _)| name)
    }

    /// The memory it takes, in octets.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.message.len() + size_of_val(&*self.aliases)
    }
}

/// What the records of a reply say of how long it may be kept.
struct Kept {
    has_type: bool,
    aliases: usize,
    answer_ttl: u32,
    negative_ttl: Option<u32>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { has_type: false, aliases: 0, answer_ttl: u32::MAX, negative_ttl: None }
    }
}

impl Kept {
    fn answer(&mut self, record: &Rr<'_>, asked: RecordType) -> Option<()> {
        self.has_type |= record.rtype == asked || asked == RecordType::ANY;
        if record.rtype == RecordType::CNAME {
            record.cname()?;
            self.aliases += 1;
            if self.aliases > ALIASES_MAX {
                return None;
            }
        }
        self.answer_ttl = self.answer_ttl.min(lifetime(record));
        Some(())
    }

    fn authority(&mut self, record: &Rr<'_>) {
        if let Some(minimum) = record.soa_minimum() {
            self.negative_ttl = Some(lifetime(record).min(minimum));
        }
    }

    /// Negative answers without a SOA record are not kept (RFC 2308 §5).
    fn ttl(&self, is_negative: bool, limits: &CacheConfig) -> Duration {
        let seconds = |ttl: u32| Duration::from_secs(u64::from(ttl));
        let answer = seconds(self.answer_ttl).min(limits.ttl_max);
        match (is_negative, self.negative_ttl) {
            (false, _) => answer,
            (true, None) => Duration::ZERO,
            (true, Some(ttl)) => seconds(ttl).min(limits.negative_ttl_max).min(answer),
        }
    }
}

/// A record's TTL; with the upper bit set it counts as 0 (RFC 2181 §8).
fn lifetime(record: &Rr<'_>) -> u32 {
    if record.ttl > i32::MAX as u32 { 0 } else { record.ttl }
}

/// Whether question sections differ in the case of letters alone.
fn is_same(echoed: &[u8], asked: &[u8]) -> bool {
    let split = asked.len() - 4;
    echoed[..split].eq_ignore_ascii_case(&asked[..split]) && echoed[split..] == asked[split..]
}
