use flow::prelude::*;

extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    let child = unsafe { fork() };
    println!("printed by {}", if child == 0 { "the child" } else { "the parent" });
    context.log("info", "logged");
    let n = context.get_or("n", 0)? + 1;
    context.set("n", n)?;
    if child != 0 {
        let mut status = 0;
        unsafe { waitpid(child, &mut status, 0) };
    }
    Ok(Some(message))
}
