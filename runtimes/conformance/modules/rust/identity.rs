use flow::prelude::*;

pub fn run(message: Value, _: &mut Context) -> Result<Option<Value>> {
    Ok(Some(message))
}
