//! What cannot be done delays nothing else, and nothing is lost.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::{
    clock::Clock as _,
    config::Secret,
    dialpad::jws::sign,
    domain::ids::AppId,
    store::{apps, deliveries},
};

use crate::stage::Stage;

#[tokio::test]
async fn an_unreadable_event_is_dead_at_once_and_its_call_goes_on() {
    let stage = Stage::new().await;
    stage.insert("ringing", &json!({"state": "ringing", "call_id": "not a number"})).await;
    stage
        .insert(
            "ringing",
            &json!({"state": "ringing", "call_id": 1, "event_timestamp": 1_772_470_800_000_i64}),
        )
        .await;
    stage.insert("ringing", &json!("not an object")).await;
    stage.wake().await;
    let dead =
        "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND dead_at IS NOT NULL AND last_error <> ''";
    assert_eq!(stage.count(dead).await, 2);
    assert_eq!(stage.frames().await.len(), 1);
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_put_off_and_the_others_are_not() {
    let stage = Stage::new().await;
    // Stands for whatever one event's values may run into.
    stage
        .database
        .batch_execute("ALTER TABLE calls ADD CONSTRAINT calls_test CHECK (dialpad_call_id <> 13)")
        .await
        .unwrap();
    for call_id in [12, 13, 14] {
        let event = json!({"state": "ringing", "call_id": call_id, "event_timestamp": 1_772_470_800_000_i64});
        stage.insert("ringing", &event).await;
    }
    stage.wake().await;
    assert_eq!(stage.count("SELECT count(*) FROM calls WHERE app_id = $1").await, 2);
    let put_off = "SELECT count(*) FROM webhook_events
                   WHERE app_id = $1 AND processed_at IS NULL AND dead_at IS NULL AND attempts = 1 AND due_at > received_at";
    assert_eq!(stage.count(put_off).await, 1);
    let reason = "SELECT last_error FROM webhook_events WHERE app_id = $1 AND attempts = 1";
    let reason: String = stage.database.query_one(reason, &[&stage.app_id.0]).await.unwrap().get(0);
    // Postgres's own words quote the whole row, numbers and names included.
    assert_eq!(reason, "run a statement: SQLSTATE 23514, table calls, constraint calls_test");

    stage.database.batch_execute("ALTER TABLE calls DROP CONSTRAINT calls_test").await.unwrap();
    stage.clock.advance(TimeDelta::seconds(10));
    stage.sweep().await;
    assert_eq!(stage.count("SELECT count(*) FROM calls WHERE app_id = $1").await, 3);
    assert_eq!(stage.count("SELECT last_seq FROM app_streams WHERE app_id = $1").await, 3);
}

#[tokio::test]
async fn events_that_never_reached_the_push_queue_are_sent_again() {
    let stage = Stage::new().await;
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 1})).await;
    stage.wake().await;
    assert_eq!(stage.pushes(), 1);
    let unmarked = "SELECT count(*) FROM client_events WHERE app_id = $1 AND handed_over_at IS NULL";
    assert_eq!(stage.count(unmarked).await, 0);

    // As if the function had died between its commit and the queue.
    stage.database.execute("UPDATE client_events SET handed_over_at = NULL", &[]).await.unwrap();
    stage.sweep().await;
    assert_eq!(stage.pushes(), 1, "it may still be on its way");
    stage.clock.advance(TimeDelta::seconds(11));
    stage.sweep().await;
    assert_eq!((stage.pushes(), stage.count(unmarked).await), (2, 0));
}

