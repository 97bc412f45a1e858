use flow::prelude::*;

pub fn run(mut message: Value, context: &mut Context) -> Result<Option<Value>> {
    let count: i64 = context.get_or("count", 0)? + 1;
    let total: i64 = context.get_or("total", 0)? + message["magnitude"].as_i64().unwrap();
    context.set("count", count)?;
    context.set("total", total)?;
    message["trail"].as_array_mut().unwrap().push(json!([count, total]));
    Ok(Some(message))
}
