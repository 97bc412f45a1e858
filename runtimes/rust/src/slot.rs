//! A loaded module: its unit, its wiring, its queue and counters. Decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::batch::Batch;
use crate::call::Core;
use crate::context::Context;
use crate::source::Running;
use crate::unit::Unit;
use crate::wires::Wires;

/// What COMMIT says of a slot.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub consumed: u32,
    pub handled: u64,
    pub failed: u64,
    pub pulled: u64,
    pub sent: u64,
    pub unwired: u64,
    pub busy_ns: u64,
    pub fused: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.consumed += other.consumed;
        self.handled += other.handled;
        self.failed += other.failed;
        self.pulled += other.pulled;
        self.sent += other.sent;
        self.unwired += other.unwired;
        self.busy_ns += other.busy_ns;
        self.fused += other.fused;
    }
}

pub struct Slot {
    pub core: Arc<Core>,
    pub unit: Arc<Unit>,
    pub wires: Arc<Wires>,
    pub retry: bool,
    pub queue: VecDeque<Batch>,
    pub is_queued: bool, // in the engine's list of slots to look at
    pub is_held: bool,   // a message failed and is to be tried again: input is discarded until PAUSE
    pub source: Option<Running>,
    pub turn_number: u64,
    pub context: Option<Context>, // None while it is in use
    pub counts: Counts,
    pub is_touched: bool, // has counts to commit
}

impl Slot {
    pub fn new(core: Core, unit: Arc<Unit>, retry: bool) -> Self {
        let core = Arc::new(core);
        let wires = Arc::<Wires>::default();
        Self {
            context: Some(Context::new(core.clone(), Some(wires.clone()))),
            core,
            unit,
            wires,
            retry,
            queue: VecDeque::new(),
            is_queued: false,
            is_held: false,
            source: None,
            turn_number: 0,
            counts: Counts::default(),
            is_touched: false,
        }
    }

    pub fn wire(&mut self, wires: Wires) {
        self.wires = Arc::new(wires);
        if let Some(context) = &mut self.context {
            context.wires = Some(self.wires.clone());
        }
        if let Some(source) = &self.source {
            source.set_targets(self.wires.has_targets());
        }
    }

    /// PAUSE: what has not begun is forgotten; the runner still has it.
    pub fn forget(&mut self) {
        self.queue.clear();
        self.is_held = false;
        if let Some(source) = &self.source {
            source.forget_credit();
        }
    }
}

/// The loaded slots by number.
#[derive(Default)]
pub struct Slots(Vec<Option<Box<Slot>>>);

impl Slots {
    pub fn get_mut(&mut self, number: u16) -> Option<&mut Slot> {
        self.0.get_mut(usize::from(number))?.as_deref_mut()
    }

    /// A slot that must be there, or the runner has broken the protocol.
    pub fn expect(&mut self, number: u16) -> &mut Slot {
        self.get_mut(number).unwrap_or_else(|| panic!("slot {number} is not loaded"))
    }

    pub fn insert(&mut self, number: u16, slot: Slot) {
        let at = usize::from(number);
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        self.0[at] = Some(Box::new(slot));
    }

    pub fn remove(&mut self, number: u16) -> Option<Box<Slot>> {
        self.0.get_mut(usize::from(number))?.take()
    }

    pub fn numbers(&self) -> Vec<u16> {
        self.0.iter().flatten().map(|slot| slot.core.number).collect()
    }
}
