//! Deliveries that cannot be true: each is kept, hurts no other call, and shows where operators look.

use axum::http::Method;
use chrono::Utc;
use serde_json::{Value, json};
use shared::{
    clock::{Clock as _, SystemClock},
    dialpad::jws,
};

use super::{
    company::operate,
    server::{Stage, server},
};

/// The most that a delivery may hold.
const MIB: usize = 1024 * 1024;

/// Something of a user's leg, so many seconds from now.
fn event(call_id: i64, state: &str, seconds: i64, more: &Value) -> Value {
    let at = SystemClock.now().timestamp_millis() + seconds * 1000;
    let mut payload = json!({
        "call_id": call_id, "state": state, "event_timestamp": at, "direction": "inbound",
        "external_number": "+14155550101", "target": {"id": 7, "type": "user"},
    });
    for (name, value) in more.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload
}

impl Stage {
    /// The names of the frames about each of these legs, in order.
    async fn told(&mut self, call_ids: &[i64]) -> Vec<Vec<String>> {
        let frames = self.frames().await;
        let of = |call_id: &i64| {
            let call_id = call_id.to_string();
            let own = frames.iter().filter(|frame| frame["call_id"] == call_id.as_str());
            own.map(|frame| frame["event"].as_str().unwrap().to_owned()).collect()
        };
        call_ids.iter().map(of).collect()
    }
}

#[tokio::test]
async fn a_leg_that_came_in_through_itself_and_legs_in_a_circle_ring_and_end_once() {
    let mut stage = Stage::new("circles").await;
    let legs = [
        (1, json!({"entry_point_call_id": 1, "master_call_id": 1, "operator_call_id": 1})),
        (21, json!({"entry_point_call_id": 22})),
        (22, json!({"entry_point_call_id": 21})),
        (31, json!({"master_call_id": 32})),
        (32, json!({"operator_call_id": 33})),
        (33, json!({"entry_point_call_id": 31})),
    ];
    for (state, seconds) in [("ringing", 0), ("hangup", 5)] {
        for (call_id, more) in &legs {
            stage.deliver(&event(*call_id, state, seconds, more)).await;
        }
    }
    let told = stage.told(&legs.clone().map(|(call_id, _)| call_id)).await;
    assert_eq!(told, vec![["call.ring", "call.ended"]; 6]);
    let calls = stage.get("/api/calls?include=total").await;
    assert_eq!(calls["pagination"]["total"], 3, "{calls}");
    for (call_id, legs) in [(1, 1), (21, 2), (32, 3)] {
        let call = stage.get(&format!("/api/calls/{call_id}")).await["data"].clone();
        assert_eq!(
            (&call["status"], call["legs"].as_array().unwrap().len()),
            (&json!("missed"), legs),
            "{call}"
        );
    }
}

#[tokio::test]
async fn a_time_of_zero_or_of_another_age_is_none_and_its_leg_goes_on() {
    let mut stage = Stage::new("times").await;
    let times = [
        json!(0),
        json!("0"),
        json!(-1),
        json!(253_402_300_799_999_i64),
        json!(i64::MAX),
        json!(1e300),
        json!("9999-12-31T23:59:59Z"),
        json!({}),
    ];
    let before = SystemClock.now();
    for (call_id, time) in (1..).zip(&times) {
        let odd = json!({"event_timestamp": time, "date_started": time, "date_ended": time});
        stage.deliver(&event(call_id, "ringing", 0, &odd)).await;
    }
    // The arrival counts, and what comes next comes after it.
    stage.settled().await;
    for call_id in (1..).take(times.len()) {
        let connected_at = SystemClock.now().timestamp_millis();
        let connected = json!({"date_started": connected_at - 1000, "date_connected": connected_at});
        stage.deliver(&event(call_id, "connected", 1, &connected)).await;
        let mut hangup = event(call_id, "hangup", 11, &connected);
        hangup["date_ended"] = times[3].clone();
        stage.deliver(&hangup).await;
    }
    let call_ids: Vec<i64> = (1..).take(times.len()).collect();
    let told = stage.told(&call_ids).await;
    assert_eq!(told, vec![["call.ring", "call.started", "call.ended"]; times.len()]);
    for call_id in call_ids {
        let call = stage.get(&format!("/api/calls/{call_id}")).await["data"].clone();
        assert_eq!(call["outcome"], "answered", "{call}");
        assert!((10..=12).contains(&call["duration_seconds"].as_i64().unwrap()), "{call}");
        let rang_at =
            stage.get(&format!("/api/calls/{call_id}/timeline")).await["data"][0]["occurred_at"].clone();
        let rang_at: chrono::DateTime<Utc> = rang_at.as_str().unwrap().parse().unwrap();
        assert!(
            (before.timestamp_millis()..=SystemClock.now().timestamp_millis())
                .contains(&rang_at.timestamp_millis())
        );
    }
}

