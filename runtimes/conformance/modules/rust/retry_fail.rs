use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<(Value, i64)>> {
    let n = context.get_or("n", 0)? + 1;
    context.set("n", n)?;
    if message == "bad" && !context.redelivered() {
        return Err("not yet".into());
    }
    Ok(Some((message, n)))
}
