//! When turns begin, how they run, and when they are committed. It does not read frames.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::{Call, Origin, Port, Work};
use crate::context::Context;
use crate::error::{LoadError, Raised, Result, Undecodable};
use crate::guard::guarded;
use crate::link::{self, Frame};
use crate::slot::Slots;
use crate::source::{Applied, Produced};
use crate::transaction::Transaction;
use crate::turn::{fused_call, Kind, Turn};
use crate::typed::Input;
use crate::wires::Wires;

const SLICE: Duration = Duration::from_millis(10);
const TURNS_IN_A_ROW: usize = 128;

pub struct Engine {
    pub slots: Slots,
    pub transaction: Transaction,
    ready: VecDeque<u16>,
    sources: Vec<u16>,
    now: Instant, // after the latest handler: one clock reading a call
    committed: Instant,
    turn: Turn, // to use again
}

impl Engine {
    pub fn new() -> Self {
        Self {
            slots: Slots::default(),
            transaction: Transaction::default(),
            ready: VecDeque::new(),
            sources: Vec::new(),
            now: Instant::now(),
            committed: Instant::now(),
            turn: Turn::default(),
        }
    }

    /// A slot may have something to do.
    pub fn wake(&mut self, number: u16) {
        if let Some(slot) = self.slots.get_mut(number) {
            if !slot.is_queued {
                slot.is_queued = true;
                self.ready.push_back(number);
            }
        }
    }

    /// Turns of sources come from threads: these slots are always looked at.
    pub fn set_source(&mut self, number: u16, is_source: bool) {
        self.sources.retain(|source| *source != number);
        if is_source {
            self.sources.push(number);
        }
    }

    pub fn commit(&mut self) {
        self.transaction.commit(&mut self.slots);
        self.committed = self.now;
    }

    /// Whether work has gone on for long enough to be committed, though more may be there to be read.
    pub fn is_due(&self) -> bool {
        self.now - self.committed >= SLICE
    }

    /// Nothing was done until now.
    pub fn rested(&mut self) {
        self.now = Instant::now();
        self.committed = self.now;
    }

    /// Work for a slice of time; false if nothing is left to do.
    pub fn work(&mut self) -> bool {
        self.now = Instant::now();
        let end = self.now + SLICE;
        for number in self.sources.clone() {
            self.wake(number);
        }
        while let Some(number) = self.ready.pop_front() {
            if let Some(slot) = self.slots.get_mut(number) {
                slot.is_queued = false;
            }
            let mut left = TURNS_IN_A_ROW;
            while self.step(number) {
                left -= 1;
                let is_over = self.now >= end;
                if is_over || left == 0 {
                    self.wake(number);
                    if is_over {
                        return true;
                    }
                    break;
                }
            }
        }
        false
    }

    /// One turn of a slot, if it has any.
    fn step(&mut self, number: u16) -> bool {
        let slot = match self.slots.get_mut(number) {
            Some(slot) => slot,
            None => return false,
        };
        if !slot.queue.is_empty() {
            self.run_message(number);
            return true;
        }
        let produced = slot.source.as_ref().and_then(|source| source.next());
        match produced {
            Some(produced) => self.run_produced(number, produced),
            None => return false,
        }
        true
    }

    fn run_message(&mut self, number: u16) {
        let slot = self.slots.expect(number);
        let mut batch = match slot.queue.pop_front() {
            Some(batch) => batch,
            None => return,
        };
        let mut turn = std::mem::take(&mut self.turn);
        turn.reset(Kind::Data, slot, batch.number());
        if batch.announce {
            self.commit();
            Frame { kind: link::TURN, slot: number, first: batch.number(), ..Frame::default() }.write(b"");
        }
        let (call, _, json) = batch.next();
        let mut undecodable = self.handle(&mut turn, number, call, Input { json, value: None });
        if undecodable.is_some() && batch.recut() {
            let (call, _, json) = batch.next();
            undecodable = self.handle(&mut turn, number, call, Input { json, value: None });
        }
        if let Some((call, raised)) = undecodable {
            turn.fail(&self.slots.expect(number).core, &call, &raised, b"", 0);
        }
        let (announce, is_held) = (batch.announce, turn.is_held);
        if !batch.is_done() && !is_held {
            self.slots.expect(number).queue.push_front(batch);
        }
        turn.merge(&mut self.transaction, &mut self.slots);
        self.turn = turn;
        if is_held {
            let slot = self.slots.expect(number);
            slot.is_held = true;
            slot.queue.clear();
        }
        if is_held || announce || self.transaction.is_full() {
            self.commit();
        }
    }

