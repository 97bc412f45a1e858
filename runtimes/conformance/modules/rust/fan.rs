use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    context.send("a", json!([message, "a"]))?;
    context.send("b", json!([message, "b"]))?;
    context.send("a", json!([message, "a again"]))?;
    Ok(Some(json!([message, "out"])))
}
