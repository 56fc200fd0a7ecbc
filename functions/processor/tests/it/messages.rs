//! Text messages and agents: what the rows and the frames hold, who is told, and what a late event does.

use serde_json::{Value, json};

use crate::stage::Stage;

const ADA: i64 = 5_600_000_000_000_001;

fn outbound(status: &str, at: i64) -> Value {
    json!({"id": 9_007_199_254_740_993_i64, "created_date": 1_772_496_060_000_i64, "event_timestamp": at,
        "direction": "outbound", "target": {"id": ADA, "type": "user", "name": "Ada Sample"},
        "contact": {"name": "Robin Caller"}, "from_number": "+14155550101",
        "to_number": ["+14155550150", "+14155550160"], "mms": false, "message_status": status,
        "message_delivery_result": null, "text": "Ready."})
}

fn agent(status: &str, at: i64) -> Value {
    json!({"target": {"id": ADA, "type": "user", "name": "Ada Sample"}, "on_duty_status": status,
        "on_duty_status_reason": "Lunch", "availability_status": "open", "call_center_ids": ["7", 8], "date": at})
}

async fn map(stage: &Stage) {
    let sql =
        "INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id) VALUES ($1, $2, 'crm_ada')";
    stage.database.execute(sql, &[&stage.app_id.0, &ADA]).await.unwrap();
}

