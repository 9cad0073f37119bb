//! Kinds that are served in a second version: the same objects under other field names.
//!
//! Such a kind has its line among the served kinds, and is known here by the kind as which its objects are stored. Its
//! version differs in the names of top-level fields alone, so that whatever is of the object's shape (the object, the
//! configuration that is applied) is converted by renaming.

use std::borrow::Cow;

use serde_json::Value;

use super::{Kind, KindId, Stored};

/// How a kind differs from the one as which its objects are stored.
struct Version {
    stored_as: KindId,
    /// Top-level fields that have another name there: the name as served, the name as stored.
    renamed: &'static [(&'static str, &'static str)],
}

/// `events.k8s.io/v1` (Kubernetes, `pkg/apis/events/v1`).
static EVENT: Version = Version {
    stored_as: KindId::Event,
    renamed: &[
        ("regarding", "involvedObject"),
        ("note", "message"),
        ("reportingController", "reportingComponent"),
        ("deprecatedCount", "count"),
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedSource", "source"),
    ],
};

impl Kind {
    fn version_of(&self) -> Option<&'static Version> {
        match self.id {
            KindId::Stored(Stored::Event) => Some(&EVENT),
            _ => None,
        }
    }

    /// The kind as which objects of this kind are stored: itself, but for another version of a kind.
    pub fn stored_as(&self) -> &'static Kind {
        Kind::of(self.version_of().map_or(self.id, |version| version.stored_as))
    }

    /// Whether objects are stored as they are served.
    pub fn is_stored_as_served(&self) -> bool {
        self.version_of().is_none()
    }

    /// Gives an object of this kind the form in which it is stored.
    pub fn to_stored(&self, object: &mut Value) {
        self.rename(object, self.stored_as(), |(served, stored)| (served, stored));
    }

    /// Gives a stored object the form of this kind.
    pub fn to_served(&self, object: &mut Value) {
        self.rename(object, self, |(served, stored)| (stored, served));
    }

    /// The path of a field (`regarding.name`) in the stored form.
    pub fn stored_field<'f>(&self, path: &'f str) -> Cow<'f, str> {
        let (first, rest) = path.split_at(path.find('.').unwrap_or(path.len()));
        let renamed = self.version_of().and_then(|version| {
            version.renamed.iter().find(|(served, _)| *served == first).map(|(_, stored)| stored)
        });
        match renamed {
            Some(stored) => Cow::Owned(format!("{stored}{rest}")),
            None => Cow::Borrowed(path),
        }
    }

    fn rename(
        &self,
        object: &mut Value,
        to: &Kind,
        direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
    ) {
        let (Some(version), Value::Object(fields)) = (self.version_of(), object) else { return };
        for (from, to) in version.renamed.iter().copied().map(direction) {
            if let Some(value) = fields.remove(from) {
                fields.insert(to.to_owned(), value);
            }
        }
        fields.insert("apiVersion".to_owned(), to.api_version().into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_one_in_both_versions() {
        let kind = Kind::of(KindId::Stored(Stored::Event));
        assert_eq!(kind.stored_as(), Kind::of(KindId::Event));
        let served = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "a"},
            "regarding": {"kind": "Pod"}, "note": "n", "reason": "R", "reportingController": "c",
            "deprecatedCount": 2, "deprecatedFirstTimestamp": "t", "deprecatedLastTimestamp": "u",
            "deprecatedSource": {"host": "h"},
        });
        let stored = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "a"},
            "involvedObject": {"kind": "Pod"}, "message": "n", "reason": "R", "reportingComponent": "c",
            "count": 2, "firstTimestamp": "t", "lastTimestamp": "u", "source": {"host": "h"},
        });
        let mut value = served.clone();
        kind.to_stored(&mut value);
        assert_eq!(value, stored);
        kind.to_served(&mut value);
        assert_eq!(value, served);
    }

    #[test]
    fn other_kinds_are_what_they_are() {
        let kind = Kind::of(KindId::Event);
        assert!(kind.is_stored_as_served());
        let object = json!({"apiVersion": "v1", "note": "n", "count": 1});
        let mut value = object.clone();
        kind.to_stored(&mut value);
        kind.to_served(&mut value);
        assert_eq!(value, object);
    }

    #[test]
    fn fields_by_their_stored_names() {
        let check = |path, stored| {
            assert_eq!(Kind::of(KindId::Stored(Stored::Event)).stored_field(path), stored);
        };
        check("regarding.name", "involvedObject.name");
        check("reportingController", "reportingComponent");
        check("type", "type");
        check("metadata.name", "metadata.name");
    }
}
