//! Counts how many readings found the processor idle, busy or full; says so at every tenth.

use flow::prelude::*;

pub fn run(reading: Value, context: &mut Context) -> Result<Option<Value>> {
    let cpu = reading["cpu_percent"].as_f64().ok_or("cpu_percent is no number")?;
    let band = if cpu < 25.0 { "idle" } else if cpu < 75.0 { "busy" } else { "full" };
    let mut bands: Value = context.get_or("bands", json!({"idle": 0, "busy": 0, "full": 0}))?;
    bands[band] = json!(bands[band].as_i64().unwrap_or(0) + 1);
    context.set("bands", &bands)?;
    let all: i64 = ["idle", "busy", "full"].iter().filter_map(|name| bands[*name].as_i64()).sum();
    Ok((all % 10 == 0).then(|| json!({"n": reading["n"], "bands": bands})))
}
