//! Brings a database to the schema of this build: the files of `migrations/`, in order, each once.
//!
//! A table, `schema_migrations`, keeps what was applied. A database made with plain psql has no such table and is
//! adopted by running the files again, which their SQL allows. A database that is ahead of this build is left as
//! it is, so that going back to an older release does not fail.

use refinery_core::{AsyncMigrate, Migration, Runner};
use serde::Serialize;
use tokio_postgres::Client;

use crate::{
    config::Secret,
    migrations::{FILES, TABLE},
    store,
};

/// The advisory lock of whoever migrates: any number that nothing else in the database uses.
const LOCK: i64 = 0x6d69_6772_6174_6573;

/// The state of a database, by file name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Applied by this call.
    pub applied: Vec<String>,
    /// Applied before.
    pub present: Vec<String>,
    /// Still to be applied.
    pub pending: Vec<String>,
    /// Applied by a later build than this one.
    pub newer: Vec<String>,
}

/// Why a database could not be migrated, or is not as this build needs it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No session with the database.
    #[error("connect to the database")]
    Connect(#[source] store::Error),
    /// The state of the database could not be read, or another migrator did not finish.
    #[error("prepare the migration")]
    Prepare(#[source] tokio_postgres::Error),
    /// A file could not be applied; those before it stay applied.
    #[error("apply the migrations")]
    Apply(#[from] refinery_core::Error),
    /// A file was changed after it had been applied.
    #[error(
        "{0} is not the file that was applied to this database: add a new migration instead of changing one"
    )]
    Changed(String),
    /// A file was added before one that is already applied.
    #[error("{0} comes before migrations that are already applied: give it the next number")]
    OutOfOrder(String),
    /// The database lacks files that this build needs.
    #[error("the database lacks {}", .0.join(", "))]
    Pending(Vec<String>),
}

/// Applies what is missing. Of several callers at once, one does and the others wait for it.
pub async fn apply(url: &str) -> Result<Report, Error> {
    let mut client = connect(url).await?;
    // A lock of the session is nothing for a pooler in transaction mode, and nothing is to be done.
    let found = compare(&embedded()?, &applied(&mut client).await?)?;
    if found.pending.is_empty() {
        return Ok(found);
    }
    // The lock is the session's and ends with it. Another migrator may take its time; the statements of a
    // migration must not queue for long behind a transaction, since everybody else then queues behind them.
    let prepare = format!(
        "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '5min'; \
         SELECT pg_advisory_lock({LOCK}); SET lock_timeout = '10s'"
    );
    client.batch_execute(&prepare).await.map_err(Error::Prepare)?;

    let before = compare(&embedded()?, &applied(&mut client).await?)?;
    let mut runner = Runner::new(&embedded()?).set_abort_missing(false);
    runner.set_migration_table_name(TABLE);
    let done = runner.run_async(&mut client).await?;
    let applied = done.applied_migrations().iter().map(file_name).collect();
    Ok(Report { applied, pending: Vec::new(), ..before })
}

/// What [`apply`] would do; changes nothing.
pub async fn plan(url: &str) -> Result<Report, Error> {
    let mut client = connect(url).await?;
    compare(&embedded()?, &applied(&mut client).await?)
}

/// Fails unless the database has everything this build needs.
pub async fn verify(url: &str) -> Result<Report, Error> {
    let report = plan(url).await?;
    if report.pending.is_empty() { Ok(report) } else { Err(Error::Pending(report.pending)) }
}

async fn connect(url: &str) -> Result<Client, Error> {
    store::connect(&Secret::new(url)).await.map_err(Error::Connect)
}

/// The files as the library wants them: `004_name.sql` is its `V4__name`.
fn embedded() -> Result<Vec<Migration>, Error> {
    let name = |file: &str| {
        let stem = file.trim_end_matches(".sql").trim_start_matches('0');
        format!("V{}", stem.replacen('_', "__", 1))
    };
    FILES.iter().map(|(file, sql)| Ok(Migration::unapplied(&name(file), sql)?)).collect()
}

async fn applied(client: &mut Client) -> Result<Vec<Migration>, Error> {
    let sql = format!("SELECT to_regclass('{TABLE}') IS NOT NULL");
    let exists = client.query_one(&sql, &[]).await.map_err(Error::Prepare)?.get(0);
    Ok(if exists { AsyncMigrate::get_applied_migrations(client, TABLE).await? } else { Vec::new() })
}

fn compare(embedded: &[Migration], applied: &[Migration]) -> Result<Report, Error> {
    let mut report = Report::default();
    for theirs in applied {
        match embedded.iter().find(|ours| ours.version() == theirs.version()) {
            None => report.newer.push(file_name(theirs)),
            Some(ours) if ours == theirs => report.present.push(file_name(ours)),
            Some(ours) => return Err(Error::Changed(file_name(ours))),
        }
    }
    let last = applied.iter().map(Migration::version).max().unwrap_or(0);
    for ours in embedded {
        if !applied.iter().any(|theirs| theirs.version() == ours.version()) {
            if ours.version() < last {
                return Err(Error::OutOfOrder(file_name(ours)));
            }
            report.pending.push(file_name(ours));
        }
    }
    Ok(report)
}

fn file_name(migration: &Migration) -> String {
    format!("{:03}_{}.sql", migration.version(), migration.name())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded_as_it_is() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let mut files: Vec<(String, String)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(&path).unwrap())
            })
            .collect();
        files.sort();
        let embedded: Vec<_> =
            FILES.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())).collect();
        assert!(embedded == files, "the list in `migrations.rs` and the folder differ");
    }

    #[test]
    fn the_files_are_numbered_without_a_gap_and_keep_their_names() {
        for (index, (migration, (name, _))) in embedded().unwrap().iter().zip(FILES).enumerate() {
            assert_eq!(usize::try_from(migration.version()).unwrap(), index + 1);
            assert_eq!(file_name(migration), *name);
        }
    }

    fn file(name: &str, sql: &str) -> Migration {
        Migration::unapplied(name, sql).unwrap()
    }

    #[test]
    fn a_changed_file_and_one_added_in_the_middle_are_refused() {
        let (first, second) = (file("V1__one", "a"), file("V2__two", "b"));
        let changed = compare(&[file("V1__one", "other")], std::slice::from_ref(&first));
        assert!(matches!(changed, Err(Error::Changed(name)) if name == "001_one.sql"));
        let middle = compare(&[first, second.clone()], &[second]);
        assert!(matches!(middle, Err(Error::OutOfOrder(name)) if name == "001_one.sql"));
    }

    #[test]
    fn a_database_ahead_of_this_build_is_accepted() {
        let (first, second) = (file("V1__one", "a"), file("V2__two", "b"));
        let report = compare(std::slice::from_ref(&first), &[first.clone(), second]).unwrap();
        assert_eq!((report.present, report.newer), (vec!["001_one.sql".into()], vec!["002_two.sql".into()]));
        assert_eq!(report.pending, Vec::<String>::new());
    }
}
