//! Finished turns since the last COMMIT, and how they are written (PROTOCOL.md section 7). It does not know when.

use std::collections::BTreeMap;

use crate::context::KEPT_BYTES;
use crate::link::{self, Frame, COMMIT, CONTEXT, DATA, DELETED, ERROR, HEADERS};
use crate::slot::{Counts, Slot, Slots};
use crate::store::{weight, Entry};

const COMMIT_BYTES: usize = 64 << 10;
const MAX_FRAME_BYTES: usize = 32 << 20;

/// What waits for one channel.
#[derive(Default)]
struct Column {
    messages: Vec<u8>, // as in the body, without the brackets
    headers: Vec<u8>,  // the same; empty while no message has any
    count: u32,
}

#[derive(Default)]
pub struct Transaction {
    columns: BTreeMap<u16, Column>,
    changes: BTreeMap<(u16, String), Option<Entry>>,
    written: Vec<u8>, // whole frames
    errors: Vec<u8>,  // whole frames, behind the others
    touched: Vec<u16>,
    size: usize,
}

impl Transaction {
    pub fn is_full(&self) -> bool {
        self.size >= COMMIT_BYTES
    }

    pub fn touch(&mut self, slot: &mut Slot) {
        if !slot.is_touched {
            slot.is_touched = true;
            self.touched.push(slot.core.number);
        }
    }

    /// An output; no headers are an empty text.
    pub fn add_output(&mut self, channel: u16, json: &[u8], headers: &[u8]) {
        let column = self.columns.entry(channel).or_default();
        if column.messages.len() + column.headers.len() + json.len() > MAX_FRAME_BYTES {
            column.write(channel, &mut self.written);
        }
        if !headers.is_empty() && column.headers.is_empty() {
            for _ in 0..column.count {
                append(&mut column.headers, b"null");
            }
        }
        if !headers.is_empty() || !column.headers.is_empty() {
            append(&mut column.headers, if headers.is_empty() { b"null" } else { headers });
        }
        append(&mut column.messages, json);
        column.count += 1;
        self.size += json.len() + headers.len();
    }

    pub fn add_change(&mut self, slot: u16, key: String, entry: Option<Entry>) {
        self.size += weight(&key, entry.as_ref());
        self.changes.insert((slot, key), entry);
    }

    pub fn add_error(&mut self, frame: Frame, info: &[u8], message: &[u8]) {
        let frame = Frame { kind: ERROR, skip: info.len() as u32, ..frame };
        frame.put_header(&mut self.errors, info.len() + message.len());
        self.errors.extend_from_slice(info);
        self.errors.extend_from_slice(message);
        self.size += info.len() + message.len();
    }

    /// Write all of it, COMMIT last.
    pub fn commit(&mut self, slots: &mut Slots) {
        if self.touched.is_empty() {
            return;
        }
        let mut out = std::mem::take(&mut self.written);
        for (channel, column) in &mut self.columns {
            if column.count > 0 {
                column.write(*channel, &mut out);
            }
        }
        for ((slot, key), entry) in std::mem::take(&mut self.changes) {
            let flags = if entry.is_some() { 0 } else { DELETED };
            let frame = Frame { kind: CONTEXT, flags, slot, skip: key.len() as u32, ..Frame::default() };
            let json: &[u8] = entry.as_deref().unwrap_or_default();
            frame.put_header(&mut out, key.len() + json.len());
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(json);
        }
        out.append(&mut self.errors);
        let mut rows = Vec::new();
        for number in self.touched.drain(..) {
            if let Some(slot) = slots.get_mut(number) {
                slot.is_touched = false;
                rows.push(row(number, &std::mem::take(&mut slot.counts)));
            }
        }
        Frame { kind: COMMIT, ..Frame::default() }.put(&mut out, format!("[{}]", rows.join(",")).as_bytes());
        link::write(&out);
        self.size = 0;
        if out.capacity() <= KEPT_BYTES {
            out.clear();
            self.written = out;
        }
    }
}

impl Column {
    fn write(&mut self, channel: u16, out: &mut Vec<u8>) {
        let has_headers = !self.headers.is_empty();
        let brackets = if has_headers { 2 + 3 + 2 + 2 + self.headers.len() } else { 2 };
        let flags = if has_headers { HEADERS } else { 0 };
        let frame = Frame { kind: DATA, flags, slot: channel, count: self.count, ..Frame::default() };
        frame.put_header(out, self.messages.len() + brackets);
        if has_headers {
            out.extend_from_slice(b"[[");
            out.extend_from_slice(&self.headers);
            out.extend_from_slice(b"],\n\n");
        }
        out.push(b'[');
        out.extend_from_slice(&self.messages);
        out.extend_from_slice(if has_headers { b"]]" } else { b"]" });
        for texts in [&mut self.messages, &mut self.headers] {
            texts.clear();
            texts.shrink_to(KEPT_BYTES);
        }
        self.count = 0;
    }
}

fn append(texts: &mut Vec<u8>, text: &[u8]) {
    if !texts.is_empty() {
        texts.extend_from_slice(b",\n");
    }
    texts.extend_from_slice(text);
}

fn row(slot: u16, counts: &Counts) -> String {
    let Counts { consumed, handled, failed, pulled, sent, unwired, busy_ns, fused } = counts;
    let busy_us = busy_ns / 1000;
    format!("[{slot},{consumed},{handled},{failed},{pulled},{sent},{unwired},{busy_us},{fused}]")
}
