//! From a query's octets to a reply's.

use std::net::IpAddr;

use directory::{Ending, Full, NameParts, NameRef, RdataRef, Reason, RecordOwner, Sink};

use crate::transfer::is_transfer;
use crate::wire::{
    CLASS_IN, Edns, ExtendedError, MESSAGE_MAX, Message, Owner, Query, Rcode, Rejection, Section,
    UDP_MIN,
};
use crate::{Answering, Config, EdeMode, Rotation, wire};

/// How a query came, which decides how long its reply may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram: the client's EDNS size, at most [`Config::max_udp_size`]; 512 octets without EDNS.
    Udp,
    /// A stream: 65,535 octets.
    Tcp,
}

/// What became of a query.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Records.
    Answered,
    /// The name exists, the type does not.
    NoData,
    /// The name does not exist.
    NoSuchName,
    /// A loop of aliases (SERVFAIL).
    Loop,
    /// Objects are still being read (SERVFAIL).
    NotSynced,
    /// The name is outside our zones. The reply says REFUSED: what a server without an upstream answers. A
    /// forwarding server throws it away and asks its upstream.
    NotOurs,
    /// Aliases that end outside our zones. The reply has the CNAME records alone; a forwarding server asks
    /// its upstream for the target's records to go with them.
    AliasNotOurs,
    /// A class other than IN, or a zone transfer (REFUSED).
    Refused,
    /// FORMERR.
    Malformed,
    /// An opcode other than QUERY (NOTIMP).
    NotImplemented,
    /// An EDNS version other than 0 (BADVERS).
    BadVersion,
    /// No reply is due.
    Dropped,
}

impl Outcome {
    /// Every outcome, in order of declaration.
    pub const ALL: [Self; 12] = [
        Self::Answered,
        Self::NoData,
        Self::NoSuchName,
        Self::Loop,
        Self::NotSynced,
        Self::NotOurs,
        Self::AliasNotOurs,
        Self::Refused,
        Self::Malformed,
        Self::NotImplemented,
        Self::BadVersion,
        Self::Dropped,
    ];
}

/// INFO-CODE 0, Other (RFC 8914 §4.1): what [`Reason::ede_code`] says of every reason that concerns the objects.
const OTHER: u16 = 0;

/// INFO-CODE 20, Not Authoritative (RFC 8914 §4.21).
const NOT_AUTHORITATIVE: u16 = 20;

/// Answers one query: `out` is cleared and then holds the reply, or stays empty when none is due
/// ([`Outcome::Dropped`]). Never panics, whatever the query; takes no longer than the answer is long.
pub fn respond(
    config: &Config,
    answering: &impl Answering,
    rotation: &Rotation,
    transport: Transport,
    query: &[u8],
    out: &mut Vec<u8>,
) -> Outcome {
    out.clear();
    let outcome = answer(config, answering, rotation, transport, query, out);
    if config.forward.is_some() && !out.is_empty() {
        wire::set_recursion_available(out);
    }
    outcome
}

fn answer(
    config: &Config,
    answering: &impl Answering,
    rotation: &Rotation,
    transport: Transport,
    query: &[u8],
    out: &mut Vec<u8>,
) -> Outcome {
    let query = match Query::parse(query) {
        Ok(query) => query,
        Err(Rejection::Drop) => return Outcome::Dropped,
        Err(Rejection::Error { rcode, header, question, edns }) => {
            let mut message = Message::new(out, header, edns, limit(config, transport, edns));
            if let Some(wire) = question {
                message.question(wire);
            }
            message.finish(rcode, config.max_udp_size, None);
            return match rcode {
                Rcode::NotImp => Outcome::NotImplemented,
                _ => Outcome::Malformed,
            };
        }
    };
    let Query { header, question, edns } = &query;
    let limit = limit(config, transport, *edns);
    let mut message = Message::new(out, *header, *edns, limit);
    message.question(question.wire);
    message.point_to_question(question.name);
    let refusal = match edns {
        Some(Edns { version: 1.., .. }) => Some((Rcode::BadVers, Outcome::BadVersion)),
        _ if question.class != CLASS_IN => Some((Rcode::Refused, Outcome::Refused)),
        _ if is_transfer(question.rtype) => Some((Rcode::Refused, Outcome::Refused)),
        _ => None,
    };
    if let Some((rcode, outcome)) = refusal {
        message.finish(rcode, config.max_udp_size, None);
        return outcome;
    }

    let mut reply = Reply {
        message,
        rotation,
        ede: if edns.is_some() { config.ede } else { EdeMode::Off },
        error: None,
        aliased: false,
        is_full: false,
    };
    let ending = answering.answer(question.name, question.rtype, &mut reply);
    let outcome = reply.end(ending);
    let Reply { message, error, .. } = reply;
    message.finish(rcode(ending, outcome), config.max_udp_size, error.as_ref());
    outcome
}

