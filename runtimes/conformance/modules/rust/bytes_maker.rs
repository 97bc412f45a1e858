use flow::prelude::*;

pub fn run(message: Value, _: &mut Context) -> Result<Option<Value>> {
    if let Some(bytes) = flow::as_bytes(&message) {
        return Ok(Some(json!([bytes.len(), bytes.last()])));
    }
    let object = json!({"$bytes": "AAH/"});
    Ok(Some(match message.as_str() {
        Some("bytes") => flow::bytes(&[0, 1, 255]),
        Some("object") => flow::escaped(object),
        _ => flow::escaped(flow::escaped(object)),
    }))
}
