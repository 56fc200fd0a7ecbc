//! When what happened to an event on its way through the stack: for the bench, which reads it from a file.
//!
//! The bench runs the stack as another process, since its memory is measured too. What it cannot see from outside, it is
//! told here, at no cost to a stack that nobody measures.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

static FILE: OnceLock<File> = OnceLock::new();

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A function's process took an invocation.
    Taken,
    /// A function's process answered it.
    Answered,
    /// A queue got a message.
    Sent,
    /// A frame was posted to a socket.
    Posted,
}

impl Point {
    /// As it stands in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Answered => "answered",
            Self::Sent => "sent",
            Self::Posted => "posted",
        }
    }
}

/// Notes everything from now on in a new file: microseconds since 1970, point and name, with spaces between.
pub fn keep(path: &Path) -> std::io::Result<()> {
    let file = File::create(path)?;
    // Only a second call in one process can fail, and then the first one's file stays.
    let _ = FILE.set(file);
    Ok(())
}

/// Notes that `point` is reached now, by the function or queue of that name.
pub fn note(point: Point, name: &str) {
    if let Some(mut file) = FILE.get() {
        // One write, so that lines of several threads never mix; whoever cannot write is not measured.
        let _ = file.write_all(format!("{} {} {name}\n", now(), point.as_str()).as_bytes());
    }
}

/// The time as it stands in the file.
#[must_use]
pub fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
