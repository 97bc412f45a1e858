use std::io::Write;
use std::thread;

use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    std::io::stdout().write_all(b"caf\xe9 \xff\n")?;
    std::io::stderr().write_all(b"\xff\n")?;
    println!("{}", "x".repeat(3_000_000));
    context.log(&"l".repeat(200_000), "y".repeat(3_000_000));
    let others = thread::spawn(|| (0..100).for_each(|n| println!("from a thread {n}")));
    (0..100).for_each(|n| eprintln!("beside it {n}"));
    others.join().expect("it prints");
    println!("the last");
    Ok(Some(message))
}
