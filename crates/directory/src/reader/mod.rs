//! From questions to answers.

mod alias;
mod apex;
mod owners;
mod pod;
mod reply;
mod reverse;
mod service;

pub use owners::{Owner, Role};

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::directory::Directory;
use crate::name::{LowerName, Name};
use crate::question::Question;
use crate::{Answer, PodMode, Reason, RecordType, ZoneConfig};

/// Answers questions. Cheap to clone; never waits for the writer.
#[derive(Clone)]
pub struct Reader {
    directory: Arc<Directory>,
}

/// A question with its name as asked, which is the owner of the records that answer it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    name: &'a Name,
    rtype: RecordType,
}

impl Reader {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }

    /// What `name` answers for `rtype`, now.
    pub fn answer(&self, name: &Name, rtype: RecordType) -> Answer {
        let asked = Asked { name, rtype };
        let lower = LowerName::new(name);
        let Some(labels) = lower.labels_before(&self.directory.zone.suffix) else {
            return self.reverse(asked, &lower);
        };
        if !self.is_synced() {
            return Answer::NotSynced;
        }
        let config = self.config();
        match Question::parse(labels) {
            Question::Apex => self.apex(asked, &config.domain),
            Question::Services | Question::Dns => self.only_names_below(),
            Question::Namespace { namespace } => self.namespace(namespace),
            Question::Service { namespace, service } => self.service(asked, namespace, service),
            Question::Endpoint { namespace, service, endpoint } => {
                self.below_service(namespace, service, |page| self.endpoint(asked, page, endpoint))
            }
            Question::Protocol { namespace, service, protocol } => {
                self.below_service(namespace, service, |page| self.protocol(page, protocol))
            }
            Question::Port { namespace, service, port, protocol } => {
                self.below_service(namespace, service, |page| {
                    self.port(asked, page, port, protocol)
                })
            }
            Question::BelowService { namespace, service } => {
                self.below_service(namespace, service, |_| {
                    self.no_such_name(config.negative_ttl.service, Reason::NoSuchShape)
                })
            }
            Question::Pods
            | Question::PodNamespace { .. }
            | Question::Pod { .. }
            | Question::BelowPod { .. }
                if config.pods == PodMode::Disabled =>
            {
                self.no_such_name(config.negative_ttl.other, Reason::PodsDisabled)
            }
            Question::Pods => self.only_names_below(),
            Question::PodNamespace { namespace } => self.namespace(namespace),
            Question::Pod { namespace, label } => self.pod(asked, namespace, label),
            Question::BelowPod { namespace } => match self.directory.has_namespace(namespace) {
                true => self.no_such_name(config.negative_ttl.other, Reason::NoSuchShape),
                false => self.no_namespace(namespace),
            },
            Question::NameServer => self.name_server(asked),
            Question::DnsVersion => self.dns_version(asked),
            Question::Nowhere => self.no_such_name(config.negative_ttl.other, Reason::NoSuchShape),
        }
    }

    /// The SOA serial: the revision of the data, rising with every change.
    pub fn serial(&self) -> u32 {
        self.directory.serial.load(Ordering::Acquire)
    }

    /// Whether the initial lists are in.
    pub fn is_synced(&self) -> bool {
        self.directory.synced.load(Ordering::Acquire)
    }

    /// The zone's settings.
    pub fn config(&self) -> &ZoneConfig {
        &self.directory.zone.config
    }

    /// How many Services there are.
    pub fn service_count(&self) -> usize {
        self.directory.service_count.load(Ordering::Relaxed)
    }

    /// How many endpoints all Services publish together.
    pub fn endpoint_count(&self) -> usize {
        self.directory.endpoint_count.load(Ordering::Relaxed)
    }

    /// `N.svc` and `N.pod`: a namespace has no records of its own.
    fn namespace(&self, namespace: &[u8]) -> Answer {
        match self.directory.has_namespace(namespace) {
            true => self.only_names_below(),
            false => self.no_namespace(namespace),
        }
    }
}