/// The longest reply, in octets.
pub(crate) fn limit(config: &Config, transport: Transport, edns: Option<Edns>) -> usize {
    match (transport, edns) {
        (Transport::Tcp, _) => MESSAGE_MAX,
        (Transport::Udp, None) => UDP_MIN,
        (Transport::Udp, Some(edns)) => {
            usize::from(edns.udp_size.min(config.max_udp_size)).max(UDP_MIN)
        }
    }
}

/// A reply into which an answer is put.
struct Reply<'o, 'r> {
    message: Message<'o>,
    rotation: &'r Rotation,
    ede: EdeMode,
    error: Option<ExtendedError>,
    /// Whether a CNAME record leads to what was asked for.
    aliased: bool,
    /// Whether a record of the answer had no room: no more are taken.
    is_full: bool,
}

impl Reply<'_, '_> {
    /// Appends a record that belongs to the answer; one that does not fit truncates the message.
    fn append(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        ttl: u32,
        data: RdataRef<'_>,
    ) -> Result<(), Full> {
        if self.is_full {
            return Err(Full);
        }
        self.message.record(section, owner, ttl, data).inspect_err(|Full| {
            self.message.set_truncated();
            self.is_full = true;
        })
    }

    /// Completes the flags and the Extended DNS Error.
    fn end(&mut self, ending: Ending) -> Outcome {
        let outcome = match ending {
            Ending::Records => Outcome::Answered,
            Ending::NoData => Outcome::NoData,
            Ending::NoSuchName => Outcome::NoSuchName,
            Ending::Loop => Outcome::Loop,
            Ending::NotSynced => Outcome::NotSynced,
            Ending::NotOurs if self.aliased => Outcome::AliasNotOurs,
            Ending::NotOurs => Outcome::NotOurs,
        };
        match outcome {
            Outcome::NotOurs => self.explain(NOT_AUTHORITATIVE, || {
                "the name is outside the zones served here, and no upstream server is set up for it".to_owned()
            }),
            Outcome::NotSynced => {
                let reason = Reason::NotSynced;
                self.explain(reason.ede_code(), || reason.to_string());
            }
            Outcome::Loop => {}
            _ => self.message.set_authoritative(),
        }
        outcome
    }

    fn explain(&mut self, code: u16, text: impl FnOnce() -> String) {
        self.error = match self.ede {
            EdeMode::Off => None,
            EdeMode::Code => Some(ExtendedError { code, text: String::new() }),
            EdeMode::Text => Some(ExtendedError { code, text: text() }),
        };
    }
}

impl Sink for Reply<'_, '_> {
    fn start(&mut self, count: usize) -> usize {
        self.rotation.start(count)
    }

    fn alias(&mut self, owner: RecordOwner<'_>, ttl: u32, target: NameRef<'_>) {
        self.aliased = true;
        // A message without room for it is truncated, and stays so.
        let _ = self.append(Section::Answer, own(owner), ttl, RdataRef::Cname(target.into()));
    }

    fn answer(&mut self, owner: RecordOwner<'_>, ttl: u32, data: RdataRef<'_>) -> Result<(), Full> {
        self.append(Section::Answer, own(owner), ttl, data)
    }

    fn negative(
        &mut self,
        _exists: bool,
        (owner, ttl, data): (NameRef<'_>, u32, RdataRef<'_>),
        reason: impl FnOnce() -> Reason,
    ) {
        // Without its SOA record a negative answer can't be told from a referral or cached, so that is worth TC
        // (RFC 2181 §9).
        let _ = self.append(Section::Authority, Owner::Name(owner.into()), ttl, data);
        self.explain(OTHER, || reason().to_string());
    }

    fn looped(&mut self, reason: impl FnOnce() -> Reason) {
        self.message.clear();
        self.explain(OTHER, || reason().to_string());
    }

    fn additional(
        &mut self,
        owner: NameParts<'_>,
        ttl: u32,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), Full> {
        if self.is_full {
            return Err(Full);
        }
        self.message.additional(owner, ttl, addresses.into_iter().map(RdataRef::from))
    }
}

fn own(owner: RecordOwner<'_>) -> Owner<'_> {
    match owner {
        RecordOwner::Asked => Owner::Question,
        RecordOwner::Target(name) => Owner::Name(name.into()),
    }
}

/// The response code: that of the end of a chain of aliases (RFC 6604 §2).
fn rcode(ending: Ending, outcome: Outcome) -> Rcode {
    match ending {
        Ending::NoSuchName => Rcode::NxDomain,
        Ending::Loop | Ending::NotSynced => Rcode::ServFail,
        Ending::NotOurs if outcome == Outcome::NotOurs => Rcode::Refused,
        Ending::Records | Ending::NoData | Ending::NotOurs => Rcode::NoError,
    }
}
