//! The typed errors a module can meet, and how any error is described to the runner.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use serde_json::{json, Value};

/// Any error of a module.
pub type Failure = Box<dyn Error + Send + Sync>;
/// What a module's functions return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

const MAX_TEXT_BYTES: usize = 64 << 10;
const READ_ONLY: i32 = 30; // EROFS

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name(pub String);

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str(&self.0)
                }
            }

            impl Error for $name {}
        )*

        /// The type of an error that this library knows.
        fn known_type(error: &(dyn Error + Send + Sync + 'static)) -> Option<&'static str> {
            $(if error.is::<$name>() {
                return Some(stringify!($name));
            })*
            None
        }
    };
}

errors! {
    /// A value that the data contract refuses.
    DataError;
    /// A context key, value or size that is refused.
    ContextError;
    /// A port that the module did not declare.
    PortError;
    /// Headers that may not be sent.
    HeaderError;
    /// A turn whose outputs and context changes exceed `max_turn_bytes`.
    TurnTooLarge;
    /// A module that could not be loaded.
    LoadError;
    /// A message that is refused before its handler is called; the runner sees a `DataError`.
    Undecodable;
    /// User code that panicked; described with its place by `describe`.
    Panic;
}

impl serde::ser::Error for DataError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<serde_json::Error> for DataError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Where user code panicked.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// An error of user code, and its place if it is a panic.
pub struct Raised {
    pub failure: Failure,
    pub place: Option<Place>,
}

impl Raised {
    pub fn new(error: impl Into<Failure>) -> Self {
        Self { failure: error.into(), place: None }
    }
}

/// The ERROR object of PROTOCOL.md section 4. `module` is the module's file.
pub fn describe(raised: &Raised, module: &str) -> Value {
    let error = &*raised.failure;
    let kind = match known_type(error) {
        Some("Undecodable") => "DataError".to_owned(),
        Some(name) => name.to_owned(),
        None => guessed_type(error),
    };
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_message = inner.to_string();
        if !message.contains(&inner_message) {
            message = format!("{message}: {inner_message}");
        }
        cause = inner.source();
    }
    if let Some(hint) = hint(error) {
        message = format!("{message}; {hint}");
    }
    let mut described = json!({"type": kind});
    match &raised.place {
        Some(Place { file, line, column }) if Path::new(file).is_relative() => {
            described["file"] = json!(file);
            described["line"] = json!(line);
            described["column"] = json!(column);
        }
        place => {
            if let Some(Place { file, line, .. }) = place {
                message = format!("{message} ({file}:{line})"); // a crate's; who called it is not known
            }
            if !module.is_empty() {
                described["file"] = json!(module);
            }
        }
    }
    described["message"] = json!(shortened(message));
    described
}

/// What to do about it.
fn hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let input_output = error.downcast_ref::<io::Error>()?;
    match (input_output.kind(), input_output.raw_os_error()) {
        (io::ErrorKind::NotFound, Some(_)) => Some(
            "a relative path begins in the host's temporary folder: name the file in the module's `files:` and take it \
             with include_str!",
        ),
        (io::ErrorKind::PermissionDenied, _) | (_, Some(READ_ONLY)) => {
            Some("what a module may write to is named in its `limits.writable`")
        }
        _ => None,
    }
}

/// The name that a derived Debug begins with, if it is that of an error: a boxed error has forgotten its type.
fn guessed_type(error: &(dyn Error + Send + Sync)) -> String {
    let text = format!("{error:?}");
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.ends_with("Error") && name.starts_with(char::is_uppercase) {
        name
    } else {
        "Error".to_owned()
    }
}

pub fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let end = (0..=MAX_TEXT_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}
