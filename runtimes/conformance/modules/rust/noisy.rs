use flow::prelude::*;

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    println!("to stdout {message}");
    eprintln!("to stderr {message}");
    context.log("warning", "to the log");
    Ok(Some(message))
}
