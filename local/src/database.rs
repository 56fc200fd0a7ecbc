//! The database: the one the user names, else a private Postgres.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use axum::http::Uri;
use clap::Args;
use shared::postgres::{Options, Server};

use crate::settings::{Settings, Source, root};

/// The flag, and the variable of the environment or of `.env`, that names a database.
const VARIABLE: &str = "DATABASE_URL";

/// The database of a private server. Every server has it.
const NAME: &str = "postgres";

/// Which database to use.
#[derive(Debug, Clone, Args)]
#[group(id = "database")]
pub struct Arguments {
    /// The database; without it `DATABASE_URL` of the environment or of .env, else a private Postgres
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The folder for the private Postgres's data, in the checkout unless absolute
    #[arg(long, value_name = "FOLDER", default_value = ".local")]
    pub data: PathBuf,
    /// The folder of Postgres's server programs (initdb, postgres)
    #[arg(long, value_name = "FOLDER")]
    pub pg_bin_dir: Option<PathBuf>,
}

impl Arguments {
    /// The database that these arguments want.
    #[must_use]
    pub fn wanted(&self, is_ephemeral: bool) -> Wanted {
        Wanted {
            url: self.database_url.clone(),
            data: root().join(&self.data),
            is_ephemeral,
            bin_dir: self.pg_bin_dir.clone(),
        }
    }
}

/// Which database is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The URL given on the command line.
    pub url: Option<String>,
    /// The folder of the local stack's data.
    pub data: PathBuf,
    /// Whether the data are thrown away at the end; then a URL counts only if it was given on the command line.
    pub is_ephemeral: bool,
    /// The folder of Postgres's server programs.
    pub bin_dir: Option<PathBuf>,
}

/// A database that is ready; a private server runs as long as this value.
pub struct Database {
    url: String,
    server: Option<Server>,
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The private server did not start.
    #[error("starting Postgres: set {VARIABLE} or --database-url to use a server of your own")]
    Start(#[from] shared::postgres::Error),
    /// The database that was named cannot be used.
    #[error("{choice} cannot be used; without it, a private Postgres is started")]
    Chosen {
        /// Which one it is, and who named it.
        choice: Choice,
        /// Why.
        source: shared::migrate::Error,
    },
    /// The migrations were not applied.
    #[error("applying the migrations to the database in {}", .0.display())]
    Migrate(PathBuf, #[source] shared::migrate::Error),
    /// The folder for the data cannot be written to.
    #[error("cannot write to {}: choose another folder for the data with --data, or a database with --database-url", .0.display())]
    Folder(PathBuf, #[source] std::io::Error),
    /// A thread of the start failed.
    #[error("starting the private database")]
    Thread(#[from] tokio::task::JoinError),
}

impl Database {
    /// Finds or starts the database and applies the migrations.
    pub async fn start(wanted: &Wanted, settings: &Settings, say: fn(&str)) -> Result<Self, Error> {
        let (database, choice) = match choose(wanted, settings) {
            Some(choice) => (Self { url: choice.url.clone(), server: None }, Some(choice)),
            None => (Self::start_private(wanted.clone(), say).await?, None),
        };
        let report = shared::migrate::apply(&database.url).await.map_err(|source| match choice {
            Some(choice) => Error::Chosen { choice, source },
            None => Error::Migrate(wanted.data.clone(), source),
        })?;
        if !report.applied.is_empty() {
            say(&format!("applied {}", report.applied.join(", ")));
        }
        Ok(database)
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is the private one.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.server.is_some()
    }

    /// Stops a private server.
    pub async fn stop(self) {
        // Stopping waits for the server's last write.
        let _ = tokio::task::spawn_blocking(move || drop(self.server)).await;
    }

    async fn start_private(wanted: Wanted, say: fn(&str)) -> Result<Self, Error> {
        let record = (!wanted.is_ephemeral).then(|| record(&wanted.data));
        if record.is_some() {
            std::fs::create_dir_all(&wanted.data)
                .map_err(|error| Error::Folder(wanted.data.clone(), error))?;
        }
        let options = Options {
            data_dir: (!wanted.is_ephemeral).then(|| wanted.data.join("postgres")),
            durable: true,
            bin_dir: wanted.bin_dir,
            install_dir: Some(wanted.data),
            port: None,
            progress: Some(Box::new(say)),
        };
        let started = tokio::task::spawn_blocking(move || Server::start(options)).await;
        let server = started??;
        let url = server.url(NAME);
        if let Some(record) = record {
            std::fs::write(&record, &url).map_err(|error| Error::Folder(record, error))?;
        }
        Ok(Self { url, server: Some(server) })
    }
}

/// The database that the user chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    url: String,
    /// Where it was named; none: on the command line.
    source: Option<Source>,
}

impl fmt::Display for Choice {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            None => write!(f, "the database of --database-url"),
            Some(Source::Environment) => write!(f, "the database of {VARIABLE} in the environment"),
            Some(Source::File) => {
                write!(f, "the database of {VARIABLE} in {}", root().join(".env").display())
            }
        }?;
        let url: Uri = self.url.parse().unwrap_or_default();
        match (url.scheme_str(), url.host()) {
            (Some("postgres" | "postgresql"), Some(host)) => {
                let (name, port) = (url.path().trim_start_matches('/'), url.port_u16().unwrap_or(5432));
                write!(f, " ({name} on {host}, port {port})")
            }
            _ => write!(f, " (which is no postgres://user:password@host:port/database)"),
        }
    }
}

/// The database that the user chose, if any.
///
/// A shell in which the line `export DATABASE_URL=…` of an earlier start was run names the private server, which is
/// not running now: that is no choice of another one.
fn choose(wanted: &Wanted, settings: &Settings) -> Option<Choice> {
    if wanted.url.is_some() || wanted.is_ephemeral {
        return wanted.url.clone().map(|url| Choice { url, source: None });
    }
    let (url, source) = settings.find(VARIABLE)?;
    let is_private = std::fs::read_to_string(record(&wanted.data)).is_ok_and(|private| private == url);
    (!is_private).then(|| Choice { url: url.to_owned(), source: Some(source) })
}

/// Where the URL of the private server is kept.
fn record(data: &Path) -> PathBuf {
    data.join("database-url")
}

#[cfg(test)]
mod tests {
    use shared::config::Env;

