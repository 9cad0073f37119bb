//! Names of pods: `10-1-2-3.N.pod`.

use super::reply::text_of;
use super::{Asked, Scope};
use crate::sink::{Ending, Sink};
use crate::{PodMode, Reason, label};

impl Scope<'_> {
    /// A pod by its address. The caller has seen to the mode `disabled`.
    pub(super) fn pod(
        &self,
        asked: Asked<'_>,
        namespace: &[u8],
        label: &[u8],
        sink: &mut impl Sink,
    ) -> Ending {
        let negative_ttl = self.config().negative_ttl;
        if !self.directory.has_namespace(namespace) {
            return self.no_namespace(namespace, sink);
        }
        let Some(address) = label::parse_address(label) else {
            return self.no_such_name(negative_ttl.other, sink, || Reason::PodNameMalformed);
        };
        let exists = match self.config().pods {
            PodMode::Verified => self
                .directory
                .pods_at(address)
                .is_some_and(|pods| pods.groups().any(|pod| pod.namespace.as_bytes() == namespace)),
            PodMode::Insecure => true,
            PodMode::Disabled => false,
        };
        if !exists {
            return self.no_such_name(negative_ttl.missing_service, sink, || Reason::PodMissing {
                namespace: text_of(namespace),
                address,
            });
        }
        let (ttl, only) = (self.config().ttl.pod, std::iter::once(address));
        self.addresses(asked, ttl, only, negative_ttl.missing_service, sink, |_| {
            Reason::TypeMissing
        })
    }
}
