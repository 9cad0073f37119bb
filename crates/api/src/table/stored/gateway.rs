//! The columns of the Gateway API's definitions (`additionalPrinterColumns`).

use serde_json::Value;

use super::super::column::Column;
use super::super::value::list_at;
use super::{AGED, Filled, NAMED, text};

pub(super) const CLASS: &[Filled] = &[
    NAMED,
    (Column::text("Controller", "Who looks after Gateways of the class."), |item, _| {
        text(item, "/spec/controllerName")
    }),
    (Column::text("Accepted", "Whether the controller takes the class."), |item, _| {
        condition(item, "Accepted")
    }),
    AGED,
    (Column::text("Description", "What the class is.").wide(), |item, _| {
        text(item, "/spec/description")
    }),
];

pub(super) const GATEWAY: &[Filled] = &[
    NAMED,
    (Column::text("Class", "The class of the Gateway."), |item, _| {
        text(item, "/spec/gatewayClassName")
    }),
    // Of several values a column of a definition shows the first.
    (Column::text("Address", "Where it is reached."), |item, _| {
        text(item, "/status/addresses/0/value")
    }),
    (Column::text("Programmed", "Whether it listens."), |item, _| condition(item, "Programmed")),
    AGED,
];

pub(super) const ROUTE: &[Filled] = &[
    NAMED,
    (Column::text("Hostnames", "The host names of its requests."), |item, _| {
        match list_at(item, "/spec/hostnames") {
            [] => "".into(),
            names => Value::Array(names.to_vec()).to_string().into(),
        }
    }),
    AGED,
];

pub(super) const GRANT: &[Filled] = &[NAMED, AGED];

/// The status of a condition; empty without it.
fn condition(item: &Value, kind: &str) -> Value {
    let mut conditions = list_at(item, "/status/conditions").iter();
    let found = conditions.find(|condition| condition["type"] == kind);
    found.map_or("".into(), |condition| text(condition, "/status"))
}
