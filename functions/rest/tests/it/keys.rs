//! API keys: who gets in, and what rotation and revocation do.

use axum::{
    body::Body,
    http::{Method, Request},
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::auth::ApiKey;

use crate::server::{App, Server};

impl Server {
    async fn rotate(&self, app: &App, body: Option<Value>) -> Value {
        self.operator(Method::POST, &format!("/internal/apps/{}/api-key", app.id), body).await.expect(200)
    }

    async fn status_of(&self, app: &App) -> Value {
        self.operator_get(&format!("/internal/apps/{}/api-key/status", app.id)).await.expect(200)
    }
}

fn with_key(app: &App, issued: &Value) -> App {
    App { id: app.id, key: issued["api_key"].as_str().unwrap().to_owned() }
}

#[tokio::test]
async fn a_rotation_without_a_body_kills_the_old_key_at_once() {
    let server = Server::new().await;
    let old = server.app("Acme").await;
    server.get(&old, "/api/calls").await.expect(200);
    let issued = server.rotate(&old, None).await;
    assert_eq!((&issued["app_name"], &issued["app_id"]), (&json!("Acme"), &json!(old.id)));
    assert_eq!(issued["generated_at"], "2026-05-28T20:26:40.000Z");
    assert!(issued.get("previous_key_expires_at").is_none());
    server.get(&with_key(&old, &issued), "/api/calls").await.expect(200);
    assert_eq!(server.get(&old, "/api/calls").await.refusal(401).0, "unauthorized");
}

#[tokio::test]
async fn a_grace_period_keeps_the_old_key_until_it_is_over() {
    let server = Server::new().await;
    let old = server.app("Acme").await;
    let issued = server.rotate(&old, Some(json!({"grace_seconds": 60}))).await;
    assert_eq!(issued["previous_key_expires_at"], "2026-05-28T20:27:40.000Z");
    server.clock.advance(TimeDelta::seconds(59));
    server.get(&old, "/api/calls").await.expect(200);
    server.clock.advance(TimeDelta::seconds(1));
    assert_eq!(server.get(&old, "/api/calls").await.refusal(401).0, "unauthorized");
    server.get(&with_key(&old, &issued), "/api/calls").await.expect(200);
}

#[tokio::test]
async fn a_rotation_takes_no_body_an_empty_one_or_a_grace_period_within_a_week() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    for body in [None, Some(json!({})), Some(json!(null)), Some(json!({"grace_seconds": 604_800}))] {
        server.rotate(&app, body).await;
    }
    let path = format!("/internal/apps/{}/api-key", app.id);
    for wrong in [json!(604_801), json!(-1), json!("60"), json!(null)] {
        let reply = server.operator(Method::POST, &path, Some(json!({"grace_seconds": wrong}))).await;
        assert_eq!(reply.refusal(422).1, ["/grace_seconds"], "{wrong}");
    }
    let unknown = format!("/internal/apps/{}/api-key", uuid::Uuid::now_v7());
    assert_eq!(server.operator(Method::POST, &unknown, None).await.refusal(404).0, "not_found");
}

#[tokio::test]
async fn two_rotations_at_once_leave_one_live_key_and_two_audit_rows() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let (one, other) = tokio::join!(server.rotate(&app, None), server.rotate(&app, None));
    let mut alive = 0;
    for issued in [one, other] {
        alive += i32::from(server.get(&with_key(&app, &issued), "/api/calls").await.status == 200);
    }
    assert_eq!(alive, 1);
    let rotated =
        format!("SELECT count(*) FROM api_key_audit_log WHERE app_id = '{}' AND action = 'rotated'", app.id);
    assert_eq!(server.count(&rotated).await, 2);
}

