//! What `start` returned, advanced in a thread of its own as long as there is credit (PROTOCOL.md section 6).
//!
//! A turn is posted when its credit is taken: from then on it counts as begun, and the engine ends it.

use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::call::{Call, Core, Origin, Work};
use crate::context::Context;
use crate::error::{Raised, Result};
use crate::guard::guarded;
use crate::store::Entry;

/// Turns that wait for the engine.
const MAX_AHEAD: usize = 256;
/// As many when modules are fused behind the source, whose time a recall has to wait for.
const MAX_AHEAD_FUSED: usize = 1;
/// How long `stop` waits for the user's function to return; one that blocks longer is left behind, unheard.
const CLOSE_WAIT: Duration = Duration::from_millis(20);

type Advance = Box<dyn FnMut(&mut Context) -> Result<bool> + Send>;

/// What `start` returns to make its module a source.
pub struct Source(Advance);

impl Source {
    /// Each call of `next` is a turn; its value is sent on port `out`. `None` ends the source.
    #[must_use]
    pub fn new<T: Serialize>(mut next: impl FnMut(&mut Context) -> Result<Option<T>> + Send + 'static) -> Self {
        Self::turns(move |context| match next(context)? {
            Some(value) => context.send("out", value).map(|()| true),
            None => Ok(false),
        })
    }

    /// Each call of `turn` is a turn that sends what it likes. `false` ends the source.
    #[must_use]
    pub fn turns(turn: impl FnMut(&mut Context) -> Result<bool> + Send + 'static) -> Self {
        Self(Box::new(turn))
    }
}

/// A key that a source has changed in the store already.
pub struct Applied {
    pub key: String,
    pub new: Option<Entry>,
}

/// What the thread has done; its changes are in the store already.
pub struct Produced {
    pub work: Work,
    pub applied: Vec<Applied>,
    pub end: Option<Result<(), Raised>>,
}

struct State {
    credit: u64,
    produced: VecDeque<Produced>,
    max_ahead: usize,
    is_stopping: bool,
    has_ended: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait for credit and room; None when stopped.
    fn wait(&self) -> Option<MutexGuard<'_, State>> {
        let must_wait =
            |state: &mut State| !state.is_stopping && (state.credit == 0 || state.produced.len() >= state.max_ahead);
        let state = self.changed.wait_while(self.state(), must_wait).unwrap_or_else(PoisonError::into_inner);
        Some(state).filter(|state| !state.is_stopping)
    }
}

/// The engine's side of a source's thread.
pub struct Running {
    shared: Arc<Shared>,
}

impl Running {
    pub fn begin(
        source: Source,
        core: Arc<Core>,
        number: u64,
        has_targets: bool,
        waker: UnixStream,
    ) -> std::io::Result<Self> {
        let state =
            State { credit: 0, produced: VecDeque::new(), max_ahead: MAX_AHEAD, is_stopping: false, has_ended: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let running = Self { shared: shared.clone() };
        running.set_targets(has_targets);
        let name = core.module.to_string();
        let context = Context::new(core, None);
        thread::Builder::new().name(name).spawn(move || {
            advance(source, context, number, &shared, waker);
            shared.state().has_ended = true;
            shared.changed.notify_all();
        })?;
        Ok(running)
    }

    pub fn set_targets(&self, has_targets: bool) {
        self.shared.state().max_ahead = if has_targets { MAX_AHEAD_FUSED } else { MAX_AHEAD };
        self.shared.changed.notify_all();
    }

    pub fn add_credit(&self, credit: u64) {
        self.shared.state().credit += credit;
        self.shared.changed.notify_all();
    }

    pub fn forget_credit(&self) {
        self.shared.state().credit = 0;
    }

    /// The next turn to be ended.
    pub fn next(&self) -> Option<Produced> {
        let mut state = self.shared.state();
        let produced = state.produced.pop_front()?;
        if state.produced.is_empty() || state.produced.len() == state.max_ahead / 2 {
            self.shared.changed.notify_all();
        }
        Some(produced)
    }

    /// Before `stop`: no turn begins any more. What was begun can still be taken with `next`.
    pub fn close(&self) {
        let mut state = self.shared.state();
        state.is_stopping = true;
        self.shared.changed.notify_all();
        drop(self.shared.changed.wait_timeout_while(state, CLOSE_WAIT, |state| !state.has_ended));
    }
}

/// The thread: one turn after the other.
fn advance(source: Source, mut context: Context, mut number: u64, shared: &Shared, mut waker: UnixStream) {
    let Source(mut turn) = source;
    let core = context.core.clone();
    loop {
        context.call = Call::of(Origin::Source { module: core.module.clone(), number });
        number += 1;
        if shared.wait().is_none() {
            break;
        }
        let outcome = guarded(core.number, || turn(&mut context)).and_then(|more| context.checked(more));
        let mut work = std::mem::take(&mut context.work);
        // A PAUSE that came meanwhile has taken the credit.
        let mut state = match shared.wait() {
            Some(state) => state,
            None => break,
        };
        let (is_done, end) = match outcome {
            Ok(true) => (false, None),
            Ok(false) => (true, Some(Ok(()))),
            Err(raised) => {
                work.clear();
                (true, Some(Err(raised)))
            }
        };
        if !is_done {
            state.credit -= 1;
        }
        let applied = apply(&core, &mut work);
        state.produced.push_back(Produced { work, applied, end });
        if state.produced.len() == 1 {
            // A full socket has woken the engine already.
            drop(waker.write(&[0]));
        }
        if is_done {
            break;
        }
    }
    // The user's clean-up runs here, too.
    drop(guarded(core.number, || {
        drop(turn);
        Ok(())
    }));
}

fn apply(core: &Core, work: &mut Work) -> Vec<Applied> {
    let mut store = core.store();
    let mut applied = Vec::with_capacity(work.changes.len());
    for (key, new) in work.changes.drain() {
        store.put(&key, new.clone());
        applied.push(Applied { key, new });
    }
    applied
}
