//! Names of pods: `10-1-2-3.N.pod`.

use super::reply::text_of;
use super::{Asked, Reader};
use crate::directory::PodsAt;
use crate::{Answer, PodMode, Reason, label};

impl Reader {
    /// A pod by its address. The caller has seen to the mode `disabled`.
    pub(super) fn pod(&self, asked: Asked<'_>, namespace: &[u8], label: &[u8]) -> Answer {
        let negative_ttl = self.config().negative_ttl;
        if !self.directory.has_namespace(namespace) {
            return self.no_namespace(namespace);
        }
        let Some(address) = label::parse_address(label) else {
            return self.no_such_name(negative_ttl.other, Reason::PodNameMalformed);
        };
        let is_in_namespace =
            |at: PodsAt| at.groups().any(|pod| pod.namespace.as_bytes() == namespace);
        let exists = match self.config().pods {
            PodMode::Verified => self.directory.pods_at(address).is_some_and(is_in_namespace),
            PodMode::Insecure => true,
            PodMode::Disabled => false,
        };
        if !exists {
            let reason = Reason::PodMissing { namespace: text_of(namespace), address };
            return self.no_such_name(negative_ttl.missing_service, reason);
        }
        let ttl = self.config().ttl.pod;
        self.addresses(asked, ttl, [address], negative_ttl.missing_service, |_| Reason::TypeMissing)
    }
}
