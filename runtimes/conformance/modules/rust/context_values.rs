use flow::prelude::*;

pub fn run(mut message: Value, context: &mut Context) -> Result<Option<Value>> {
    context.set("kept", &message)?;
    message["list"].as_array_mut().ok_or("no list")?.push(json!("after set"));
    let mut kept: Value = context.get("kept")?.ok_or("not kept")?;
    kept["list"].as_array_mut().ok_or("no list")?.push(json!("after get"));
    context.get("kept")
}
