//! What user code sees of a call: the `context` argument. It knows its module, not the engine.
//!
//! By value: `set` and `send` encode at once, `get` decodes afresh. What a call sends and changes is kept here
//! until it has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::Value;

use crate::decode::typed;
use crate::encode::{encode, encoded};
use crate::error::{ContextError, HeaderError, PortError, Result, TurnTooLarge};
use crate::print;
use crate::slot::Wires;
use crate::store::{weight, Changes, Entry, Store, MAX_STORE_BYTES, MAX_VALUE_BYTES};

/// Headers of a message: `client`, `traceparent` and `x-*`.
pub type Headers = BTreeMap<String, String>;

const MAX_HEADERS_BYTES: usize = 4096;
/// Of a buffer that grew for one large message.
pub const KEPT_BYTES: usize = 1 << 20;

/// What the contexts of a module have in common.
pub struct Core {
    pub number: u16,
    pub flow: String,
    pub module: Arc<str>,
    pub config: Value,
    pub out_ports: Option<BTreeSet<String>>,
    pub max_turn_bytes: usize,
    pub is_read_only: bool,
    no_headers: Headers,
    store: Mutex<Store>,
}

impl Core {
    pub fn new(number: u16, spec: &Value) -> Result<Self> {
        let text = |name: &str| spec[name].as_str().unwrap_or_default();
        let names = |ports: &Value| -> BTreeSet<String> {
            ports.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut out_ports = spec["ports"].is_object().then(|| names(&spec["ports"]["out"]));
        if let Some(ports) = &mut out_ports {
            ports.insert("error".to_owned());
        }
        Ok(Self {
            number,
            flow: text("flow").to_owned(),
            module: text("module").into(),
            config: spec["config"].clone(),
            out_ports,
            max_turn_bytes: spec["max_turn_bytes"].as_u64().map_or(usize::MAX, |bytes| bytes as usize),
            is_read_only: spec["concurrency"].as_u64().unwrap_or(1) > 1,
            no_headers: Headers::new(),
            store: Mutex::new(Store::from_json(&spec["context"])?),
        })
    }

    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a call's message comes from; written out, it is the message's id.
#[derive(Clone)]
pub enum Origin {
    Wire { wire: Arc<str>, number: u64 },
    Named(Arc<str>),
    Output { parent: Arc<Origin>, module: Arc<str>, index: u32 },
    Source { module: Arc<str>, number: u64 },
    Hook { module: Arc<str>, hook: &'static str },
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire { wire, number } => write!(formatter, "{wire}#{number}"),
            Self::Named(id) => formatter.write_str(id),
            Self::Output { parent, module, index } => write!(formatter, "{parent}/{module}.{index}"),
            Self::Source { module, number } => write!(formatter, "{module}.start#{number}"),
            Self::Hook { module, hook } => write!(formatter, "{module}.{hook}"),
        }
    }
}

/// About the message of a call.
#[derive(Clone)]
pub struct Call {
    pub port: Arc<str>,
    pub origin: Origin,
    pub headers: Option<Arc<Headers>>,
    pub redelivered: bool,
    pub is_fused: bool,
}

impl Call {
    /// A call that no message causes.
    pub fn of(origin: Origin) -> Self {
        Self { port: "".into(), origin, headers: None, redelivered: false, is_fused: false }
    }
}

/// The out-port of a sent message: its place in the slot's wires, or its name where they are not at hand.
pub enum Port {
    At(usize),
    Named(String),
}

/// One sent message.
pub struct Sent {
    pub port: Port,
    pub json: std::ops::Range<usize>,          // in Work::bytes
    pub value: Option<Value>,                  // the native value, for the last fused target
    pub headers: Option<Option<Arc<Headers>>>, // None: those of the input
    pub index: u32,
}

/// What a call has done so far.
#[derive(Default)]
pub struct Work {
    pub sent: Vec<Sent>,
    pub bytes: Vec<u8>,
    pub changes: Changes,
    pub count: u32,
    pub unwired: u64,
    pub size: usize,
    pub added: usize, // to the store, at least
    pub is_too_large: bool,
}

impl Work {
    /// Empty it; its buffers stay.
    pub fn clear(&mut self) {
        self.sent.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.changes.clear();
        self.count = 0;
        self.unwired = 0;
        self.size = 0;
        self.added = 0;
        self.is_too_large = false;
    }
}

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
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.entry(key).map(|entry| typed(&entry)).transpose().map_err(Into::into)
    }

    /// The value of a key, or `default`.
    ///
    /// # Errors
    /// `DataError` if it is not a `T`.
    pub fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// Set a key. It is committed with the turn.
    ///
    /// # Errors
    /// `DataError` or `ContextError` if the value is refused.
    pub fn set<T: Serialize>(&mut self, key: &str, value: T) -> Result<()> {
        let entry: Entry = encoded(&value)?.into();
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
    pub fn delete(&mut self, key: &str) -> Result<()> {
        if self.entry(key).is_none() {
            return Ok(());
        }
        self.change(key, None)
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
    pub fn send<T: Serialize>(&mut self, port: &str, value: T) -> Result<()> {
        self.put(port, &value, None)
    }

    /// Send one more message with headers of its own.
    ///
    /// # Errors
    /// As `send`, or `HeaderError`.
    pub fn send_with<T: Serialize>(&mut self, port: &str, value: T, headers: &Headers) -> Result<()> {
        check_headers(headers)?;
        let headers = Some(headers).filter(|headers| !headers.is_empty());
        self.put(port, &value, Some(headers.map(|headers| Arc::new(headers.clone()))))
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
        let index = work.count;
        work.count += 1;
        let port = match &self.wires {
            None => Port::Named(name.to_owned()),
            Some(wires) => match wires.find(name) {
                Some(at) => Port::At(at),
                None => {
                    work.unwired += 1;
                    return Ok(());
                }
            },
        };
        let start = work.bytes.len();
        encode(&mut work.bytes, value)?;
        let json = start..work.bytes.len();
        let size = json.len();
        work.sent.push(Sent { port, json, value: None, headers, index });
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

    /// Stops a call early whose turn would be rolled back anyway, before it eats the memory.
    fn grow(&mut self, bytes: usize) -> Result<()> {
        self.work.size += bytes;
        if self.work.size > self.core.max_turn_bytes {
            self.work.is_too_large = true;
            return Err(too_large(self.core.max_turn_bytes).into());
        }
        Ok(())
    }
}

impl Call {
    fn is_message(&self) -> bool {
        !matches!(self.origin, Origin::Source { .. } | Origin::Hook { .. })
    }
}

pub fn too_large(limit: usize) -> TurnTooLarge {
    TurnTooLarge(format!("the turn has more than {limit} bytes of output"))
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
