//! Erasure: nothing of a person is left anywhere, and everything else is.

use axum::http::Method;
use serde_json::{Value, json};

use crate::server::Server;

const NUMBER: &str = "+14155550160";

async fn fill(server: &Server, app: uuid::Uuid) {
    let database = server.database.client().await;
    let payload = json!({"call_id": 1, "state": "transcription", "external_number": NUMBER, "internal_number": "+14155550101",
        "contact": {"name": "Robin Caller", "phone": NUMBER}, "transcription_text": "It is Robin", "target": {"id": 7}});
    let other = json!({"call_id": 2, "state": "ringing", "external_number": "+14155550199", "contact": {"name": "Kim Other"}});
    let contact =
        json!({"event": "Created", "contact": {"name": "Robin Caller", "phones": ["(415) 555-0160"]}});
    let frame = |call: i64, number: &str, transcript: &str| {
        json!({"event": "voicemail.received", "call_id": call.to_string(), "from_number": number, "to_number": "+14155550101",
               "contact_name": "Robin Caller", "transcript": transcript, "recording_url": "https://d/r"})
        .to_string()
    };
    database
        .execute(
            "INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, status, version, from_number, to_number, contact_name)
             SELECT md5($1::uuid::text || n)::uuid, $1::uuid, n, md5($1::uuid::text || n)::uuid, 'ended', 1,
                    CASE n WHEN 1 THEN '+14155550160' ELSE '+14155550199' END, '+14155550101', 'Robin Caller'
             FROM generate_series(1, 2) AS n",
            &[&app],
        )
        .await
        .unwrap();
    database
        .execute(
            "INSERT INTO voicemails (app_id, dialpad_call_id, from_number, to_number, contact_name, recording_url, transcript)
             VALUES ($1, 1, '+14155550160', '+14155550101', 'Robin Caller', 'https://d/r', 'It is Robin')",
            &[&app],
        )
        .await
        .unwrap();
    database
        .execute(
            "INSERT INTO messages (app_id, dialpad_message_id, from_number, to_number, text, contact_name)
             VALUES ($1, 5, '+14155550101', '+14155550160', 'Hello Robin', 'Robin Caller')",
            &[&app],
        )
        .await
        .unwrap();
    database
        .execute(
            "INSERT INTO call_requests (id, app_id, dialpad_user_id, to_number, custom_data, status, body_hash)
             VALUES (gen_random_uuid(), $1, 7, '+14155550160', 'for Robin', 'requested', '')",
            &[&app],
        )
        .await
        .unwrap();
    for (call, payload) in [(Some(1_i64), &payload), (Some(2), &other), (None, &contact)] {
        database
            .execute(
                "INSERT INTO webhook_events (app_id, event_type, payload, processed_at, call_id)
                 VALUES ($1, 'test', $2::text::jsonb, now(), $3)",
                &[&app, &payload.to_string(), &call],
            )
            .await
            .unwrap();
    }
    // Kept aside, since each says something else than one of those: one of them does not even name the number.
    let aside = json!({"call_id": 1, "state": "transcription", "transcription_text": "Not Robin's words", "target": {"id": 7}});
    let others = json!({"call_id": 2, "state": "ringing", "contact": {"name": "Kim Elsewhere"}});
    for (call, payload) in [(1_i64, aside), (2, others)] {
        database
            .execute(
                "INSERT INTO webhook_events (app_id, event_type, payload, processed_at, conflicts_with)
                 SELECT app_id, 'test', $2::text::jsonb, now(), id FROM webhook_events WHERE app_id = $1 AND call_id = $3",
                &[&app, &payload.to_string(), &call],
            )
            .await
            .unwrap();
    }
    database
        .execute(
            "UPDATE webhook_events SET payload_hash = sha256(payload::text::bytea) WHERE app_id = $1",
            &[&app],
        )
        .await
        .unwrap();
    for (seq, frame) in [(1_i64, frame(1, NUMBER, "It is Robin")), (2, frame(2, "+14155550199", "It is Kim"))]
    {
        database
            .execute(
                "INSERT INTO client_events (app_id, seq, id, frame) VALUES ($1, $2, gen_random_uuid(), $3)",
                &[&app, &seq, &frame],
            )
            .await
            .unwrap();
    }
}

/// Everything that an app has, as text.
async fn everything(server: &Server, app: uuid::Uuid) -> String {
    let sql = "SELECT concat(
            (SELECT string_agg(c::text, ' ') FROM calls c WHERE app_id = $1),
            (SELECT string_agg(v::text, ' ') FROM voicemails v WHERE app_id = $1),
            (SELECT string_agg(m::text, ' ') FROM messages m WHERE app_id = $1),
            (SELECT string_agg(r::text, ' ') FROM call_requests r WHERE app_id = $1),
            (SELECT string_agg(e::text, ' ') FROM webhook_events e WHERE app_id = $1),
            (SELECT string_agg(f::text, ' ') FROM client_events f WHERE app_id = $1),
            (SELECT string_agg(a::text, ' ') FROM audit_log a WHERE app_id = $1))";
    server.database.client().await.query_one(sql, &[&app]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_number_is_erased_everywhere_and_only_in_its_app() {
    let server = Server::new().await;
    let (ours, theirs) = (server.app("ours").await.id, server.app("theirs").await.id);
    fill(&server, ours).await;
    fill(&server, theirs).await;
    let before = everything(&server, theirs).await;

    let path = format!("/internal/apps/{ours}/erasures");
    let erase =
        async |number: &str| server.operator(Method::POST, &path, Some(json!({ "number": number }))).await;
    let report = erase("+1 (415) 555-0160").await.expect(200);
    let counts = json!({"call_requests": 1, "calls": 1, "voicemails": 1, "messages": 1, "webhook_events": 3, "client_events": 1});
    assert_eq!(report["data"], counts);
    let hashes = format!("SELECT count(payload_hash) FROM webhook_events WHERE app_id = '{ours}'");
    assert_eq!(server.count(&hashes).await, 2, "of what was not about the person");

    let after = everything(&server, ours).await;
    for gone in ["4155550160", "555-0160", "It is Robin", "Hello Robin", "Not Robin's words"] {
        assert!(!after.contains(gone), "{gone} in {after}");
    }
    for kept in ["+14155550199", "Kim Other", "Kim Elsewhere", "+14155550101", "number.erased", "number_hash"]
    {
        assert!(after.contains(kept), "{kept} not in {after}");
    }
    assert_eq!(everything(&server, theirs).await, before);

    let again = erase("14155550160").await.expect(200);
    let nothing: Value = json!({"call_requests": 0, "calls": 0, "voicemails": 0, "messages": 0, "webhook_events": 0, "client_events": 0});
    assert_eq!(again["data"], nothing);
}

#[tokio::test]
async fn what_is_no_number_and_no_app_is_refused() {
    let server = Server::new().await;
    let app = server.app("ours").await.id;
    let path = format!("/internal/apps/{app}/erasures");
    for number in ["", "911", "blocked", "5100000000000001"] {
        let refusal =
            server.operator(Method::POST, &path, Some(json!({ "number": number }))).await.refusal(422);
        assert_eq!(refusal.1, ["/number"], "{number}");
    }
    let unknown = format!("/internal/apps/{}/erasures", uuid::Uuid::nil());
    let answer = server.operator(Method::POST, &unknown, Some(json!({ "number": NUMBER }))).await;
    assert_eq!(answer.status.as_u16(), 404);
}
