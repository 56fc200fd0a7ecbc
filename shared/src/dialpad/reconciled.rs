//! What comes of asking Dialpad for a call: the events that were not delivered, in the form in which they would have been.
//!
//! The same answer always makes the same events, to the byte of their dedupe keys, whoever asks and how often.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::payload;
use crate::domain::{
    call::{CallEvent, State, Status},
    ids::DialpadId,
};

/// A leg as it is known here.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The leg.
    pub call_id: DialpadId,
    /// Where it stands; none: it was never heard of.
    pub status: Option<Status>,
    /// When it was last heard of, by Dialpad's clock. Nothing that is told later may be older.
    pub last_at: Option<DateTime<Utc>>,
}

/// The payloads of what was missed, in order; none where the answer says nothing new. `found` is the call as Dialpad's
/// API shows it, or none where Dialpad does not know it.
#[must_use]
pub fn missed(known: &Known, found: Option<&Value>) -> Vec<Value> {
    let Some(call) = found else {
        let gone = json!({ "call_id": known.call_id.0, "state": State::Gone.as_str() });
        return known.last_at.map(|at| at_time(gone, at)).into_iter().collect();
    };
    let Some(said) = read(call).filter(|said| said.call_id == known.call_id) else { return Vec::new() };
    let event = |state: &State, at: Option<DateTime<Utc>>| {
        let mut payload = call.clone();
        payload["call_id"] = known.call_id.0.into();
        payload["state"] = state.as_str().into();
        at.max(known.last_at).map(|at| at_time(payload, at))
    };
    if let Some((state, at)) = end(&said) {
        let left_message = said.recordings.iter().any(|recording| recording.is_voicemail);
        let message = left_message.then_some(&State::VoicemailUploaded);
        return [Some(&state), message].into_iter().flatten().filter_map(|state| event(state, at)).collect();
    }
    let waits = matches!(known.status, None | Some(Status::Queued | Status::Ringing));
    let is_taken = said.state == State::Connected && said.connected_at.is_some();
    (waits && is_taken).then(|| event(&State::Connected, said.connected_at)).flatten().into_iter().collect()
}

/// The leg that a call of Dialpad's API is.
#[must_use]
pub fn call_id(call: &Value) -> Option<DialpadId> {
    read(call).map(|said| said.call_id)
}

/// The call of an answer, whenever that came. Its `event_timestamp` is not taken for anything: nobody says that it is the same
/// next time.
fn read(call: &Value) -> Option<CallEvent> {
    let hangup = State::Hangup;
    payload::call_event(hangup.as_str(), &call.to_string(), DateTime::<Utc>::MAX_UTC).ok().flatten()
}

/// How and when a leg ended, if it has; the time may be missing.
fn end(said: &CallEvent) -> Option<(State, Option<DateTime<Utc>>)> {
    let ends = matches!(said.state, State::Missed | State::Blocked | State::Voicemail | State::Hangup);
    let state = if ends { said.state.clone() } else { State::Hangup };
    let at = said.ended_at;
    (at.is_some() || ends || said.state.is_aftermath()).then_some((state, at.or(said.started_at)))
}

