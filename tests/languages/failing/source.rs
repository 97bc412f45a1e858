use flow::prelude::*;

pub fn start(context: &mut Context) -> Result<Source> {
    let starts: i64 = context.get_or("starts", 0)? + 1;
    context.set("starts", starts)?;
    context.send("notes", starts)?;
    if context.config()["startFails"].as_array().ok_or("no list")?.contains(&json!(starts)) {
        return Err("no start".into());
    }
    let mut i: i64 = context.get_or("i", 0)?;
    Ok(Source::new(move |context| {
        if i >= context.config()["n"].as_i64().ok_or("no n")? {
            return Ok(None);
        }
        i += 1;
        context.set("half", i)?;
        if context.config()["at"] == i && starts <= context.config()["times"].as_i64().ok_or("no times")? {
            context.set("lost", true)?;
            panic!("no luck"); // HERE
        }
        context.set("i", i)?;
        Ok(Some(i))
    }))
}
