//! NAME: numbers the messages that come in.

use flow::prelude::*;

/// Called for every message, one at a time; what it returns leaves by the port `out`.
pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    let count = context.get_or("count", 0)? + 1;
    context.set("count", count)?;
    Ok(Some(json!({"count": count, "message": message})))
}
