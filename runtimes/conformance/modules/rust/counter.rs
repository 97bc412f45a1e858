use flow::prelude::*;

pub fn run(_: Value, context: &mut Context) -> Result<Option<i64>> {
    let n = context.get_or("n", 0)? + 1;
    context.set("n", n)?;
    Ok(Some(n))
}
