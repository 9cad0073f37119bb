//! Names that stand for a whole search path: `X.N.search`.

use super::reply::text_of;
use super::{Asked, Scope};
use crate::name::{LowerName, NameBuilder, NameRef};
use crate::question::Question;
use crate::sink::{Ending, Owner, Sink};
use crate::{RdataRef, Reason, RecordType};

/// What is at a name of the zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Content {
    Nothing,
    /// No endpoint of this name, but a Service above it, which may get one.
    BelowService,
    /// A Service or an endpoint, ready or not, or what stands for a pod of a namespace that exists.
    Known,
}

impl Scope<'_> {
    /// Walks the search path of a namespace as a resolver would: `X.N.svc`, `X.svc` and `X` in the zone, then `X` outside.
    /// The first whose Service exists is the answer, whether it is ready or not: an existing Service ends the walk. So does
    /// an endpoint that the Service has. A name below a Service that has no such endpoint comes last of what is inside: `H.S`
    /// is also Service H of a namespace called S.
    pub(super) fn search(
        &self,
        asked: Asked<'_>,
        namespace: &[u8],
        name: &[u8],
        sink: &mut impl Sink,
    ) -> Ending {
        if !self.directory.has_namespace(namespace) {
            return self.no_namespace(namespace, sink);
        }
        let domain = NameRef::from(&self.config().domain);
        let start = || NameBuilder::new().labels(name);
        let inside = [
            start().label(namespace).label(b"svc").under_ref(domain),
            start().label(b"svc").under_ref(domain),
            start().under_ref(domain),
        ];
        let first = |least: Content| {
            inside.iter().flatten().find(|candidate| self.content(candidate) >= least)
        };
        if let Some(found) = first(Content::Known).or_else(|| first(Content::BelowService)) {
            return self.lead_to(asked, found, sink);
        }
        // A single label means nothing outside.
        let is_single = usize::from(name[0]) + 1 == name.len();
        match start().under_ref(NameRef::ROOT) {
            Some(outside) if !is_single => self.lead_to(asked, &outside, sink),
            _ => self.no_such_name(self.config().negative_ttl.missing_service, sink, || {
                Reason::SearchEmpty { name: text_of(&name[1..]), namespace: text_of(namespace) }
            }),
        }
    }

    fn content(&self, name: &LowerName) -> Content {
        let Some(labels) = name.labels_before(&self.published.zone.suffix) else {
            return Content::Nothing;
        };
        let known_if = |holds| if holds { Content::Known } else { Content::Nothing };
        match Question::parse(labels) {
            Question::Endpoint { namespace, service, endpoint } => {
                match self.published.page(namespace, service) {
                    Some(page) if page.rows_named(None, endpoint).next().is_some() => {
                        Content::Known
                    }
                    Some(_) => Content::BelowService,
                    None => Content::Nothing,
                }
            }
            Question::Service { namespace, service }
            | Question::Protocol { namespace, service, .. }
            | Question::Port { namespace, service, .. }
            | Question::ZoneLabels { namespace, service }
            | Question::InZone { namespace, service, .. } => {
                known_if(self.published.page(namespace, service).is_some())
            }
            Question::Pod { namespace, .. } => known_if(self.directory.has_namespace(namespace)),
            Question::NameServer | Question::DnsVersion => Content::Known,
            Question::Apex
            | Question::Services
            | Question::Namespace { .. }
            | Question::BelowService { .. }
            | Question::Pods
            | Question::PodNamespace { .. }
            | Question::BelowPod { .. }
            | Question::Dns
            | Question::Searches
            | Question::SearchNamespace { .. }
            | Question::Search { .. }
            | Question::Nowhere => Content::Nothing,
        }
    }

    /// A CNAME record to a name, and what that answers.
    fn lead_to(&self, asked: Asked<'_>, target: &LowerName, sink: &mut impl Sink) -> Ending {
        let (ttl, name) = (self.config().ttl.headless, target.by_ref());
        if matches!(asked.rtype, RecordType::CNAME | RecordType::ANY) {
            return self.only(asked, ttl, RdataRef::Cname(name.into()), sink);
        }
        sink.alias(asked.owner, ttl, name);
        self.find(Asked { owner: Owner::Target(name), name, rtype: asked.rtype }, sink)
    }
}