fn at_time(mut payload: Value, at: DateTime<Utc>) -> Value {
    payload["event_timestamp"] = at.timestamp_millis().into();
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_470_800 + seconds, 0).unwrap()
    }

    fn known(status: Status) -> Known {
        Known { call_id: DialpadId(1002), status: Some(status), last_at: Some(time(10)) }
    }

    /// An answer: 64-bit numbers are strings there.
    fn call(state: &str, more: &Value) -> Value {
        let mut call = json!({
            "call_id": "1002", "state": state, "date_started": time(0).timestamp_millis().to_string(),
            "event_timestamp": "1", "direction": "inbound", "target": {"id": "7", "type": "user"},
        });
        for (name, value) in more.as_object().unwrap() {
            call[name] = value.clone();
        }
        call
    }

    fn at(seconds: i64) -> Value {
        json!(time(seconds).timestamp_millis().to_string())
    }

    fn brief(payloads: &[Value]) -> Vec<(&str, i64)> {
        let start = time(0).timestamp_millis();
        let second = |payload: &Value| (payload["event_timestamp"].as_i64().unwrap() - start) / 1000;
        payloads.iter().map(|payload| (payload["state"].as_str().unwrap(), second(payload))).collect()
    }

    #[test]
    fn a_call_that_is_over_hung_up_when_it_ended() {
        let answer =
            call("connected", &json!({"date_connected": at(5), "date_ended": at(65), "talk_time": 60000.5}));
        let payloads = missed(&known(Status::Active), Some(&answer));
        assert_eq!(brief(&payloads), [("hangup", 65)]);
        assert_eq!((&payloads[0]["talk_time"], &payloads[0]["call_id"]), (&json!(60000.5), &json!(1002)));
        for state in ["hangup", "recording", "recap_summary", "brand_new", ""] {
            let answer = call(state, &json!({"date_ended": at(65)}));
            assert_eq!(brief(&missed(&known(Status::Ringing), Some(&answer))), [("hangup", 65)], "{state}");
        }
        for state in ["missed", "blocked", "voicemail"] {
            let answer = call(state, &json!({"date_ended": at(65)}));
            assert_eq!(brief(&missed(&known(Status::Ringing), Some(&answer))), [(state, 65)]);
        }
    }

    #[test]
    fn nothing_is_told_as_older_than_what_was_told() {
        let answer = call("hangup", &json!({"date_ended": at(8)}));
        assert_eq!(brief(&missed(&known(Status::Active), Some(&answer))), [("hangup", 10)]);
        assert_eq!(
            brief(&missed(&known(Status::Active), Some(&call("hangup", &json!({}))))),
            [("hangup", 10)]
        );
        let unheard = Known { status: None, last_at: None, ..known(Status::Active) };
        assert_eq!(brief(&missed(&unheard, Some(&answer))), [("hangup", 8)]);
        assert_eq!(brief(&missed(&unheard, Some(&call("hangup", &json!({}))))), [("hangup", 0)]);
    }

    #[test]
    fn a_call_that_dialpad_does_not_know_is_gone() {
        assert_eq!(brief(&missed(&known(Status::Held), None)), [("gone", 10)]);
        assert_eq!(missed(&Known { last_at: None, ..known(Status::Held) }, None), [Value::Null; 0]);
    }

    #[test]
    fn a_message_that_was_left_is_told_after_the_end() {
        let details =
            json!([{"recording_type": "voicemail", "url": "https://dialpad.com/v/1", "duration": 5000}]);
        let answer = call("hangup", &json!({"date_ended": at(65), "recording_details": details}));
        let payloads = missed(&known(Status::Ringing), Some(&answer));
        assert_eq!(brief(&payloads), [("hangup", 65), ("voicemail_uploaded", 65)]);
        let link =
            call("hangup", &json!({"date_ended": at(65), "voicemail_link": "https://dialpad.com/v/1"}));
        assert_eq!(missed(&known(Status::Ringing), Some(&link)).len(), 1, "a link proves nothing");
    }

    #[test]
    fn a_call_that_goes_on_says_only_that_somebody_took_it() {
        let answer = call("connected", &json!({"date_connected": at(20)}));
        assert_eq!(brief(&missed(&known(Status::Ringing), Some(&answer))), [("connected", 20)]);
        assert_eq!(missed(&known(Status::Active), Some(&answer)), [Value::Null; 0]);
        // A menu took it, and it waits in a queue now.
        let queued = call("queued", &json!({"date_connected": at(20)}));
        assert_eq!(missed(&known(Status::Queued), Some(&queued)), [Value::Null; 0]);
        assert_eq!(missed(&known(Status::Ringing), Some(&call("ringing", &json!({})))), [Value::Null; 0]);
    }

    #[test]
    fn another_call_and_no_call_at_all_are_no_answer() {
        let other = call("hangup", &json!({"call_id": "1003", "date_ended": at(65)}));
        for odd in [other, json!(null), json!([]), json!({}), json!("hangup"), json!({"state": "hangup"})] {
            assert_eq!(missed(&known(Status::Active), Some(&odd)), [Value::Null; 0], "{odd}");
        }
    }

    #[test]
    fn the_same_answer_makes_the_same_event() {
        let key = |answer: &Value| {
            let payloads = missed(&known(Status::Active), Some(answer));
            payload::inspect(&payloads[0].to_string()).unwrap().dedupe_key
        };
        let first = call("hangup", &json!({"date_ended": at(65)}));
        let later =
            call("hangup", &json!({"date_ended": at(65), "event_timestamp": at(900), "labels": ["x"]}));
        assert_eq!(key(&first), key(&later));
        // It is the one that would have been delivered, were its time that of the end.
        let delivered = format!(
            r#"{{"call_id":1002,"state":"hangup","event_timestamp":{}}}"#,
            time(65).timestamp_millis()
        );
        assert_eq!(key(&first), payload::inspect(&delivered).unwrap().dedupe_key);
    }
}
