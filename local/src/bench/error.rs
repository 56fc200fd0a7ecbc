//! Why the bench could not be run.

use std::{io, path::PathBuf};

use crate::{binaries, client, template};

/// The bench could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no row of that name.
    #[error("no row is called {0}; --list shows them all")]
    NoRow(String),
    /// The system refused something.
    #[error("prepare the bench")]
    Io(#[from] io::Error),
    /// The template cannot be used.
    #[error("read template.yaml")]
    Template(#[from] template::Error),
    /// A program could not be built.
    #[error(transparent)]
    Binaries(#[from] binaries::Error),
    /// The server did not do its part.
    #[error("measure")]
    Client(#[from] client::Error),
    /// The database did not do its part.
    #[error("measure the database")]
    Database(#[from] tokio_postgres::Error),
    /// The database did not do its part.
    #[error("measure the database")]
    Store(#[from] shared::store::Error),
    /// The figures cannot be written.
    #[error("write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// A helper of the bench said something that makes no sense.
    #[error("read what {0} said")]
    Answer(&'static str, #[source] serde_json::Error),
    /// Something that was to be measured did not happen.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// Something that was to be measured did not happen.
    pub(super) fn failed(what: impl Into<String>) -> Self {
        Self::Failed(what.into())
    }
}
