//! Where answers go, piece by piece.

use std::net::IpAddr;

use crate::{Answer, Name, NameParts, NameRef, Negative, RdataRef, Reason, Record};

/// Takes an answer in while it is found, so that nothing of it needs to be stored: a message is written, or an
/// [`Answer`] put together.
///
/// The calls come in the order of a message's sections. One that says [`Full`] gets no more records of its section;
/// the reader goes on to the [`Ending`], which an incomplete message has too.
pub trait Sink {
    /// Which of `count` equal records comes first.
    fn start(&mut self, count: usize) -> usize;

    /// A CNAME record on the way to what was asked for.
    fn alias(&mut self, owner: Owner<'_>, ttl: u32, target: NameRef<'_>);

    /// A record of the type asked for.
    ///
    /// # Errors
    ///
    /// [`Full`] when it has no room.
    fn answer(&mut self, owner: Owner<'_>, ttl: u32, data: RdataRef<'_>) -> Result<(), Full>;

    /// The end of a negative answer: whether the name exists, the SOA record for the authority section, and why.
    fn negative(
        &mut self,
        exists: bool,
        soa: (NameRef<'_>, u32, RdataRef<'_>),
        reason: impl FnOnce() -> Reason,
    );

    /// The end of a circle of aliases, or of a chain of too many. Records that were given before are void.
    fn looped(&mut self, reason: impl FnOnce() -> Reason);

    /// All addresses, of one family, of a name that the answer points to.
    ///
    /// # Errors
    ///
    /// [`Full`] when one of them has no room: then none of them is there.
    fn additional(
        &mut self,
        owner: NameParts<'_>,
        ttl: u32,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), Full>;
}

/// There is no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Whose record it is.
#[derive(Clone, Copy)]
pub enum Owner<'a> {
    /// The name asked for, in the case it was asked in.
    Asked,
    /// The target of an alias.
    Target(NameRef<'a>),
}

/// How an answer ends. After an alias it is the end of the last target (RFC 6604 §2).
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With records.
    Records,
    /// The name exists, this type does not (NOERROR).
    NoData,
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// A loop or an over-long chain of CNAMEs (SERVFAIL); no record was given.
    Loop,
    /// Outside our zones: an upstream's, or REFUSED.
    NotOurs,
    /// Objects are still being read (SERVFAIL); no record was given.
    NotSynced,
}

/// Puts an [`Answer`] together.
pub(crate) struct Collector<'a> {
    asked: NameRef<'a>,
    chain: Vec<Record>,
    records: Vec<Record>,
    additional: Vec<Record>,
    /// The end, where it is more than records.
    end: Option<Answer>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(asked: NameRef<'a>) -> Self {
        Self { asked, chain: Vec::new(), records: Vec::new(), additional: Vec::new(), end: None }
    }

    pub(crate) fn finish(self, ending: Ending) -> Answer {
        let Self { asked: _, chain, records, additional, end } = self;
        let end = match (ending, end) {
            (_, Some(end)) => end,
            (Ending::NotOurs, None) => Answer::NotOurs,
            (Ending::NotSynced, None) => Answer::NotSynced,
            (_, None) => Answer::Records { records, additional },
        };
        match end {
            end if chain.is_empty() => end,
            end => Answer::Alias { chain, target: Box::new(end) },
        }
    }

    fn owner(&self, owner: Owner<'_>) -> Name {
        match owner {
            Owner::Asked => self.asked.to_name(),
            Owner::Target(name) => name.to_name(),
        }
    }
}

impl Sink for Collector<'_> {
    /// The order of answers is a stable one; servers rotate.
    fn start(&mut self, _count: usize) -> usize {
        0
    }

    fn alias(&mut self, owner: Owner<'_>, ttl: u32, target: NameRef<'_>) {
        let owner = self.owner(owner);
        let data = RdataRef::Cname(target.into()).to_owned();
        self.chain.push(Record { owner, ttl, data });
    }

    fn answer(&mut self, owner: Owner<'_>, ttl: u32, data: RdataRef<'_>) -> Result<(), Full> {
        let owner = self.owner(owner);
        self.records.push(Record { owner, ttl, data: data.to_owned() });
        Ok(())
    }

    fn negative(
        &mut self,
        exists: bool,
        (owner, ttl, data): (NameRef<'_>, u32, RdataRef<'_>),
        reason: impl FnOnce() -> Reason,
    ) {
        let soa = Record { owner: owner.to_name(), ttl, data: data.to_owned() };
        let negative = Negative { soa, reason: reason() };
        self.end = Some(match exists {
            true => Answer::NoData(negative),
            false => Answer::NoSuchName(negative),
        });
    }

    fn looped(&mut self, reason: impl FnOnce() -> Reason) {
        self.chain.clear();
        self.end = Some(Answer::Loop(reason()));
    }

    fn additional(
        &mut self,
        owner: NameParts<'_>,
        ttl: u32,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), Full> {
        let owner = owner.to_name();
        let record = |address| {
            let data = RdataRef::from(address).to_owned();
            Record { owner: owner.clone(), ttl, data }
        };
        self.additional.extend(addresses.into_iter().map(record));
        Ok(())
    }
}
