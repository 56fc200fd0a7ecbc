//! A database that says nothing any more.

use std::time::Duration;

use shared::{
    domain::ids::{AppId, new_id},
    store::{Error, Settings, Store},
    testing::Database,
};
use tokio::time::timeout;

/// Far above the time that a transaction has here, and below what Postgres gives a statement.
const SOON: Duration = Duration::from_secs(5);

fn store(database: &Database, transaction_time: Duration) -> Store {
    let mut settings = Settings::new(database.url());
    settings.transaction_time = transaction_time;
    Store::new(&settings).unwrap()
}

#[tokio::test]
async fn a_statement_that_is_not_answered_in_time_fails_as_if_the_database_were_away() {
    let database = Database::new().await;
    let store = store(&database, Duration::from_millis(300));
    let tx = store.app(AppId(new_id())).await.unwrap();
    let answer = timeout(SOON, tx.batch_execute("SELECT pg_sleep(60)")).await.expect("it is given up");
    let error = Error::from(answer.unwrap_err());
    assert!(error.is_unavailable(), "{error:?}");
    drop(tx);
    // There is one connection, and the next transaction has a new one.
    let tx = timeout(SOON, store.system()).await.expect("a connection is made").unwrap();
    tx.batch_execute("SELECT 1").await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_time_is_that_of_one_transaction_and_not_of_a_connection() {
    let database = Database::new().await;
    let store = store(&database, Duration::from_secs(1));
    let process = "SELECT pg_backend_pid()";
    let mut processes = Vec::new();
    for _ in 0..4 {
        let tx = store.system().await.unwrap();
        tx.batch_execute("SELECT pg_sleep(0.4)").await.unwrap();
        processes.push(tx.query_one(process, &[]).await.unwrap().get::<_, i32>(0));
        tx.commit().await.unwrap();
    }
    processes.dedup();
    assert_eq!(processes.len(), 1, "the connection stays");
}

#[tokio::test]
async fn a_session_that_was_ended_for_being_idle_is_no_failure_of_what_is_asked_next() {
    let database = Database::new().await;
    let store = store(&database, Duration::from_mins(1));
    let tx = store.system().await.unwrap();
    tx.batch_execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'").await.unwrap();
    let observer = database.client().await;
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let ended = async {
        while observer.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, ended).await.expect("Postgres ends the session");
    let error = Error::from(tx.batch_execute("SELECT 1").await.unwrap_err());
    assert!(error.is_unavailable(), "{error:?}");
}
