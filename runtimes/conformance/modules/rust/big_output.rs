use flow::prelude::*;

pub fn run(message: usize, _: &mut Context) -> Result<Option<String>> {
    Ok(Some("x".repeat(message)))
}
