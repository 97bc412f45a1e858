//! LOAD, UNLOAD, WIRES, CALL, PAUSE: what happens to a slot between turns.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use serde_json::{json, Value};

use crate::batch::{Batch, Inlet};
use crate::call::Core;
use crate::decode::decode_control;
use crate::engine::Engine;
use crate::error::{describe, LoadError, Raised, Result};
use crate::link::{self, Frame, NONE};
use crate::slot::Slot;
use crate::source::{Running, Source};
use crate::store::Store;
use crate::unit::Unit;
use crate::wires::Wires;

pub struct Lifecycle {
    pub engine: Engine,
    units: HashMap<&'static str, Arc<Unit>>,
    inlets: HashMap<u16, Inlet>,
    waker: UnixStream,
}

impl Lifecycle {
    pub fn new(units: Vec<Unit>, waker: UnixStream) -> Self {
        let units = units.into_iter().map(|unit| (unit.id, Arc::new(unit))).collect();
        Self { engine: Engine::new(), units, inlets: HashMap::new(), waker }
    }

    pub fn load(&mut self, frame: &Frame, body: &[u8]) {
        let result = match self.new_slot(frame.slot, body) {
            Ok(slot) => {
                let hooks = slot.unit.hooks();
                self.engine.slots.insert(frame.slot, slot);
                json!({"ok": true, "hooks": hooks})
            }
            Err(error) => json!({"ok": false, "error": describe(&Raised::new(error), "")}),
        };
        answer(frame, &result);
    }

    fn new_slot(&self, number: u16, body: &[u8]) -> Result<Slot> {
        let spec = decode_control(body)?;
        let unit = spec["unit"].as_str().and_then(|unit| self.units.get(unit));
        let unit = unit.ok_or_else(|| LoadError(format!("{} is not built into this host", spec["module"])))?;
        Ok(Slot::new(Core::new(number, &spec)?, unit.clone(), spec["retry"] == true))
    }

    pub fn unload(&mut self, frame: &Frame) {
        self.engine.commit();
        if let Some(slot) = self.engine.slots.remove(frame.slot) {
            if let Some(source) = slot.source {
                source.close();
            }
            self.engine.set_source(frame.slot, false);
            self.inlets.retain(|_, inlet| inlet.slot != frame.slot);
        }
        answer(frame, &json!({"ok": true}));
    }

    pub fn wire(&mut self, frame: &Frame, body: &[u8]) {
        let number = frame.slot;
        let spec = decode_control(body).unwrap_or_else(|error| panic!("WIRES: {error}"));
        self.inlets.retain(|_, inlet| inlet.slot != number);
        for (channel, inlet) in spec["in"].as_object().into_iter().flatten() {
            if let (Ok(channel), Some(port), Some(wire)) = (channel.parse(), inlet[0].as_str(), inlet[1].as_str()) {
                self.inlets.insert(channel, Inlet { slot: number, port: port.into(), wire: wire.into() });
            }
        }
        self.engine.slots.expect(number).wire(Wires::from_json(&spec["out"]));
    }

    pub fn data(&mut self, frame: &Frame, body: Vec<u8>) {
        let inlet = self.inlets.get(&frame.slot);
        let inlet = inlet.unwrap_or_else(|| panic!("DATA on channel {}, which has no wire", frame.slot)).clone();
        let number = inlet.slot;
        let slot = self.engine.slots.expect(number);
        if frame.count > 0 && !slot.is_held {
            slot.queue.push_back(Batch::new(inlet, frame, body));
            self.engine.wake(number);
        }
    }

    pub fn pull(&mut self, frame: &Frame) {
        if let Some(source) = &self.engine.slots.expect(frame.slot).source {
            source.add_credit(frame.count.into());
        }
    }

    pub fn pause(&mut self, frame: &Frame) {
        let numbers = if frame.slot == NONE { self.engine.slots.numbers() } else { vec![frame.slot] };
        self.forget(&numbers);
        self.engine.commit();
        Frame { kind: link::PAUSED, slot: frame.slot, first: frame.first, ..Frame::default() }.write(b"");
    }

    /// End what was begun and forget the rest.
    pub fn forget(&mut self, numbers: &[u16]) {
        for &number in numbers {
            self.engine.slots.expect(number).forget();
            self.end_begun(number);
        }
    }

    fn end_begun(&mut self, number: u16) {
        loop {
            let slot = self.engine.slots.expect(number);
            match slot.source.as_ref().and_then(Running::next) {
                Some(produced) => self.engine.run_produced(number, produced),
                None => return,
            }
        }
    }

    pub fn call(&mut self, frame: &Frame, body: &[u8]) {
        let outcome = self.run_call(frame.slot, body);
        self.engine.commit();
        let result = match outcome {
            Ok(is_source) => json!({"ok": true, "source": is_source}),
            Err(raised) => {
                let file = &self.engine.slots.expect(frame.slot).core.file;
                json!({"ok": false, "error": describe(&raised, file)})
            }
        };
        answer(frame, &result);
    }

    /// Run a hook; whether it was a `start` that returned a source.
    fn run_call(&mut self, number: u16, body: &[u8]) -> Result<bool, Raised> {
        let spec = decode_control(body).map_err(Raised::new)?;
        let hook = spec["hook"].as_str().unwrap_or_default();
        if hook == "stop" || hook == "start" {
            self.close_source(number);
        }
        let slot = self.engine.slots.expect(number);
        if let Some(context) = spec.get("context").filter(|context| context.is_object()) {
            *slot.core.store() = Store::from_json(context).map_err(Raised::new)?;
        }
        let unit = slot.unit.clone();
        match (hook, &unit.start, &unit.stop, &unit.migrate) {
            ("start", Some(start), _, _) => {
                slot.turn_number = spec["turns"].as_u64().unwrap_or(0);
                let source = self.engine.run_hook(number, "start", start)?;
                source.map_or(Ok(false), |source| self.begin_source(number, source).map(|()| true))
            }
            ("stop", _, Some(stop), _) => self.engine.run_hook(number, "stop", stop).map(|()| false),
            ("migrate", _, _, Some(migrate)) => {
                let from = spec["from_version"].as_i64().unwrap_or(0);
                self.engine.run_hook(number, "migrate", |context| migrate(context, from)).map(|()| false)
            }
            _ => Ok(false),
        }
    }

    fn begin_source(&mut self, number: u16, source: Source) -> Result<(), Raised> {
        let slot = self.engine.slots.expect(number);
        let waker = self.waker.try_clone().map_err(Raised::new)?;
        let has_targets = slot.wires.has_targets();
        let running = Running::begin(source, slot.core.clone(), slot.turn_number, has_targets, waker);
        slot.source = Some(running.map_err(Raised::new)?);
        self.engine.set_source(number, true);
        Ok(())
    }

    /// The source begins no more turns; those it has begun are ended.
    fn close_source(&mut self, number: u16) {
        if let Some(source) = &self.engine.slots.expect(number).source {
            source.close();
            self.end_begun(number);
            self.engine.slots.expect(number).source = None;
            self.engine.set_source(number, false);
        }
    }
}

fn answer(frame: &Frame, result: &Value) {
    let frame = Frame { kind: link::RESULT, slot: frame.slot, first: frame.first, ..Frame::default() };
    frame.write(result.to_string().as_bytes());
}