#[tokio::test]
async fn a_spilled_delivery_is_stored_once_and_a_forged_one_never() {
    let stage = Stage::new().await;
    let payload = json!({"state": "ringing", "call_id": 1, "event_timestamp": 5}).to_string();
    let good = sign(&payload, &Secret::new("secret"));
    let forged = sign(&payload.replace('1', "2"), &Secret::new("other"));
    let records: Vec<_> = [(&good, false), (&payload, true), (&good, false), (&forged, false)]
        .into_iter()
        .enumerate()
        .map(|(index, (body, verified))| {
            let message = json!({"kind": "spilled", "app_id": stage.app_id, "body": body, "verified": verified,
                                 "received_at": "2026-03-02T10:00:00.000Z"});
            json!({"messageId": index.to_string(), "body": message.to_string()})
        })
        .collect();
    let answer = processor::handle(&stage.processor, json!({"Records": records})).await.unwrap();
    assert!(answer.batch_item_failures.is_empty());
    assert_eq!(stage.count("SELECT count(*) FROM webhook_events WHERE app_id = $1").await, 1);
    assert_eq!(stage.frames().await.len(), 1);
}

#[tokio::test]
async fn a_spilled_delivery_that_names_no_app_finds_its_own_when_it_is_stored() {
    let stage = Stage::new().await;
    stage
        .database
        .execute(
            "INSERT INTO api_keys (id, app_id, key_id, key_hash, key_hint) VALUES ($1, $2, 'known', $3, 'hint')",
            &[&shared::domain::ids::new_id(), &stage.app_id.0, &[1_u8; 32].as_slice()],
        )
        .await
        .unwrap();
    let key = |id: &str, hash: [u8; 32]| json!({"id": id, "hash": hash});
    let hand_over = async |call_id: i64, key: &Value| {
        let payload = json!({"state": "ringing", "call_id": call_id, "event_timestamp": 5}).to_string();
        let message = json!({"kind": "spilled", "key": key, "body": sign(&payload, &Secret::new("secret")),
                             "verified": false, "received_at": stage.clock.now()});
        let record = json!({"messageId": "1", "body": message.to_string()});
        let answer = processor::handle(&stage.processor, json!({"Records": [record]})).await.unwrap();
        assert!(answer.batch_item_failures.is_empty());
    };
    hand_over(1, &Value::Null).await;
    hand_over(2, &key("known", [1; 32])).await;
    let other = AppId(shared::domain::ids::new_id());
    apps::insert(&stage.database, other, "other", &Secret::new("secret"), None, stage.clock.now())
        .await
        .unwrap();
    // Nobody's, and somebody's who only knows the public part.
    hand_over(3, &Value::Null).await;
    hand_over(4, &key("known", [2; 32])).await;
    hand_over(5, &key("unknown", [1; 32])).await;
    hand_over(6, &key("known", [1; 32])).await;
    let calls: Vec<_> = stage.frames().await.iter().map(|frame| frame["call_id"].clone()).collect();
    assert_eq!(calls, ["1", "2", "6"]);
    assert_eq!(stage.count("SELECT count(*) FROM webhook_events WHERE $1 <> app_id").await, 0);
}

#[tokio::test]
async fn a_spilled_delivery_of_an_app_that_is_gone_is_rejected_and_holds_up_no_other() {
    let stage = Stage::new().await;
    let gone = shared::domain::ids::new_id();
    let stays = stage.app_id.to_string();
    let records: Vec<_> = [(gone.to_string(), true), (gone.to_string(), false), (stays, true)]
        .into_iter()
        .enumerate()
        .map(|(index, (app_id, verified))| {
            let payload = json!({"state": "ringing", "call_id": 1, "event_timestamp": 5}).to_string();
            let body = if verified { payload } else { sign(&payload, &Secret::new("secret")) };
            let message = json!({"kind": "spilled", "app_id": app_id, "body": body, "verified": verified,
                                 "received_at": "2026-03-02T10:00:00.000Z"});
            json!({"messageId": index.to_string(), "body": message.to_string()})
        })
        .collect();
    let answer = processor::handle(&stage.processor, json!({"Records": records})).await.unwrap();
    assert!(answer.batch_item_failures.is_empty());
    assert_eq!(stage.frames().await.len(), 1);
    let rejected: i64 = stage
        .processor
        .metrics()
        .take(stage.clock.now())
        .iter()
        .filter_map(|line| line["Rejected"].as_i64())
        .sum();
    assert_eq!(rejected, 2);
}

