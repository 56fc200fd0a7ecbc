//! Ties the server's life to ours.
//!
//! A shell stands between us and the server and reads a pipe that only we hold. However we end, `kill -9` included,
//! the system closes the pipe; the shell then stops the server, waits for it, and removes what was temporary.

use super::{account::Account, error::Error};
use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

/// `$1` the signal that stops the server, `$2` its log, `$3` a folder to remove at the end or nothing, then the
/// server's command line. The server holds descriptor 3, our end of which tells when it is gone. SIGTERM comes
/// first because a shell starts background commands with SIGINT and SIGQUIT ignored: in the moment before the
/// server has set its own handlers only SIGTERM would end it.
const SCRIPT: &str = r#"
signal=$1; log=$2; remove=$3; shift 3
exec 2>>"$log"
"$@" 3>&1 </dev/null >>"$log" &
server=$!
echo "$server"
exec >/dev/null
while read -r _; do :; done
kill -s TERM "$server"
kill -s "$signal" "$server"
wait "$server"
[ -z "$remove" ] || rm -rf -- "$remove"
"#;

/// How the server is told to stop.
#[derive(Clone, Copy)]
pub(super) enum Stop {
    /// Disconnects everybody and writes everything: the next start needs no recovery.
    Fast,
    /// At once, for data that are thrown away.
    Immediate,
}

/// A server that lives as long as this value.
pub(super) struct Lifeline {
    shell: Child,
    pipe: Option<ChildStdin>,
    watcher: Option<JoinHandle<()>>,
    is_gone: Arc<AtomicBool>,
    pid: u32,
}

impl Lifeline {
    /// Starts `command` (program and arguments) as `account`, its output going to `log`.
    pub(super) fn start(
        account: &Account,
        stop: Stop,
        log: &Path,
        remove: Option<&Path>,
        command: &[std::ffi::OsString],
    ) -> Result<Self, Error> {
        let signal = match stop {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        let mut shell = account
            .command("/bin/sh")
            .args(["-c", SCRIPT, "sh", signal])
            .arg(log)
            .arg(remove.unwrap_or(Path::new("")))
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the whole process group; the server must outlive its clients.
            .process_group(0)
            .spawn()
            .map_err(Error::spawn("/bin/sh"))?;
        let pipe = shell.stdin.take();
        let is_gone = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::channel();
        let watcher = shell.stdout.take().map(|output| {
            let is_gone = Arc::clone(&is_gone);
            std::thread::spawn(move || {
                let mut output = BufReader::new(output);
                let mut line = String::new();
                if output.read_line(&mut line).is_ok() {
                    // Nobody listens any more when starting was given up.
                    let _ = sender.send(line.trim().parse::<u32>().unwrap_or(0));
                }
                let _ = output.read_to_end(&mut Vec::new());
                is_gone.store(true, Ordering::Release);
            })
        });
        let pid = receiver.recv().unwrap_or(0);
        Ok(Self { shell, pipe, watcher, is_gone, pid })
    }

    /// The server's process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Has the server end at once, without writing what is in its memory, and waits until it has.
    pub(super) fn crash(&self) -> std::io::Result<()> {
        Command::new("kill").args(["-s", "QUIT", &self.pid.to_string()]).status()?;
        while !self.is_gone() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Lets go of a server that is gone, and leaves its folder for the next attempt.
    pub(super) fn abandon(mut self) {
        if self.is_gone() {
            // An error means that the shell has ended by itself.
            let _ = self.shell.kill();
        }
    }

    /// Whether the server has ended, with all its processes.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // The shell ends when the server has; neither failure leaves anything to be done here.
        let _ = self.shell.wait();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}
