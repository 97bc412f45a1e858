//! The functions of one module's text, made uniform: whatever they take and return goes through serde.

use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Failure, Result, Undecodable};
use crate::source::Source;
use crate::typed::Input;

type Handler = Box<dyn Fn(Input<'_>, &mut Context) -> Result<()> + Send + Sync>;
type Start = Box<dyn Fn(&mut Context) -> Result<Option<Source>> + Send + Sync>;
type Hook = Box<dyn Fn(&mut Context) -> Result<()> + Send + Sync>;
type Migrate = Box<dyn Fn(&mut Context, i64) -> Result<()> + Send + Sync>;

/// What `start` may return: nothing, or a source.
pub trait Started {
    /// The source, if it is one.
    fn source(self) -> Option<Source>;
}

impl Started for () {
    fn source(self) -> Option<Source> {
        None
    }
}

impl Started for Source {
    fn source(self) -> Option<Source> {
        Some(self)
    }
}

/// The functions that a module's text has.
pub struct Unit {
    pub(crate) id: &'static str,
    pub(crate) run: Option<Handler>,
    pub(crate) start: Option<Start>,
    pub(crate) stop: Option<Hook>,
    pub(crate) migrate: Option<Migrate>,
}

impl Unit {
    #[must_use]
    pub fn new(id: &'static str) -> Self {
        Self { id, run: None, start: None, stop: None, migrate: None }
    }

    #[must_use]
    pub fn run<M, R, E>(mut self, run: fn(M, &mut Context) -> Result<Option<R>, E>) -> Self
    where
        M: DeserializeOwned + 'static,
        R: Serialize + 'static,
        E: Into<Failure> + 'static,
    {
        self.run = Some(Box::new(move |input, context| {
            let message = input.into().map_err(|error| Undecodable(error.0))?;
            match run(message, context).map_err(Into::into)? {
                Some(value) => context.finish(value),
                None => Ok(()),
            }
        }));
        self
    }

    #[must_use]
    pub fn start<S, E>(mut self, start: fn(&mut Context) -> Result<S, E>) -> Self
    where
        S: Started + 'static,
        E: Into<Failure> + 'static,
    {
        self.start = Some(Box::new(move |context| Ok(start(context).map_err(Into::into)?.source())));
        self
    }

    #[must_use]
    pub fn stop<E: Into<Failure> + 'static>(mut self, stop: fn(&mut Context) -> Result<(), E>) -> Self {
        self.stop = Some(Box::new(move |context| stop(context).map_err(Into::into)));
        self
    }

    #[must_use]
    pub fn migrate<E: Into<Failure> + 'static>(mut self, migrate: fn(&mut Context, i64) -> Result<(), E>) -> Self {
        self.migrate = Some(Box::new(move |context, from| migrate(context, from).map_err(Into::into)));
        self
    }

    pub(crate) fn hooks(&self) -> Vec<&'static str> {
        let hooks =
            [("start", self.start.is_some()), ("stop", self.stop.is_some()), ("migrate", self.migrate.is_some())];
        hooks.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect()
    }
}
