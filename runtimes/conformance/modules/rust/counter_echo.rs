use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    let n = context.get_or("n", 0)? + 1;
    context.set("n", n)?;
    Ok(Some(message))
}
