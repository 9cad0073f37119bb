//! Answers put together from their parts.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Asked, Scope};
use crate::page::{Page, Shape};
use crate::sink::{Ending, Sink};
use crate::view::{ObjectName, Publisher};
use crate::{NameParts, NameRef, RdataRef, Reason, RecordType};

impl Scope<'_> {
    /// One record.
    pub(super) fn only(
        &self,
        asked: Asked<'_>,
        ttl: u32,
        data: RdataRef<'_>,
        sink: &mut impl Sink,
    ) -> Ending {
        // A sink without room for it has an incomplete answer, which it knows.
        let _ = sink.answer(asked.owner, ttl, data);
        Ending::Records
    }

    /// The minimal answer to ANY at a name that has records (RFC 8482 §4.2).
    pub(super) fn any(&self, asked: Asked<'_>, sink: &mut impl Sink) -> Ending {
        self.only(asked, self.config().ttl.zone, RdataRef::Hinfo { cpu: "RFC8482", os: "" }, sink)
    }

    /// A name that has these addresses (each once) and nothing else; `missing` says why there is none of the type asked for.
    pub(super) fn addresses<I: Iterator<Item = IpAddr> + Clone>(
        &self,
        asked: Asked<'_>,
        ttl: u32,
        addresses: I,
        negative_ttl: u32,
        sink: &mut impl Sink,
        missing: impl FnOnce(RecordType) -> Reason,
    ) -> Ending {
        match asked.rtype {
            RecordType::A | RecordType::AAAA => {
                let own = addresses.filter(|address| type_of(address) == asked.rtype);
                let count = own.clone().count();
                if count == 0 {
                    return self.no_data(negative_ttl, sink, || missing(asked.rtype));
                }
                self.set(asked, ttl, own.map(RdataRef::from), count, sink)
            }
            RecordType::ANY => self.any(asked, sink),
            _ => self.no_data(negative_ttl, sink, || Reason::TypeMissing),
        }
    }

    /// A set of `count` records, from the one on with which the sink wants to start.
    pub(super) fn set<'r>(
        &self,
        asked: Asked<'_>,
        ttl: u32,
        records: impl Iterator<Item = RdataRef<'r>> + Clone,
        count: usize,
        sink: &mut impl Sink,
    ) -> Ending {
        let start = sink.start(count);
        for data in records.clone().skip(start).chain(records.take(start)) {
            if sink.answer(asked.owner, ttl, data).is_err() {
                break;
            }
        }
        Ending::Records
    }

    /// The cluster zone has the name, but no such record.
    pub(super) fn no_data(
        &self,
        ttl: u32,
        sink: &mut impl Sink,
        reason: impl FnOnce() -> Reason,
    ) -> Ending {
        self.no_data_in((&self.published.zone.domain).into(), ttl, sink, reason)
    }

    /// The cluster zone does not have the name.
    pub(super) fn no_such_name(
        &self,
        ttl: u32,
        sink: &mut impl Sink,
        reason: impl FnOnce() -> Reason,
    ) -> Ending {
        self.no_such_name_in((&self.published.zone.domain).into(), ttl, sink, reason)
    }

    pub(super) fn no_data_in(
        &self,
        apex: NameRef<'_>,
        ttl: u32,
        sink: &mut impl Sink,
        reason: impl FnOnce() -> Reason,
    ) -> Ending {
        sink.negative(true, (apex, ttl, self.soa(ttl)), reason);
        Ending::NoData
    }

    pub(super) fn no_such_name_in(
        &self,
        apex: NameRef<'_>,
        ttl: u32,
        sink: &mut impl Sink,
        reason: impl FnOnce() -> Reason,
    ) -> Ending {
        sink.negative(false, (apex, ttl, self.soa(ttl)), reason);
        Ending::NoSuchName
    }

    /// An empty non-terminal.
    pub(super) fn only_names_below(&self, sink: &mut impl Sink) -> Ending {
        self.no_data(self.config().negative_ttl.other, sink, || Reason::OnlyNamesBelow)
    }

    pub(super) fn no_namespace(&self, namespace: &[u8], sink: &mut impl Sink) -> Ending {
        self.no_such_name(self.config().negative_ttl.missing_namespace, sink, || {
            Reason::NamespaceMissing { namespace: text_of(namespace) }
        })
    }

    pub(super) fn no_service(
        &self,
        namespace: &[u8],
        service: &[u8],
        sink: &mut impl Sink,
    ) -> Ending {
        if !self.directory.has_namespace(namespace) {
            return self.no_namespace(namespace, sink);
        }
        self.no_such_name(self.config().negative_ttl.missing_service, sink, || {
            let id = ObjectName::new(text_of(namespace), text_of(service));
            let service = Publisher { kind: self.published.kind, id };
            Reason::ServiceMissing { service }
        })
    }

    /// A Service that exists but publishes nothing for want of endpoints.
    pub(super) fn no_endpoint(&self, page: &Page, sink: &mut impl Sink) -> Ending {
        self.no_such_name(self.config().negative_ttl.service, sink, || Reason::NoEndpointReady {
            service: page.head.publisher(),
            headless: page.head.shape == Shape::Headless,
            total: page.endpoint_counts().1,
        })
    }

    /// The data of an SOA record.
    pub(super) fn soa(&self, minimum: u32) -> RdataRef<'_> {
        RdataRef::Soa {
            mname: (&self.directory.name_server).into(),
            rname: (&self.directory.hostmaster).into(),
            serial: self.directory.serial(),
            refresh: 7200,
            retry: 1800,
            expire: 86400,
            minimum,
        }
    }
}

/// Gives the addresses of a name that the answer points to, one family after the other, as far as there is room.
pub(super) fn glue<I: Iterator<Item = IpAddr> + Clone>(
    owner: NameParts<'_>,
    ttl: u32,
    addresses: I,
    sink: &mut impl Sink,
) -> Result<(), crate::Full> {
    for is_ipv6 in [false, true] {
        let mut of_family =
            addresses.clone().filter(|address| address.is_ipv6() == is_ipv6).peekable();
        if of_family.peek().is_some() {
            sink.additional(owner, ttl, of_family)?;
        }
    }
    Ok(())
}

fn type_of(address: &IpAddr) -> RecordType {
    match address {
        IpAddr::V4(_) => RecordType::A,
        IpAddr::V6(_) => RecordType::AAAA,
    }
}

/// A label for people; bytes beyond printable ASCII are escaped.
pub(super) fn text_of(label: &[u8]) -> Arc<str> {
    label.escape_ascii().to_string().into()
}
