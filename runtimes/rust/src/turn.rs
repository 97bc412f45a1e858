//! One root message and all that is fused behind it. Nothing of it is in the transaction until it has ended.

use std::process::exit;
use std::sync::Arc;

use serde_json::json;

use crate::call::{Call, Core, Headers, Origin, Port, Sent, Work, KEPT_BYTES};
use crate::context::Context;
use crate::encode::encode;
use crate::error::{describe, Raised};
use crate::link::{Frame, HELD, NO_INDEX};
use crate::slot::{Counts, Slot, Slots};
use crate::source::Applied;
use crate::store::Entry;
use crate::transaction::Transaction;
use crate::wires::OutPort;

const MAX_FUSED_BYTES: usize = 64 << 20; // of a turn

/// What began a turn.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A message of the runner.
    #[default]
    Data,
    /// A turn of a source.
    Pulled,
    /// A hook, or the end of a source: not a handler call.
    Quiet,
}

struct Output {
    channel: u16,
    json: std::ops::Range<usize>,
    headers: std::ops::Range<usize>,
}

struct Change {
    slot: u16,
    key: String,
    new: Option<Entry>,
}

struct Failed {
    slot: u16,
    number: u64,
    info: Vec<u8>,
    message: Vec<u8>,
    is_root: bool,
}

#[derive(Default)]
pub struct Turn {
    pub kind: Kind,
    pub root: u16,
    pub number: u64,
    pub is_held: bool,
    pub can_retry: bool,
    bytes: Vec<u8>,
    outputs: Vec<Output>,
    rows: Vec<(u16, Counts)>,
    changes: Vec<Change>,
    errors: Vec<Failed>,
    size: usize,
}

impl Turn {
    /// Begin anew; the buffers stay.
    pub fn reset(&mut self, kind: Kind, slot: &Slot, number: u64) {
        self.clear();
        self.kind = kind;
        self.root = slot.core.number;
        self.number = number;
        self.is_held = false;
        self.can_retry = slot.retry && kind == Kind::Data;
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.outputs.clear();
        self.rows.clear();
        self.changes.clear();
        self.errors.clear();
        self.size = 0;
    }

    /// A call that returned: its outputs and changes are the turn's now. `applied`: changes that are in the store already.
    pub fn take(&mut self, context: &Context, work: &mut Work, applied: Vec<Applied>, ports: &[OutPort], busy_ns: u64) {
        let (core, call) = (&context.core, &context.call);
        self.size += work.size;
        if self.size > MAX_FUSED_BYTES && call.is_fused {
            give_up(self.size);
        }
        let slot = core.number;
        self.changes.extend(applied.into_iter().map(|Applied { key, new }| Change { slot, key, new }));
        if !work.changes.is_empty() {
            let mut store = core.store();
            for (key, new) in work.changes.drain() {
                store.put(&key, new.clone());
                self.changes.push(Change { slot, key, new });
            }
        }
        let mut row = Counts { unwired: work.unwired, busy_ns, fused: call.is_fused.into(), ..Counts::default() };
        row.handled = u64::from(self.kind != Kind::Quiet || call.is_fused);
        for sent in &mut work.sent {
            if let Port::Named(name) = &sent.port {
                if ports.iter().all(|port| port.name != *name) {
                    core.say_unwired(name);
                }
                sent.port = ports.iter().position(|port| port.name == *name).map_or(Port::At(usize::MAX), Port::At);
            }
            match sent.port {
                Port::At(at) if at < ports.len() => {
                    row.sent += 1;
                    self.output(&ports[at], sent, &work.bytes, context);
                }
                _ => row.unwired += 1,
            }
        }
        self.rows.push((core.number, row));
    }

    fn output(&mut self, port: &OutPort, sent: &Sent, bytes: &[u8], context: &Context) {
        let channel = match port.channel {
            Some(channel) => channel,
            None => return,
        };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&bytes[sent.json.clone()]);
        let end = self.bytes.len();
        let headers = sent.headers.as_ref().unwrap_or(&context.call.headers).as_deref();
        if port.ids {
            let mut headers: Headers = headers.cloned().unwrap_or_default();
            headers.insert("id".to_owned(), format!("{}/{}.{}", context.call.origin, context.core.module, sent.index));
            self.add_headers(&headers);
        } else if let Some(headers) = headers {
            self.add_headers(headers);
        }
        self.outputs.push(Output { channel, json: start..end, headers: end..self.bytes.len() });
    }

    fn add_headers(&mut self, headers: &Headers) {
        encode(&mut self.bytes, headers).expect("headers are texts");
    }

    /// A call that raised: its ERROR is all that is left of it. `message` is that of a fused call.
    pub fn fail(&mut self, core: &Core, call: &Call, raised: &Raised, message: &[u8], busy_ns: u64) {
        let slot = core.number;
        let row = Counts { handled: 1, failed: 1, busy_ns, fused: call.is_fused.into(), ..Counts::default() };
        self.rows.push((slot, row));
        let id = call.origin.to_string();
        let info = json!({
            "error": describe(raised, &core.file), "port": &*call.port, "id": id, "headers": call.headers.as_deref(),
        });
        let is_root = !call.is_fused;
        self.is_held |= is_root && self.can_retry;
        self.errors.push(Failed {
            slot,
            number: if is_root { self.number } else { 0 },
            info: info.to_string().into_bytes(),
            message: if is_root { Vec::new() } else { message.to_vec() },
            is_root,
        });
    }

    /// Hand it over to the transaction.
    pub fn merge(&mut self, transaction: &mut Transaction, slots: &mut Slots) {
        let mut index = NO_INDEX;
        if let Some(root) = slots.get_mut(self.root) {
            transaction.touch(root);
            if self.kind == Kind::Data {
                index = root.counts.consumed;
                root.counts.consumed += u32::from(!self.is_held);
            }
            root.counts.pulled += u64::from(self.kind == Kind::Pulled);
        }
        for (number, row) in self.rows.drain(..) {
            if let Some(slot) = slots.get_mut(number) {
                transaction.touch(slot);
                slot.counts.add(&row);
            }
        }
        for output in self.outputs.drain(..) {
            transaction.add_output(output.channel, &self.bytes[output.json], &self.bytes[output.headers]);
        }
        for change in self.changes.drain(..) {
            transaction.add_change(change.slot, change.key, change.new);
        }
        for failed in self.errors.drain(..) {
            let flags = if failed.is_root && self.is_held { HELD } else { 0 };
            let count = if failed.is_root { index } else { NO_INDEX };
            let frame = Frame { flags, slot: failed.slot, count, first: failed.number, ..Frame::default() };
            transaction.add_error(frame, &failed.info, &failed.message);
        }
    }
}

/// What a message has set off by way of fused wires is too much for one transaction, though each call is within its
/// limit: the process ends, and the runner has the message done again, one module at a time.
fn give_up(bytes: usize) -> ! {
    std::eprintln!("{bytes} bytes behind one message by way of fused wires: it is done again unfused");
    exit(4)
}

/// The call of a fused target.
pub fn fused_call(context: &Context, parent: &Arc<Origin>, sent: &Sent, port: &Arc<str>) -> Call {
    Call {
        port: port.clone(),
        origin: Origin::Output { parent: parent.clone(), module: context.core.module.clone(), index: sent.index },
        headers: sent.headers.as_ref().unwrap_or(&context.call.headers).clone(),
        redelivered: context.call.redelivered,
        is_fused: true,
    }
}
