//! However the server ends, nothing of it is left: no process, no file, no open port.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, ExitStatus, Stdio},
};

use local::child::Addresses;

use super::{folder::Folder, server::eventually};

/// A server without a shell around it, with a temporary folder of its own.
struct Running {
    server: Child,
    addresses: Addresses,
    temporary: Folder,
}

impl Running {
    fn start() -> Self {
        let temporary = Folder::new("ends");
        fs::create_dir(&temporary.0).unwrap();
        // As /tmp is: started by root, Postgres runs as another user, who removes its own files.
        fs::set_permissions(&temporary.0, fs::Permissions::from_mode(0o1777)).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_local"))
            .args(["serve", "--ephemeral"])
            .env("TMPDIR", &temporary.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { server, addresses: serde_json::from_str(&line).unwrap(), temporary }
    }

    /// The processes that it started, and those that they started.
    fn descendants(&self) -> Vec<u32> {
        let parents = parents();
        let mut found = vec![self.server.id()];
        let mut index = 0;
        while let Some(parent) = found.get(index).copied() {
            found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
            index += 1;
        }
        found.split_off(1)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.temporary.0).unwrap().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Ends it with a signal, and waits until nothing of it is left.
    async fn end(mut self, signal: &str) -> ExitStatus {
        let descendants = self.descendants();
        let names: Vec<_> = descendants.iter().map(|id| name(*id)).collect();
        for expected in ["postgres", "webhook", "processor", "rest", "websocket", "broadcaster"] {
            assert!(names.iter().any(|name| name == expected), "{expected} is missing in {names:?}");
        }
        assert!(!self.files().is_empty());

        let id = self.server.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        eventually("every process has ended", async || descendants.iter().all(|id| name(*id).is_empty()))
            .await;
        eventually("every file is gone", async || self.files().is_empty()).await;
        let port = self.addresses.edge.trim_start_matches("http://");
        assert!(std::net::TcpStream::connect(port).is_err(), "{port} is still open");
        self.server.wait().unwrap()
    }
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| Some((id, stat(id)?.1))).collect()
}

/// The name of a process; empty when it has ended, collected or not.
fn name(id: u32) -> String {
    stat(id).map(|(name, _)| name).unwrap_or_default()
}

/// Name and parent, from `id (name) state parent …`.
fn stat(id: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (front, rest) = text.rsplit_once(") ")?;
    let mut rest = rest.split_whitespace();
    let is_ended = rest.next()? == "Z";
    let parent = rest.next()?.parse().ok()?;
    (!is_ended).then(|| (front.split_once('(').unwrap_or_default().1.to_owned(), parent))
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_everything() {
    assert!(Running::start().end("INT").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_everything() {
    assert!(Running::start().end("TERM").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_terminal_ends_everything() {
    assert!(Running::start().end("HUP").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_nothing_behind() {
    assert!(!Running::start().end("KILL").await.success());
}