#[tokio::test]
async fn missing_unknown_revoked_and_expired_keys_get_the_same_answer() {
    let server = Server::new().await;
    let expired = server.app("Expired").await;
    server.rotate(&expired, None).await;
    let revoked = server.app("Revoked").await;
    server
        .operator(Method::POST, &format!("/internal/apps/{}/api-key/revoke", revoked.id), None)
        .await
        .expect(200);
    let valid = server.app("Valid").await;
    let unknown = ApiKey::generate().unwrap().expose().to_owned();
    let quoted = format!("\"{}\"", valid.key);
    // What somebody finds who reads the database.
    let stored = "SELECT encode(key_hash, 'hex') FROM api_keys WHERE app_id = $1";
    let stored = server.database.client().await.query_one(stored, &[&valid.id]).await.unwrap();
    let stored: String = stored.get(0);
    let mut answers = Vec::new();
    for key in [
        None,
        Some(""),
        Some("app_abc123"),
        Some(&unknown),
        Some(&expired.key),
        Some(&revoked.key),
        Some(&quoted),
        Some(&stored),
        Some(&format!("{}_{}", &valid.key[..16], &stored[..38])),
    ] {
        let mut request = Request::get("/api/calls").header("x-request-id", "same");
        if let Some(key) = key {
            request = request.header("x-app-api-key", key);
        }
        let reply = server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.refusal(401).0, "unauthorized");
        assert!(reply.header("www-authenticate").starts_with("ApiKey"));
        answers.push(reply.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    server.get(&valid, "/api/calls").await.expect(200);
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_at_most_once_a_minute() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    assert_eq!(server.status_of(&app).await["last_used_at"], json!(null));
    for (wait, expected) in [(0, "20:26:40"), (59, "20:26:40"), (1, "20:27:40"), (30, "20:27:40")] {
        server.clock.advance(TimeDelta::seconds(wait));
        server.get(&app, "/api/calls").await.expect(200);
        assert_eq!(server.status_of(&app).await["last_used_at"], format!("2026-05-28T{expected}.000Z"));
    }
}

#[tokio::test]
async fn a_key_that_is_being_changed_still_lets_its_owner_in() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let mut holder = server.database.client().await;
    let held = holder.transaction().await.unwrap();
    held.execute("UPDATE api_keys SET expires_at = now() + interval '1 day'", &[]).await.unwrap();
    let reply = tokio::time::timeout(std::time::Duration::from_secs(5), server.get(&app, "/api/calls")).await;
    reply.unwrap().expect(200);
}

#[tokio::test]
async fn revoking_takes_all_keys_and_can_be_repeated() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let issued = server.rotate(&app, Some(json!({"grace_seconds": 600}))).await;
    let path = format!("/internal/apps/{}/api-key", app.id);
    let first = server.operator(Method::POST, &format!("{path}/revoke"), None).await.expect(200);
    server.clock.advance(TimeDelta::seconds(5));
    let again = server.operator(Method::POST, &format!("{path}/revoke"), None).await.expect(200);
    assert_eq!((&first["revoked_at"], &first["app_name"]), (&again["revoked_at"], &json!("Acme")));
    for dead in [&app, &with_key(&app, &issued)] {
        assert_eq!(server.get(dead, "/api/calls").await.refusal(401).0, "unauthorized");
    }
    let revoked =
        format!("SELECT count(*) FROM api_key_audit_log WHERE app_id = '{}' AND action = 'revoked'", app.id);
    assert_eq!(server.count(&revoked).await, 2);
    assert_eq!(server.status_of(&app).await["has_active_key"], json!(false));

    let fresh = server.rotate(&app, None).await;
    assert!(fresh["message"].as_str().unwrap().starts_with("API key created"), "{fresh}");
    server.get(&with_key(&app, &fresh), "/api/calls").await.expect(200);
}

#[tokio::test]
async fn the_status_and_the_audit_trail_never_show_a_key() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server.clock.advance(TimeDelta::seconds(1));
    let issued = server.rotate(&app, None).await;
    let key = issued["api_key"].as_str().unwrap();
    let hint = |key: &str| format!("{}...{}", &key[..8], &key[key.len() - 4..]);

    let status = server.status_of(&app).await;
    assert_eq!((&status["has_active_key"], &status["key_hint"]), (&json!(true), &json!(hint(key))));
    assert_eq!(status["last_rotated"], "2026-05-28T20:26:41.000Z");
    let live: Vec<_> =
        status["keys"].as_array().unwrap().iter().map(|key| key["is_active"].clone()).collect();
    assert_eq!(live, [json!(true), json!(false)]);

    let audit =
        server.operator_get(&format!("/internal/apps/{}/api-key/audit?limit=20", app.id)).await.expect(200);
    let actions: Vec<_> =
        audit["audit_log"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["rotated", "created"]);
    let newest = &audit["audit_log"][0];
    assert_eq!(
        (&newest["old_key_hint"], &newest["new_key_hint"]),
        (&json!(hint(&app.key)), &json!(hint(key)))
    );
    assert_eq!(
        (&newest["actor"], &newest["performed_at"]),
        (&json!("operator"), &json!("2026-05-28T20:26:41.000Z"))
    );
    for text in [status.to_string(), audit.to_string()] {
        assert!(!text.contains(&key[8..40]) && !text.contains(&app.key[8..40]), "{text}");
    }
}

#[tokio::test]
async fn a_rotated_webhook_secret_leaves_the_one_before_for_a_day() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let path = format!("/internal/apps/{}/webhook-secret", app.id);
    let rotated = server.operator(Method::POST, &path, None).await.expect(200);
    assert_eq!(rotated["previous_secret_expires_at"], "2026-05-29T20:26:40.000Z");
    let audit = server.operator_get(&format!("/internal/apps/{}/audit", app.id)).await.expect(200);
    assert_eq!(audit["data"][0]["action"], "webhook_secret.rotated");
    assert!(!audit.to_string().contains(rotated["webhook_secret"].as_str().unwrap()));
    let unknown = format!("/internal/apps/{}/webhook-secret", uuid::Uuid::nil());
    server.operator(Method::POST, &unknown, None).await.refusal(404);
}
