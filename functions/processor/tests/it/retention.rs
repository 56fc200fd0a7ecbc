//! What has had its time is deleted, and nothing else.

use chrono::TimeDelta;
use serde_json::json;
use shared::{
    clock::Clock,
    dialpad::erasure::Number,
    domain::delivery::{Delivery, Family},
    store::{
        erasures,
        inbox::{self, Accepted, Form, NewEvent},
    },
};

use crate::stage::Stage;

#[tokio::test]
async fn the_event_log_is_kept_seven_days_and_the_events_of_a_call_as_long_as_the_call() {
    let stage = Stage::new().await;
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 1})).await;
    stage.insert("contact", &json!({"event": "Created", "contact": {"id": "1"}})).await;
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 1, "contact": "another"})).await;
    let aside = "UPDATE webhook_events SET conflicts_with = gen_random_uuid() WHERE payload ? 'state' AND payload ? 'contact'";
    stage.database.execute(aside, &[]).await.unwrap();
    stage.wake().await;
    let log = "SELECT count(*) FROM client_events WHERE app_id = $1";
    let deliveries = "SELECT count(*) FROM webhook_events WHERE app_id = $1";

    stage.clock.advance(TimeDelta::days(6));
    stage.sweep().await;
    assert_eq!((stage.count(log).await, stage.count(deliveries).await), (1, 3));
    stage.clock.advance(TimeDelta::days(2));
    stage.sweep().await;
    assert_eq!((stage.count(log).await, stage.count(deliveries).await), (0, 3));
    stage.clock.advance(TimeDelta::days(30));
    stage.sweep().await;
    assert_eq!(stage.count(deliveries).await, 1);
    assert_eq!(stage.count("SELECT count(*) FROM calls WHERE app_id = $1").await, 1);

    // The numbers go on where they were.
    stage.insert("hangup", &json!({"state": "hangup", "call_id": 1})).await;
    stage.wake().await;
    assert_eq!(stage.frames().await[0]["seq"], 2);
}

#[tokio::test]
async fn more_than_one_batch_is_deleted_in_one_run() {
    let stage = Stage::new().await;
    let sql = "INSERT INTO client_events (app_id, seq, id, frame, created_at, handed_over_at)
               SELECT $1, n, gen_random_uuid(), '{}', $2, $2 FROM generate_series(1, 2500) AS n";
    let old = shared::clock::Clock::now(&stage.clock) - TimeDelta::days(8);
    stage.database.execute(sql, &[&stage.app_id.0, &old]).await.unwrap();
    stage.sweep().await;
    assert_eq!(stage.count("SELECT count(*) FROM client_events WHERE app_id = $1").await, 0);
}

#[tokio::test]
async fn whoever_does_not_wait_for_the_schedule_has_all_of_it_deleted_at_once() {
    let stage = Stage::new().await;
    // More than the schedule has time for in any case.
    let sql = "INSERT INTO client_events (app_id, seq, id, frame, created_at, handed_over_at)
               SELECT $1, n, gen_random_uuid(), '{}', $2, $2 FROM generate_series(1, 25000) AS n";
    let old = stage.clock.now() - TimeDelta::days(8);
    stage.database.execute(sql, &[&stage.app_id.0, &old]).await.unwrap();
    let sql = "INSERT INTO client_events (app_id, seq, id, frame, created_at, handed_over_at)
               VALUES ($1, 25001, gen_random_uuid(), '{}', $2, $2)";
    stage.database.execute(sql, &[&stage.app_id.0, &stage.clock.now()]).await.unwrap();
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 1})).await;
    processor::handle(&stage.processor, json!({"action": "forget"})).await.unwrap();
    assert_eq!(stage.count("SELECT sum(seq)::bigint FROM client_events WHERE app_id = $1").await, 25001);
    let pending = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL";
    assert_eq!(stage.count(pending).await, 1, "nothing else is done");
}

#[tokio::test]
async fn how_long_is_a_setting() {
    let stage = Stage::keeping("1", "2").await;
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 1})).await;
    stage.insert("contact", &json!({"event": "Created", "contact": {"id": "1"}})).await;
    stage.wake().await;
    let log = "SELECT count(*) FROM client_events WHERE app_id = $1";
    let deliveries = "SELECT count(*) FROM webhook_events WHERE app_id = $1";
    for (hours, kept) in [(23, (1, 2)), (2, (0, 2)), (24, (0, 1))] {
        stage.clock.advance(TimeDelta::hours(hours));
        stage.sweep().await;
        assert_eq!((stage.count(log).await, stage.count(deliveries).await), kept, "{hours} hours later");
    }
}

