//! Services that have the same pods, for they have the same selector.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::Service;

use super::objects::{Item, Objects};

/// A namespace and a selector.
type Key<'a> = (&'a str, &'a BTreeMap<String, String>);

/// All Services with a selector, by namespace and selector.
#[derive(Debug)]
pub(super) struct Siblings<'a>(HashMap<Key<'a>, Vec<&'a Item<Service>>>);

impl<'a> Siblings<'a> {
    pub(super) fn of(objects: &'a Objects) -> Self {
        let mut all = HashMap::<_, Vec<_>>::new();
        for service in &objects.services {
            if let Some(key) = key(service) {
                all.entry(key).or_default().push(service);
            }
        }
        Self(all)
    }

    /// The first other Service of the same pods that is as wanted.
    pub(super) fn find(
        &self,
        service: &Item<Service>,
        is_wanted: impl Fn(&Item<Service>) -> bool,
    ) -> Option<&'a Item<Service>> {
        let all = self.0.get(&key(service)?)?.iter().copied();
        all.filter(|other| !std::ptr::eq(*other, service)).find(|other| is_wanted(other))
    }
}

fn key(service: &Item<Service>) -> Option<Key<'_>> {
    Some((service.reference.namespace.as_str(), service.selector()?))
}
