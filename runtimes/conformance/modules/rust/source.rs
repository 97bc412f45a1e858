use flow::prelude::*;

pub fn start(context: &mut Context) -> Result<Source> {
    let n = context.config()["n"].as_i64().ok_or("no n")?;
    Ok(Source::new(move |context| {
        let i = context.get_or("i", 0)? + 1;
        if i <= n {
            context.set("i", i)?;
            return Ok(Some(i));
        }
        context.set("ended", true)?;
        if context.config()["fail"] == true {
            return Err("the source fails at its end".into());
        }
        Ok(None)
    }))
}

pub fn stop(context: &mut Context) -> Result<()> {
    context.set("stopped", true)
}
