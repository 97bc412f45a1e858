use flow::prelude::*;

pub fn start(context: &mut Context) -> Result<Source> {
    let g = context.config().clone();
    Ok(Source::new(move |context| {
        let i = context.get_or("i", 0i64)? + 1;
        if i > g["readings"].as_i64().unwrap() {
            return Ok(None);
        }
        context.set("i", i)?;
        if i % 5 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(g["pause_ms"].as_u64().unwrap()));
        }
        Ok(Some(
            json!({"origin": g["id"], "number": i, "value": i * 7919 % 1000003, "path": g["id"], "loops": i % 3, "versions": g["version"]}),
        ))
    }))
}
