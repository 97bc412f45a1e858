use flow::prelude::*;

pub fn run(mut message: Value, context: &mut Context) -> Result<Option<Value>> {
    context.send("out", &message)?;
    message["marks"].as_array_mut().ok_or("no marks")?.push(json!("after send"));
    Ok(Some(message))
}
