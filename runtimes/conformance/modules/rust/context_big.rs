use flow::prelude::*;

#[derive(Deserialize)]
pub struct Wanted {
    key: String,
    bytes: usize,
}

pub fn run(wanted: Wanted, context: &mut Context) -> Result<Option<String>> {
    context.set(&wanted.key, "x".repeat(wanted.bytes))?;
    Ok(Some(wanted.key))
}
