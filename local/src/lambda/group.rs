//! One process group for all functions, which ends with this program however it ends.
//!
//! A function that waits for work ends by itself when the Runtime API is gone; one that is at work does not notice. So
//! the group has a leader, a shell that reads a pipe which only this program holds: when the system closes the pipe,
//! after `kill -9` too, the shell kills the group. Ctrl-C in a terminal goes to the foreground group, and so not to
//! the functions, which must outlive their callers.

use std::process::Stdio;

use tokio::process::{Child, Command};

const SCRIPT: &str = "while read -r _; do :; done; kill -s KILL 0";

/// The group; dropping it kills what is still in it.
#[derive(Debug)]
pub(super) struct Group {
    /// The number of the group, which is the leader's process id.
    id: i32,
    /// Holds the pipe.
    _leader: Child,
}

impl Group {
    pub(super) fn start() -> std::io::Result<Self> {
        let leader = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let id = leader.id().and_then(|id| i32::try_from(id).ok());
        let id =
            id.ok_or_else(|| std::io::Error::other("the leader of the functions' process group ended"))?;
        Ok(Self { id, _leader: leader })
    }

    /// Has `command` start in the group.
    pub(super) fn admit(&self, command: &mut Command) {
        command.process_group(self.id);
    }
}
