use flow::prelude::*;

pub fn run(message: Value, _: &mut Context) -> Result<Option<[Value; 2]>> {
    Ok(Some([message.clone(), message]))
}
