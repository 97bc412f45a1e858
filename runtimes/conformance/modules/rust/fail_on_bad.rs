use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    let n = context.get_or("n", 0)? + 1;
    context.set("n", n)?;
    context.send("out", &message)?;
    if message == "bad" {
        return Err("no bad messages".into()); // HERE
    }
    Ok(None)
}
