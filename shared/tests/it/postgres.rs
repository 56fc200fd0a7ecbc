//! The private server: it starts, keeps its data, and is never left behind.

use shared::{
    postgres::{Error, Options, Server},
    testing::server_options,
};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Set for the process that [`a_server_whose_parent_is_killed_stops`] starts and kills.
const HELD_FOLDER: &str = "TEST_HELD_FOLDER";

fn on(folder: &Path) -> Options {
    Options { data_dir: Some(folder.to_owned()), ..server_options() }
}

#[test]
fn a_temporary_server_leaves_nothing_behind() {
    let server = Server::start(server_options()).unwrap();
    let (port, folder) = (server.port(), server.data_dir().to_owned());
    assert!(server.is_running());
    assert!(folder.exists());
    assert_eq!(server.url("postgres"), format!("postgres://postgres@127.0.0.1:{port}/postgres"));
    drop(server);
    assert!(!folder.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[tokio::test]
async fn data_and_port_are_there_again_at_the_next_start() {
    let folder = Folder::new("again");
    let server = Server::start(on(&folder.0)).unwrap();
    let port = server.port();
    run(&server, "CREATE TABLE kept AS SELECT 7 AS answer").await;
    drop(server);

    let server = Server::start(on(&folder.0)).unwrap();
    assert_eq!(server.port(), port);
    assert_eq!(run(&server, "SELECT answer FROM kept").await.as_deref(), Some("7"));
}

#[tokio::test]
async fn what_was_committed_before_a_crash_is_there_after_it() {
    let folder = Folder::new("crash");
    let options = || Options { durable: true, ..on(&folder.0) };
    let server = Server::start(options()).unwrap();
    let port = server.port();
    run(&server, "CREATE TABLE kept AS SELECT 7 AS answer").await;
    server.crash().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());

    let server = Server::start(options()).unwrap();
    assert_eq!(run(&server, "SELECT answer FROM kept").await.as_deref(), Some("7"));
}

#[test]
fn a_server_whose_parent_is_killed_stops_and_its_data_can_be_used_again() {
    let folder = Folder::new("killed");
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["postgres::hold_a_server", "--exact", "--ignored", "--nocapture"])
        .env(HELD_FOLDER, &folder.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let port: u16 = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split("listening on ").nth(1)?.trim().parse().ok())
        .expect("the helper announces its port");
    let other = Server::start(on(&folder.0));
    assert!(matches!(other, Err(Error::InUse { port: taken, .. }) if taken == port));

    // `Child::kill` is SIGKILL: no destructor and no handler runs in the parent.
    parent.kill().unwrap();
    parent.wait().unwrap();
    let is_gone = || !folder.0.join("postmaster.pid").exists();
    wait_until("the server has stopped", is_gone);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let log = fs::read_to_string(folder.0.join("server.log")).unwrap();
    assert!(log.contains("database system is shut down"), "a clean stop, not a crash:\n{log}");
    Server::start(on(&folder.0)).unwrap();
}

/// Not a test: the parent that is killed by the one above.
#[test]
#[ignore = "runs as a process of another test"]
fn hold_a_server() {
    let Some(folder) = std::env::var_os(HELD_FOLDER) else { return };
    let server = Server::start(on(Path::new(&folder))).unwrap();
    // A line of its own: the test harness has begun one with the test's name.
    #[expect(clippy::print_stdout, reason = "this is how the parent learns the port")]
    {
        println!("\nlistening on {}", server.port());
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn the_pid_file_of_a_crashed_server_is_no_obstacle() {
    let folder = Folder::new("stale");
    drop(Server::start(on(&folder.0)).unwrap());
    // After a reboot the number may belong to anybody; ours is certainly alive and not Postgres.
    let stale = format!("{}\n{}\n0\n5432\n\n127.0.0.1\n\nready\n", std::process::id(), folder.0.display());
    fs::write(folder.0.join("postmaster.pid"), stale).unwrap();
    Server::start(on(&folder.0)).unwrap();
}

#[test]
fn data_of_another_major_version_are_refused_with_both_versions() {
    let folder = Folder::new("version");
    drop(Server::start(on(&folder.0)).unwrap());
    let found = fs::read_to_string(folder.0.join("PG_VERSION")).unwrap();
    fs::write(folder.0.join("PG_VERSION"), "12\n").unwrap();
    let error = Server::start(on(&folder.0)).err().unwrap().to_string();
    assert!(error.contains("made by Postgres 12"), "{error}");
    assert!(error.contains(&format!("found here is Postgres {}", found.trim())), "{error}");
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let folder = Folder::new("other");
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(Server::start(on(&folder.0)), Err(Error::NotADatabase { .. })));
    assert!(folder.0.join("thesis.txt").exists());
}

#[test]
fn a_taken_port_is_named() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = Server::start(Options { port: Some(port), ..server_options() }).err().unwrap();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[test]
fn a_server_that_cannot_start_shows_the_end_of_its_log() {
    let folder = Folder::new("broken");
    drop(Server::start(on(&folder.0)).unwrap());
    fs::write(folder.0.join("postgresql.conf"), "no_such_setting = 1\n").unwrap();
    let error = Server::start(on(&folder.0)).err().unwrap().to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}

/// Only root has this trouble: anybody else runs the server under their own account.
#[test]
fn data_below_a_folder_that_the_servers_user_cannot_enter_go_elsewhere_and_it_is_said() {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let home = Folder::new("home");
    fs::DirBuilder::new().mode(0o700).create(&home.0).unwrap();
    if fs::metadata(&home.0).unwrap().uid() != 0 {
        return;
    }
    let said = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&said);
    let options = Options {
        progress: Some(Box::new(move |line| listener.lock().unwrap().push(line.to_owned()))),
        ..on(&home.0.join("data"))
    };
    let server = Server::start(options).unwrap();
    let elsewhere = Folder(server.data_dir().to_owned());
    assert!(!elsewhere.0.starts_with(&home.0));
    assert!(said.lock().unwrap().iter().any(|line| line.contains(elsewhere.0.to_str().unwrap())));
    drop(server);
    let server = Server::start(on(&home.0.join("data"))).unwrap();
    assert_eq!(server.data_dir(), elsewhere.0, "the same folder is found again");
}

/// Runs statements in the database `postgres` and gives the first value of the last row, if any.
async fn run(server: &Server, sql: &str) -> Option<String> {
    let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    messages.iter().rev().find_map(|message| {
        let SimpleQueryMessage::Row(row) = message else { return None };
        row.get(0).map(str::to_owned)
    })
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A folder that does not exist yet, and does not exist any more afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("postgres-test-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
