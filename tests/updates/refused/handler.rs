use flow::prelude::*;
use std::process;

fn count(context: &mut Context, key: &str) -> Result<()> {
    let count = context.get_or(key, 0)? + 1;
    context.set(key, count)
}

pub fn run(mut message: Vec<Value>, context: &mut Context) -> Result<Option<Value>> {
    count(context, "n")?;
    message.insert(0, context.config()["version"].clone());
    Ok(Some(Value::from(message)))
}

pub fn start(context: &mut Context) -> Result<()> {
    count(context, "starts")?;
    match context.config()["refuse"].as_str() {
        Some("start") => Err("refused".into()),
        Some("die") => process::exit(9),
        _ => Ok(()),
    }
}

// STOP
pub fn stop(context: &mut Context) -> Result<()> {
    count(context, "stops")
}
