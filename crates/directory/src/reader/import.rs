//! Names of the cluster set: ServiceImports, and their endpoints by cluster.

use super::reply::text_of;
use super::{Asked, Scope};
use crate::Reason;
use crate::import_question::ImportQuestion;
use crate::name::Labels;
use crate::page::Page;
use crate::sink::{Ending, Sink};

impl Scope<'_> {
    /// A name of the zone of ServiceImports, by the labels left of its domain.
    pub(super) fn import(
        &self,
        asked: Asked<'_>,
        labels: Labels<'_>,
        sink: &mut impl Sink,
    ) -> Ending {
        let negative_ttl = self.config().negative_ttl;
        match ImportQuestion::parse(labels) {
            ImportQuestion::Apex => self.apex(asked, (&self.published.zone.domain).into(), sink),
            ImportQuestion::Services => self.only_names_below(sink),
            ImportQuestion::Namespace { namespace } => self.namespace(namespace, sink),
            ImportQuestion::Import { namespace, service } => {
                self.service(asked, namespace, service, sink)
            }
            ImportQuestion::Cluster { namespace, service, cluster } => {
                self.below_import(namespace, service, sink, |page, sink| {
                    self.cluster(page, cluster, sink)
                })
            }
            ImportQuestion::Endpoint { namespace, service, cluster, endpoint } => self
                .below_import(namespace, service, sink, |page, sink| {
                    match page.has_cluster(cluster) {
                        true => self.endpoint(asked, page, Some(cluster), endpoint, sink),
                        false => self.cluster(page, cluster, sink),
                    }
                }),
            ImportQuestion::Protocol { namespace, service, protocol } => {
                self.below_service(namespace, service, sink, |page, sink| {
                    self.protocol(page, protocol, sink)
                })
            }
            ImportQuestion::Port { namespace, service, port, protocol } => {
                self.below_service(namespace, service, sink, |page, sink| {
                    self.port(asked, page, port, protocol, sink)
                })
            }
            ImportQuestion::BelowImport { namespace, service } => {
                self.below_service(namespace, service, sink, |_, sink| {
                    self.no_such_name(negative_ttl.service, sink, || Reason::NoSuchShape)
                })
            }
            ImportQuestion::DnsVersion => self.dns_version(asked, sink),
            ImportQuestion::Nowhere => {
                self.no_such_name(negative_ttl.other, sink, || Reason::NoSuchShape)
            }
        }
    }

    /// A name below an import whose endpoints have names.
    fn below_import<S: Sink>(
        &self,
        namespace: &[u8],
        service: &[u8],
        sink: &mut S,
        answer: impl FnOnce(&Page, &mut S) -> Ending,
    ) -> Ending {
        self.below_service(namespace, service, sink, |page, sink| {
            match page.head.names_endpoints() {
                true => answer(page, sink),
                false => self.no_such_name(self.config().negative_ttl.service, sink, || {
                    Reason::BelowClusterSetIp { service: page.head.publisher() }
                }),
            }
        })
    }

    /// `C.S.N.svc` has no records, so that nobody picks a cluster (Multi-Cluster DNS specification 2.4.4), but names below it.
    fn cluster(&self, page: &Page, cluster: &[u8], sink: &mut impl Sink) -> Ending {
        let negative_ttl = self.config().negative_ttl.service;
        match page.has_cluster(cluster) {
            true => self.no_data(negative_ttl, sink, || Reason::OnlyNamesBelow),
            false => self.no_such_name(negative_ttl, sink, || Reason::ClusterUnknown {
                service: page.head.publisher(),
                cluster: text_of(cluster),
            }),
        }
    }
}
