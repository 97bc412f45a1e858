use flow::prelude::*;

#[derive(Deserialize)]
pub struct Edit {
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    delete: Vec<String>,
    #[serde(default)]
    fail: bool,
}

pub fn run(edit: Edit, context: &mut Context) -> Result<Option<Value>> {
    for (key, value) in &edit.set {
        context.set(key, value)?;
    }
    for key in &edit.delete {
        context.delete(key)?;
    }
    if edit.fail {
        return Err("fails after its changes".into());
    }
    let mut keys = context.keys();
    keys.sort();
    let values = keys.iter().map(|key| context.get(key)).collect::<Result<Vec<Option<Value>>>>()?;
    let missing = context.get_or("missing", "default".to_owned())?;
    Ok(Some(json!({"keys": keys, "values": values, "missing": missing})))
}
