//! The records of the zone itself.

use super::reply::glue;
use super::{Asked, Scope};
use crate::page::Shape;
use crate::sink::{Ending, Sink};
use crate::view::PublisherKind;
use crate::{NameRef, RdataRef, Reason, RecordType};

impl Scope<'_> {
    /// The apex of one of our zones, all of which have the servers of the cluster zone.
    pub(super) fn apex(&self, asked: Asked<'_>, apex: NameRef<'_>, sink: &mut impl Sink) -> Ending {
        match asked.rtype {
            RecordType::SOA => {
                let minimum = self.config().negative_ttl.shortest();
                self.only(asked, self.config().ttl.zone, self.soa(minimum), sink)
            }
            RecordType::NS => self.name_servers(asked, sink),
            RecordType::ANY => self.any(asked, sink),
            _ => self
                .no_data_in(apex, self.config().negative_ttl.other, sink, || Reason::TypeMissing),
        }
    }

    fn name_servers(&self, asked: Asked<'_>, sink: &mut impl Sink) -> Ending {
        let ttl = self.config().ttl.zone;
        let mut pages: Vec<_> = self
            .config()
            .dns_services
            .iter()
            .filter_map(|id| self.directory.cluster.page_of(id))
            .collect();
        // One without an address serves nobody.
        pages.retain(|page| match &page.head.shape {
            Shape::ClusterIp(own) => !own.is_empty(),
            Shape::Headless => !page.v4().is_empty() || !page.v6().is_empty(),
            Shape::ExternalName(_) => false,
        });
        let names = || pages.iter().filter_map(|page| Some((page, page.head.name.as_ref()?)));
        if names().next().is_none() {
            let name_server = &self.directory.name_server;
            let ending = self.only(asked, ttl, RdataRef::Ns(name_server.into()), sink);
            let addresses = self.config().server_addresses.iter().copied();
            let _ = glue(name_server.into(), ttl, addresses, sink);
            return ending;
        }
        for (_, name) in names() {
            if sink.answer(asked.owner, ttl, RdataRef::Ns(name.into())).is_err() {
                return Ending::Records;
            }
        }
        for (page, name) in names() {
            if self.service_addresses(page, NameRef::from(name), sink).is_err() {
                break;
            }
        }
        Ending::Records
    }

    /// `ns.dns`: the addresses of this server.
    pub(super) fn name_server(&self, asked: Asked<'_>, sink: &mut impl Sink) -> Ending {
        let addresses = self.config().server_addresses.iter().copied();
        let negative_ttl = self.config().negative_ttl.other;
        self.addresses(asked, self.config().ttl.zone, addresses, negative_ttl, sink, |_| {
            Reason::TypeMissing
        })
    }

    /// `dns-version`: the version of the Kubernetes DNS specification that is followed (its section 2.1), or of the
    /// Multi-Cluster one (its section 2.2).
    pub(super) fn dns_version(&self, asked: Asked<'_>, sink: &mut impl Sink) -> Ending {
        let version = match self.published.kind {
            PublisherKind::Service => "1.1.0",
            PublisherKind::ServiceImport => "1.0.0",
        };
        match asked.rtype {
            RecordType::TXT => {
                self.only(asked, self.config().ttl.zone, RdataRef::Txt(version), sink)
            }
            RecordType::ANY => self.any(asked, sink),
            _ => self.no_data(self.config().negative_ttl.other, sink, || Reason::TypeMissing),
        }
    }
}
