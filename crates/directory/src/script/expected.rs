//! Expected answers and what they are compared with.

use std::fmt::Write;

use super::ScriptError;
use crate::{Answer, Name, Negative, Record};

/// The response codes that scripts tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rcode {
    /// Also a CNAME whose target is for an upstream.
    NoError,
    /// RFC 1035's Name Error.
    NxDomain,
    /// A loop, or not synced.
    ServFail,
    /// Not in our zones: REFUSED by a server without an upstream.
    NotOurs,
}

/// An answer in a form that is the same for the directory's own answers and decoded messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The response code.
    pub rcode: Rcode,
    /// The answer section: records in presentation format, as [`Record`]'s `Display` writes them.
    pub answer: Vec<String>,
    /// The additional section without OPT, in presentation format.
    pub additional: Vec<String>,
    /// The SOA record of the authority section, in presentation format.
    pub soa: Option<String>,
    /// The Extended DNS Error's code and text; `None` where the answer has none or was not asked for it.
    pub ede: Option<(u16, String)>,
}

/// What a script wants an answer to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    rcode: Rcode,
    in_order: bool,
    answer: Vec<String>,
    additional: Vec<String>,
    /// Owner, and both TTL and MINIMUM.
    soa: Option<(String, String)>,
    ede_code: Option<u16>,
    reason: Option<String>,
}

impl Outcome {
    /// The directory's answer.
    pub fn of(answer: &Answer) -> Self {
        let mut outcome = Self {
            rcode: Rcode::NoError,
            answer: Vec::new(),
            additional: Vec::new(),
            soa: None,
            ede: answer.reason().map(|reason| (reason.ede_code(), reason.to_string())),
        };
        outcome.add(answer);
        outcome
    }

    fn add(&mut self, answer: &Answer) {
        let lines = |records: &[Record]| records.iter().map(Record::to_string).collect::<Vec<_>>();
        match answer {
            Answer::Records { records, additional } => {
                self.answer.extend(lines(records));
                self.additional = lines(additional);
            }
            Answer::Alias { chain, target } => {
                self.answer = lines(chain);
                if **target != Answer::NotOurs {
                    self.add(target);
                }
            }
            Answer::NoData(Negative { soa, reason: _ }) => self.soa = Some(soa.to_string()),
            Answer::NoSuchName(Negative { soa, reason: _ }) => {
                self.rcode = Rcode::NxDomain;
                self.soa = Some(soa.to_string());
            }
            Answer::Loop(_) | Answer::NotSynced => self.rcode = Rcode::ServFail,
            Answer::NotOurs => self.rcode = Rcode::NotOurs,
        }
    }
}

impl Expected {
    /// Parses the lines below a question. `@` stands for the name asked.
    pub(super) fn parse(
        name: &Name,
        line: usize,
        body: &[(usize, &str)],
    ) -> Result<Self, ScriptError> {
        let Some((&(line, rcode), rest)) = body.split_first() else {
            let message = "expected an answer: NOERROR, NXDOMAIN, SERVFAIL or NOTOURS".to_owned();
            return Err(ScriptError { line, message });
        };
        let (rcode, in_order) = match rcode.strip_suffix("in order") {
            Some(rcode) => (rcode.trim_end(), true),
            None => (rcode, false),
        };
        let rcode = match rcode {
            "NOERROR" => Rcode::NoError,
            "NXDOMAIN" => Rcode::NxDomain,
            "SERVFAIL" => Rcode::ServFail,
            "NOTOURS" => Rcode::NotOurs,
            other => {
                let message = format!("{other}: not one of NOERROR, NXDOMAIN, SERVFAIL, NOTOURS");
                return Err(ScriptError { line, message });
            }
        };
        let mut expected = Self {
            rcode,
            in_order,
            answer: Vec::new(),
            additional: Vec::new(),
            soa: None,
            ede_code: None,
            reason: None,
        };
        for &(line, text) in rest {
            let at = |message: &str| ScriptError { line, message: message.to_owned() };
            let (keyword, value) = text.split_once(' ').unwrap_or((text, ""));
            match keyword {
                "soa" => {
                    let (owner, ttl) = value
                        .trim()
                        .split_once(' ')
                        .ok_or_else(|| at("expected: soa OWNER TTL"))?;
                    expected.soa = Some((owner.to_owned(), ttl.trim().to_owned()));
                }
                "ede" => {
                    let code = value.trim().parse().map_err(|_| at("expected: ede CODE"))?;
                    expected.ede_code = Some(code);
                }
                "reason" => expected.reason = Some(value.trim().to_owned()),
                "additional" => expected.additional.push(record(name, line, value)?),
                _ => expected.answer.push(record(name, line, text)?),
            }
        }
        Ok(expected)
    }

