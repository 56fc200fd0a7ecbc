//! The database: the one the user names, else a private Postgres.

use std::path::{Path, PathBuf};

use shared::postgres::{Options, Server};

use crate::settings::Settings;

/// The flag, and the variable of the environment or of `.env`, that names a database.
const VARIABLE: &str = "DATABASE_URL";

/// The database of a private server. Every server has it.
const NAME: &str = "postgres";

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
    /// The migrations were not applied.
    #[error("applying the migrations")]
    Migrate(#[from] shared::migrate::Error),
    /// A file or a thread of the start failed.
    #[error("keeping the private database")]
    Io(#[from] std::io::Error),
}

impl Database {
    /// Finds or starts the database and applies the migrations.
    pub async fn start(wanted: &Wanted, settings: &Settings, say: fn(&str)) -> Result<Self, Error> {
        let database = match chosen_url(wanted, settings) {
            Some(url) => Self { url, server: None },
            None => Self::start_private(wanted.clone(), say).await?,
        };
        let report = shared::migrate::apply(&database.url).await?;
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

    /// Stops a private server.
    pub async fn stop(self) {
        // Stopping waits for the server's last write.
        let _ = tokio::task::spawn_blocking(move || drop(self.server)).await;
    }

    async fn start_private(wanted: Wanted, say: fn(&str)) -> Result<Self, Error> {
        let record = (!wanted.is_ephemeral).then(|| record(&wanted.data));
        if record.is_some() {
            std::fs::create_dir_all(&wanted.data)?;
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
        let server = started.map_err(std::io::Error::other)??;
        let url = server.url(NAME);
        if let Some(record) = record {
            std::fs::write(record, &url)?;
        }
        Ok(Self { url, server: Some(server) })
    }
}

/// The URL the user chose, if any.
///
/// A shell in which the line `export DATABASE_URL=…` of an earlier start was run names the private server, which is
/// not running now: that is no choice of another one.
fn chosen_url(wanted: &Wanted, settings: &Settings) -> Option<String> {
    if wanted.url.is_some() || wanted.is_ephemeral {
        return wanted.url.clone();
    }
    let url = settings.get(VARIABLE)?;
    let is_private = std::fs::read_to_string(record(&wanted.data)).is_ok_and(|private| private == url);
    (!is_private).then(|| url.to_owned())
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

    #[test]
    fn the_exported_url_of_an_earlier_start_is_no_choice_of_another_server() {
        let folder = std::env::temp_dir().join(format!("local-database-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(record(&folder), "postgres://postgres@127.0.0.1:5000/postgres").unwrap();
        let own =
            Settings::new(Env::from([("DATABASE_URL", "postgres://postgres@127.0.0.1:5000/postgres")]), "");
        assert_eq!(chosen_url(&wanted(&folder), &own), None);
        let other = Settings::new(Env::default(), "DATABASE_URL=postgres://elsewhere/cti");
        assert_eq!(chosen_url(&wanted(&folder), &other).as_deref(), Some("postgres://elsewhere/cti"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_ephemeral_start_takes_only_the_url_of_the_command_line() {
        let settings = Settings::new(Env::from([("DATABASE_URL", "postgres://precious/data")]), "");
        let mut wanted = Wanted { is_ephemeral: true, ..wanted(Path::new("/nowhere")) };
        assert_eq!(chosen_url(&wanted, &settings), None);
        wanted.url = Some("postgres://named/data".to_owned());
        assert_eq!(chosen_url(&wanted, &settings).as_deref(), Some("postgres://named/data"));
    }
}
