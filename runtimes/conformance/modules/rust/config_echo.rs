use flow::prelude::*;

pub fn run(_: Value, context: &mut Context) -> Result<Option<Value>> {
    Ok(Some(context.config().clone()))
}
