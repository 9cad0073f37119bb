//! Messages turned into the JSON that a client would have sent instead.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::schema::{Field, Message, Shape, Type, message as message_of};
use super::wire::{Payload, Reader};
use super::{DecodeError, text};

/// How many values one body may hold. An empty message takes two bytes on the wire and far more in memory.
const VALUES_MAX: usize = 500_000;

/// How deep the JSON within a `RawExtension` may be: what is stored must be readable again.
const RAW_DEPTH_MAX: usize = 64;

/// Decodes one body, counting what comes out of it.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    values: usize,
}

impl Decoder {
    /// Decodes a message into an object. Fields that the table does not name are newer than it, and skipped.
    pub(super) fn message(
        &mut self,
        message: &Message,
        bytes: &[u8],
        into: &mut Map<String, Value>,
    ) -> Result<(), DecodeError> {
        let mut reader = Reader::new(bytes);
        while let Some((number, payload)) = reader.field()? {
            let Some(field) = message.field(number) else { continue };
            self.field(field, payload, into).map_err(|error| error.below(field.name))?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &Field,
        payload: Payload<'_>,
        into: &mut Map<String, Value>,
    ) -> Result<(), DecodeError> {
        let Field { number: _, name, shape, of } = field;
        match shape {
            Shape::Inline => match *of {
                Type::Message(index) => self.message(message_of(index), bytes_of(payload)?, into),
                _ => Err(DecodeError::Malformed("only a message can be inline")),
            },
            Shape::Plain | Shape::Pointer => {
                // A message that comes in parts is one message.
                if let Type::Message(index) = *of {
                    self.count()?;
                    let part = into.entry(*name).or_insert_with(|| Value::Object(Map::new()));
                    let Value::Object(part) = part else { return Ok(()) };
                    return self.message(message_of(index), bytes_of(payload)?, part);
                }
                let value = self.value(*of, payload)?;
                if value.is_null() || *shape == Shape::Plain && is_zero(&value) {
                    into.remove(*name);
                } else {
                    into.insert((*name).to_owned(), value);
                }
                Ok(())
            }
            Shape::List => {
                let list = into.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
                let Value::Array(list) = list else { return Ok(()) };
                match (of, payload) {
                    (Type::Int, Payload::Bytes(packed)) => {
                        let mut packed = Reader::new(packed);
                        while !packed.is_empty() {
                            self.count()?;
                            list.push(packed.varint()?.cast_signed().into());
                        }
                    }
                    _ => list.push(self.value(*of, payload)?),
                }
                Ok(())
            }
            Shape::Map => {
                let (key, value) = self.entry(*of, bytes_of(payload)?)?;
                let map = into.entry(*name).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(map) = map {
                    map.insert(key, value);
                }
                Ok(())
            }
        }
    }

    /// An entry of a map: a message of key and value, either of which may be missing when it is zero.
    fn entry(&mut self, of: Type, bytes: &[u8]) -> Result<(String, Value), DecodeError> {
        let (mut key, mut value) = (String::new(), None);
        let mut reader = Reader::new(bytes);
        while let Some((number, payload)) = reader.field()? {
            match number {
                1 => key = text(bytes_of(payload)?)?,
                2 => value = Some(self.value(of, payload)?),
                _ => {}
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.value(of, Payload::Bytes(&[]))?,
        };
        Ok((key, value))
    }

    /// One value; null for a time that is not set.
    fn value(&mut self, of: Type, payload: Payload<'_>) -> Result<Value, DecodeError> {
        self.count()?;
        Ok(match of {
            Type::String => text(bytes_of(payload)?)?.into(),
            Type::Bytes => BASE64_STANDARD.encode(bytes_of(payload)?).into(),
            Type::Bool => (number_of(payload)? != 0).into(),
            Type::Int => number_of(payload)?.into(),
            Type::Time => time(bytes_of(payload)?, "%Y-%m-%dT%H:%M:%SZ")?,
            Type::MicroTime => time(bytes_of(payload)?, "%Y-%m-%dT%H:%M:%S.%6fZ")?,
            Type::Quantity => only(bytes_of(payload)?)?.map_or(Ok(String::new()), text)?.into(),
            Type::IntOrString => int_or_string(bytes_of(payload)?)?,
            Type::Raw | Type::Fields => match only(bytes_of(payload)?)? {
                None | Some([]) => Value::Null,
                Some(json) => raw(json)?,
            },
            Type::Strings => {
                let mut list = Vec::new();
                let mut reader = Reader::new(bytes_of(payload)?);
                while let Some((number, payload)) = reader.field()? {
                    if number == 1 {
                        list.push(self.value(Type::String, payload)?);
                    }
                }
                list.into()
            }
            Type::Message(index) => {
                let mut object = Map::new();
                self.message(message_of(index), bytes_of(payload)?, &mut object)?;
                object.into()
            }
        })
    }

    fn count(&mut self) -> Result<(), DecodeError> {
        self.values += 1;
        if self.values > VALUES_MAX { Err(DecodeError::TooLarge(VALUES_MAX)) } else { Ok(()) }
    }
}

fn bytes_of(payload: Payload<'_>) -> Result<&[u8], DecodeError> {
    match payload {
        Payload::Bytes(bytes) => Ok(bytes),
        Payload::Varint(_) | Payload::Fixed => {
            Err(DecodeError::Malformed("a field has another wire type than its declaration"))
        }
    }
}

fn number_of(payload: Payload<'_>) -> Result<i64, DecodeError> {
    match payload {
        Payload::Varint(number) => Ok(number.cast_signed()),
        Payload::Bytes(_) | Payload::Fixed => {
            Err(DecodeError::Malformed("a field has another wire type than its declaration"))
        }
    }
}

/// The bytes of field 1, the only one of quantities and raw objects.
fn only(message: &[u8]) -> Result<Option<&[u8]>, DecodeError> {
    let mut reader = Reader::new(message);
    let mut only = None;
    while let Some((number, payload)) = reader.field()? {
        if number == 1 {
            only = Some(bytes_of(payload)?);
        }
    }
    Ok(only)
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Seconds in field 1 and nanoseconds in field 2; both zero is no time.
fn time(message: &[u8], format: &str) -> Result<Value, DecodeError> {
    let (mut seconds, mut nanoseconds) = (0, 0);
    let mut reader = Reader::new(message);
    while let Some((number, payload)) = reader.field()? {
        match number {
            1 => seconds = number_of(payload)?,
            2 => nanoseconds = number_of(payload)?,
            _ => {}
        }
    }
    if (seconds, nanoseconds) == (0, 0) {
        return Ok(Value::Null);
    }
    let range = |_| DecodeError::Malformed("a time is out of range");
    let nanoseconds =
        i32::try_from(nanoseconds).map_err(|_| DecodeError::Malformed("a time is out of range"))?;
    let time = Timestamp::new(seconds, nanoseconds).map_err(range)?;
    Ok(time.strftime(format).to_string().into())
}

/// Which of both it is in field 1, the number in 2, the text in 3.
fn int_or_string(message: &[u8]) -> Result<Value, DecodeError> {
    let (mut kind, mut number, mut word) = (0, 0, String::new());
    let mut reader = Reader::new(message);
    while let Some((field, payload)) = reader.field()? {
        match field {
            1 => kind = number_of(payload)?,
            2 => number = number_of(payload)?,
            3 => word = text(bytes_of(payload)?)?,
            _ => {}
        }
    }
    Ok(if kind == 0 { number.into() } else { word.into() })
}

fn raw(json: &[u8]) -> Result<Value, DecodeError> {
    fn is_deep(value: &Value, left: usize) -> bool {
        left == 0
            || match value {
                Value::Array(items) => items.iter().any(|item| is_deep(item, left - 1)),
                Value::Object(fields) => fields.values().any(|field| is_deep(field, left - 1)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
            }
    }
    let value: Value =
        serde_json::from_slice(json).map_err(|_| DecodeError::Malformed("raw data is not JSON"))?;
    if is_deep(&value, RAW_DEPTH_MAX) {
        return Err(DecodeError::Malformed("raw data is nested too deep"));
    }
    Ok(value)
}
