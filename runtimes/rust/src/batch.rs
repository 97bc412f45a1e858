//! The body of a DATA frame as a queue of messages, each the JSON that its handler decodes.

use std::ops::Range;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::call::{Call, Headers, Origin};
use crate::decode::decode_control;
use crate::encode::encode;
use crate::link::{Frame, HEADERS, REDELIVERED, TURN_FLAG};

/// Where an input channel ends.
#[derive(Clone)]
pub struct Inlet {
    pub slot: u16,
    pub port: Arc<str>,
    pub wire: Arc<str>,
}

/// Headers and id of a message.
type Head = (Option<Arc<Headers>>, Option<Arc<str>>);

pub struct Batch {
    inlet: Inlet,
    pub announce: bool,
    redelivered: bool,
    first: u64, // the number of `parts[0]`
    body: Vec<u8>,
    parts: Vec<Range<usize>>, // of what is meant
    headers: Vec<Head>,       // empty if there are none
    at: usize,
    skip: usize,
    is_rewritten: bool,
}

impl Batch {
    pub fn new(inlet: Inlet, frame: &Frame, body: Vec<u8>) -> Self {
        let (skip, count) = (frame.skip as usize, frame.count as usize);
        let mut batch = Self {
            inlet,
            announce: frame.flags & TURN_FLAG != 0,
            redelivered: frame.flags & REDELIVERED != 0,
            first: frame.first,
            body,
            parts: Vec::new(),
            headers: Vec::new(),
            at: 0,
            skip,
            is_rewritten: false,
        };
        if frame.flags & HEADERS != 0 {
            batch.take_headers(count);
        }
        batch.split(count);
        batch
    }

    /// The headers come first, then a comma and two line feeds; what stays in `body` is the array of messages.
    fn take_headers(&mut self, count: usize) {
        let (columns, messages) = match self.body.windows(3).position(|three| three == b",\n\n") {
            Some(middle) => {
                (decode_control(&self.body[1..middle]), self.body[middle + 3..self.body.len() - 1].to_vec())
            }
            None => match decode_control(&self.body) {
                Ok(Value::Array(mut pair)) if pair.len() == 2 => {
                    let messages = rewritten(pair.pop().as_ref()).0;
                    (Ok(pair.pop().unwrap_or_default()), messages)
                }
                _ => (Ok(Value::Null), Vec::new()),
            },
        };
        self.body = messages;
        let columns = columns.unwrap_or_default();
        self.headers = (self.skip..self.skip + count).map(|at| headers_of(&columns[at])).collect();
    }

    fn split(&mut self, count: usize) {
        let is_array = self.body.first() == Some(&b'[') && self.body.last() == Some(&b']') && self.body.len() > 2;
        if is_array {
            self.parts = parts_of(&self.body, self.skip + count);
            let skips_well = self
                .parts
                .iter()
                .take(self.skip)
                .all(|part| serde_json::from_slice::<IgnoredAny>(&self.body[part.clone()]).is_ok());
            if skips_well && self.parts.len() == self.skip + count {
                self.parts.drain(..self.skip);
                return;
            }
        }
        if !self.rewrite(count) {
            let missing = (self.skip + count).saturating_sub(self.parts.len());
            self.parts.extend(std::iter::repeat(0..0).take(missing)); // an empty text is refused when its turn comes
            self.parts.drain(..self.skip);
        }
    }

    /// If the whole body is an array that is not written as hosts do, write it so.
    fn rewrite(&mut self, count: usize) -> bool {
        if self.is_rewritten {
            return false;
        }
        self.is_rewritten = true;
        let whole = match decode_control(&self.body) {
            Ok(Value::Array(items)) if items.len() >= self.skip + count => Value::Array(items),
            _ => return false,
        };
        let (body, parts) = rewritten(Some(&whole));
        self.body = body;
        self.parts = parts;
        self.parts.truncate(self.skip + count);
        self.parts.drain(..self.skip);
        true
    }

    pub fn is_done(&self) -> bool {
        self.at == self.parts.len()
    }

    /// The number of the message that comes next.
    pub fn number(&self) -> u64 {
        self.first + self.at as u64
    }

    /// The next message: about it, its number, its JSON.
    pub fn next(&mut self) -> (Call, u64, &[u8]) {
        let number = self.number();
        let (headers, id) = self.headers.get(self.at).cloned().unwrap_or_default();
        let origin = match id {
            Some(id) => Origin::Named(id),
            None => Origin::Wire { wire: self.inlet.wire.clone(), number },
        };
        let port = self.inlet.port.clone();
        let call = Call { port, origin, headers, redelivered: self.redelivered, is_fused: false };
        let part = self.parts[self.at].clone();
        self.at += 1;
        (call, number, &self.body[part])
    }

    /// The message that `next` gave could not be decoded: whether it was cut wrongly, and `next` gives it whole now.
    pub fn recut(&mut self) -> bool {
        let is_recut = self.rewrite(self.parts.len());
        if is_recut {
            self.at -= 1;
        }
        is_recut
    }
}

/// The first `count` messages of an array in which a comma and a line feed separate them.
fn parts_of(body: &[u8], count: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::with_capacity(count);
    let mut start = 1;
    let end = body.len() - 1;
    for at in 2..end {
        if parts.len() == count {
            return parts;
        }
        if body[at] == b'\n' && body[at - 1] == b',' {
            parts.push(start..at - 1);
            start = at + 1;
        }
    }
    if parts.len() < count {
        parts.push(start..end);
    }
    parts
}

/// An array as its JSON, and where its messages are.
fn rewritten(array: Option<&Value>) -> (Vec<u8>, Vec<Range<usize>>) {
    let mut body = vec![b'['];
    let mut parts = Vec::new();
    for item in array.and_then(Value::as_array).into_iter().flatten() {
        let start = body.len();
        // One that is nested too deeply leaves an empty text, which is refused when its turn comes.
        drop(encode(&mut body, item));
        parts.push(start..body.len());
        body.extend_from_slice(b",\n");
    }
    if !parts.is_empty() {
        body.truncate(body.len() - 2);
    }
    body.push(b']');
    (body, parts)
}

/// The id is not shown as a header.
fn headers_of(headers: &Value) -> Head {
    let mut headers: Headers = serde_json::from_value(headers.clone()).unwrap_or_default();
    let id = headers.remove("id").map(Into::into);
    (Some(headers).filter(|headers| !headers.is_empty()).map(Arc::new), id)
}
