//! From questions to answers.

mod alias;
mod apex;
mod import;
mod owners;
mod pod;
mod reply;
mod reverse;
mod search;
mod service;

pub use owners::{Owner, Role};

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::directory::{Directory, Published};
use crate::name::{Labels, LowerName, NameRef};
use crate::question::Question;
use crate::sink::{Collector, Ending, Owner as RecordOwner, Sink};
use crate::{Answer, Name, PodMode, Reason, RecordType, ZoneConfig};

/// Answers questions. Cheap to clone; never waits for the writer.
#[derive(Clone)]
pub struct Reader {
    directory: Arc<Directory>,
}

/// A zone, and all else that its answers are made of.
#[derive(Clone, Copy)]
struct Scope<'a> {
    directory: &'a Directory,
    published: &'a Published,
}

/// A question.
#[derive(Clone, Copy)]
struct Asked<'a> {
    /// Whose the records are that answer it.
    owner: RecordOwner<'a>,
    name: NameRef<'a>,
    rtype: RecordType,
}

impl Reader {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }

    /// What `name` answers for `rtype`, now.
    pub fn answer(&self, name: &Name, rtype: RecordType) -> Answer {
        let name = name.into();
        let mut collector = Collector::new(name);
        let ending = self.answer_into(name, rtype, &mut collector);
        collector.finish(ending)
    }

    /// What `name` answers for `rtype`, now, given to a sink. Allocates nothing itself, except for answers of dozens
    /// of endpoints that share a name or an address.
    pub fn answer_into(
        &self,
        name: NameRef<'_>,
        rtype: RecordType,
        sink: &mut impl Sink,
    ) -> Ending {
        self.cluster().find(Asked { owner: RecordOwner::Asked, name, rtype }, sink)
    }

    fn cluster(&self) -> Scope<'_> {
        let directory = &*self.directory;
        Scope { directory, published: &directory.cluster }
    }

    /// The SOA serial: the revision of the data, rising with every change.
    pub fn serial(&self) -> u32 {
        self.directory.serial()
    }

    /// Whether the initial lists are in.
    pub fn is_synced(&self) -> bool {
        self.directory.is_synced()
    }

    /// The zone's settings.
    pub fn config(&self) -> &ZoneConfig {
        &self.directory.config
    }

    /// How many Services there are.
    pub fn service_count(&self) -> usize {
        self.directory.service_count.load(Ordering::Relaxed)
    }

    /// How many ServiceImports there are.
    pub fn import_count(&self) -> usize {
        self.directory.import_count.load(Ordering::Relaxed)
    }

    /// How many endpoints all Services publish together.
    pub fn endpoint_count(&self) -> usize {
        self.directory.endpoint_count.load(Ordering::Relaxed)
    }
}

impl Scope<'_> {
    /// What a name answers, in whichever zone it lies.
    fn find(&self, asked: Asked<'_>, sink: &mut impl Sink) -> Ending {
        let directory = self.directory;
        let lower = LowerName::new(asked.name);
        let cluster = Scope { directory, published: &directory.cluster };
        if let Some(labels) = lower.labels_before(&cluster.published.zone.suffix) {
            return match directory.is_synced() {
                true => cluster.name(asked, labels, sink),
                false => Ending::NotSynced,
            };
        }
        if let Some(published) = &directory.cluster_set
            && let Some(labels) = lower.labels_before(&published.zone.suffix)
        {
            return match directory.is_synced() {
                true => Scope { directory, published }.import(asked, labels, sink),
                false => Ending::NotSynced,
            };
        }
        cluster.reverse(asked, &lower, sink)
    }

    /// A name of the cluster zone, by the labels left of its domain.
    fn name(&self, asked: Asked<'_>, labels: Labels<'_>, sink: &mut impl Sink) -> Ending {
        let config = self.config();
        match Question::parse(labels) {
            Question::Apex => self.apex(asked, (&self.published.zone.domain).into(), sink),
            Question::Services | Question::Dns => self.only_names_below(sink),
            Question::Namespace { namespace } => self.namespace(namespace, sink),
            Question::Service { namespace, service } => {
                self.service(asked, namespace, service, sink)
            }
            Question::Endpoint { namespace, service, endpoint } => {
                self.below_service(namespace, service, sink, |page, sink| {
                    self.endpoint(asked, page, None, endpoint, sink)
                })
            }
            Question::Protocol { namespace, service, protocol } => {
                self.below_service(namespace, service, sink, |page, sink| {
                    self.protocol(page, protocol, sink)
                })
            }
            Question::Port { namespace, service, port, protocol } => {
                self.below_service(namespace, service, sink, |page, sink| {
                    self.port(asked, page, port, protocol, sink)
                })
            }
            Question::ZoneLabels { namespace, service } if config.zone_names => {
                self.below_service(namespace, service, sink, |_, sink| {
                    let ttl = config.negative_ttl.service;
                    self.no_data(ttl, sink, || Reason::OnlyNamesBelow)
                })
            }
            Question::InZone { namespace, service, zone, pinned } if config.zone_names => self
                .below_service(namespace, service, sink, |page, sink| {
                    self.in_zone(asked, page, zone, pinned, sink)
                }),
            Question::ZoneLabels { namespace, service }
            | Question::InZone { namespace, service, .. }
            | Question::BelowService { namespace, service } => {
                self.below_service(namespace, service, sink, |_, sink| {
                    self.no_such_name(config.negative_ttl.service, sink, || Reason::NoSuchShape)
                })
            }
            Question::Pods
            | Question::PodNamespace { .. }
            | Question::Pod { .. }
            | Question::BelowPod { .. }
                if config.pods == PodMode::Disabled =>
            {
                self.no_such_name(config.negative_ttl.other, sink, || Reason::PodsDisabled)
            }
            Question::Pods => self.only_names_below(sink),
            Question::PodNamespace { namespace } => self.namespace(namespace, sink),
            Question::Pod { namespace, label } => self.pod(asked, namespace, label, sink),
            Question::BelowPod { namespace } => match self.directory.has_namespace(namespace) {
                true => self.no_such_name(config.negative_ttl.other, sink, || Reason::NoSuchShape),
                false => self.no_namespace(namespace, sink),
            },
            Question::NameServer => self.name_server(asked, sink),
            Question::DnsVersion => self.dns_version(asked, sink),
            Question::Searches if config.search_names => self.only_names_below(sink),
            Question::SearchNamespace { namespace } if config.search_names => {
                self.namespace(namespace, sink)
            }
            // An alias that leads here leads nowhere, so that none can lead in circles.
            Question::Search { namespace, name }
                if config.search_names && matches!(asked.owner, RecordOwner::Asked) =>
            {
                self.search(asked, namespace, name, sink)
            }
            Question::Searches
            | Question::SearchNamespace { .. }
            | Question::Search { .. }
            | Question::Nowhere => {
                self.no_such_name(config.negative_ttl.other, sink, || Reason::NoSuchShape)
            }
        }
    }

    /// `N.svc` and `N.pod`: a namespace has no records of its own.
    fn namespace(&self, namespace: &[u8], sink: &mut impl Sink) -> Ending {
        match self.directory.has_namespace(namespace) {
            true => self.only_names_below(sink),
            false => self.no_namespace(namespace, sink),
        }
    }

    fn config(&self) -> &ZoneConfig {
        &self.directory.config
    }
}
