//! What a module in Rust sees (`use flow::prelude::*;`), and the host that runs it (../PROTOCOL.md).
//!
//! A program made of this library and the units that it runs is written by ../build.py.

mod base64;
mod batch;
mod bytes;
mod call;
mod context;
mod decode;
mod encode;
mod encoder;
mod engine;
mod error;
mod exact;
mod guard;
pub mod host;
mod lifecycle;
mod link;
mod print;
mod slot;
mod source;
mod store;
mod transaction;
mod turn;
mod typed;
mod unit;
mod wires;

pub use bytes::{as_bytes, bytes, escaped, Bytes};
pub use call::Headers;
pub use context::Context;
pub use error::{ContextError, DataError, Failure, HeaderError, PortError, Result, TurnTooLarge};
#[doc(hidden)]
pub use print::{print_part, print_value};
pub use source::Source;
pub use unit::{Started, Unit};
pub use {serde, serde_json};

/// What a module needs, usually.
pub mod prelude {
    pub use crate::{Bytes, Context, DataError, Headers, Result, Source};
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{json, Map, Value};
}
