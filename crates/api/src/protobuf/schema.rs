//! The table of messages: which field of which number is which JSON field, and what it holds.

use std::collections::HashMap;
use std::sync::LazyLock;

/// All messages that are read, by section (an apiVersion) and name.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("messages.txt")));

/// The section of the types that all versions share.
pub(super) const META: &str = "meta";

/// What one value of a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Bytes,
    Bool,
    Int,
    /// Seconds since 1970 and nanoseconds, written to the second.
    Time,
    /// The same, written to the microsecond.
    MicroTime,
    Quantity,
    IntOrString,
    /// Any object, as JSON text.
    Raw,
    /// `FieldsV1`: JSON text.
    Fields,
    /// A list of texts in a message of its own.
    Strings,
    /// The message of this index.
    Message(usize),
}

/// How often a field's value may occur, and what its absence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Zero, false and the empty text are written to the wire and mean that it is absent.
    Plain,
    /// What is on the wire is set.
    Pointer,
    List,
    Map,
    /// A message whose fields are those of the outer one in JSON.
    Inline,
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) of: Type,
}

/// The fields of a message, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Message {
    fields: Vec<Field>,
}

impl Message {
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        self.fields.iter().find(|field| field.number == number)
    }
}

/// The message of a kind; `None` when it is not in the table.
pub(super) fn root(api_version: &str, kind: &str) -> Option<&'static Message> {
    TABLE.names.get(&(api_version, kind)).map(|index| &TABLE.messages[*index])
}

/// The message of an index out of the table.
pub(super) fn message(index: usize) -> &'static Message {
    &TABLE.messages[index]
}

struct Table {
    names: HashMap<(&'static str, &'static str), usize>,
    messages: Vec<Message>,
}

impl Table {
    /// Parses the table's text, which is part of the program: its shape is described at its head, and a test reads it.
    fn parse(text: &'static str) -> Self {
        let lines = || text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut names = HashMap::new();
        let mut section = "";
        for line in lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name;
            } else if let Some((name, _)) = line.split_once(':') {
                names.insert((section, name), names.len());
            }
        }
        let mut messages: Vec<Message> = Vec::with_capacity(names.len());
        for line in lines() {
            let fields = match line.split_once(':') {
                Some((_, fields)) => {
                    messages.push(Message::default());
                    fields
                }
                None => line,
            };
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name;
                continue;
            }
            let Some(message) = messages.last_mut() else { continue };
            let fields = fields.split(',').map(str::trim).filter(|field| !field.is_empty());
            message.fields.extend(fields.map(|field| parse_field(section, field, &names)));
        }
        Self { names, messages }
    }
}

fn parse_field(
    section: &'static str,
    text: &'static str,
    names: &HashMap<(&'static str, &'static str), usize>,
) -> Field {
    let mut words = text.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (number, name, of) = (word(), word(), word());
    let shapes =
        [("[]", Shape::List), ("{}", Shape::Map), ("*", Shape::Pointer), ("^", Shape::Inline)];
    let (shape, of) = shapes
        .into_iter()
        .find_map(|(mark, shape)| of.strip_prefix(mark).map(|of| (shape, of)))
        .unwrap_or((Shape::Plain, of));
    let of = match of {
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "time" => Type::Time,
        "microtime" => Type::MicroTime,
        "quantity" => Type::Quantity,
        "intstr" => Type::IntOrString,
        "raw" => Type::Raw,
        "fields" => Type::Fields,
        "strings" => Type::Strings,
        message => {
            let (section, message) = message.split_once('.').unwrap_or((section, message));
            Type::Message(*names.get(&(section, message)).expect("the table names its messages"))
        }
    };
    Field { number: number.parse().expect("the table numbers its fields"), name, shape, of }
}

#[cfg(test)]
mod tests {
    use manifest::kind::{Kind, KindId, Stored};

    use super::*;

    #[test]
    fn every_served_kind_is_there() {
        // Kinds that Kubernetes has by definitions have no messages: clients write them as JSON.
        let is_defined = |kind: &Kind| {
            matches!(
                kind.id,
                KindId::Stored(
                    Stored::ServiceImport
                        | Stored::GatewayClass
                        | Stored::Gateway
                        | Stored::HTTPRoute
                        | Stored::ReferenceGrant
                )
            )
        };
        for kind in Kind::all() {
            if is_defined(kind) {
                assert!(root(kind.api_version(), kind.kind).is_none(), "{}", kind.kind);
                continue;
            }
            let message = root(kind.api_version(), kind.kind);
            let message = message.unwrap_or_else(|| panic!("{} is missing", kind.kind));
            assert_eq!(message.field(1).map(|field| field.name), Some("metadata"), "{}", kind.kind);
        }
        assert!(root(META, "DeleteOptions").is_some());
        assert!(root("v1", "Nothing").is_none());
    }

    /// How deep the messages nest; a message that held itself would never end.
    fn depth(message: &Message, above: usize) -> usize {
        assert!(above < 32, "a message holds itself");
        let below = message.fields.iter().map(|field| match field.of {
            Type::Message(index) => depth(super::message(index), above + 1),
            _ => above + 1,
        });
        below.max().unwrap_or(above)
    }

    #[test]
    fn no_message_holds_itself() {
        let deepest = TABLE.messages.iter().map(|message| depth(message, 0)).max();
        assert!(deepest.is_some_and(|depth| depth > 5), "{deepest:?}");
    }

    #[test]
    fn fields_are_as_kubernetes_numbers_them() {
        let check = |kind: (&str, &str), number: u32, name: &str, shape: Shape| {
            let field = root(kind.0, kind.1).and_then(|message| message.field(number)).unwrap();
            assert_eq!((field.name, field.shape), (name, shape), "{kind:?}");
        };
        check(("v1", "ServiceSpec"), 1, "ports", Shape::List);
        check(("v1", "ServiceSpec"), 2, "selector", Shape::Map);
        check(("v1", "ServiceSpec"), 23, "trafficDistribution", Shape::Pointer);
        check(("v1", "Volume"), 2, "volumeSource", Shape::Inline);
        check(("apps/v1", "DeploymentSpec"), 1, "replicas", Shape::Pointer);
        check((META, "ObjectMeta"), 17, "managedFields", Shape::List);
        for message in &TABLE.messages {
            let mut numbers: Vec<u32> = message.fields.iter().map(|field| field.number).collect();
            numbers.dedup();
            assert_eq!(numbers.len(), message.fields.len(), "{message:?}");
        }
    }
}
