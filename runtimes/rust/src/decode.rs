//! JSON text to values by the data contract: integers within int64, depth, bytes. It does not know frames.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::base64;
use crate::bytes::KEY;
use crate::error::DataError;

pub const MAX_DEPTH: usize = 120;
/// For LOAD and CALL, whose parts are values of their own.
const CONTROL_DEPTH: usize = MAX_DEPTH + 4;

pub fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH}")
}

/// The value of one JSON text.
pub fn decode(text: &[u8]) -> Result<Value, DataError> {
    decode_to(text, MAX_DEPTH)
}

/// The body of a control frame.
pub fn decode_control(text: &[u8]) -> Result<Value, DataError> {
    decode_to(text, CONTROL_DEPTH)
}

fn decode_to(text: &[u8], depth: usize) -> Result<Value, DataError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Checked { depth }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Builds a Value whose nesting is at most `depth` deep.
#[derive(Clone, Copy)]
struct Checked {
    depth: usize,
}

impl Checked {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth {
            0 => Err(E::custom(too_deep())),
            depth => Ok(Self { depth: depth - 1 }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    #[allow(clippy::cast_precision_loss)] // that is the contract
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::from(value as f64), Value::from))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            map.insert(key, access.next_value_seed(inner)?);
        }
        if map.len() == 1 {
            if let Some(item) = map.get(KEY) {
                if !matches!(item, Value::String(text) if base64::decode(text).is_some()) {
                    return Err(A::Error::custom("$bytes without base64"));
                }
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integers_beyond_int64_are_doubles() {
        assert_eq!(decode(b"9223372036854775807").unwrap(), json!(i64::MAX));
        assert_eq!(decode(b"9223372036854775808").unwrap(), json!(9223372036854775808.0));
    }

    #[test]
    fn depth() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(decode(&nested(120)).is_ok());
        assert!(decode(&nested(121)).is_err());
    }
}
