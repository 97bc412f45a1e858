use flow::prelude::*;

pub fn run(_message: Value, _: &mut Context) -> Result<Option<Value>> {
    Ok(Some(json!([include_str!("table.json"), include_str!("deep/down/words.txt")])))
}