    /// A turn that a source has begun, or its end.
    pub fn run_produced(&mut self, number: u16, produced: Produced) {
        let Produced { work, applied, end } = produced;
        let slot = self.slots.expect(number);
        let mut turn = std::mem::take(&mut self.turn);
        turn.reset(if end.is_some() { Kind::Quiet } else { Kind::Pulled }, slot, slot.turn_number);
        let origin = Origin::Source { module: slot.core.module.clone(), number: slot.turn_number };
        slot.turn_number += 1;
        let call = Call::of(origin);
        match &end {
            Some(Err(raised)) => turn.fail(&slot.core, &call, raised, b"", 0),
            _ => {
                let context = self.borrow(number, call);
                self.succeed(&mut turn, context, work, applied, 0);
            }
        }
        turn.merge(&mut self.transaction, &mut self.slots);
        self.turn = turn;
        if let Some(outcome) = end {
            self.slots.expect(number).source = None;
            self.set_source(number, false);
            self.commit();
            let body: &[u8] = if outcome.is_ok() { br#"{"ok":true}"# } else { br#"{"ok":false}"# };
            Frame { kind: link::FINISHED, slot: number, ..Frame::default() }.write(body);
        } else if self.transaction.is_full() {
            self.commit();
        }
    }

    /// Run user code that no message causes, and what is fused behind it, as a turn of its own.
    pub fn run_hook<T>(
        &mut self,
        number: u16,
        hook: &'static str,
        code: impl FnOnce(&mut Context) -> Result<T>,
    ) -> Result<T, Raised> {
        self.now = Instant::now();
        let slot = self.slots.expect(number);
        let module = slot.core.module.clone();
        let mut turn = Turn::default();
        turn.reset(Kind::Quiet, slot, 0);
        let mut context = self.borrow(number, Call::of(Origin::Hook { module, hook }));
        let outcome = guarded(number, || code(&mut context)).and_then(|value| context.checked(value));
        let busy_ns = self.tick();
        let mut work = std::mem::take(&mut context.work);
        match outcome {
            Ok(_) => {
                self.succeed(&mut turn, context, work, Vec::new(), busy_ns);
                turn.merge(&mut self.transaction, &mut self.slots);
            }
            Err(_) => {
                work.clear();
                self.give_back(context, work);
            }
        }
        outcome
    }

    /// Run a handler and what is fused behind it. A root message that cannot be decoded comes back, nothing was done.
    fn handle(&mut self, turn: &mut Turn, number: u16, call: Call, input: Input<'_>) -> Option<(Call, Raised)> {
        let mut context = self.borrow(number, call);
        let unit = self.slots.expect(number).unit.clone();
        let json = input.json;
        let outcome = guarded(number, || match &unit.run {
            Some(run) => run(input, &mut context),
            None => Err(LoadError(format!("{} has no handler, only a source", context.core.module)).into()),
        });
        let outcome = outcome.and_then(|()| context.checked(()));
        let busy_ns = self.tick();
        let mut work = std::mem::take(&mut context.work);
        let raised = match outcome {
            Ok(()) => {
                self.succeed(turn, context, work, Vec::new(), busy_ns);
                return None;
            }
            Err(raised) => raised,
        };
        work.clear();
        let core = context.core.clone();
        let call = context.call.clone();
        self.give_back(context, work);
        if !call.is_fused && raised.failure.is::<Undecodable>() {
            return Some((call, raised));
        }
        turn.fail(&core, &call, &raised, json, busy_ns);
        None
    }

    /// A call that returned: keep what it did, and run what is fused behind it, depth-first.
    fn succeed(&mut self, turn: &mut Turn, context: Context, mut work: Work, applied: Vec<Applied>, busy_ns: u64) {
        let wires = self.slots.expect(context.core.number).wires.clone();
        turn.take(&context, &mut work, applied, &wires.ports, busy_ns);
        if wires.has_targets() {
            self.spread(turn, &context, &mut work, &wires);
        }
        work.clear();
        self.give_back(context, work);
    }

    fn spread(&mut self, turn: &mut Turn, context: &Context, work: &mut Work, wires: &Wires) {
        let parent = Arc::new(context.call.origin.clone());
        for sent in &mut work.sent {
            let targets = match sent.port {
                Port::At(at) if at < wires.ports.len() => &wires.ports[at].fused,
                _ => continue,
            };
            for (left, (target, port)) in (0..targets.len()).rev().zip(targets) {
                let value = if left == 0 { sent.value.take() } else { None };
                let call = fused_call(context, &parent, sent, port);
                self.handle(turn, *target, call, Input { json: &work.bytes[sent.json.clone()], value });
            }
        }
    }

    fn borrow(&mut self, number: u16, call: Call) -> Context {
        let slot = self.slots.expect(number);
        let mut context = slot.context.take().expect("fused wires form no cycle");
        context.call = call;
        context
    }

    fn give_back(&mut self, mut context: Context, work: Work) {
        context.work = work;
        let slot = self.slots.expect(context.core.number);
        slot.context = Some(context);
    }

    /// Nanoseconds since the last reading.
    fn tick(&mut self) -> u64 {
        let now = Instant::now();
        let busy = now - self.now;
        self.now = now;
        busy.as_nanos() as u64
    }
}
