use flow::prelude::*;

pub fn run(message: u64, context: &mut Context) -> Result<Option<Value>> {
    for i in 0..message {
        context.send(if i % 3 == 2 { "b" } else { "out" }, i)?;
    }
    Ok(None)
}
