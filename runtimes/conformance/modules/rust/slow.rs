use flow::prelude::*;
use std::time::{Duration, Instant};

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    let end = Instant::now() + Duration::from_millis(context.config()["ms"].as_u64().ok_or("no ms")?);
    while Instant::now() < end {}
    Ok(Some(message))
}
