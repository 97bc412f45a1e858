//! Runs user code so that what fails becomes an error with its place, and what it prints is known to be its own. A child
//! that it forks and that comes back is ended here.

use std::cell::{Cell, RefCell};
use std::panic::{catch_unwind, set_hook, take_hook, AssertUnwindSafe, Location};
use std::process::exit;
use std::thread;

use crate::error::{Failure, Panic, Place, Raised, Result};
use crate::link::{has_left, NONE};
use crate::print::set_slot;

pub const INTERNAL_ERROR_STATUS: i32 = 1;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
    static HAS_REFUSED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<(String, Place)>> = const { RefCell::new(None) };
    static REFUSED: RefCell<Option<(String, Place)>> = const { RefCell::new(None) };
}

/// An error that a method of the context gives: where it was called, should the module return it.
pub fn refused(error: impl Into<Failure>, at: &Location<'_>) -> Failure {
    let error = error.into();
    HAS_REFUSED.with(|has_refused| has_refused.set(true));
    REFUSED.with(|last| *last.borrow_mut() = Some((error.to_string(), place_of(at))));
    error
}

fn place_of(at: &Location<'_>) -> Place {
    Place { file: at.file().to_owned(), line: at.line(), column: at.column() }
}

/// Panics of guarded code are noted; others are printed as always, and end the host if they are its own.
pub fn install() {
    let usual = take_hook();
    set_hook(Box::new(move |info| {
        if !IS_GUARDED.with(Cell::get) {
            usual(info);
            if thread::current().name() == Some("main") {
                exit(INTERNAL_ERROR_STATUS);
            }
            return;
        }
        let payload = info.payload();
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .or_else(|| payload.downcast_ref::<Failure>().map(ToString::to_string))
            .unwrap_or_else(|| "a panic without text".to_owned());
        let place = info.location().map(place_of).unwrap_or_default();
        LAST.with(|last| *last.borrow_mut() = Some((message, place)));
    }));
}

/// Run user code of a slot.
pub fn guarded<T>(slot: u16, code: impl FnOnce() -> Result<T>) -> Result<T, Raised> {
    set_slot(slot);
    IS_GUARDED.with(|is_guarded| is_guarded.set(true));
    let outcome = catch_unwind(AssertUnwindSafe(code));
    IS_GUARDED.with(|is_guarded| is_guarded.set(false));
    set_slot(NONE);
    let refused = HAS_REFUSED.with(|has_refused| has_refused.replace(false));
    let outcome = match outcome {
        Ok(result) => result.map_err(|failure| {
            let last = REFUSED.with(|last| last.borrow_mut().take()).filter(|_| refused);
            let text = failure.to_string();
            Raised { place: last.filter(|(refused, _)| *refused == text).map(|(_, place)| place), failure }
        }),
        Err(_) => {
            let (message, place) = LAST.with(|last| last.borrow_mut().take()).unwrap_or_default();
            Err(Raised { failure: Panic(message).into(), place: Some(place) })
        }
    };
    if has_left() {
        come_back(outcome.as_ref().err());
    }
    outcome
}

fn come_back(raised: Option<&Raised>) -> ! {
    match raised {
        Some(raised) => std::eprintln!("a forked child has failed: {}", raised.failure),
        None => std::eprintln!("a forked child has come back: it ends here"),
    }
    exit(raised.map_or(0, |_| INTERNAL_ERROR_STATUS))
}
