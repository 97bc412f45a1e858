use flow::prelude::*;

pub fn other(message: Value, _: &mut Context) -> Result<Option<Value>> {
    Ok(Some(message))
}
