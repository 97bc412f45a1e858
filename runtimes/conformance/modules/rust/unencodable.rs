use flow::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Text in Rust has no surrogates, but the name of a file may have.
fn surrogate() -> &'static Path {
    Path::new(OsStr::from_bytes(b"a\xed\xa0\x80b"))
}

pub fn run(message: String, context: &mut Context) -> Result<Option<&'static str>> {
    match message.as_str() {
        "nan" => context.send("out", f64::NAN)?,
        "infinity" => context.send("out", f64::INFINITY)?,
        "minus infinity" => context.send("out", f64::NEG_INFINITY)?,
        "nested" => context.send("out", BTreeMap::from([("a", (1, f32::NAN))]))?,
        "surrogate" => context.send("out", surrogate())?,
        "surrogate key" => context.send("out", BTreeMap::from([(surrogate(), 1)]))?,
        _ => return Ok(Some("this language has no such value")),
    }
    Ok(None)
}
