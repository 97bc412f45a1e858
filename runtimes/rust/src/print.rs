//! Lines for the runner's log: `context.log`, and what `print!` and its relatives write in a unit (build.py puts these
//! macros in front of std's). Knows which slot the thread is working for.

use std::cell::Cell;
use std::fmt;

use serde_json::json;

use crate::error::shortened;
use crate::link::{self, has_left, Frame, NONE};

thread_local! {
    static SLOT: Cell<u16> = const { Cell::new(NONE) };
}

/// What this thread prints from now on is said by this slot.
pub fn set_slot(slot: u16) {
    SLOT.with(|current| current.set(slot));
}

/// A LOG frame, at once: the next statement may be the host's last.
pub fn log(slot: u16, level: &str, text: String) {
    if has_left() {
        return std::eprintln!("{text}");
    }
    let body = json!({"level": shortened(level.to_owned()), "text": shortened(text)}).to_string();
    let mut bytes = Vec::with_capacity(body.len() + 24);
    Frame { kind: link::LOG, slot, ..Frame::default() }.put(&mut bytes, body.as_bytes());
    link::write(&bytes);
}

#[doc(hidden)]
pub fn print_part(level: &str, text: fmt::Arguments<'_>) {
    let mut text = text.to_string();
    if text.ends_with('\n') {
        text.pop();
    }
    log(SLOT.with(Cell::get), level, text);
}

#[doc(hidden)]
pub fn print_value<T: fmt::Debug>(file: &str, line: u32, expression: &str, value: T) -> T {
    print_part("error", format_args!("[{file}:{line}] {expression} = {value:#?}"));
    value
}

#[doc(hidden)]
#[macro_export]
macro_rules! print {
    ($($part:tt)*) => { $crate::print_part("info", ::std::format_args!($($part)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! println {
    () => { $crate::print_part("info", ::std::format_args!("")) };
    ($($part:tt)*) => { $crate::print_part("info", ::std::format_args!($($part)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! eprint {
    ($($part:tt)*) => { $crate::print_part("error", ::std::format_args!($($part)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! eprintln {
    () => { $crate::print_part("error", ::std::format_args!("")) };
    ($($part:tt)*) => { $crate::print_part("error", ::std::format_args!($($part)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! dbg {
    ($value:expr $(,)?) => {
        $crate::print_value(::std::file!(), ::std::line!(), ::std::stringify!($value), $value)
    };
    ($($value:expr),+ $(,)?) => { ($($crate::dbg!($value)),+,) };
}
