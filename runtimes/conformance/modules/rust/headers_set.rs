use flow::prelude::*;

#[derive(Deserialize)]
pub struct Wanted {
    value: Value,
    headers: Headers,
}

pub fn run(wanted: Wanted, context: &mut Context) -> Result<Option<Value>> {
    context.send_with("out", wanted.value, &wanted.headers)?;
    Ok(None)
}
