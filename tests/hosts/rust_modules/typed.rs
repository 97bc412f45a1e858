use flow::prelude::*;

#[derive(Deserialize)]
pub struct Reading {
    sensor: String,
    value: f64,
    #[serde(default)]
    count: i64,
    raw: Option<Bytes>,
    more: Option<Value>,
}

#[derive(Serialize)]
pub enum Level {
    Normal,
    High { by: f64 },
}

#[derive(Serialize)]
pub struct Alert {
    sensor: String,
    count: i64,
    level: Level,
    raw: Option<Bytes>,
    more: Option<Value>,
}

pub fn run(reading: Reading, _: &mut Context) -> Result<Option<Alert>, DataError> {
    if reading.value < 0.0 {
        return Ok(None);
    }
    let level = if reading.value > 40.0 { Level::High { by: reading.value - 40.0 } } else { Level::Normal };
    let Reading { sensor, count, raw, more, .. } = reading;
    Ok(Some(Alert { sensor, count, level, raw, more }))
}
