use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    context.send("out", (&message, 0))?;
    context.send("side", &message)?;
    if message == "bad" {
        return Err("no bad messages".into());
    }
    context.send("out", (&message, 1))?;
    context.send("out", (&message, 2))?;
    Ok(None)
}
