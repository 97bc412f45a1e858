//! Runs user code so that a panic becomes an error with its place, and what it prints is known to be its own.

use std::cell::{Cell, RefCell};
use std::panic::{catch_unwind, set_hook, take_hook, AssertUnwindSafe};
use std::process::exit;
use std::thread;

use crate::error::{Panic, Place, Raised, Result};
use crate::link::NONE;
use crate::print::set_slot;

pub const INTERNAL_ERROR_STATUS: i32 = 1;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<(String, Place)>> = const { RefCell::new(None) };
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
            .unwrap_or_else(|| "a panic without text".to_owned());
        let place = info
            .location()
            .map(|at| Place { file: at.file().to_owned(), line: at.line(), column: at.column() })
            .unwrap_or_default();
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
    match outcome {
        Ok(result) => result.map_err(Raised::new),
        Err(_) => {
            let (message, place) = LAST.with(|last| last.borrow_mut().take()).unwrap_or_default();
            Err(Raised { failure: Panic(message).into(), place: Some(place) })
        }
    }
}
