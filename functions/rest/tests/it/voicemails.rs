//! Voicemails, for operators and for the app itself.

use axum::http::Method;
use serde_json::{Value, json};

use crate::server::{App, Server};

const FIRST: &str = "00000000-0000-7000-8000-000000000001";

async fn prepared(server: &Server) -> App {
    let app = server.app("Acme").await;
    server
        .sql(&format!(
            "INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, status, version)
             VALUES ('00000000-0000-7000-8000-0000000000c1', '{app}', 501, '00000000-0000-7000-8000-0000000000c1', 'voicemail', 1);
             INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id) VALUES ('{app}', 700, 'crm_ann');
             INSERT INTO voicemails (id, app_id, dialpad_call_id, dialpad_user_id, group_name, from_number, to_number,
                 contact_name, recording_url, transcript, duration_ms, status, created_at, updated_at, deleted_at)
             VALUES
             ('{FIRST}', '{app}', 501, 700, NULL, '+14155550160', '+14155550100', 'Bob', 'https://rec.example/1',
              'Call me \"back\"', 12500, 'unread', '2026-05-01T10:00Z', '2026-05-01T10:00Z', NULL),
             ('00000000-0000-7000-8000-000000000002', '{app}', 502, NULL, 'Support', NULL, NULL, NULL, NULL, NULL, NULL,
              'read', '2026-05-02T10:00Z', '2026-05-02T10:00Z', NULL),
             ('00000000-0000-7000-8000-000000000003', '{app}', 503, 700, NULL, NULL, NULL, NULL, NULL, 'gone', NULL,
              'unread', '2026-05-03T10:00Z', '2026-05-03T10:00Z', '2026-05-04T10:00Z')",
            app = app.id
        ))
        .await;
    app
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|voicemail| voicemail["dialpad_call_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn operators_and_the_app_see_the_same_voicemails() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let expected = json!({
        "id": FIRST, "app_id": app.id, "dialpad_call_id": "501", "call_id": "00000000-0000-7000-8000-0000000000c1",
        "dialpad_user_id": "700", "crm_user_id": "crm_ann", "group": null, "from_number": "+14155550160",
        "to_number": "+14155550100", "contact_name": "Bob", "recording_url": "https://rec.example/1",
        "transcript": "Call me \"back\"", "duration_seconds": 13, "status": "unread",
        "created_at": "2026-05-01T10:00:00.000Z", "updated_at": "2026-05-01T10:00:00.000Z"
    });
    let internal = format!("/internal/apps/{}/voicemails", app.id);
    let listed = server.operator_get(&internal).await.expect(200);
    assert_eq!((ids(&listed), &listed["data"][1]), (vec!["502", "501"], &expected));
    assert_eq!(server.get(&app, "/api/voicemails").await.expect(200), listed);
    assert_eq!(server.operator_get(&format!("{internal}/{FIRST}")).await.expect(200)["data"], expected);
    assert_eq!(server.get(&app, &format!("/api/voicemails/{FIRST}")).await.expect(200)["data"], expected);
}

#[tokio::test]
async fn voicemails_are_found_by_user_date_or_status() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    for (query, expected) in [
        ("limit=10", vec!["502", "501"]),
        ("limit=1&offset=1", vec!["501"]),
        ("dialpad_user_id=700", vec!["501"]),
        ("dialpad_user_id=987654", vec![]),
        ("status=read", vec!["502"]),
        ("received_after=2026-05-02T10:00:00Z", vec!["502"]),
        ("received_before=2026-05-02T10:00:00Z", vec!["501"]),
    ] {
        let list =
            server.operator_get(&format!("/internal/apps/{}/voicemails?{query}", app.id)).await.expect(200);
        assert_eq!(ids(&list), expected, "{query}");
    }
    for (query, wrong) in [
        ("dialpad_user_id=x", "dialpad_user_id"),
        ("status=new", "status"),
        ("received_after=1", "received_after"),
    ] {
        let reply = server.operator_get(&format!("/internal/apps/{}/voicemails?{query}", app.id)).await;
        assert_eq!(reply.refusal(422).1, [wrong]);
    }
    let unknown = format!("/internal/apps/{}/voicemails", uuid::Uuid::now_v7());
    assert_eq!(server.operator_get(&unknown).await.refusal(404).0, "not_found");
}

#[tokio::test]
async fn a_deleted_voicemail_is_gone_and_its_deletion_is_audited() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let path = format!("/internal/apps/{}/voicemails/{FIRST}", app.id);
    let deleted = server.operator(Method::DELETE, &path, None).await.expect(200);
    assert_eq!(deleted, json!({"success": true, "message": "Voicemail deleted"}));
    assert_eq!(server.operator_get(&path).await.refusal(404).0, "not_found");
    assert_eq!(server.operator(Method::DELETE, &path, None).await.refusal(404).0, "not_found");
    let second = "/api/voicemails/00000000-0000-7000-8000-000000000002";
    server.call(&app, Method::DELETE, second, None).await.expect(200);
    assert_eq!(ids(&server.get(&app, "/api/voicemails").await.expect(200)), Vec::<&str>::new());

    let audit = server
        .operator_get(&format!("/internal/apps/{}/audit?action=voicemail.deleted", app.id))
        .await
        .expect(200);
    let mut actors: Vec<_> =
        audit["data"].as_array().unwrap().iter().map(|entry| entry["actor"].to_string()).collect();
    actors.sort();
    assert_eq!(actors, ["\"app\"", "\"operator\""]);
    // What was said does not stay behind.
    assert_eq!(server.count("SELECT count(*) FROM voicemails WHERE transcript LIKE 'Call me%'").await, 0);
}

#[tokio::test]
async fn the_app_marks_voicemails_and_counts_the_unread() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let unread = async |query: &str| {
        server.get(&app, &format!("/api/voicemails/unread-count{query}")).await.expect(200)["data"]["unread"]
            .clone()
    };
    assert_eq!((unread("").await, unread("?dialpad_user_id=1").await), (json!(1), json!(0)));
    let path = format!("/api/voicemails/{FIRST}");
    let marked =
        server.call(&app, Method::PATCH, &path, Some(json!({"status": "archived"}))).await.expect(200);
    assert_eq!(
        (&marked["data"]["status"], &marked["data"]["crm_user_id"]),
        (&json!("archived"), &json!("crm_ann"))
    );
    assert_eq!(marked["data"]["updated_at"], "2026-05-28T20:26:40.000Z");
    assert_eq!(unread("").await, json!(0));
    for wrong in [json!({"status": "new"}), json!({"status": null}), json!({})] {
        let reply = server.call(&app, Method::PATCH, &path, Some(wrong)).await;
        assert_eq!(reply.refusal(422).1, ["/status"]);
    }
    let unknown = format!("/api/voicemails/{}", uuid::Uuid::now_v7());
    let reply = server.call(&app, Method::PATCH, &unknown, Some(json!({"status": "read"}))).await;
    assert_eq!(reply.refusal(404).0, "not_found");
}
