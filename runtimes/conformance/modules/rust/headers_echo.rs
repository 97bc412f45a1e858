use flow::prelude::*;

pub fn run(_: Value, context: &mut Context) -> Result<Option<Value>> {
    Ok(Some(json!({
        "headers": context.headers(),
        "port": context.port(),
        "id": context.message_id(),
        "redelivered": context.redelivered(),
        "module": context.module_id(),
        "flow": context.flow_id(),
    })))
}
