//! What there is behind a `Context`: the module, the message of a call, and what the call has done so far.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::error::Result;
use crate::print;
use crate::store::{Changes, Store};

/// Of a buffer that grew for one large message.
pub const KEPT_BYTES: usize = 1 << 20;
const MAX_UNWIRED_PORTS: usize = 64;

/// Headers of a message: `client`, `traceparent` and `x-*`.
pub type Headers = BTreeMap<String, String>;

/// What the contexts of a module have in common.
pub struct Core {
    pub number: u16,
    pub flow: String,
    pub module: Arc<str>,
    pub file: String, // the module's own, as the user calls it
    pub config: Value,
    pub out_ports: Option<BTreeSet<String>>,
    pub max_turn_bytes: usize,
    pub is_read_only: bool,
    pub no_headers: Headers,
    unwired: Mutex<BTreeSet<String>>, // ports of which the runner knows
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
            file: text("name").to_owned(),
            config: spec["config"].clone(),
            out_ports,
            max_turn_bytes: spec["max_turn_bytes"].as_u64().map_or(usize::MAX, |bytes| bytes as usize),
            is_read_only: spec["concurrency"].as_u64().unwrap_or(1) > 1,
            no_headers: Headers::new(),
            unwired: Mutex::default(),
            store: Mutex::new(Store::from_json(&spec["context"])?),
        })
    }

    /// The first time: something was sent to a port that has no wire. Where results go is nobody's mistake.
    pub fn say_unwired(&self, port: &str) {
        let mut ports = self.unwired.lock().unwrap_or_else(PoisonError::into_inner);
        if port != "out" && ports.len() < MAX_UNWIRED_PORTS && ports.insert(port.to_owned()) {
            print::log(self.number, "unwired", port.to_owned());
        }
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
    pub fn is_message(&self) -> bool {
        !matches!(self.origin, Origin::Source { .. } | Origin::Hook { .. })
    }

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
    pub json: Range<usize>,                    // in Work::bytes
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
    }
}
