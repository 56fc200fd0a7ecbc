//! Postgres's own load generator, as the floor of rates.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::Error;

/// The program, and the database it is let loose on.
#[derive(Debug, Clone)]
pub(super) struct Pgbench {
    /// None where it is not installed.
    program: Option<PathBuf>,
    url: String,
    folder: PathBuf,
}

/// A run.
#[derive(Debug, Clone)]
pub(super) struct Run<'a> {
    /// The name of its script.
    pub(super) name: &'a str,
    /// What one transaction is.
    pub(super) script: &'a str,
    /// How many clients run it at once.
    pub(super) clients: usize,
    /// How often each does.
    pub(super) transactions: usize,
}

impl Pgbench {
    /// Looks for it beside the server's programs, and on PATH.
    pub(super) async fn find(
        database: &tokio_postgres::Client,
        url: &str,
        folder: &Path,
    ) -> Result<Self, Error> {
        let sql = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
        let beside: Option<String> = database.query_opt(sql, &[]).await?.map(|row| row.get(0));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = beside
            .map(PathBuf::from)
            .into_iter()
            .chain(std::env::split_paths(&path))
            .map(|folder| folder.join("pgbench"))
            .find(|program| program.is_file());
        Ok(Self { program, url: url.to_owned(), folder: folder.to_owned() })
    }

    /// Transactions a second; none where there is no pgbench.
    ///
    /// Statements go unnamed with their parameters apart, as ours do (`-M extended`).
    pub(super) async fn run(&self, run: &Run<'_>) -> Result<Option<f64>, Error> {
        let Some(program) = &self.program else { return Ok(None) };
        let file = self.folder.join(format!("{}.sql", run.name));
        std::fs::write(&file, run.script)?;
        let threads = run.clients.min(2).to_string();
        let output = Command::new(program)
            .args(["-n", "-M", "extended", "-j", &threads, "-c", &run.clients.to_string()])
            .args(["-t", &run.transactions.to_string(), "-f"])
            .arg(&file)
            .arg(&self.url)
            .kill_on_drop(true)
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let all_done = output.status.success() && !text.contains("number of failed transactions: 1");
        match transactions_per_second(&text).filter(|_| all_done) {
            Some(rate) => Ok(Some(rate)),
            None => Err(Error::failed(format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)))),
        }
    }

    /// What to say where it is missing.
    pub(super) const MISSING: &str =
        "there is no pgbench beside the server's programs nor on PATH, so there is no floor";
}

/// `tps = 4321.012 (without initial connection time)`
fn transactions_per_second(output: &str) -> Option<f64> {
    let line = output.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::transactions_per_second;

    #[test]
    fn the_rate_is_read() {
        let output = "latency average = 1.2 ms\ntps = 4321.5 (without initial connection time)\n";
        assert_eq!(transactions_per_second(output), Some(4321.5));
        assert_eq!(transactions_per_second("pgbench: error"), None);
    }
}