    /// Compares; the error shows both sides. Records may come in any order unless the script says `in order`.
    pub fn check(&self, outcome: &Outcome) -> Result<(), String> {
        let Outcome { rcode, answer, additional, soa, ede } = outcome;
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        let same = |wanted: &[String], got: &[String]| {
            wanted.len() == got.len()
                && wanted.iter().zip(got).all(|(wanted, got)| fits(wanted, got))
        };
        let answer_fits = match self.in_order {
            true => same(&self.answer, answer),
            false => same(&sorted(&self.answer), &sorted(answer)),
        };
        let soa_fits = match (&self.soa, soa) {
            (None, None) => true,
            (Some((owner, ttl)), Some(soa)) => {
                let words: Vec<_> = soa.split(' ').collect();
                words.first() == Some(&owner.as_str())
                    && words.get(1) == Some(&ttl.as_str())
                    && words.last() == Some(&ttl.as_str())
            }
            _ => false,
        };
        let ede_fits =
            self.ede_code.is_none_or(|code| ede.as_ref().is_some_and(|ede| ede.0 == code));
        let reason_fits = match (&self.reason, ede) {
            (None, _) => true,
            (Some(reason), ede) => ede.as_ref().is_some_and(|ede| ede.1 == *reason),
        };
        if *rcode == self.rcode
            && answer_fits
            && same(&sorted(&self.additional), &sorted(additional))
            && soa_fits
            && ede_fits
            && reason_fits
        {
            return Ok(());
        }
        let mut message = format!("expected {:?}", self.rcode);
        let mut show = |what: &str, lines: &[String]| {
            for line in lines {
                // Writing to a String cannot fail.
                let _ = write!(message, "\n  {what}{line}");
            }
        };
        show("", &self.answer);
        show("additional ", &self.additional);
        show(
            "soa ",
            self.soa
                .iter()
                .map(|(owner, ttl)| format!("{owner} {ttl}"))
                .collect::<Vec<_>>()
                .as_slice(),
        );
        show("ede ", self.ede_code.iter().map(u16::to_string).collect::<Vec<_>>().as_slice());
        show("reason ", self.reason.as_slice());
        let _ = write!(message, "\ngot {rcode:?}");
        let mut show = |what: &str, lines: &[String]| {
            for line in lines {
                let _ = write!(message, "\n  {what}{line}");
            }
        };
        show("", answer);
        show("additional ", additional);
        show("authority ", soa.as_slice());
        if let Some((code, text)) = ede {
            let _ = write!(message, "\n  ede {code}\n  reason {text}");
        }
        Err(message)
    }
}

/// Whether a record is the one wanted; `*` stands for any one word, such as a serial.
fn fits(wanted: &str, got: &str) -> bool {
    let (mut wanted, mut got) = (wanted.split(' '), got.split(' '));
    loop {
        match (wanted.next(), got.next()) {
            (None, None) => return true,
            (Some(wanted), Some(got)) if wanted == "*" || wanted == got => {}
            _ => return false,
        }
    }
}

/// A record line with single spaces and `@` replaced.
fn record(name: &Name, line: usize, text: &str) -> Result<String, ScriptError> {
    let words: Vec<_> = text.split_whitespace().collect();
    match words[..] {
        [owner, ttl, "IN", rtype, _, ..]
            if ttl.parse::<u32>().is_ok() && rtype.parse::<crate::RecordType>().is_ok() =>
        {
            let owner = if owner == "@" { name.to_string() } else { owner.to_owned() };
            Ok(format!("{owner} {}", words[1..].join(" ")))
        }
        _ => Err(ScriptError { line, message: "expected: OWNER TTL IN TYPE DATA".to_owned() }),
    }
}
