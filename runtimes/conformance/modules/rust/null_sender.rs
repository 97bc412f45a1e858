use flow::prelude::*;

pub fn run(_: Value, context: &mut Context) -> Result<Option<Value>> {
    context.send("out", Value::Null)?;
    Ok(Some(Value::Null))
}
