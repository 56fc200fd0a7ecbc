//! A server of one's own, as a child process: for the bench and the tests.

use std::{
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::Deserialize;

use crate::urls::PublicUrls;

/// Starts the server and stops it when its own standard input ends, which is when its parent does, however that ends.
pub const LIFELINE: &str =
    r#""$@" & server=$!; while read -r _; do :; done; kill -TERM "$server"; wait "$server""#;

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub addresses: Addresses,
    lifeline: Option<ChildStdin>,
    output: ChildStdout,
    shell: Child,
}

/// Where a server is, as it says itself in one line of JSON.
#[derive(Clone, Debug, Deserialize)]
pub struct Addresses {
    /// The HTTP API.
    pub edge: String,
    /// The WebSocket API.
    pub ws: String,
    /// The AWS services that the functions call.
    pub aws: String,
    /// The database.
    pub database_url: String,
    /// The fake Dialpad, unless another one serves.
    pub dialpad: Option<String>,
}

impl Addresses {
    /// Those that its clients and its functions see.
    #[must_use]
    pub fn urls(&self) -> PublicUrls {
        PublicUrls { http: self.edge.clone(), ws: self.ws.clone(), aws: self.aws.clone() }
    }
}

impl Server {
    /// Starts `program serve --ephemeral` with these arguments besides, and waits until it is ready.
    pub fn start(program: impl AsRef<OsStr>, arguments: &[&str]) -> io::Result<Self> {
        Self::start_with(program, arguments, &[], Stdio::inherit())
    }

    /// The same with these variables in its environment, and with what it says on standard error going elsewhere.
    pub fn start_with(
        program: impl AsRef<OsStr>,
        arguments: &[&str],
        environment: &[(&str, &str)],
        errors: Stdio,
    ) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", LIFELINE, "lifeline"])
            .arg(program)
            .args(["serve", "--ephemeral"])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()?;
        let piped = |what: &str| io::Error::other(format!("the server has no standard {what}"));
        let lifeline = shell.stdin.take().ok_or_else(|| piped("input"))?;
        let mut output = BufReader::new(shell.stdout.take().ok_or_else(|| piped("output"))?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let addresses = serde_json::from_str(&line).map_err(|error| {
            io::Error::other(format!("the server did not start (it said {line:?}): {error}"))
        })?;
        Ok(Self { addresses, lifeline: Some(lifeline), output: output.into_inner(), shell })
    }
}

impl Server {
    /// The process below which all of it runs.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.shell.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // Its end of the pipe closes when all that it started has ended.
        let _ = self.output.read_to_end(&mut Vec::new());
        let _ = self.shell.wait();
    }
}
