//! The scenarios of `simulate`: what they are made of. What clients are told of them is in `docs/dialpad.md`.

use chrono::{DateTime, Utc};
use local::simulate::{Scenario, Setting};
use serde_json::Value;
use shared::{
    dialpad::payload::{Event, event, inspect},
    domain::call::{CallEvent, State, fold},
};

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

pub(crate) fn calls(payloads: &[Value]) -> Vec<CallEvent> {
    payloads
        .iter()
        .filter_map(|payload| {
            let delivery = inspect(&payload.to_string()).unwrap();
            match event(&delivery.event_type, &delivery.json, now()).unwrap() {
                Some(Event::Call(call)) => Some(*call),
                Some(Event::Message(_) | Event::Agent(_)) | None => None,
            }
        })
        .collect()
}

#[test]
fn nothing_of_the_scenarios_is_unknown_to_the_reader() {
    for scenario in Scenario::all() {
        for payload in scenario.payloads(now()) {
            let delivery = inspect(&payload.to_string()).unwrap();
            let event = event(&delivery.event_type, &delivery.json, now()).unwrap();
            assert!(event.is_some(), "{scenario:?}: {payload}");
            if let Some(Event::Call(call)) = event {
                assert!(call.state.is_known(), "{scenario:?}: {}", call.state);
            }
        }
    }
}

#[test]
fn a_group_rings_as_many_agents_as_it_is_told_and_two_calls_never_share_an_id() {
    let played = |agents| Scenario::Group.played(Setting { start: now(), speed: 1.0, agents });
    let ringing = |payloads: &[Value]| {
        payloads
            .iter()
            .filter(|payload| payload["state"] == "ringing" && payload["target"]["type"] == "user")
            .count()
    };
    assert_eq!(ringing(&played(1)), 1);
    assert_eq!(ringing(&played(200)), 200);

    let legs = |start| {
        let payloads = Scenario::Group.played(Setting { start, speed: 1.0, agents: 500 });
        payloads
            .iter()
            .map(|payload| payload["call_id"].as_i64().unwrap())
            .collect::<std::collections::HashSet<_>>()
    };
    let (one, next) = (legs(now()), legs(now() + chrono::TimeDelta::milliseconds(1)));
    assert_eq!(one.len(), 501);
    assert!(one.is_disjoint(&next));
}

#[test]
fn a_faster_scenario_is_the_same_story_in_less_time() {
    let played = |speed| Scenario::InboundAnswered.played(Setting { start: now(), speed, agents: 1 });
    let last = |payloads: &[Value]| {
        payloads.last().unwrap()["event_timestamp"].as_i64().unwrap() - now().timestamp_millis()
    };
    assert_eq!(last(&played(1.0)), 121_600);
    assert_eq!(last(&played(10.0)), 12_160);
    let talk_ms = fold(&calls(&played(10.0))).legs[0].duration_ms.unwrap();
    assert!((talk_ms - 9500.025).abs() < 0.01, "{talk_ms}");
}

#[test]
fn every_state_of_a_leg_is_simulated() {
    let simulated: std::collections::HashSet<State> = Scenario::all()
        .flat_map(|scenario| calls(&scenario.payloads(now())))
        .map(|event| event.state)
        .collect();
    let missing: Vec<&str> =
        State::KNOWN.iter().filter(|state| !simulated.contains(state)).map(State::as_str).collect();
    assert_eq!(missing, [""; 0]);
}
