//! Answers put together from their parts.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Asked, Reader};
use crate::page::{Page, Shape};
use crate::view::ObjectName;
use crate::{Answer, Name, Negative, Rdata, Reason, Record, RecordType};

impl Reader {
    /// One record.
    pub(super) fn only(&self, asked: Asked<'_>, ttl: u32, data: Rdata) -> Answer {
        let records = vec![Record { owner: asked.name.clone(), ttl, data }];
        Answer::Records { records, additional: Vec::new() }
    }

    /// The minimal answer to ANY at a name that has records (RFC 8482 §4.2).
    pub(super) fn any(&self, asked: Asked<'_>) -> Answer {
        let data = Rdata::Hinfo { cpu: "RFC8482".to_owned(), os: String::new() };
        self.only(asked, self.config().ttl.zone, data)
    }

    /// A name that has these addresses and nothing else; `missing` says why there is none of the type asked for.
    pub(super) fn addresses(
        &self,
        asked: Asked<'_>,
        ttl: u32,
        addresses: impl IntoIterator<Item = IpAddr>,
        negative_ttl: u32,
        missing: impl FnOnce(RecordType) -> Reason,
    ) -> Answer {
        match asked.rtype {
            RecordType::A | RecordType::AAAA => {
                let own = addresses.into_iter().filter(|address| type_of(address) == asked.rtype);
                let records: Vec<_> =
                    own.map(|address| record_of(asked.name, ttl, address)).collect();
                match records.is_empty() {
                    false => Answer::Records { records, additional: Vec::new() },
                    true => self.no_data(negative_ttl, missing(asked.rtype)),
                }
            }
            RecordType::ANY => self.any(asked),
            _ => self.no_data(negative_ttl, Reason::TypeMissing),
        }
    }

    /// The cluster zone has the name, but no such record.
    pub(super) fn no_data(&self, ttl: u32, reason: Reason) -> Answer {
        self.no_data_in(&self.config().domain, ttl, reason)
    }

    /// The cluster zone does not have the name.
    pub(super) fn no_such_name(&self, ttl: u32, reason: Reason) -> Answer {
        self.no_such_name_in(&self.config().domain, ttl, reason)
    }

    pub(super) fn no_data_in(&self, apex: &Name, ttl: u32, reason: Reason) -> Answer {
        Answer::NoData(Negative { soa: self.soa(apex, ttl), reason })
    }

    pub(super) fn no_such_name_in(&self, apex: &Name, ttl: u32, reason: Reason) -> Answer {
        Answer::NoSuchName(Negative { soa: self.soa(apex, ttl), reason })
    }

    /// An empty non-terminal.
    pub(super) fn only_names_below(&self) -> Answer {
        self.no_data(self.config().negative_ttl.other, Reason::OnlyNamesBelow)
    }

    pub(super) fn no_namespace(&self, namespace: &[u8]) -> Answer {
        let reason = Reason::NamespaceMissing { namespace: text_of(namespace) };
        self.no_such_name(self.config().negative_ttl.missing_namespace, reason)
    }

    pub(super) fn no_service(&self, namespace: &[u8], service: &[u8]) -> Answer {
        if !self.directory.has_namespace(namespace) {
            return self.no_namespace(namespace);
        }
        let service = ObjectName::new(text_of(namespace), text_of(service));
        let reason = Reason::ServiceMissing { service };
        self.no_such_name(self.config().negative_ttl.missing_service, reason)
    }

    /// A Service that exists but publishes nothing for want of endpoints.
    pub(super) fn no_endpoint(&self, page: &Page) -> Answer {
        let reason = Reason::NoEndpointReady {
            service: (*page.head.id).clone(),
            headless: page.head.shape == Shape::Headless,
            total: page.endpoint_counts().1,
        };
        self.no_such_name(self.config().negative_ttl.service, reason)
    }

    /// The SOA record of a negative answer.
    fn soa(&self, apex: &Name, ttl: u32) -> Record {
        Record { owner: apex.clone(), ttl, data: self.soa_data(ttl) }
    }

    pub(super) fn soa_data(&self, minimum: u32) -> Rdata {
        Rdata::Soa {
            mname: self.directory.zone.name_server.clone(),
            rname: self.directory.zone.hostmaster.clone(),
            serial: self.serial(),
            refresh: 7200,
            retry: 1800,
            expire: 86400,
            minimum,
        }
    }
}

pub(super) fn record_of(owner: &Name, ttl: u32, address: IpAddr) -> Record {
    let data = match address {
        IpAddr::V4(v4) => Rdata::A(v4),
        IpAddr::V6(v6) => Rdata::Aaaa(v6),
    };
    Record { owner: owner.clone(), ttl, data }
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
