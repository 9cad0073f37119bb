//! The records of the zone itself.

use super::{Asked, Reader};
use crate::{Answer, Name, Rdata, Reason, Record, RecordType};

impl Reader {
    /// The apex of the cluster zone or of a reverse zone.
    pub(super) fn apex(&self, asked: Asked<'_>, apex: &Name) -> Answer {
        match asked.rtype {
            RecordType::SOA => {
                let minimum = self.config().negative_ttl.shortest();
                self.only(asked, self.config().ttl.zone, self.soa_data(minimum))
            }
            RecordType::NS => self.name_servers(asked),
            RecordType::ANY => self.any(asked),
            _ => self.no_data_in(apex, self.config().negative_ttl.other, Reason::TypeMissing),
        }
    }

    fn name_servers(&self, asked: Asked<'_>) -> Answer {
        let ttl = self.config().ttl.zone;
        let (mut records, mut additional) = (Vec::new(), Vec::new());
        for service in &self.config().dns_services {
            let Some(page) = self.directory.page_of(service) else { continue };
            let Some(target) = self.service_name(&page) else { continue };
            let glue = self.service_addresses(&target, &page);
            if !glue.is_empty() {
                records.push(Record { owner: asked.name.clone(), ttl, data: Rdata::Ns(target) });
                additional.extend(glue);
            }
        }
        if records.is_empty() {
            let target = &self.directory.zone.name_server;
            let addresses = self.config().server_addresses.iter();
            additional
                .extend(addresses.map(|&address| super::reply::record_of(target, ttl, address)));
            let data = Rdata::Ns(target.clone());
            records.push(Record { owner: asked.name.clone(), ttl, data });
        }
        Answer::Records { records, additional }
    }

    /// `ns.dns`: the addresses of this server.
    pub(super) fn name_server(&self, asked: Asked<'_>) -> Answer {
        let addresses = self.config().server_addresses.iter().copied();
        let negative_ttl = self.config().negative_ttl.other;
        self.addresses(asked, self.config().ttl.zone, addresses, negative_ttl, |_| {
            Reason::TypeMissing
        })
    }

    /// `dns-version`: the version of the Kubernetes DNS specification that is followed (its section 2.1).
    pub(super) fn dns_version(&self, asked: Asked<'_>) -> Answer {
        match asked.rtype {
            RecordType::TXT => {
                self.only(asked, self.config().ttl.zone, Rdata::Txt("1.1.0".to_owned()))
            }
            RecordType::ANY => self.any(asked),
            _ => self.no_data(self.config().negative_ttl.other, Reason::TypeMissing),
        }
    }
}
