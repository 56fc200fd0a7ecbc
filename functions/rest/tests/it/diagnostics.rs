//! The four common issues of the guide, and deliveries that contradict each other.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};
use shared::{
    clock::Clock as _,
    domain::handshake::Reason,
    store::{Settings, Store, refusals},
};

use crate::server::{App, Reply, SECRET, Server};

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

    /// Runs a command line as a shell would: its URL, headers and body.
    async fn run(&self, app: &App, command: &str) -> Reply {
        let words: Vec<&str> =
            command.split(['\'', '"']).map(str::trim).filter(|word| !word.is_empty()).collect();
        let (first, rest) = words.split_first().unwrap();
        let method = first.strip_prefix("curl -X ").unwrap();
        let mut request = Request::builder().method(method).uri(rest[0]);
        let mut body = Body::empty();
        // After the URL come options, each with its value.
        let value = command.split_once(" -d '").map(|(_, rest)| rest.trim_end_matches('\''));
        if let Some(text) = value {
            body = Body::from(text.to_owned());
        }
        let headers = command.split(" -d '").next().unwrap().split(" -H ").skip(1);
        for header in headers {
            let (name, value) = header.trim().trim_matches(['\'', '"']).split_once(": ").unwrap();
            let value = value.replace("$INTERNAL_API_SECRET", SECRET).replace("$API_KEY", &app.key);
            request = request.header(name, value);
        }
        self.send(request.body(body).unwrap()).await
    }

    /// As the WebSocket function does when it refuses a handshake with this app's key.
    async fn refuse(&self, app: &App, reason: Reason) {
        let store = Store::new(&Settings::new(self.database.url())).unwrap();
        let db = store.system().await.unwrap();
        let key_id = &app.key[4..16];
        db.commit_with(refusals::note(&*db, key_id, reason, self.clock.now())).await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_handshake_is_named_with_a_command_that_works() {
    let server = Server::new().await;
    let (app, other) = (server.app("Acme").await, server.app("Other").await);
    for reason in [Reason::QuotedKey, Reason::QuotedKey, Reason::QuotedKey] {
        server.refuse(&app, reason).await;
    }
    let (verdicts, checks) = server.verdicts(&app).await;
    assert_eq!(verdicts[0], "warning");
    let detail = checks[0]["detail"].as_str().unwrap();
    assert!(detail.contains("3 x quoted_key (the key came in quotation marks), last at 2026-"), "{detail}");
    assert_eq!(checks[0]["command"], "wscat -c 'wss://cti.example/ws' -H \"x-app-api-key: $API_KEY\"");
    assert_eq!(server.verdicts(&other).await.0[0], "ok", "it is the other app's");

    server.clock.advance(chrono::TimeDelta::minutes(1));
    server.refuse(&app, Reason::DeadKey).await;
    let (_, checks) = server.verdicts(&app).await;
    assert!(checks[0]["detail"].as_str().unwrap().contains("1 x dead_key"), "{checks}");
    let issued = server.run(&app, checks[0]["command"].as_str().unwrap()).await.expect(200);
    assert!(issued["previous_key_expires_at"].is_string(), "{issued}");

    server.clock.advance(chrono::TimeDelta::minutes(1));
    server.refuse(&app, Reason::KeyInUrl).await;
    let (_, checks) = server.verdicts(&app).await;
    server.run(&app, checks[0]["command"].as_str().unwrap()).await.expect(201);

    server.refuse(&app, Reason::AppInactive).await;
    assert_eq!(server.count("SELECT count(*) FROM refused_handshakes").await, 4, "one row a reason");
    server.clock.advance(chrono::TimeDelta::days(2));
    assert_eq!(server.verdicts(&app).await.0[0], "ok", "it is long ago");
    server.refuse(&app, Reason::QuotedKey).await;
    let (_, checks) = server.verdicts(&app).await;
    assert!(checks[0]["detail"].as_str().unwrap().contains("1 x quoted_key"), "{checks}");
}

#[tokio::test]
async fn a_new_app_lacks_deliveries_and_mappings() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let (verdicts, checks) = server.verdicts(&app).await;
    assert_eq!(verdicts, ["ok", "failed", "warning", "warning", "ok"]);
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
    assert_eq!(verdicts, ["failed", "warning", "failed", "warning", "ok"]);
    assert!(checks[0]["command"].as_str().unwrap().contains("/api-key'"), "{checks}");
    assert!(checks[1]["detail"].as_str().unwrap().contains("400 seconds"), "{checks}");
    assert!(
        checks[2]["command"].as_str().unwrap().contains("\"dialpad_user_id\":\"9007199254740993\""),
        "{checks}"
    );

    server.operator(Method::PATCH, &base, Some(json!({"is_active": false}))).await.expect(200);
    let (_, checks) = server.verdicts(&app).await;
    assert!(checks[0]["command"].as_str().unwrap().contains("PATCH"), "{checks}");
    let active = server.run(&app, checks[0]["command"].as_str().unwrap()).await.expect(200);
    assert_eq!(active["data"]["is_active"], true);
    let mapping = checks[2]["command"].as_str().unwrap().replace("...", "ada");
    server.run(&app, &mapping).await.expect(201);
    server.sql("UPDATE webhook_events SET dead_at = now()").await;
    let (_, checks) = server.verdicts(&app).await;
    assert!(checks[1]["command"].as_str().unwrap().contains("state=dead"), "{checks}");
    server.sql("UPDATE webhook_events SET dead_at = NULL, processed_at = now(), conflicts_with = gen_random_uuid()").await;
    let (verdicts, checks) = server.verdicts(&app).await;
    assert_eq!((verdicts[1].as_str(), verdicts[4].as_str()), ("ok", "warning"));
    let aside = server.run(&app, checks[4]["command"].as_str().unwrap()).await.expect(200);
    assert_eq!(aside["data"].as_array().unwrap().len(), 1);
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
