//! Bytes in messages. A `Value` keeps the form of the wire: the object `{"$bytes": "<base64>"}`.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{json, Map, Value};

use crate::base64;

pub const KEY: &str = "$bytes";

/// Bytes as a field of a typed message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(KEY, base64::encode(&self.0))])
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        as_bytes(&Value::Object(map)).map(Self).ok_or_else(|| D::Error::custom("no bytes"))
    }
}

/// A value that travels as bytes.
pub fn bytes(bytes: &[u8]) -> Value {
    json!({ KEY: base64::encode(bytes) })
}

/// The bytes of a value that is bytes.
pub fn as_bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Object(map) if map.len() == 1 => base64::decode(map.get(KEY)?.as_str()?),
        _ => None,
    }
}

/// An object of your own that looks like bytes, so that it travels as an object: its sole key gets one more `$`.
pub fn escaped(value: Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.keys().all(|key| is_dollars_bytes(key)) => {
            Value::Object(map.into_iter().map(|(key, item)| (format!("${key}"), item)).collect())
        }
        other => other,
    }
}

/// Whether a key is `$bytes` with any number of dollars.
fn is_dollars_bytes(key: &str) -> bool {
    key.starts_with('$') && key.trim_start_matches('$') == "bytes"
}
