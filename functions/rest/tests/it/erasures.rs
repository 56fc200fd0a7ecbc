//! Erasure: nothing of a person is left anywhere, and everything else is.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use shared::{clock::Clock, testing::ManualClock};

use crate::server::{Server, service};

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
    let counts = json!({"call_requests": 1, "calls": 1, "voicemails": 1, "messages": 1, "webhook_events": 3, "client_events": 1,
        "complete": true});
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
    let nothing: Value = json!({"call_requests": 0, "calls": 0, "voicemails": 0, "messages": 0, "webhook_events": 0,
        "client_events": 0, "complete": true});
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

/// A second passes whenever somebody looks.
#[derive(Clone, Default)]
struct Hurried(ManualClock, Arc<AtomicI64>);

impl Clock for Hurried {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + TimeDelta::seconds(self.1.fetch_add(1, Ordering::Relaxed))
    }
}

/// More than a step takes, of everything that has the number, and more still that has it not.
const MUCH: &str = "INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, status, version, from_number, to_number)
         SELECT id, $1, 100 + n, id, 'ended', 1, CASE WHEN n % 2 = 0 THEN '+14155550160' ELSE '+14155550199' END, '+14155550101'
         FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, 1300) AS n) AS made;
     INSERT INTO messages (app_id, dialpad_message_id, from_number, to_number, text)
         SELECT $1, 100 + n, '+14155550160', '+14155550101', 'Hello' FROM generate_series(1, 1100) AS n;
     INSERT INTO voicemails (app_id, dialpad_call_id, from_number, transcript)
         SELECT $1, 5000 + n, '14155550160', 'It is Robin' FROM generate_series(1, 600) AS n;
     INSERT INTO webhook_events (app_id, event_type, payload, processed_at, call_id, message_id)
         SELECT $1, 'test', jsonb_build_object('external_number', '+14155550160'), now(),
                CASE WHEN n % 2 = 0 THEN 100 + n END, CASE WHEN n % 2 = 1 THEN 100 + n END
         FROM generate_series(1, 1100) AS n;
     INSERT INTO webhook_events (app_id, event_type, payload, processed_at, dead_at)
         SELECT $1, 'test', CASE WHEN n % 1000 = 0 THEN jsonb_build_object('contact', jsonb_build_object('phone', '(415) 555-0160'))
                ELSE '{}' END, CASE WHEN n > 14000 THEN now() END, CASE WHEN n % 3 = 0 AND n <= 14000 THEN now() END
         FROM generate_series(1, 21000) AS n;
     INSERT INTO client_events (app_id, seq, id, frame)
         SELECT $1, n, gen_random_uuid(),
                CASE WHEN n % 5000 = 0 THEN '{\"from_number\":\"+14155550160\"}' ELSE '{\"from_number\":\"+14155550199\"}' END
         FROM generate_series(30001, 75000) AS n;
     UPDATE app_streams SET last_seq = 75000 WHERE app_id = $1";

#[tokio::test]
async fn an_erasure_of_much_goes_on_where_it_stopped_until_it_is_complete() {
    let mut server = Server::new().await;
    server.router = service(server.database.url(), &Hurried::default(), &[]);
    let (ours, theirs) = (server.app("ours").await.id, server.app("theirs").await.id);
    server.sql(&MUCH.replace("$1", &format!("'{ours}'"))).await;
    fill(&server, theirs).await;
    let before = everything(&server, theirs).await;
    assert_eq!(everything(&server, ours).await.matches("5550160").count(), 650 + 1100 + 600 + 1100 + 9);

    let path = format!("/internal/apps/{ours}/erasures");
    let place = format!("SELECT count(place) FROM erasures WHERE app_id = '{ours}'");
    let mut totals = serde_json::Map::new();
    let mut requests = 0;
    loop {
        let report =
            server.operator(Method::POST, &path, Some(json!({ "number": NUMBER }))).await.expect(200);
        requests += 1;
        for (table, count) in report["data"].as_object().unwrap() {
            let sum = totals.get(table).and_then(Value::as_i64).unwrap_or(0) + count.as_i64().unwrap_or(0);
            totals.insert(table.clone(), json!(sum));
        }
        if report["data"]["complete"] == true {
            break;
        }
        assert!(requests < 100, "it does not come to its end");
    }
    assert!(requests > 5, "{requests} requests");
    assert_eq!(server.count(&place).await, 0, "it came to its end");
    let expected = json!({"call_requests": 0, "calls": 650, "voicemails": 600, "messages": 1100,
        "webhook_events": 1100 + 21, "client_events": 9, "complete": 0});
    assert_eq!(Value::from(totals), expected);
    let after = everything(&server, ours).await;
    assert!(!after.contains("5550160") && !after.contains("555-0160"));
    assert_eq!(everything(&server, theirs).await, before);
    let audited =
        format!("SELECT count(*) FROM audit_log WHERE app_id = '{ours}' AND action = 'number.erased'");
    assert_eq!(server.count(&audited).await, requests);
}