#[tokio::test]
async fn an_erased_number_stays_away_when_a_late_delivery_brings_it_again() {
    let stage = Stage::new().await;
    let number = Number::parse("+14155550160").unwrap();
    let erased_at = Clock::now(&stage.clock);
    erasures::begin(&stage.database, stage.app_id, &number.hash(stage.app_id), erased_at).await.unwrap();
    let delivery = |call_id: i64, began_at: i64, minutes: i64| {
        json!({"state": "voicemail_uploaded", "call_id": call_id, "date_started": began_at,
               "event_timestamp": erased_at.timestamp_millis() + minutes * 60_000, "direction": "inbound",
               "external_number": "+14155550160", "contact": {"name": "Robin Caller"}, "target": {"id": 7, "type": "user"}})
    };
    let (before, after) = (erased_at.timestamp_millis() - 60_000, erased_at.timestamp_millis() + 60_000);
    stage.insert("voicemail_uploaded", &delivery(1, before, 5)).await;
    stage.insert("voicemail_uploaded", &delivery(2, after, 5)).await;
    stage.wake().await;
    let known = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND payload::text LIKE '%4155550160%'";
    assert_eq!(stage.count(known).await, 1, "a call that began later is a new one");
    let named = "SELECT count(*) FROM calls WHERE app_id = $1 AND (from_number IS NOT NULL OR contact_name IS NOT NULL)";
    assert_eq!(stage.count(named).await, 1);
    let told: Vec<_> = stage.frames().await.into_iter().filter(|frame| frame["call_id"] == "1").collect();
    assert!(!told.is_empty() && told.iter().all(|frame| frame["from_number"].is_null()), "{told:?}");
    // One that contradicts the stored one comes under a key of which no hash is left. One that contradicts another call's
    // is kept aside, without the person.
    let hash = [1_u8; 32];
    for call_id in [3, 4] {
        let payload = delivery(call_id, before, 5).to_string();
        let said = |json: &str, payload_hash| Delivery {
            family: Family::Call,
            event_type: "voicemail_uploaded".to_owned(),
            dedupe_key: [u8::try_from(call_id).unwrap(); 32],
            payload_hash,
            json: json.to_owned(),
        };
        let (first, again) =
            (payload.replace("+14155550160", "+14155550170"), payload.replace("Robin", "Robert"));
        let first = said(&first, [2; 32]);
        let event = NewEvent { app_id: stage.app_id, delivery: &first, received_at: erased_at };
        let accepted = inbox::accept(&stage.database, event, Form::Json).await;
        assert!(matches!(accepted, Ok(Accepted::New(_))));
        if call_id == 3 {
            // As the erasure left it.
            let sql = "UPDATE webhook_events SET payload_hash = NULL WHERE dedupe_key = $1";
            stage.database.execute(sql, &[&first.dedupe_key]).await.unwrap();
        }
        for (json, hash) in [(&payload, hash), (&again, [3; 32]), (&again, [3; 32])] {
            let said = said(json, hash);
            let event = NewEvent { delivery: &said, ..event };
            assert_eq!(inbox::accept(&stage.database, event, Form::Json).await.unwrap(), Accepted::Duplicate);
            inbox::keep_aside(&stage.database, event, Form::Json).await.unwrap();
        }
    }
    stage.wake().await;
    let aside = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND conflicts_with IS NOT NULL
                 AND processed_at IS NOT NULL AND call_id IS NULL AND payload_hash IS NULL
                 AND payload ->> 'call_id' = '4' AND payload ->> 'contact' IS NULL";
    assert_eq!((stage.count(aside).await, stage.count(known).await), (2, 1));
    let of_the_first = "SELECT count(*) FROM calls WHERE app_id = $1 AND from_number = '+14155550170'";
    assert_eq!(stage.count(of_the_first).await, 2);
    stage.database.execute("DELETE FROM calls WHERE dialpad_call_id IN (3, 4)", &[]).await.unwrap();

    // Another event of the call is folded from what is stored: nothing comes back.
    stage.insert("hangup", &json!({"state": "hangup", "call_id": 1, "event_timestamp": after})).await;
    stage.wake().await;
    assert_eq!(stage.count(named).await, 1);
}

#[tokio::test]
async fn what_was_good_for_minutes_is_gone_after_hours_and_what_is_still_good_stays() {
    let stage = Stage::new().await;
    let (now, app) = (stage.clock.now(), stage.app_id.0);
    stage
        .database
        .batch_execute(&format!(
            "INSERT INTO api_keys (id, app_id, key_id, key_hash, key_hint)
                 VALUES ('{app}', '{app}', 'key', sha256('key'), 'hint');
             INSERT INTO ws_tickets (ticket_hash, app_id, api_key_id, expires_at)
                 SELECT sha256(n::text::bytea), '{app}', '{app}', '{now}'::timestamptz + n * interval '1 hour'
                 FROM generate_series(-3, 3) AS n;
             INSERT INTO dialpad_authorizations (token_hash, app_id, kind, expires_at)
                 SELECT sha256(n::text::bytea), '{app}', 'state', '{now}'::timestamptz + n * interval '1 hour'
                 FROM generate_series(-3, 3) AS n;
             INSERT INTO rate_limits (credential_id, minute, requests)
                 SELECT gen_random_uuid(), '{now}'::timestamptz + n * interval '1 hour', 1 FROM generate_series(-3, 0) AS n;"
        ))
        .await
        .unwrap();
    let left = async || {
        let tickets = stage.count("SELECT count(*) FROM ws_tickets WHERE app_id = $1").await;
        let states = stage.count("SELECT count(*) FROM dialpad_authorizations WHERE app_id = $1").await;
        (tickets, states, stage.count("SELECT count(*) FROM rate_limits WHERE $1::uuid IS NOT NULL").await)
    };
    stage.clock.advance(TimeDelta::minutes(1));
    stage.sweep().await;
    // An hour after their time they may go.
    assert_eq!(left().await, (4, 4, 1));
    stage.clock.advance(TimeDelta::hours(5));
    stage.sweep().await;
    assert_eq!(left().await, (0, 0, 0));
}
