use std::fs;
use std::time::SystemTime;

use flow::prelude::*;

pub fn run(message: String, context: &mut Context) -> Result<Option<Value>> {
    match message.as_str() {
        "port" => context.send("nowhere", 1)?,             // PORT
        "date" => context.send("out", SystemTime::now())?, // DATE
        "nan" => context.set("k", f64::NAN)?,              // NAN
        "header" => context.send_with("out", 1, &Headers::from([("h".to_owned(), String::new())]))?, // HEADER
        "large" => drop(context.send("out", "x".repeat(10_000))),
        "relative" => drop(fs::read_to_string("table.json")?),
        "write" => fs::write("/sys/x", "x")?,
        "thrown" => std::panic::panic_any(Box::<dyn std::error::Error + Send + Sync>::from("boxed")), // THROWN
        "deep" => drop("x".parse::<i32>().map_err(|error| format!("own text: {error}"))?),
        _ => {}
    }
    Ok(Some(json!(message)))
}

pub fn stop(_: &mut Context) -> Result<()> {
    Err("cannot flush".into())
}
