//! From a query's octets to a reply's.

use directory::{Answer, Rdata, Reason, Record, RecordType};

use crate::wire::{
    CLASS_IN, Edns, ExtendedError, Full, MESSAGE_MAX, Message, Query, Rcode, Rejection, Section,
    UDP_MIN,
};
use crate::{Answering, Config, EdeMode, Rotation};

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
    message.point_to_question(&question.name);
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

    let answer = answering.answer(&question.name, question.rtype);
    let (rcode, outcome) = fill(&mut message, &answer, rotation);
    let error = edns.and_then(|_| extended_error(config.ede, &answer));
    message.finish(rcode, config.max_udp_size, error.as_ref());
    outcome
}

/// The longest reply, in octets.
fn limit(config: &Config, transport: Transport, edns: Option<Edns>) -> usize {
    match (transport, edns) {
        (Transport::Tcp, _) => MESSAGE_MAX,
        (Transport::Udp, None) => UDP_MIN,
        (Transport::Udp, Some(edns)) => {
            usize::from(edns.udp_size.min(config.max_udp_size)).max(UDP_MIN)
        }
    }
}

/// AXFR and IXFR.
fn is_transfer(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::AXFR | RecordType(251))
}

/// Puts an answer into a reply.
fn fill<'n>(
    message: &mut Message<'_, 'n>,
    answer: &'n Answer,
    rotation: &Rotation,
) -> (Rcode, Outcome) {
    let mut answer = answer;
    let mut aliased = false;
    // Errors come before anything is written: their replies carry no records.
    match end(answer) {
        Answer::Loop(_) => return (Rcode::ServFail, Outcome::Loop),
        Answer::NotSynced => return (Rcode::ServFail, Outcome::NotSynced),
        Answer::NotOurs if !matches!(answer, Answer::Alias { .. }) => {
            return (Rcode::Refused, Outcome::NotOurs);
        }
        _ => message.set_authoritative(),
    }
    while let Answer::Alias { chain, target } = answer {
        if append(message, Section::Answer, chain.iter()).is_err() {
            return (rcode(end(target)), outcome(end(target), true));
        }
        aliased = true;
        answer = target;
    }
    match answer {
        Answer::Records { records, additional } => {
            let start = match records.first().map(|record| &record.data) {
                Some(Rdata::A(_) | Rdata::Aaaa(_) | Rdata::Srv { .. }) => {
                    rotation.start(records.len())
                }
                _ => 0,
            };
            let (before, from) = records.split_at(start);
            if append(message, Section::Answer, from.iter().chain(before)).is_ok() {
                message.additional(additional);
            }
        }
        Answer::NoData(negative) | Answer::NoSuchName(negative) => {
            // Without its SOA record a negative answer can't be told from a referral or cached, so that is
            // worth TC (RFC 2181 §9); `append` sets it.
            let _ = append(message, Section::Authority, [&negative.soa]);
        }
        Answer::Alias { .. } | Answer::Loop(_) | Answer::NotSynced | Answer::NotOurs => {}
    }
    (rcode(answer), outcome(answer, aliased))
}

/// Appends records in order up to the first that does not fit, which truncates the message.
fn append<'n>(
    message: &mut Message<'_, 'n>,
    section: Section,
    records: impl IntoIterator<Item = &'n Record>,
) -> Result<(), Full> {
    for record in records {
        if let Err(full) = message.record(section, record) {
            message.set_truncated();
            return Err(full);
        }
    }
    Ok(())
}

/// What the last alias of a chain points to.
fn end(answer: &Answer) -> &Answer {
    let mut answer = answer;
    while let Answer::Alias { target, .. } = answer {
        answer = target;
    }
    answer
}

/// The response code of the end of a chain.
fn rcode(end: &Answer) -> Rcode {
    match end {
        Answer::NoSuchName(_) => Rcode::NxDomain,
        Answer::Loop(_) | Answer::NotSynced => Rcode::ServFail,
        Answer::Records { .. } | Answer::NoData(_) | Answer::Alias { .. } | Answer::NotOurs => {
            Rcode::NoError
        }
    }
}

fn outcome(end: &Answer, aliased: bool) -> Outcome {
    match end {
        Answer::Records { .. } | Answer::Alias { .. } => Outcome::Answered,
        Answer::NoData(_) => Outcome::NoData,
        Answer::NoSuchName(_) => Outcome::NoSuchName,
        Answer::Loop(_) => Outcome::Loop,
        Answer::NotSynced => Outcome::NotSynced,
        Answer::NotOurs if aliased => Outcome::AliasNotOurs,
        Answer::NotOurs => Outcome::NotOurs,
    }
}

fn extended_error(mode: EdeMode, answer: &Answer) -> Option<ExtendedError> {
    let text = |reason: &Reason| match mode {
        EdeMode::Text => reason.to_string(),
        EdeMode::Off | EdeMode::Code => String::new(),
    };
    match (mode, answer, answer.reason()) {
        (EdeMode::Off, _, _) => None,
        (EdeMode::Text, Answer::NotOurs, _) => {
            let text = "the name is outside the zones served here, and nothing is forwarded";
            Some(ExtendedError { code: NOT_AUTHORITATIVE, text: text.to_owned() })
        }
        (EdeMode::Code, Answer::NotOurs, _) => {
            Some(ExtendedError { code: NOT_AUTHORITATIVE, text: String::new() })
        }
        (_, _, Some(reason)) => Some(ExtendedError { code: reason.ede_code(), text: text(reason) }),
        (_, _, None) => None,
    }
}
