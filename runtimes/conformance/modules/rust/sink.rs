use flow::prelude::*;

pub fn run(_: Value, _: &mut Context) -> Result<Option<Value>> {
    Ok(None)
}
