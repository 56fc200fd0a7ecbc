//! The migrator against a real database.
#![expect(clippy::unwrap_used, reason = "a failed setup is a failed test")]

use lambda_runtime::Diagnostic;
use migrator::{Config, Error, handle};
use serde_json::{Value, json};
use shared::{config::Env, testing::Database};

const FOURTH: &str = "004_voicemail_and_user_mappings.sql";

fn config(url: &str) -> Config {
    Config::from_env(&Env::from([("DATABASE_URL", url)])).unwrap()
}

/// The answer as the invoker sees it.
async fn invoke(database: &Database, event: Value) -> Result<Value, Error> {
    Ok(serde_json::to_value(handle(&config(database.url()), event).await?).unwrap())
}

#[tokio::test]
async fn a_plan_an_application_and_a_verification_follow_one_another() {
    let database = Database::empty().await;
    let plan = invoke(&database, json!({"action": "plan"})).await.unwrap();
    assert_eq!((&plan["action"], &plan["pending"][3]), (&json!("plan"), &json!(FOURTH)));
    assert_eq!((&plan["applied"], &plan["present"]), (&json!([]), &json!([])));

    let early = Diagnostic::from(invoke(&database, json!({"action": "verify"})).await.unwrap_err());
    assert_eq!(early.error_type, "migrations_pending");
    assert!(early.error_message.contains(FOURTH), "{}", early.error_message);

    let applied = invoke(&database, json!({"action": "apply"})).await.unwrap();
    assert_eq!((&applied["applied"], &applied["pending"]), (&plan["pending"], &json!([])));

    let verified = invoke(&database, json!({"action": "verify"})).await.unwrap();
    assert_eq!((&verified["present"], &verified["newer"]), (&plan["pending"], &json!([])));
}

#[tokio::test]
async fn an_event_without_an_action_applies() {
    for event in [json!({}), json!(null)] {
        let database = Database::empty().await;
        let answer = invoke(&database, event).await.unwrap();
        assert_eq!((&answer["action"], &answer["applied"][3]), (&json!("apply"), &json!(FOURTH)));
    }
}

#[tokio::test]
async fn an_event_that_is_not_understood_changes_nothing() {
    let database = Database::empty().await;
    for event in [json!({"action": "drop"}), json!({"acton": "plan"}), json!("plan"), json!([1]), json!(7)] {
        let error = invoke(&database, event.clone()).await.unwrap_err();
        assert_eq!(error.code(), "event_invalid", "{event}");
    }
    let plan = invoke(&database, json!({"action": "plan"})).await.unwrap();
    assert_eq!(plan["present"], json!([]));
}

#[tokio::test]
async fn a_database_that_is_away_is_reported_without_its_password() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("postgres://someone:hunter2@127.0.0.1:{port}/postgres");
    let error = handle(&config(&url), json!({})).await.unwrap_err();
    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, "database_unavailable");
    assert!(!diagnostic.error_message.contains("hunter2"), "{}", diagnostic.error_message);
}

#[test]
fn without_a_database_url_it_does_not_start() {
    for env in [Env::default(), Env::from([("DATABASE_URL", " ")])] {
        assert_eq!(Config::from_env(&env).unwrap_err().to_string(), "DATABASE_URL is not set");
    }
}
