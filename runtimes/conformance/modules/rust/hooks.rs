use flow::prelude::*;

fn note(context: &mut Context, event: &str) -> Result<()> {
    let mut events: Vec<String> = context.get_or("events", vec![])?;
    events.push(event.to_owned());
    context.set("events", events)?;
    context.send("out", event)?;
    if context.config() == event {
        return Err(format!("{event} fails").into());
    }
    Ok(())
}

pub fn start(context: &mut Context) -> Result<()> {
    note(context, "start")
}

pub fn stop(context: &mut Context) -> Result<()> {
    note(context, "stop")
}

pub fn migrate(context: &mut Context, from: i64) -> Result<()> {
    note(context, &format!("migrate {from}"))
}

pub fn run(_: Value, context: &mut Context) -> Result<Option<Vec<String>>> {
    Ok(Some(context.get_or("events", vec![])?))
}
