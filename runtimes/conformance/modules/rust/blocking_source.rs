use flow::prelude::*;
use std::thread::sleep;
use std::time::Duration;

pub fn start(context: &mut Context) -> Result<Source> {
    let pause = Duration::from_millis(context.config()["ms"].as_u64().ok_or("no ms")?);
    let mut i = 0;
    Ok(Source::new(move |_| {
        sleep(pause);
        i += 1;
        Ok(Some(i))
    }))
}
