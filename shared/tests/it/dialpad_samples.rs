//! The sample deliveries, from their text to what clients are told.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::{
    dialpad::payload::{Event, call_event, event, inspect},
    domain::{
        call::{CallEvent, Moment},
        client_event::EventName,
        delivery::Family,
        message::fold,
    },
};

use crate::calls::{Processor, few_cases, folded, rows};

const SAMPLES: [(&str, &str); 8] = [
    ("01", include_str!("samples/01_inbound_answered_hold_recording_recap.json")),
    ("02", include_str!("samples/02_inbound_missed_voicemail_transcription.json")),
    ("04", include_str!("samples/04_outbound_answered_custom_data.json")),
    ("05", include_str!("samples/05_outbound_not_answered.json")),
    ("08", include_str!("samples/08_call_center_abandoned_in_queue.json")),
    ("09", include_str!("samples/09_sms_in_out_mms_delivery.json")),
    ("10", include_str!("samples/10_agent_status_shift.json")),
    ("11", include_str!("samples/11_states_of_the_future.json")),
];

fn payloads(sample: &str) -> Vec<String> {
    let payloads: Vec<Value> = serde_json::from_str(sample).unwrap();
    payloads.iter().map(Value::to_string).collect()
}

/// After whatever the samples tell.
fn received_at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

/// As a row: what the webhook stores is what the processor reads.
fn read(payload: &str) -> Option<CallEvent> {
    let delivery = inspect(payload).unwrap();
    call_event(&delivery.event_type, &delivery.json, received_at()).unwrap()
}

fn calls(sample: &str) -> Vec<CallEvent> {
    payloads(sample).iter().filter_map(|payload| read(payload)).collect()
}

/// A moment with those members that the list of expected events gives.
fn as_expected(moment: &Moment, expected: &Value) -> Value {
    let leg = &moment.leg;
    let voicemail = leg.voicemail.as_ref();
    let mut members = serde_json::Map::new();
    for name in expected.as_object().unwrap().keys() {
        let value = match name.as_str() {
            "event" => json!(moment.event),
            "user" => json!(leg.user_id.map(|id| id.0)),
            "group" => json!(leg.group_id.map(|id| id.0)),
            "outcome" => json!(leg.outcome),
            "what" => json!(moment.what.as_str()),
            "talk_ms" => json!(leg.duration_ms.map(whole)),
            "duration_ms" => json!(voicemail.and_then(|voicemail| voicemail.duration_ms).map(whole)),
            "transcript" => json!(voicemail.and_then(|voicemail| voicemail.transcript.clone())),
            other => panic!("the list says something new: {other}"),
        };
        members.insert(name.clone(), value);
    }
    Value::Object(members)
}

#[expect(clippy::cast_possible_truncation, reason = "the samples hold whole milliseconds")]
fn whole(milliseconds: f64) -> i64 {
    milliseconds as i64
}

#[test]
fn in_order_of_delivery_clients_are_told_exactly_what_is_expected() {
    let expected: Value = serde_json::from_str(include_str!("samples/expected_client_events.json")).unwrap();
    for (name, sample) in SAMPLES {
        let mut processor = Processor::default();
        for (payload, expected) in payloads(sample).iter().zip(expected[name].as_array().unwrap()) {
            let Some(event) = read(payload) else { continue };
            let expected = expected.as_array().unwrap();
            let told = processor.take(std::slice::from_ref(&event));
            assert_eq!(told.len(), expected.len(), "sample {name}, {}: {told:?}", event.state);
            for (moment, expected) in told.iter().zip(expected) {
                assert_eq!(&as_expected(moment, expected), expected, "sample {name}, {}", event.state);
            }
        }
    }
}

#[test]
fn only_calls_are_read_as_calls() {
    for (name, sample) in SAMPLES {
        let families: Vec<Family> =
            payloads(sample).iter().map(|payload| inspect(payload).unwrap().family).collect();
        let expected = match name {
            "09" => Family::Message,
            "10" => Family::AgentStatus,
            _ => Family::Call,
        };
        assert!(families.iter().all(|family| *family == expected), "sample {name}: {families:?}");
        assert_eq!(calls(sample).len(), if expected == Family::Call { families.len() } else { 0 });
    }
}

#[test]
fn no_two_deliveries_of_the_samples_have_one_key() {
    let keys = SAMPLES
        .iter()
        .flat_map(|(_, sample)| payloads(sample))
        .map(|payload| inspect(&payload).unwrap().dedupe_key);
    let keys: Vec<[u8; 32]> = keys.collect();
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
}

/// Every order of up to five events, and every rotation of the longer samples both ways, each event twice.
#[test]
fn in_any_order_and_repeated_the_rows_are_the_same() {
    for (name, sample) in SAMPLES {
        let events = calls(sample);
        let expected = rows(folded(events.clone()));
        for order in orders(events.len()) {
            let mut processor = Processor::default();
            let mut told = Vec::new();
            for index in order.iter().chain(&order) {
                told.extend(processor.take(std::slice::from_ref(&events[*index])));
            }
            assert_eq!(rows(processor.conversations()), expected, "sample {name} in order {order:?}");
            for once in [EventName::CallRing, EventName::CallEnded, EventName::VoicemailReceived] {
                let times = told.iter().filter(|moment| moment.event == once).count();
                assert!(times <= 1, "sample {name} in order {order:?}: {once:?} {times} times");
            }
            let ended = told.iter().any(|moment| moment.event == EventName::CallEnded);
            assert!(ended || events.is_empty(), "sample {name} in order {order:?} never ended");
        }
    }
}

