use flow::prelude::*;

mod helper;

pub fn run(message: Value, _: &mut Context) -> Result<Option<(Value, &'static str)>> {
    Ok(Some((message, helper::NAME)))
}
