//! The migrations: the same schema by psql and by the migrator, and nothing lost by running them again.

use shared::{
    migrate::{self, Error, Report},
    testing::{Database, migrations},
};

fn names() -> Vec<String> {
    migrations().iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

async fn run_all(database: &Database) {
    for file in migrations() {
        database.run_file(&file).await;
    }
}

/// Everything the schema consists of, one line each, without the migrator's own table.
async fn catalogue(database: &Database) -> Vec<String> {
    let rows = database.client().await.query(include_str!("catalogue.sql"), &[]).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.into_iter().filter(|line| !line.contains("schema_migrations")).collect()
}

#[tokio::test]
async fn psql_and_the_migrator_give_the_same_schema() {
    let (by_psql, by_migrator) = (Database::empty().await, Database::empty().await);
    run_all(&by_psql).await;
    let report = migrate::apply(by_migrator.url()).await.unwrap();
    assert_eq!(report, Report { applied: names(), ..Report::default() });
    let expected = catalogue(&by_migrator).await;
    assert!(expected.iter().any(|line| line.starts_with("column apps.name ")), "{expected:#?}");
    assert_eq!(catalogue(&by_psql).await, expected);
}

#[tokio::test]
async fn a_database_made_with_psql_is_adopted_with_its_rows() {
    let database = Database::empty().await;
    run_all(&database).await;
    let before = catalogue(&database).await;
    database.client().await.execute("INSERT INTO apps (name) VALUES ('kept')", &[]).await.unwrap();

    assert_eq!(migrate::apply(database.url()).await.unwrap().applied, names());
    assert_eq!(migrate::apply(database.url()).await.unwrap().present, names());
    assert_eq!(catalogue(&database).await, before);
    let row = database.client().await.query_one("SELECT name FROM apps", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "kept");
}

#[tokio::test]
async fn running_every_file_again_changes_nothing() {
    let database = Database::new().await;
    let before = catalogue(&database).await;
    for _ in 0..2 {
        run_all(&database).await;
        assert_eq!(catalogue(&database).await, before);
    }
    assert_eq!(migrate::verify(database.url()).await.unwrap().present, names());
}

#[tokio::test]
async fn the_fourth_file_adds_voicemails_mappings_the_key_audit_log_and_the_rotation_time() {
    const ADDED: [&str; 4] = [
        "column voicemails.id ",
        "column dialpad_user_mappings.id ",
        "column api_key_audit_log.id ",
        "column apps.api_key_rotated_at ",
    ];
    let database = Database::empty().await;
    let (earlier, later): (Vec<_>, Vec<_>) =
        migrations().into_iter().partition(|file| file.file_name().unwrap().to_str().unwrap() < "004");
    for file in &earlier {
        database.run_file(file).await;
    }
    let count = |lines: Vec<String>| {
        ADDED.iter().filter(|added| lines.iter().any(|line| line.starts_with(**added))).count()
    };
    assert_eq!(count(catalogue(&database).await), 0);
    assert!(later[0].ends_with("004_voicemail_and_user_mappings.sql"));
    database.run_file(&later[0]).await;
    assert_eq!(count(catalogue(&database).await), ADDED.len());
}

#[tokio::test]
async fn of_several_migrators_at_once_one_works_and_the_others_find_it_done() {
    let database = Database::empty().await;
    let url = database.url();
    let (first, second, third) =
        tokio::try_join!(migrate::apply(url), migrate::apply(url), migrate::apply(url)).unwrap();
    let mut applied: Vec<usize> = [first, second, third].iter().map(|report| report.applied.len()).collect();
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, names().len()]);
}

#[tokio::test]
async fn a_plan_says_what_is_missing_and_changes_nothing() {
    let database = Database::empty().await;
    for _ in 0..2 {
        assert_eq!(migrate::plan(database.url()).await.unwrap().pending, names());
    }
    assert_eq!(catalogue(&database).await, Vec::<String>::new());
    let missing = migrate::verify(database.url()).await;
    assert!(matches!(missing, Err(Error::Pending(files)) if files == names()));
}

#[tokio::test]
async fn a_file_that_was_changed_after_it_was_applied_is_named() {
    let database = Database::new().await;
    let change = "UPDATE schema_migrations SET checksum = '1' WHERE version = 2";
    database.client().await.execute(change, &[]).await.unwrap();
    let error = migrate::apply(database.url()).await.unwrap_err();
    assert!(error.to_string().starts_with("002_webhook_events.sql is not the file"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_away_is_an_error_and_not_a_panic() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = migrate::apply(&format!("postgres://postgres@127.0.0.1:{port}/postgres")).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error}");
}

#[tokio::test]
async fn every_time_has_its_zone() {
    let database = Database::new().await;
    let sql = "SELECT table_name::text || '.' || column_name::text FROM information_schema.columns
               WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'";
    let rows = database.client().await.query(sql, &[]).await.unwrap();
    let without: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(without, [""; 0]);
}