fn orders(length: usize) -> Vec<Vec<usize>> {
    if length > 5 {
        let rotated = |by: usize| (0..length).map(move |index| (index + by) % length);
        return (0..length).flat_map(|by| [rotated(by).collect(), rotated(by).rev().collect()]).collect();
    }
    let mut orders = vec![Vec::new()];
    for next in 0..length {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, next);
                    order
                })
            })
            .collect();
    }
    orders
}

#[test]
fn the_rows_of_the_samples_hold_what_the_payloads_say() {
    let row = |sample: usize| folded(calls(SAMPLES[sample].1)).remove(0).legs.remove(0);
    let at = |milliseconds| DateTime::<Utc>::from_timestamp_millis(milliseconds);

    let answered = row(0);
    assert_eq!(answered.from_number.as_deref(), Some("+14155550150"));
    assert_eq!(answered.to_number.as_deref(), Some("+14155550101"));
    assert_eq!(answered.contact_name.as_deref(), Some("Robin Caller"));
    assert_eq!(answered.connected_at, at(1_772_470_806_200));
    assert_eq!(answered.ended_at, at(1_772_470_921_400));
    assert_eq!(answered.recording_url.as_deref(), Some("https://dialpad.com/r/5800000000000001"));

    let voicemail = row(1).voicemail.unwrap();
    assert_eq!(voicemail.recording_url.as_deref(), Some("https://dialpad.com/v/6100000000000002"));
    assert!(voicemail.transcript.unwrap().starts_with("Hi, this is about invoice"));

    let outbound = row(2);
    assert_eq!(outbound.from_number.as_deref(), Some("+14155550101"));
    assert_eq!(outbound.custom_data.as_deref(), Some("{\"cti_request\":\"req-0004\"}"));
    assert_eq!(row(3).from_number.as_deref(), Some("blocked"));
    assert_eq!(row(4).group_name.as_deref(), Some("Acme Example Support"));
}

/// Values as nobody would send them.
fn oddity() -> impl Strategy<Value = String> {
    let fixed = [
        "null",
        "true",
        "\"FALSE\"",
        "0",
        "-1",
        "1e400",
        "-0.0",
        "1.5",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "\"9223372036854775808\"",
        "253402300800000",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"2026-03-02T17:00:00Z\"",
        "\"inf\"",
        "{}",
        "[]",
        "[[[]]]",
        "[{},null,\"x\"]",
        "{\"id\":{}}",
        "{\"id\":7,\"type\":9}",
        "\"ringing\"",
        "\"call.ended\"",
        "\"hangup\"",
    ];
    prop_oneof![
        proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| Value::String(text).to_string()),
    ]
}

proptest! {
    #![proptest_config(few_cases())]

    /// Members are replaced by oddities, removed, and repeated. Whatever is left is stored, and read or refused.
    #[test]
    fn a_mutilated_delivery_is_still_a_delivery(
        sample in 0..SAMPLES.len(),
        place in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), proptest::option::of(oddity())), 1..8),
        event_type in proptest::sample::select(vec!["", "ringing", "call.ring", "message", "unknown", "\u{0}"]),
    ) {
        let payloads: Vec<Value> = serde_json::from_str(SAMPLES[sample].1).unwrap();
        let payload = place.get(&payloads).as_object().unwrap();
        let mut members: Vec<(String, String)> =
            payload.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        for (member, change) in changes {
            if members.is_empty() {
                break;
            }
            let member = member.index(members.len());
            match change {
                Some(value) => members.push((members[member].0.clone(), value)),
                None => drop(members.remove(member)),
            }
        }
        let members: Vec<String> =
            members.into_iter().map(|(name, value)| format!("{}:{value}", Value::String(name))).collect();
        let raw = format!("{{{}}}", members.join(","));

        let delivery = inspect(&raw).unwrap();
        prop_assert_eq!(inspect(&delivery.json).unwrap().json, delivery.json.as_str(), "escaping twice is once");
        prop_assert!(!delivery.event_type.is_empty() && !delivery.event_type.contains('\0'));
        for event_type in [delivery.event_type.as_str(), event_type] {
            let at = match event(event_type, &delivery.json, received_at()) {
                Ok(Some(Event::Call(event))) => {
                    prop_assert_eq!(folded(vec![*event.clone()])[0].legs.len(), 1);
                    event.at
                }
                Ok(Some(Event::Message(event))) => {
                    prop_assert!(fold(&[], std::slice::from_ref(&*event)).is_some());
                    event.at
                }
                Ok(Some(Event::Agent(event))) => event.at,
                Ok(None) | Err(_) => continue,
            };
            prop_assert_eq!(at.format("%Y").to_string().len(), 4);
        }
    }
}
