//! The loop of the host program: reads frames, lets the engine work, commits when nothing more is there to be read.

use std::process::exit;

use serde_json::json;

use crate::guard;
use crate::lifecycle::Lifecycle;
use crate::link::{self, Frame, Input};
use crate::unit::Unit;

const PROTOCOL_VERSION: u32 = 1;

/// Run these units for the runner, until it says STOP. `version` is that of the compiler.
pub fn serve(units: Vec<Unit>, version: &str) -> ! {
    guard::install();
    let paths: Vec<String> = std::env::args().collect();
    let outcome = match paths.as_slice() {
        [_, .., input, output] => run(units, version, input, output),
        _ => Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "usage: host INPUT OUTPUT")),
    };
    if let Err(error) = outcome {
        std::eprintln!("rust host: {error}");
    }
    exit(guard::INTERNAL_ERROR_STATUS)
}

fn run(units: Vec<Unit>, version: &str, input: &str, output: &str) -> std::io::Result<()> {
    let (mut input, waker) = Input::open(input)?;
    link::open_output(output)?;
    let mut host = Lifecycle::new(units, waker);
    let hello = json!({"protocol": PROTOCOL_VERSION, "runtime": "rust", "version": version, "pid": std::process::id()});
    Frame { kind: link::HELLO, ..Frame::default() }.write(hello.to_string().as_bytes());
    loop {
        let has_more = input.read();
        while let Some((frame, body)) = input.next() {
            take(&mut host, &frame, body);
        }
        let is_over = host.engine.work();
        let is_idle = !is_over && !has_more;
        if is_over || is_idle || host.engine.is_due() {
            host.engine.commit();
        }
        if is_idle {
            input.wait();
            host.engine.rested();
        }
    }
}

fn take(host: &mut Lifecycle, frame: &Frame, body: Vec<u8>) {
    match frame.kind {
        link::DATA => host.data(frame, body),
        link::PULL => host.pull(frame),
        link::PAUSE => host.pause(frame),
        link::LOAD => host.load(frame, &body),
        link::UNLOAD => host.unload(frame),
        link::WIRES => host.wire(frame, &body),
        link::CALL => host.call(frame, &body),
        link::STOP => {
            let numbers = host.engine.slots.numbers();
            host.forget(&numbers);
            host.engine.commit();
            exit(0)
        }
        _ => Frame { kind: link::PONG, first: frame.first, ..Frame::default() }.write(b""),
    }
}
