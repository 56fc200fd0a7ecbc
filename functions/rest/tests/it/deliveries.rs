//! Dialpad's deliveries, as operators see them, and the timeline of a call, as its app does.

use axum::http::Method;
use serde_json::{Value, json};

use crate::server::{App, Server};

const DEAD: &str = "00000000-0000-7000-8000-0000000000d1";

/// A pending, a retried, a processed and a dead delivery, and one that contradicts the processed one.
async fn prepared(server: &Server) -> App {
    let app = server.app("Acme").await;
    server
        .sql(&format!(
            "INSERT INTO webhook_events (id, app_id, event_type, payload, received_at, processed_at, dead_at, attempts,
                 last_error, call_id, event_timestamp, due_at)
             VALUES
             (gen_random_uuid(), '{app}', 'ringing', '{{}}', '2026-05-28T20:26:30Z', NULL, NULL, 0, NULL, NULL, NULL, now()),
             (gen_random_uuid(), '{app}', 'ringing', '{{}}', '2026-05-28T20:26:00Z', NULL, NULL, 3, 'busy', NULL, NULL,
              '2026-05-28T20:30:00Z'),
             (gen_random_uuid(), '{app}', 'hangup', '{{}}', '2026-05-28T20:25:00Z', '2026-05-28T20:26:10Z', NULL, 0, NULL,
              7, '2026-05-28T20:24:59Z', now()),
             ('{DEAD}', '{app}', 'nonsense', '[]', '2026-05-28T20:24:00Z', NULL, '2026-05-28T20:24:01Z', 1, 'unreadable',
              NULL, NULL, now());
             INSERT INTO webhook_events (app_id, event_type, payload, received_at, processed_at, conflicts_with)
             SELECT app_id, event_type, '{{}}', '2026-05-28T20:24:30Z', '2026-05-28T20:26:10Z', id
             FROM webhook_events WHERE call_id = 7 AND app_id = '{app}'",
            app = app.id
        ))
        .await;
    app
}

fn types(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn deliveries_are_listed_by_what_became_of_them() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let path = format!("/internal/apps/{}/webhook-events", app.id);
    for (query, expected) in [
        ("", vec!["ringing", "ringing", "hangup", "hangup", "nonsense"]),
        ("?state=pending", vec!["ringing", "ringing"]),
        ("?state=processed", vec!["hangup"]),
        ("?state=dead", vec!["nonsense"]),
        ("?state=conflicting", vec!["hangup"]),
    ] {
        assert_eq!(
            types(&server.operator_get(&format!("{path}{query}")).await.expect(200)),
            expected,
            "{query}"
        );
    }
    let list = server.operator_get(&format!("{path}?state=processed&include=total")).await.expect(200);
    let hangup = &list["data"][0];
    assert_eq!((&hangup["state"], &hangup["dialpad_call_id"]), (&json!("processed"), &json!("7")));
    assert_eq!(hangup["source"], "delivered");
    assert_eq!((&hangup["due_at"], &list["pagination"]["total"]), (&json!(null), &json!(1)));
    let aside =
        server.operator_get(&format!("{path}?state=conflicting")).await.expect(200)["data"][0].clone();
    assert_eq!((&aside["state"], &aside["conflicts_with"]), (&json!("conflicting"), &hangup["id"]));
    for of_the_other in ["dialpad_call_id", "occurred_at"] {
        assert_eq!(aside[of_the_other], hangup[of_the_other]);
    }
    let pages = server.operator_get(&format!("{path}?limit=4")).await.expect(200);
    let next = pages["pagination"]["next_cursor"].as_str().unwrap();
    assert_eq!(types(&server.operator_get(&format!("{path}?cursor={next}")).await.expect(200)), ["nonsense"]);
    assert_eq!(server.operator_get(&format!("{path}?state=lost")).await.refusal(422).1, ["state"]);
}

