//! Dialpad's sequences: in delivery order the expected client events, in any order and repeated the same rows.

use std::path::Path;

use serde_json::{Value, json};
use shared::dialpad::payload::inspect;

use crate::stage::Stage;

fn read(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tests/it/samples");
    serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

/// The sequences, by the number they begin with.
fn sequences() -> Vec<(&'static str, Vec<Value>)> {
    [
        ("01", "01_inbound_answered_hold_recording_recap.json"),
        ("02", "02_inbound_missed_voicemail_transcription.json"),
        ("04", "04_outbound_answered_custom_data.json"),
        ("05", "05_outbound_not_answered.json"),
        ("08", "08_call_center_abandoned_in_queue.json"),
        ("09", "09_sms_in_out_mms_delivery.json"),
        ("10", "10_agent_status_shift.json"),
        ("11", "11_states_of_the_future.json"),
    ]
    .into_iter()
    .map(|(number, file)| (number, read(file).as_array().unwrap().clone()))
    .collect()
}

async fn deliver(stage: &Stage, payload: &Value) {
    stage.insert(&inspect(&payload.to_string()).unwrap().event_type, payload).await;
}

#[tokio::test]
async fn in_delivery_order_each_payload_causes_just_the_expected_events() {
    let expected = read("expected_client_events.json");
    for (number, payloads) in sequences() {
        let stage = Stage::new().await;
        let mut seen = 0;
        for (payload, wanted) in payloads.iter().zip(expected[number].as_array().unwrap()) {
            deliver(&stage, payload).await;
            stage.wake().await;
            let frames = stage.frames().await;
            let new: Vec<_> = frames[seen..].to_vec();
            let word = ["state", "message_status", "on_duty_status"].map(|name| payload[name].as_str());
            let word = word.into_iter().flatten().next().unwrap();
            let names: Vec<_> = new.iter().map(|frame| frame["event"].clone()).collect();
            let wanted = wanted.as_array().unwrap();
            assert_eq!(
                names,
                wanted.iter().map(|event| event["event"].clone()).collect::<Vec<_>>(),
                "{number} {word}"
            );
            for (frame, wanted) in new.iter().zip(wanted) {
                check(number, frame, wanted);
            }
            seen = frames.len();
        }
    }
}

fn check(number: &str, frame: &Value, wanted: &Value) {
    for (member, value) in wanted.as_object().unwrap() {
        let given = match member.as_str() {
            "user" => json!(frame["user_id"].as_str().and_then(|id| id.parse::<i64>().ok())),
            // The list has whole milliseconds; they are compared as such.
            "talk_ms" | "duration_ms" => {
                let given = frame["duration_ms"].as_f64().unwrap_or(0.0);
                assert!((given - value.as_f64().unwrap()).abs() <= 0.5, "{number}: {member} of {frame}");
                continue;
            }
            "group" => continue,
            "transcript" => frame.get("transcript").cloned().unwrap_or(Value::Null),
            other => frame[other].clone(),
        };
        assert_eq!(&given, value, "{number}: {member} of {frame}");
    }
}

#[tokio::test]
async fn in_any_order_and_repeated_they_end_in_the_same_rows() {
    for (number, payloads) in sequences() {
        let in_order = Stage::new().await;
        for payload in &payloads {
            deliver(&in_order, payload).await;
        }
        in_order.wake().await;
        let wanted = in_order.rows().await;
        assert_ne!(wanted, json!([]), "{number}");
        for turn in 0..payloads.len() {
            let stage = Stage::new().await;
            let mut shuffled = payloads.clone();
            shuffled.rotate_left(turn);
            if turn % 2 == 1 {
                shuffled.reverse();
            }
            for (index, payload) in shuffled.iter().chain(&payloads).enumerate() {
                deliver(&stage, payload).await;
                if index % 3 != 0 {
                    stage.wake().await;
                }
            }
            stage.wake().await;
            assert_eq!(stage.rows().await, wanted, "{number}, turned by {turn}");
        }
    }
}