async fn audiences(stage: &Stage) -> Vec<Option<String>> {
    let sql = "SELECT audience FROM client_events WHERE app_id = $1 ORDER BY seq";
    let rows = stage.database.query(sql, &[&stage.app_id.0]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn the_frame_of_a_message_says_all_and_goes_to_whom_it_belongs() {
    let stage = Stage::new().await;
    map(&stage).await;
    stage.insert("message", &outbound("pending", 1_772_496_060_380)).await;
    stage.wake().await;
    let frame = stage.frames().await.remove(0);
    let id: uuid::Uuid = stage.database.query_one("SELECT id FROM messages", &[]).await.unwrap().get(0);
    let expected = json!({"event": "message.sent", "id": frame["id"], "seq": 1, "app_id": stage.app_id,
        "occurred_at": "2026-03-03T00:01:00.380Z", "timestamp": frame["timestamp"], "message_id": id,
        "dialpad_message_id": "9007199254740993", "direction": "outbound", "from_number": "+14155550101",
        "to_number": "+14155550150", "text": "Ready.", "mms": false, "status": "pending",
        "user_id": ADA.to_string(), "target_crm_user": "crm_ada", "contact_name": "Robin Caller"});
    assert_eq!(frame, expected);
    let group = json!({"id": 5, "direction": "inbound", "mms": true, "mms_url": "https://e.com/a.jpg",
        "message_status": "pending", "target": {"id": 55, "type": "department", "name": "Desk"}});
    stage.insert("message", &group).await;
    stage.wake().await;
    let frame = stage.frames().await.remove(1);
    assert_eq!((&frame["event"], &frame["group"]), (&json!("message.received"), &json!("Desk")));
    assert_eq!((&frame["mms_url"], &frame["user_id"]), (&json!("https://e.com/a.jpg"), &json!(null)));
    assert_eq!(audiences(&stage).await, [Some("crm_ada".to_owned()), None]);
}

#[tokio::test]
async fn numbers_have_one_spelling_in_rows_and_frames_and_dialpads_own_in_the_payload() {
    let stage = Stage::new().await;
    let region = "UPDATE apps SET default_region = 'US' WHERE id = $1";
    stage.database.execute(region, &[&stage.app_id.0]).await.unwrap();
    let call = |id: i64, from: &str, to: &str| {
        json!({"call_id": id, "state": "ringing", "direction": "inbound", "event_timestamp": 1_772_496_060_000_i64,
            "date_started": 1_772_496_060_000_i64, "external_number": from, "internal_number": to,
            "target": {"id": ADA, "type": "user"}})
    };
    for (id, from, to) in [
        (1, "+1 (415) 555-0150", "4155550101"),
        (2, "blocked", "12345"),
        (3, "sip:ann@crm.example", "+14155550101"),
    ] {
        stage.insert("ringing", &call(id, from, to)).await;
        stage.wake().await;
    }
    let numbers: Vec<Value> =
        stage.frames().await.iter().map(|frame| json!([frame["from_number"], frame["to_number"]])).collect();
    let expected = [
        json!(["+14155550150", "+14155550101"]),
        json!(["blocked", "12345"]),
        json!(["sip:ann@crm.example", "+14155550101"]),
    ];
    assert_eq!(numbers, expected);
    let rows = "SELECT count(*) FROM calls WHERE app_id = $1 AND from_number = '+14155550150' AND to_number = '+14155550101'";
    assert_eq!(stage.count(rows).await, 1);
    let payloads = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND payload ->> 'internal_number' = '4155550101'";
    assert_eq!(stage.count(payloads).await, 1);
}

#[tokio::test]
async fn a_late_event_of_a_message_tells_nothing_and_one_batch_tells_as_much_as_many() {
    let stage = Stage::new().await;
    for (status, at) in
        [("delivered", 1_772_496_064_100), ("pending", 1_772_496_060_380), ("sent", 1_772_496_061_000)]
    {
        stage.insert("message", &outbound(status, at)).await;
        stage.wake().await;
    }
    let told = |frames: Vec<Value>| -> Vec<String> {
        frames
            .iter()
            .map(|frame| format!("{} {}", frame["event"], frame["status"]).replace('"', ""))
            .collect()
    };
    assert_eq!(told(stage.frames().await), ["message.sent delivered"]);
    let status = "SELECT count(*) FROM messages WHERE app_id = $1 AND status = 'delivered'";
    assert_eq!(stage.count(status).await, 1);

    let at_once = Stage::new().await;
    for (status, at) in
        [("delivered", 1_772_496_064_100), ("pending", 1_772_496_060_380), ("delivered", 1_772_496_064_100)]
    {
        at_once.insert("message", &outbound(status, at)).await;
    }
    at_once.wake().await;
    assert_eq!(told(at_once.frames().await), ["message.sent pending", "message.status delivered"]);
    assert_eq!(at_once.rows().await, stage.rows().await);
}

#[tokio::test]
async fn an_agent_is_as_the_newest_event_says() {
    let stage = Stage::new().await;
    map(&stage).await;
    for (status, at) in
        [("busy", 1_772_500_200_000), ("available", 1_772_499_600_000), ("busy", 1_772_500_200_000)]
    {
        stage.insert("agent_status", &agent(status, at)).await;
        stage.wake().await;
    }
    let frame = stage.frames().await.remove(0);
    let expected = json!({"event": "agent.status", "id": frame["id"], "seq": 1, "app_id": stage.app_id,
        "occurred_at": "2026-03-03T01:10:00.000Z", "timestamp": frame["timestamp"], "user_id": ADA.to_string(),
        "status": "busy", "reason": "Lunch", "availability": "open", "call_center_ids": ["7", "8"],
        "target_crm_user": "crm_ada"});
    assert_eq!(frame, expected);
    assert_eq!(audiences(&stage).await, [Some("crm_ada".to_owned())]);
    assert_eq!(stage.rows().await[0]["status"], "busy");
}

#[tokio::test]
async fn the_families_share_one_log_and_one_that_cannot_be_read_stops_none() {
    let stage = Stage::new().await;
    let ringing = json!({"state": "ringing", "call_id": 1, "event_timestamp": 1_772_470_800_000_i64});
    stage.insert("ringing", &ringing).await;
    stage.insert("message", &json!({"mms": true})).await;
    stage.insert("message", &outbound("pending", 1_772_496_060_380)).await;
    stage.insert("agent_status", &json!({"on_duty_status": "busy", "target": {"id": "x"}})).await;
    stage.insert("agent_status", &agent("busy", 1_772_500_200_000)).await;
    stage.insert("contact", &json!({"event": "Updated", "contact": {"id": "a"}})).await;
    stage.insert("change_log", &json!({"action": "updated_ivr", "changed_by": {}})).await;
    stage.wake().await;
    let frames = stage.frames().await;
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| (frame["seq"].as_i64().unwrap(), frame["event"].as_str().unwrap()))
        .collect();
    assert_eq!(seen, [(1, "call.ring"), (2, "message.sent"), (3, "agent.status")]);
    let dead = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND dead_at IS NOT NULL";
    let done = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NOT NULL";
    assert_eq!((stage.count(dead).await, stage.count(done).await), (2, 5));
}

#[tokio::test]
async fn a_frame_stays_small_whatever_was_written() {
    let stage = Stage::new().await;
    let mut message = outbound("pending", 1_772_496_060_380);
    message["text"] = json!("\"\u{1}".repeat(40_000));
    stage.insert("message", &message).await;
    let mut agent = agent("busy", 1_772_500_200_000);
    agent["call_center_ids"] = json!((0..20_000).collect::<Vec<_>>());
    stage.insert("agent_status", &agent).await;
    stage.wake().await;
    for frame in stage.frames().await {
        assert_eq!(frame["truncated"], true);
        assert!(frame.to_string().len() <= 24 * 1024, "{}", frame["event"]);
    }
    let whole = "SELECT length(text)::bigint FROM messages WHERE app_id = $1";
    assert_eq!(stage.count(whole).await, 80_000);
}
