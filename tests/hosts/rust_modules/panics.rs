use flow::prelude::*;

fn inner(message: &str) -> usize {
    let numbers = [1, 2, 3];
    numbers[message.len()] // INDEX
}

pub fn run(message: String, context: &mut Context) -> Result<Option<String>> {
    context.set("n", context.get_or("n", 0)? + 1)?;
    match message.as_str() {
        "index" => drop(inner(&message)),
        "text" => panic!("no {message} here"), // TEXT
        "parse" => drop("x".parse::<i32>()?),
        "caught" => assert!(std::panic::catch_unwind(|| panic!("caught")).is_err()),
        "refused" => drop(context.send("nowhere", 1)),
        _ => {}
    }
    Ok(Some(message))
}
