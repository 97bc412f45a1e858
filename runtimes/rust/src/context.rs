//! What user code sees of a call: the `context` argument. It knows its module, not the engine.
//!
//! By value: `set` and `send` encode at once, `get` decodes afresh. What a call sends and changes is kept here
//! until it has ended.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::Value;

use crate::call::{Call, Core, Headers, Origin, Port, Sent, Work};
use crate::encode::{encode, encoded};
use crate::error::{ContextError, HeaderError, PortError, Raised, Result, TurnTooLarge};
use crate::guard::refused;
use crate::print;
use crate::store::{weight, Entry, MAX_STORE_BYTES, MAX_VALUE_BYTES};
use crate::typed::typed;
use crate::wires::Wires;

const MAX_HEADERS_BYTES: usize = 4096;

/// The context of a module during one call.
pub struct Context {
    pub(crate) core: Arc<Core>,
    pub(crate) wires: Option<Arc<Wires>>, // None in the thread of a source, which may outlive them
    pub(crate) call: Call,
    pub(crate) work: Work,
}

impl Context {
    pub(crate) fn new(core: Arc<Core>, wires: Option<Arc<Wires>>) -> Self {
        Self { core, wires, call: Call::of(Origin::Named("".into())), work: Work::default() }
    }

    /// The value of a key, None if there is none.
    ///
    /// # Errors
    /// `DataError` if it is not a `T`.
    #[track_caller]
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let at = Location::caller();
        self.entry(key).map(|entry| typed(&entry)).transpose().map_err(|error| refused(error, at))
    }

    /// The value of a key, or `default`.
    ///
    /// # Errors
    /// `DataError` if it is not a `T`.
    #[track_caller]
    pub fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// Set a key. It is committed with the turn.
    ///
    /// # Errors
    /// `DataError` or `ContextError` if the value is refused.
    #[track_caller]
    pub fn set<T: Serialize>(&mut self, key: &str, value: T) -> Result<()> {
        let at = Location::caller();
        self.try_set(key, &value).map_err(|error| refused(error, at))
    }

    fn try_set<T: Serialize>(&mut self, key: &str, value: &T) -> Result<()> {
        let entry: Entry = encoded(value)?.into();
        if entry.len() > MAX_VALUE_BYTES {
            let bytes = entry.len();
            return Err(ContextError(format!("{key} has {bytes} bytes, at most {MAX_VALUE_BYTES} are allowed")).into());
        }
        self.change(key, Some(entry))
    }

    /// Delete a key; it need not be there.
    ///
    /// # Errors
    /// `ContextError` in a module with `concurrency`.
    #[track_caller]
    pub fn delete(&mut self, key: &str) -> Result<()> {
        let at = Location::caller();
        if self.entry(key).is_none() {
            return Ok(());
        }
        self.change(key, None).map_err(|error| refused(error, at))
    }

    /// All keys, in no order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = {
            let store = self.core.store();
            store.keys().filter(|key| !self.work.changes.contains_key(*key)).cloned().collect()
        };
        keys.extend(self.work.changes.iter().filter(|(_, entry)| entry.is_some()).map(|(key, _)| key.clone()));
        keys
    }

    /// Send one more message, with the headers of the input.
    ///
    /// # Errors
    /// `DataError`, `PortError` or `TurnTooLarge` if it is refused.
    #[track_caller]
    pub fn send<T: Serialize>(&mut self, port: &str, value: T) -> Result<()> {
        let at = Location::caller();
        self.put(port, &value, None).map_err(|error| refused(error, at))
    }

    /// Send one more message with headers of its own.
    ///
    /// # Errors
    /// As `send`, or `HeaderError`.
    #[track_caller]
    pub fn send_with<T: Serialize>(&mut self, port: &str, value: T, headers: &Headers) -> Result<()> {
        let at = Location::caller();
        let own = Some(headers).filter(|headers| !headers.is_empty()).map(|headers| Arc::new(headers.clone()));
        check_headers(headers).and_then(|()| self.put(port, &value, Some(own))).map_err(|error| refused(error, at))
    }

    /// The module's `config`.
    #[must_use]
    pub fn config(&self) -> &Value {
        &self.core.config
    }

    /// The headers of the input.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.call.headers.as_deref().unwrap_or(&self.core.no_headers)
    }

    /// The in-port of the message.
    #[must_use]
    pub fn port(&self) -> &str {
        &self.call.port
    }

    /// The id of the message, the same when it is delivered again.
    #[must_use]
    pub fn message_id(&self) -> String {
        self.call.origin.to_string()
    }

    /// Whether the message may have been handled before, by a host that died.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.call.redelivered
    }

    /// The module's id.
    #[must_use]
    pub fn module_id(&self) -> &str {
        &self.core.module
    }

    /// The flow's id.
    #[must_use]
    pub fn flow_id(&self) -> &str {
        &self.core.flow
    }

    /// A line in the runner's log; levels are debug, info, warning and error.
    pub fn log(&self, level: &str, text: impl fmt::Display) {
        print::log(self.core.number, level, text.to_string());
    }

    /// The handler's value: as `send("out", value)`, but the last fused target may get the very value.
    pub(crate) fn finish<T: Serialize + 'static>(&mut self, value: T) -> Result<()> {
        self.put("out", &value, None)?;
        let has_targets = self.wires.as_ref().map_or(false, |wires| wires.out_has_targets());
        if has_targets {
            if let Some(sent) = self.work.sent.last_mut() {
                let mut value = Some(value);
                sent.value = (&mut value as &mut dyn std::any::Any).downcast_mut().and_then(Option::take);
            }
        }
        Ok(())
    }

    fn put<T: Serialize>(&mut self, name: &str, value: &T, headers: Option<Option<Arc<Headers>>>) -> Result<()> {
        if let Some(ports) = &self.core.out_ports {
            if !ports.contains(name) {
                return Err(PortError(format!("{} has no out-port {name}", self.core.module)).into());
            }
        }
        let work = &mut self.work;
        let start = work.bytes.len();
        encode(&mut work.bytes, value)?;
        let json = start..work.bytes.len();
        let size = json.len();
        let index = work.count;
        work.count += 1;
        let port = match &self.wires {
            None => Some(Port::Named(name.to_owned())),
            Some(wires) => wires.find(name).map(Port::At),
        };
        match port {
            Some(port) => work.sent.push(Sent { port, json, value: None, headers, index }),
            None => {
                work.bytes.truncate(start);
                self.core.say_unwired(name);
                work.unwired += 1;
            }
        }
        self.grow(size)
    }

    fn entry(&self, key: &str) -> Option<Entry> {
        match self.work.changes.get(key) {
            Some(changed) => changed.clone(),
            None => self.core.store().get(key).cloned(),
        }
    }

    fn change(&mut self, key: &str, entry: Option<Entry>) -> Result<()> {
        if self.core.is_read_only && self.call.is_message() {
            return Err(ContextError("a module with concurrency cannot change its context".to_owned()).into());
        }
        let size = weight(key, entry.as_ref());
        let before = weight(key, self.entry(key).as_ref());
        if size > before && self.core.store().total_bytes() + self.work.added + size - before > MAX_STORE_BYTES {
            return Err(ContextError(format!("the context would exceed {MAX_STORE_BYTES} bytes")).into());
        }
        self.work.added = (self.work.added + size).saturating_sub(before);
        self.work.changes.insert(key.to_owned(), entry);
        self.grow(size)
    }

    /// Stops a call early that would be refused anyway, before it eats the memory.
    fn grow(&mut self, bytes: usize) -> Result<()> {
        self.work.size += bytes;
        self.check_size().map_err(Into::into)
    }

    fn check_size(&self) -> Result<(), TurnTooLarge> {
        let limit = self.core.max_turn_bytes;
        if self.work.size > limit {
            return Err(TurnTooLarge(format!("outputs exceed {limit} bytes")));
        }
        Ok(())
    }

    /// What a call has returned, unless it has sent too much and did not mind.
    pub(crate) fn checked<T>(&self, value: T) -> Result<T, Raised> {
        self.check_size().map(|()| value).map_err(Raised::new)
    }
}

fn check_headers(headers: &Headers) -> Result<()> {
    if let Some(name) =
        headers.keys().find(|name| *name != "client" && *name != "traceparent" && !name.starts_with("x-"))
    {
        return Err(HeaderError(format!("header {name:?}: only client, traceparent and x-* exist")).into());
    }
    if encoded(headers)?.len() > MAX_HEADERS_BYTES {
        return Err(HeaderError(format!("headers of more than {MAX_HEADERS_BYTES} bytes")).into());
    }
    Ok(())
}
