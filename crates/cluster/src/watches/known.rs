//! Which objects of one kind subscribers know of.

use std::collections::HashMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Namespace and name.
type Name = (Box<str>, Box<str>);

/// The objects of one kind that subscribers were told of, and which version of them.
#[derive(Debug, Default)]
pub(super) struct Known {
    objects: HashMap<Name, Version>,
    lists: u32,
}

#[derive(Debug)]
struct Version {
    uid: Box<str>,
    resource_version: Box<str>,
    /// The last list that held the object.
    list: u32,
}

/// An object that is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gone {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
}

/// What an object that arrives means to subscribers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// An earlier object of the same name, whose end was missed.
    pub(super) replaced: Option<Gone>,
    /// Whether subscribers do not know this version yet.
    pub(super) news: bool,
}

impl Known {
    /// A list begins: what it does not hold will be gone.
    pub(super) fn begin_list(&mut self) {
        self.lists = self.lists.wrapping_add(1);
    }

    /// The list has been told in whole: forgets and returns what it did not hold.
    pub(super) fn end_list(&mut self) -> Vec<Gone> {
        let list = self.lists;
        self.objects
            .extract_if(|_, version| version.list != list)
            .map(|((namespace, name), version)| Gone {
                namespace: namespace.into(),
                name: name.into(),
                uid: version.uid.into(),
            })
            .collect()
    }

    /// An object was listed, added or changed.
    pub(super) fn arrive(&mut self, metadata: &ObjectMeta) -> Arrival {
        let name = name(metadata);
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let resource_version = metadata.resource_version.as_deref().unwrap_or_default();
        let version = Version {
            uid: uid.into(),
            resource_version: resource_version.into(),
            list: self.lists,
        };
        let earlier = self.objects.insert(name, version);
        let news = earlier.as_ref().is_none_or(|earlier| {
            *earlier.uid != *uid
                || *earlier.resource_version != *resource_version
                || resource_version.is_empty()
        });
        let replaced = earlier.filter(|earlier| *earlier.uid != *uid).map(|earlier| Gone {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: earlier.uid.into(),
        });
        Arrival { replaced, news }
    }

    /// An object was deleted. `None` when subscribers do not know of it.
    pub(super) fn depart(&mut self, metadata: &ObjectMeta) -> Option<Gone> {
        let version = self.objects.remove(&name(metadata))?;
        Some(Gone {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: version.uid.into(),
        })
    }

    /// The UIDs of the objects known.
    pub(super) fn uids(&self) -> impl Iterator<Item = &str> {
        self.objects.values().map(|version| &*version.uid)
    }
}

fn name(metadata: &ObjectMeta) -> Name {
    (
        metadata.namespace.as_deref().unwrap_or_default().into(),
        metadata.name.as_deref().unwrap_or_default().into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(name: &str, uid: &str, version: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: Some("ns".into()),
            name: Some(name.into()),
            uid: Some(uid.into()),
            resource_version: Some(version.into()),
            ..ObjectMeta::default()
        }
    }

    fn gone(name: &str, uid: &str) -> Gone {
        Gone { namespace: "ns".into(), name: name.into(), uid: uid.into() }
    }

    #[test]
    fn arrivals() {
        let mut known = Known::default();
        let mut check =
            |name: &str, uid: &str, version: &str, replaced: Option<Gone>, news: bool| {
                let arrival = known.arrive(&metadata(name, uid, version));
                assert_eq!(arrival, Arrival { replaced, news }, "{name} {uid} {version}");
            };
        check("a", "u1", "1", None, true);
        check("a", "u1", "1", None, false);
        check("a", "u1", "2", None, true);
        check("a", "u2", "3", Some(gone("a", "u1")), true);
    }

    #[test]
    fn a_list_tells_what_is_gone() {
        let mut known = Known::default();
        known.begin_list();
        for name in ["a", "b", "c"] {
            known.arrive(&metadata(name, name, "1"));
        }
        assert_eq!(known.end_list(), []);
        assert_eq!(known.depart(&metadata("c", "c", "2")), Some(gone("c", "c")));
        assert_eq!(known.depart(&metadata("c", "c", "2")), None);
        known.arrive(&metadata("d", "d", "3"));
        known.begin_list();
        known.arrive(&metadata("b", "b", "1"));
        let mut vanished = known.end_list();
        vanished.sort();
        assert_eq!(vanished, [gone("a", "a"), gone("d", "d")]);
        assert_eq!(known.uids().collect::<Vec<_>>(), ["b"]);
    }
}
