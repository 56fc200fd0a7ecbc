//! The four common issues of the guide.

use axum::http::Method;
use serde_json::{Value, json};

use crate::server::{App, Server};

impl Server {
    async fn verdicts(&self, app: &App) -> (Vec<String>, Value) {
        let diagnosis =
            self.operator_get(&format!("/internal/apps/{}/diagnostics", app.id)).await.expect(200);
        let checks = diagnosis["checks"].as_array().unwrap();
        (
            checks.iter().map(|check| check["verdict"].as_str().unwrap().to_owned()).collect(),
            diagnosis["checks"].clone(),
        )
    }
}

#[tokio::test]
async fn a_new_app_lacks_deliveries_and_mappings() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let (verdicts, checks) = server.verdicts(&app).await;
    assert_eq!(verdicts, ["ok", "failed", "warning", "warning"]);
    let expected = format!("https://cti.example/webhooks/dialpad/{}", app.id);
    assert!(checks[1]["detail"].as_str().unwrap().contains(&expected), "{checks}");
    let unknown = format!("/internal/apps/{}/diagnostics", uuid::Uuid::now_v7());
    assert_eq!(server.operator_get(&unknown).await.refusal(404).0, "not_found");
}

#[tokio::test]
async fn each_issue_is_found_with_the_command_that_mends_it() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let base = format!("/internal/apps/{}", app.id);
    server.operator(Method::POST, &format!("{base}/api-key/revoke"), None).await.expect(200);
    server.calls(&app, 1, 1).await;
    server
        .sql(&format!(
            "UPDATE calls SET dialpad_user_id = 9007199254740993, created_at = '2026-05-28Z';
             INSERT INTO webhook_events (app_id, event_type, payload, received_at)
             VALUES ('{}', 'voicemail_uploaded', '{{}}', '2026-05-28T20:20:00Z')",
            app.id
        ))
        .await;
    let (verdicts, checks) = server.verdicts(&app).await;
    assert_eq!(verdicts, ["failed", "warning", "failed", "warning"]);
    assert!(checks[0]["command"].as_str().unwrap().contains("/api-key'"), "{checks}");
    assert!(checks[1]["detail"].as_str().unwrap().contains("400 seconds"), "{checks}");
    assert!(
        checks[2]["command"].as_str().unwrap().contains("\"dialpad_user_id\":\"9007199254740993\""),
        "{checks}"
    );

    server.operator(Method::PATCH, &base, Some(json!({"is_active": false}))).await.expect(200);
    let (_, checks) = server.verdicts(&app).await;
    assert!(checks[0]["command"].as_str().unwrap().contains("PATCH"), "{checks}");
    server.sql("UPDATE webhook_events SET dead_at = now()").await;
    let (_, checks) = server.verdicts(&app).await;
    assert!(checks[1]["command"].as_str().unwrap().contains("state=dead"), "{checks}");
}

#[tokio::test]
async fn a_healthy_app_has_nothing_to_mend() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server
        .sql(&format!(
            "INSERT INTO webhook_events (app_id, event_type, payload, received_at, processed_at)
             VALUES ('{app}', 'voicemail_uploaded', '{{}}', '2026-05-28T20:20:00Z', now());
             INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id) VALUES ('{app}', 1, 'a')",
            app = app.id
        ))
        .await;
    let (verdicts, checks) = server.verdicts(&app).await;
    assert_eq!(verdicts[..3], ["ok", "ok", "ok"]);
    assert!(checks.as_array().unwrap()[..3].iter().all(|check| check["command"].is_null()), "{checks}");
}
