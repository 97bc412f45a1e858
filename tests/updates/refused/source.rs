use flow::prelude::*;
use std::{process, thread, time::Duration};

fn note(context: &mut Context, key: &str, event: &str) -> Result<()> {
    let count = context.get_or(key, 0)? + 1;
    context.set(key, count)?;
    let version = context.config()["version"].clone();
    context.send("notes", (version, event))
}

pub fn start(context: &mut Context) -> Result<Source> {
    note(context, "starts", "start")?;
    match context.config()["refuse"].as_str() {
        Some("start") => return Err("refused".into()),
        Some("die") => process::exit(9),
        _ => {}
    }
    let mut i: i64 = context.get_or("i", 0)?;
    Ok(Source::new(move |context| {
        thread::sleep(Duration::from_millis(2));
        i += 1;
        context.set("i", i)?;
        Ok(Some(json!([context.config()["version"], i])))
    }))
}

pub fn migrate(context: &mut Context, _from: i64) -> Result<()> {
    let refuse = context.config()["refuse"].as_str().ok_or("no refuse")?.to_owned();
    if refuse == "migrate" || context.get::<Option<Value>>(&refuse)?.is_some() {
        return Err("refused".into());
    }
    Ok(())
}

// STOP
pub fn stop(context: &mut Context) -> Result<()> {
    note(context, "stops", "stop")
}
