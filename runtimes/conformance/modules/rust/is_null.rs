use flow::prelude::*;

pub fn run(message: Value, _: &mut Context) -> Result<Option<bool>> {
    Ok(Some(message.is_null()))
}