#[tokio::test]
async fn a_spilled_delivery_that_contradicts_an_earlier_one_is_kept_aside_and_counted() {
    let stage = Stage::new().await;
    let spilled = |number: &str, received_at: &str| {
        let body = json!({"state": "ringing", "call_id": 1, "event_timestamp": 5, "external_number": number});
        json!({"kind": "spilled", "app_id": stage.app_id, "body": body.to_string(), "verified": true,
               "received_at": received_at})
        .to_string()
    };
    let (first, other) = ("+14155550101", "+14155550102");
    for (number, received_at) in
        [(first, "10:00:00"), (other, "10:00:01"), (first, "10:00:02"), (other, "10:00:03")]
    {
        let record =
            json!({"messageId": "1", "body": spilled(number, &format!("2026-03-02T{received_at}.000Z"))});
        let answer = processor::handle(&stage.processor, json!({"Records": [record]})).await.unwrap();
        assert!(answer.batch_item_failures.is_empty());
    }
    let frames = stage.frames().await;
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["from_number"], first);
    let aside = "SELECT count(*) FROM webhook_events a JOIN webhook_events b ON b.id = a.conflicts_with
                 WHERE a.app_id = $1 AND a.processed_at IS NOT NULL AND a.call_id IS NULL AND b.call_id = 1
                   AND a.payload ->> 'external_number' = '+14155550102'";
    assert_eq!(stage.count(aside).await, 1);
    assert_eq!(stage.count("SELECT count(*) FROM webhook_events WHERE app_id = $1").await, 2);
    let counted = stage.processor.metrics().take(stage.clock.now());
    assert_eq!((&counted[0]["Conflicting"], &counted[0]["Applied"]), (&json!(1), &json!(1)), "{counted:?}");
}

#[tokio::test]
async fn a_long_transcript_is_cut_and_the_frame_stays_small() {
    let stage = Stage::new().await;
    let transcript = "\"ä\u{1}".repeat(20_000);
    stage
        .insert(
            "voicemail_uploaded",
            &json!({"state": "voicemail_uploaded", "call_id": 1, "event_timestamp": 5, "transcription_text": transcript}),
        )
        .await;
    stage.wake().await;
    let frames = stage.frames().await;
    let received = frames.iter().find(|frame| frame["event"] == "voicemail.received").unwrap();
    assert_eq!(received["truncated"], true);
    assert!(transcript.starts_with(received["transcript"].as_str().unwrap()));
    assert!(received.to_string().len() <= 24 * 1024);
    let whole = "SELECT length(transcript)::bigint FROM voicemails WHERE app_id = $1";
    assert_eq!(stage.count(whole).await, 60_000);
}

