use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    let count: i64 = context.get_or("count", 0)? + 1;
    context.set("count", count)?;
    Ok(Some(json!([message["n"], 1001, count])))
}
