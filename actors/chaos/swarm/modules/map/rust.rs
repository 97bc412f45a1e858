use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    let mut m = message;
    let g = context.config().clone();
    let v = (m["value"].as_i64().unwrap() * g["factor"].as_i64().unwrap() + g["offset"].as_i64().unwrap()) % 1000003;
    m["value"] = json!(v);
    let p = format!("{}/{}", m["path"].as_str().unwrap(), g["id"].as_str().unwrap());
    m["path"] = json!(p);
    let vv = format!("{}{}", m["versions"].as_str().unwrap(), g["version"].as_str().unwrap());
    m["versions"] = json!(vv);
    if g["counts"] == true {
        let n = context.get_or("n", 0i64)? + 1;
        context.set("n", n)?;
        m["count"] = json!(n);
    }
    Ok(Some(m))
}