#[tokio::test]
async fn workers_that_meet_number_the_log_without_a_gap() {
    let stage = Stage::new().await;
    for call_id in 0..300 {
        stage.insert("ringing", &json!({"state": "ringing", "call_id": call_id + 1})).await;
    }
    tokio::join!(stage.wake(), stage.wake(), stage.sweep(), stage.sweep());
    stage.sweep().await;
    let gaps = "SELECT max(seq) - count(*) + (SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL)
                FROM client_events WHERE app_id = $1";
    assert_eq!(stage.count(gaps).await, 0);
    assert_eq!(stage.frames().await.len(), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_event_that_was_announced_is_applied_without_the_sweep() {
    let stage = Stage::new().await;
    let announce = |call_id: i64| {
        let stage = &stage;
        async move {
            stage.insert("ringing", &json!({"state": "ringing", "call_id": call_id})).await;
            stage.wake().await;
        }
    };
    for round in 0..60 {
        futures_util::future::join_all((1..=5).map(|n| announce(round * 5 + n))).await;
        let pending = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL";
        assert_eq!(stage.count(pending).await, 0, "round {round}");
    }
    assert_eq!(stage.frames().await.len(), 300);
}

#[tokio::test]
async fn more_events_than_a_batch_holds_that_cannot_be_applied_hold_up_neither_their_app_nor_another() {
    let stage = Stage::new().await;
    let refuse =
        "ALTER TABLE calls ADD CONSTRAINT calls_test CHECK (dialpad_call_id NOT BETWEEN 1000 AND 1999)";
    stage.database.batch_execute(refuse).await.unwrap();
    for call_id in 1_000..1_060 {
        stage.insert("ringing", &json!({"state": "ringing", "call_id": "not a number"})).await;
        stage.insert("ringing", &json!({"state": "ringing", "call_id": call_id})).await;
    }
    stage.clock.advance(TimeDelta::seconds(1));
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 7})).await;
    let other = "WITH a AS (INSERT INTO apps (id, name) VALUES (gen_random_uuid(), 'another') RETURNING id)
                 INSERT INTO webhook_events (app_id, event_type, payload, received_at, due_at)
                 SELECT id, 'ringing', '{\"state\":\"ringing\",\"call_id\":8}', $1, $1 FROM a";
    stage.database.execute(other, &[&stage.clock.now()]).await.unwrap();
    let applied = "SELECT count(*) FROM calls
                   WHERE (app_id = $1 AND dialpad_call_id = 7) OR (app_id <> $1 AND dialpad_call_id = 8)";
    // On a busy machine a sweep's turn is over before the last: the next one goes on. None is due a second time meanwhile.
    for _ in 0..120 {
        stage.sweep().await;
        if stage.count(applied).await == 2 {
            break;
        }
    }
    assert_eq!(stage.count(applied).await, 2);
    let kept = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL";
    assert_eq!(stage.count(kept).await, 120);
}

#[tokio::test]
async fn what_dialpad_says_for_the_first_time_is_kept_and_counted() {
    let stage = Stage::new().await;
    stage.insert("held", &json!({"state": "held", "call_id": 1})).await;
    stage.insert("unknown", &json!({"something": "new"})).await;
    stage.insert("contact", &json!({"event": "Created", "contact": {"id": "1"}})).await;
    stage.insert("gone", &json!({"state": "gone", "call_id": 2})).await;
    stage.wake().await;
    let counted = stage.processor.metrics().take(stage.clock.now());
    assert_eq!((&counted[0]["Unrecognised"], &counted[0]["Applied"]), (&json!(2), &json!(4)), "{counted:?}");
}

/// Alarms and the monitoring endpoint must not tell different stories.
#[tokio::test]
async fn the_metrics_of_the_alarms_are_the_figures_of_the_monitoring_endpoint() {
    let stage = Stage::new().await;
    let refuse = "ALTER TABLE calls ADD CONSTRAINT calls_test CHECK (dialpad_call_id <> 13)";
    stage.database.batch_execute(refuse).await.unwrap();
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 13})).await;
    stage.insert("ringing", &json!("not an object")).await;
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 1})).await;
    stage.wake().await;
    let taken = || -> serde_json::Map<String, Value> {
        let documents = stage.processor.metrics().take(stage.clock.now());
        documents.into_iter().filter_map(|document| document.as_object().cloned()).flatten().collect()
    };
    let counted = taken();
    for (metric, count) in [("Applied", 1), ("Retried", 1), ("Dead", 1)] {
        assert_eq!(counted[metric], count, "{metric} in {counted:?}");
    }

    stage.clock.advance(TimeDelta::seconds(400));
    let progress = deliveries::progress(&stage.database, stage.clock.now()).await.unwrap();
    assert_eq!((progress.pending, progress.oldest_seconds, progress.dead), (1, 400, 1));
    stage.sweep().await;
    let told = taken();
    for (metric, figure) in [
        ("Pending", progress.pending),
        ("OldestPendingSeconds", progress.oldest_seconds),
        ("DeadEvents", progress.dead),
    ] {
        assert_eq!(told[metric], figure, "{metric} in {told:?}");
    }
}
