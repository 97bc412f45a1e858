//! The key-value state of one module, each value as its JSON. It does not know turns.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::encode::encoded;
use crate::error::Failure;

pub const MAX_VALUE_BYTES: usize = 1 << 20;
pub const MAX_STORE_BYTES: usize = 64 << 20;

/// The JSON of a value.
pub type Entry = Arc<[u8]>;
/// What a turn does to some keys; None deletes.
pub type Changes = HashMap<String, Option<Entry>>;

#[derive(Default)]
pub struct Store {
    entries: HashMap<String, Entry>,
    total_bytes: usize,
}

impl Store {
    pub fn from_json(values: &Value) -> Result<Self, Failure> {
        let mut store = Self::default();
        if let Value::Object(values) = values {
            for (key, value) in values {
                store.put(key, Some(encoded(value)?.into()));
            }
        }
        Ok(store)
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    /// Set or, with None, remove; returns what was there.
    pub fn put(&mut self, key: &str, entry: Option<Entry>) -> Option<Entry> {
        let added = weight(key, entry.as_ref());
        let old = match (self.entries.get_mut(key), entry) {
            (Some(place), Some(entry)) => Some(std::mem::replace(place, entry)),
            (Some(_), None) => self.entries.remove(key),
            (None, Some(entry)) => self.entries.insert(key.to_owned(), entry),
            (None, None) => None,
        };
        self.total_bytes = self.total_bytes + added - weight(key, old.as_ref());
        old
    }

    pub fn total_bytes(&self) -> usize {
        self.total_bytes
    }
}

/// Bytes that an entry counts for.
pub fn weight(key: &str, entry: Option<&Entry>) -> usize {
    entry.map_or(0, |entry| key.len() + entry.len())
}
