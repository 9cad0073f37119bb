//! The definition of a column.

use serde_json::{Value, json};

/// What a column is called, holds and means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    name: &'static str,
    /// `string`, `integer` or `boolean`.
    kind: &'static str,
    /// `name` for the column that names the object.
    format: &'static str,
    description: &'static str,
    /// 0: always shown; 1: with `-o wide`.
    priority: u8,
}

/// The object's name.
pub(super) const NAME: Column = Column {
    format: "name",
    ..Column::text("Name", "The object's name, unique in its namespace.")
};

/// The time since the object was created.
pub(super) const AGE: Column = Column::text("Age", "The time since the object was created.");

impl Column {
    /// A column of texts.
    pub(super) const fn text(name: &'static str, description: &'static str) -> Self {
        Self { name, kind: "string", format: "", description, priority: 0 }
    }

    /// A column of whole numbers.
    pub(super) const fn integer(name: &'static str, description: &'static str) -> Self {
        Self { name, kind: "integer", format: "", description, priority: 0 }
    }

    /// A column of truth values.
    pub(super) const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self { name, kind: "boolean", format: "", description, priority: 0 }
    }

    /// The same column, shown only with `-o wide`.
    pub(super) const fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }

    /// A `TableColumnDefinition`.
    pub(super) fn to_value(self) -> Value {
        let Self { name, kind, format, description, priority } = self;
        json!({
            "name": name,
            "type": kind,
            "format": format,
            "description": description,
            "priority": priority,
        })
    }
}