#[tokio::test]
async fn a_delivery_is_tried_again_and_that_is_audited() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let base = format!("/internal/apps/{}", app.id);
    let replay = format!("{base}/webhook-events/{DEAD}/replay");
    server.operator(Method::POST, &replay, None).await.expect(202);
    let pending = "SELECT count(*) FROM webhook_events WHERE processed_at IS NULL AND dead_at IS NULL AND due_at <= now()";
    assert_eq!(server.count(&format!("{pending} AND event_type = 'nonsense' AND attempts = 0")).await, 1);
    let other = server.app("Other").await;
    let foreign = format!("/internal/apps/{}/webhook-events/{DEAD}/replay", other.id);
    assert_eq!(server.operator(Method::POST, &foreign, None).await.refusal(404).0, "not_found");
    let audit = server.operator_get(&format!("{base}/audit?action=webhook_event.replayed")).await.expect(200);
    assert_eq!(audit["data"][0]["detail"], json!({"count": 1}));
}

#[tokio::test]
async fn dead_deliveries_are_tried_again_within_a_time() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let path = format!("/internal/apps/{}/dead-letters/redrive", app.id);
    let redrive = async |body: Option<Value>| server.operator(Method::POST, &path, body).await;
    let later = Some(json!({"received_after": "2026-05-28T20:24:01Z"}));
    assert_eq!(redrive(later).await.expect(202)["count"], 0);
    let before = Some(json!({"received_before": "2026-05-28T20:24:00Z"}));
    assert_eq!(redrive(before).await.expect(202)["count"], 0);
    assert_eq!(redrive(None).await.expect(202)["count"], 1);
    assert_eq!(redrive(None).await.expect(202)["count"], 0);
    assert_eq!(redrive(Some(json!({"received_after": "now"}))).await.refusal(422).1, ["/received_after"]);
    let unknown = format!("/internal/apps/{}/dead-letters/redrive", uuid::Uuid::now_v7());
    assert_eq!(server.operator(Method::POST, &unknown, None).await.refusal(404).0, "not_found");
    assert_eq!(
        server.count("SELECT count(*) FROM audit_log WHERE action = 'webhook_event.redriven'").await,
        1
    );
}

#[tokio::test]
async fn the_queue_tells_how_the_work_goes() {
    let server = Server::new().await;
    prepared(&server).await;
    let queue = server.operator_get("/internal/monitoring/queue").await.expect(200);
    let expected = json!({"pending": 2, "oldest_pending_seconds": 40, "retrying": 1, "most_attempts": 3, "dead": 1,
        "processed_last_minute": 1});
    assert_eq!(queue["data"], expected);
}

#[tokio::test]
async fn a_timeline_shows_every_state_of_all_legs_in_order() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server.calls(&app, 1, 2).await;
    server
        .sql(&format!(
            "UPDATE calls SET parent_call_id = (SELECT id FROM calls WHERE dialpad_call_id = 1);
             INSERT INTO webhook_events (app_id, event_type, payload, call_id, event_timestamp, processed_at)
             SELECT '{app}', state, '{{}}', leg, timestamptz '2026-05-01Z' + second * interval '1 second', now()
             FROM (VALUES ('hangup', 2, 9), ('calling', 1, 1), ('ringing', 2, 2), ('other', 3, 3)) AS e (state, leg, second)",
            app = app.id
        ))
        .await;
    for id in ["1", "2"] {
        let timeline = server.get(&app, &format!("/api/calls/{id}/timeline")).await.expect(200);
        let states: Vec<_> =
            timeline["data"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
        assert_eq!(states, ["calling", "ringing", "hangup"]);
        assert_eq!(timeline["data"][2]["dialpad_call_id"], "2");
        assert_eq!(timeline["data"][0]["occurred_at"], "2026-05-01T00:00:01.000Z");
    }
    let other = server.app("Other").await;
    assert_eq!(server.get(&other, "/api/calls/1/timeline").await.refusal(404).0, "not_found");
}
