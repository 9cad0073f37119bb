//! ExternalName Services.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Asked, Scope};
use crate::name::{LowerName, NameRef};
use crate::page::{Page, Target};
use crate::question::Question;
use crate::sink::{Ending, Owner, Sink};
use crate::{RdataRef, Reason, RecordType};

/// CNAME records are followed this far.
const CHAIN_MAX: usize = 8;

impl Scope<'_> {
    /// What an ExternalName Service answers: its CNAME, and what the target answers where that is known here.
    pub(super) fn alias(
        &self,
        asked: Asked<'_>,
        page: &Page,
        target: &Target,
        sink: &mut impl Sink,
    ) -> Ending {
        let ttl = self.config().ttl.external_name;
        let negative_ttl = self.config().negative_ttl.service;
        let Some(first) = target.name() else {
            return self.no_such_name(negative_ttl, sink, || no_target(page));
        };
        // RFC 8482 §4.2: a CNAME is its own minimal answer to ANY.
        if matches!(asked.rtype, RecordType::CNAME | RecordType::ANY) {
            return self.only(asked, ttl, RdataRef::Cname(first.into()), sink);
        }
        // The chain is walked to its end before the first record is given: a circle has none.
        let mut more: SmallVec<[Arc<Page>; CHAIN_MAX]> = SmallVec::new();
        let broken = loop {
            let last = more.last().and_then(|page| page.alias_target()).unwrap_or(first);
            let mut owners = more.iter().filter_map(|page| page.head.name.as_ref());
            if asked.name == last || owners.any(|name| NameRef::from(name) == last) {
                sink.looped(|| Reason::AliasLoop { service: page.head.publisher() });
                return Ending::Loop;
            }
            match self.external_name_page(last) {
                None => break None,
                Some(next) if next.alias_target().is_none() => break Some(next),
                Some(next) if more.len() + 1 == CHAIN_MAX => {
                    sink.looped(|| Reason::AliasChainTooLong { service: next.head.publisher() });
                    return Ending::Loop;
                }
                Some(next) => more.push(next),
            }
        };
        sink.alias(asked.owner, ttl, first);
        let mut last = first;
        for target in more.iter().filter_map(|page| page.alias_target()) {
            sink.alias(Owner::Target(last), ttl, target);
            last = target;
        }
        match broken {
            Some(page) => self.no_such_name(negative_ttl, sink, || no_target(&page)),
            None => {
                let owner = Owner::Target(last);
                self.find(Asked { owner, name: last, rtype: asked.rtype }, sink)
            }
        }
    }

    /// The page of the ExternalName Service of this name, if it is the name of one.
    fn external_name_page(&self, name: NameRef<'_>) -> Option<Arc<Page>> {
        let lower = LowerName::new(name);
        let labels = lower.labels_before(&self.published.zone.suffix)?;
        let Question::Service { namespace, service } = Question::parse(labels) else { return None };
        let page = self.published.page(namespace, service)?;
        page.external_name().is_some().then(|| Arc::clone(&page))
    }
}

/// Why an ExternalName Service stands for no name.
fn no_target(page: &Page) -> Reason {
    let service = page.head.publisher();
    match page.external_name() {
        Some(Target::Address(text)) => {
            Reason::ExternalNameAddress { service, target: text.clone() }
        }
        Some(Target::Invalid(text)) => {
            Reason::ExternalNameInvalid { service, target: text.clone() }
        }
        Some(Target::Name(_)) | None => Reason::TypeMissing,
    }
}
