//! Text that looks like functions must not confuse: fn start(
use flow::prelude::*;

/* pub fn stop() { /* nested */ } fn migrate( */
const TEXT: &str = r#"pub fn stop(") {"#;
const QUOTE: char = '"';

mod inner {
    pub fn start() -> &'static str {
        "inner"
    }
}

pub fn run(message: Value, _: &mut Context) -> Result<Option<Value>> {
    println!();
    print!("{}-", inner::start());
    eprintln!("{}", TEXT.len());
    let doubled = dbg!(TEXT.len() * 2);
    std::thread::spawn(move || println!("from a thread {doubled}{QUOTE}")).join().expect("it ends");
    Ok(Some(message))
}
