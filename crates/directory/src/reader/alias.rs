//! ExternalName Services.

use std::sync::Arc;

use super::{Asked, Reader};
use crate::name::{LowerName, Name};
use crate::page::{Page, Target};
use crate::question::Question;
use crate::{Answer, Rdata, Reason, Record, RecordType};

/// CNAME records are followed this far.
const CHAIN_MAX: usize = 8;

impl Reader {
    /// What an ExternalName Service answers: its CNAME, and what the target answers where that is known here.
    pub(super) fn alias(&self, asked: Asked<'_>, page: &Page, target: &Target) -> Answer {
        let ttl = self.config().ttl.external_name;
        let negative_ttl = self.config().negative_ttl.service;
        let link = |owner: &Name, target: &Name| {
            let data = Rdata::Cname(target.clone());
            Record { owner: owner.clone(), ttl, data }
        };
        let target = match Self::alias_target(page, target) {
            Ok(target) => target,
            Err(reason) => return self.no_such_name(negative_ttl, reason),
        };
        // RFC 8482 §4.2: a CNAME is its own minimal answer to ANY.
        if matches!(asked.rtype, RecordType::CNAME | RecordType::ANY) {
            return self.only(asked, ttl, Rdata::Cname(target.clone()));
        }
        let mut chain = vec![link(asked.name, target)];
        let mut last = target.clone();
        loop {
            if chain.iter().any(|link| link.owner == last) {
                return Answer::Loop(Reason::AliasLoop { service: (*page.head.id).clone() });
            }
            let next = self.external_name_page(&last);
            let Some((page, target)) =
                next.as_ref().and_then(|page| Some((page, page.external_name()?)))
            else {
                return match self.answer(&last, asked.rtype) {
                    // The Service became an ExternalName one in this instant.
                    Answer::Alias { chain: more, target } => {
                        chain.extend(more);
                        Answer::Alias { chain, target }
                    }
                    target => Answer::Alias { chain, target: Box::new(target) },
                };
            };
            match Self::alias_target(page, target) {
                Ok(_) if chain.len() == CHAIN_MAX => {
                    let service = (*page.head.id).clone();
                    return Answer::Loop(Reason::AliasChainTooLong { service });
                }
                Ok(target) => {
                    chain.push(link(&last, target));
                    last = target.clone();
                }
                Err(reason) => {
                    let target = Box::new(self.no_such_name(negative_ttl, reason));
                    return Answer::Alias { chain, target };
                }
            }
        }
    }

    /// The name that an ExternalName Service stands for, or why there is none.
    fn alias_target<'a>(page: &Page, target: &'a Target) -> Result<&'a Name, Reason> {
        let service = (*page.head.id).clone();
        match target {
            Target::Name(name) => Ok(name),
            Target::Address(text) => {
                Err(Reason::ExternalNameAddress { service, target: text.clone() })
            }
            Target::Invalid(text) => {
                Err(Reason::ExternalNameInvalid { service, target: text.clone() })
            }
        }
    }

    /// The page of the ExternalName Service of this name, if it is the name of one.
    fn external_name_page(&self, name: &Name) -> Option<Arc<Page>> {
        let lower = LowerName::new(name);
        let labels = lower.labels_before(&self.directory.zone.suffix)?;
        let Question::Service { namespace, service } = Question::parse(labels) else { return None };
        self.directory.page(namespace, service).filter(|page| page.external_name().is_some())
    }
}
