//! The types of the served kinds, as far as merging goes: which fields lead where, and how each merges.
//!
//! Strategic merge patches, server-side apply and OpenAPI go by the same [rules]. The types themselves are
//! k8s-openapi's; they are gone through once, when something is first merged.

mod rules;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use manifest::kind::Kind;
use manifest::schema;
use serde_json::Value;

pub(crate) use rules::{Apply, Patch, Rule, key_default};

/// One type.
#[derive(Debug)]
struct Type {
    /// Whether server-side apply takes its objects as a whole.
    atomic: bool,
    /// The fields that have a rule or lead to a type.
    fields: HashMap<String, Place>,
}

/// A place in an object: what holds of the value there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    rule: Rule,
    /// The type of the object there, or of the items of the list there.
    of: Option<usize>,
}

/// Every type, and where each is by its name.
static TYPES: LazyLock<(Vec<Type>, HashMap<String, usize>)> = LazyLock::new(|| {
    let definitions = schema::definitions();
    let index: HashMap<String, usize> =
        definitions.keys().cloned().enumerate().map(|(index, name)| (name, index)).collect();
    let read = |(name, schema): (&String, &Value)| Type {
        atomic: is_atomic(name),
        fields: properties(schema)
            .map(|(field, schema)| {
                let of = reference(schema).and_then(|name| index.get(name).copied());
                (field.clone(), Place { rule: rule(name, field), of })
            })
            .filter(|(_, place)| *place != Place::PLAIN)
            .collect(),
    };
    (definitions.iter().map(read).collect(), index)
});

/// The fields of a type by its schema.
fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// The type that a field's schema refers to, itself or for its items. Values of maps are none: no type with a rule is
/// the value of a map.
fn reference(schema: &Value) -> Option<&str> {
    let reference = schema.get("$ref").or_else(|| schema.get("items")?.get("$ref"))?;
    reference.as_str()?.strip_prefix(schema::REFERENCE)
}

/// A type's name in the tables.
fn short(name: &str) -> &str {
    name.strip_prefix("io.k8s.").unwrap_or(name)
}

/// The rule of a type's field.
pub(crate) fn rule(name: &str, field: &str) -> Rule {
    let of_type = rules::FIELDS.iter().find(|(candidate, _)| *candidate == short(name));
    let fields = of_type.map_or(&[][..], |(_, fields)| *fields);
    fields.iter().find(|(candidate, _)| *candidate == field).map_or(rules::USUAL, |(_, rule)| *rule)
}

/// Whether server-side apply takes a type's objects as a whole.
pub(crate) fn is_atomic(name: &str) -> bool {
    rules::ATOMIC_TYPES.contains(&short(name))
}

impl Place {
    /// A place of which nothing is known.
    pub(crate) const PLAIN: Self = Self { rule: rules::USUAL, of: None };

    /// An object of a kind.
    pub(crate) fn of(kind: &Kind) -> Self {
        let (_, index) = &*TYPES;
        Self { of: index.get(&schema::type_name(kind)).copied(), ..Self::PLAIN }
    }

    /// A field of the object here.
    pub(crate) fn field(self, name: &str) -> Self {
        self.its_type().and_then(|of| of.fields.get(name)).copied().unwrap_or(Self::PLAIN)
    }

    /// An item of the list here.
    pub(crate) fn item(self) -> Self {
        Self { rule: rules::USUAL, ..self }
    }

    /// How the value here is applied.
    pub(crate) fn apply(self) -> Apply {
        let usual = || match self.its_type() {
            Some(Type { atomic: true, .. }) => Apply::Atomic,
            Some(_) | None => Apply::Fields,
        };
        self.rule.apply.unwrap_or_else(usual)
    }

    /// How a strategic merge patch changes the value here.
    pub(crate) fn patch(self) -> Patch {
        self.rule.patch
    }

    fn its_type(self) -> Option<&'static Type> {
        let (types, _) = &*TYPES;
        self.of.map(|index| &types[index])
    }
}
