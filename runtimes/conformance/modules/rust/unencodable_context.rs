use flow::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub fn run(message: String, context: &mut Context) -> Result<Option<String>> {
    if message == "nan" {
        context.set("n", f64::NAN)?;
    } else {
        context.set("n", Path::new(OsStr::from_bytes(b"a\xed\xa0\x80b")))?;
    }
    Ok(Some(message))
}