#[tokio::test]
async fn a_transcript_as_long_as_a_delivery_may_be_is_a_voicemails() {
    let mut stage = Stage::new("as long as may be").await;
    let payload = |letters: usize| {
        event(
            1,
            "voicemail_uploaded",
            0,
            &json!({"event_timestamp": 1_772_470_800_000_i64, "transcription_text": "ä".repeat(letters)}),
        )
        .to_string()
    };
    let signed = |letters| jws::sign(&payload(letters), &stage.app.webhook_secret);
    let (mut letters, mut too_many) = (0, MIB);
    while letters + 1 < too_many {
        let between = usize::midpoint(letters, too_many);
        if signed(between).len() <= MIB { letters = between } else { too_many = between }
    }
    let path = format!("/webhooks/dialpad/{}", stage.app.app_id);
    for (letters, status) in [(letters + 1, 413), (letters, 200)] {
        let answer = server().client().send(Method::POST, &path, &[], signed(letters)).await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    }
    let frames = stage.frames().await;
    let received = frames.iter().find(|frame| frame["event"] == "voicemail.received").unwrap();
    assert_eq!(received["truncated"], true);
    assert!(received.to_string().len() <= 24 * 1024);
    let path = format!("/api/voicemails/{}", received["voicemail_id"].as_str().unwrap());
    let voicemail = stage.get(&path).await["data"].clone();
    assert_eq!(voicemail["transcript"].as_str().unwrap().chars().count(), letters);
}

#[tokio::test]
async fn members_of_wrong_types_are_not_said_and_an_id_that_is_none_is_shown_as_dead() {
    let mut stage = Stage::new("wrong types").await;
    let wrong = json!({
        "direction": 7, "external_number": {}, "internal_number": [], "target": "user", "contact": 7, "date_started": "soon",
        "date_connected": true, "talk_time": "long", "hold_time": {}, "entry_point_call_id": "x", "master_call_id": [1],
        "operator_call_id": 1.5, "is_transferred": "perhaps", "recording_details": {"a": 1}, "custom_data": {"a": 1},
    });
    stage.deliver(&event(1, "ringing", 0, &wrong)).await;
    for id in [json!("abc"), json!({}), json!(-1), json!(1.5), json!(true), json!("9223372036854775808")] {
        let mut payload = event(1, "ringing", 0, &json!({}));
        payload["call_id"] = id;
        stage.deliver(&payload).await;
    }
    stage.deliver(&event(1, "hangup", 5, &wrong)).await;
    assert_eq!(stage.told(&[1]).await, [["call.ring", "call.ended"]]);
    let call = stage.get("/api/calls/1").await["data"].clone();
    for member in [
        "direction",
        "from_number",
        "to_number",
        "dialpad_user_id",
        "contact_name",
        "started_at",
        "connected_at",
    ] {
        assert!(call[member].is_null(), "{member} of {call}");
    }

    let dead = operate(&stage, Method::GET, "webhook-events?state=dead&include=total", None).await.body;
    assert_eq!(dead["pagination"]["total"], 6, "{dead}");
    assert!(dead["data"].as_array().unwrap().iter().all(|event| event["last_error"].is_string()), "{dead}");
    let checks = operate(&stage, Method::GET, "diagnostics", None).await.body["checks"].clone();
    assert_eq!(checks[1]["detail"], "6 deliveries could not be read.");
}
