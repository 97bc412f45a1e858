use flow::prelude::*;

pub fn run(message: i64, _: &mut Context) -> Result<Option<i64>> {
    Ok(Some(message * 2))
}
