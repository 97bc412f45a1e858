use flow::prelude::*;

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        eprintln!("closed");
    }
}

pub fn start(_: &mut Context) -> Result<Source> {
    let guard = Guard;
    Ok(Source::turns(move |context| {
        let _guard = &guard;
        let i = context.get_or("i", 0)? + 1;
        context.set("i", i)?;
        context.send("even", i * 2)?;
        if i == 4 {
            panic!("four");
        }
        Ok(i < 6)
    }))
}

pub fn stop(_: &mut Context) -> Result<()> {
    println!("stop");
    Ok(())
}