    use super::*;

    fn wanted(data: &Path) -> Wanted {
        Wanted { url: None, data: data.to_owned(), is_ephemeral: false, bin_dir: None }
    }

    fn choice(url: &str, source: Source) -> Choice {
        Choice { url: url.to_owned(), source: Some(source) }
    }

    #[test]
    fn the_exported_url_of_an_earlier_start_is_no_choice_of_another_server() {
        let folder = std::env::temp_dir().join(format!("local-database-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(record(&folder), "postgres://postgres@127.0.0.1:5000/postgres").unwrap();
        let own =
            Settings::new(Env::from([("DATABASE_URL", "postgres://postgres@127.0.0.1:5000/postgres")]), "");
        assert_eq!(choose(&wanted(&folder), &own), None);
        let other = Settings::new(Env::default(), "DATABASE_URL=postgres://elsewhere/cti");
        let expected = choice("postgres://elsewhere/cti", Source::File);
        assert_eq!(choose(&wanted(&folder), &other), Some(expected));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_ephemeral_start_takes_only_the_url_of_the_command_line() {
        let settings = Settings::new(Env::from([("DATABASE_URL", "postgres://precious/data")]), "");
        let mut wanted = Wanted { is_ephemeral: true, ..wanted(Path::new("/nowhere")) };
        assert_eq!(choose(&wanted, &settings), None);
        wanted.url = Some("postgres://named/data".to_owned());
        let expected = Choice { url: "postgres://named/data".to_owned(), source: None };
        assert_eq!(choose(&wanted, &settings), Some(expected));
    }

    #[test]
    fn a_choice_names_its_source_and_never_its_password() {
        let named = choice("postgres://me:hunter2@db.example.com:6543/cti", Source::Environment).to_string();
        assert_eq!(
            named,
            "the database of DATABASE_URL in the environment (cti on db.example.com, port 6543)"
        );
        let unreadable = choice("hunter2", Source::File).to_string();
        assert!(unreadable.starts_with("the database of DATABASE_URL in /"), "{unreadable}");
        assert!(unreadable.contains("/.env (which is no postgres://"), "{unreadable}");
        assert!(!unreadable.contains("hunter2"), "{unreadable}");
    }
}
