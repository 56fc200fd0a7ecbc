//! A stored row becomes an [`AgentEvent`].

use chrono::{DateTime, Utc};

use super::{Unreadable, member::Member, no_id, of_family, parties, time_as_of, unwrapped};
use crate::domain::{agent::AgentEvent, delivery::Family};

/// Reads a row of `webhook_events`; `None` if it is not about an agent. `date` stands in for a missing
/// `event_timestamp`, and the time the row arrived for both.
pub fn agent_event(
    event_type: &str,
    payload: &str,
    received_at: DateTime<Utc>,
) -> Result<Option<AgentEvent>, Unreadable> {
    let payload = unwrapped(payload);
    let Some(object) = of_family(Family::AgentStatus, event_type, &payload)? else { return Ok(None) };
    let Some(target) = parties::target(&object) else {
        return Err(match object.below("target").and_then(|target| target.get("id")).map(Member::id) {
            Some(Err(error)) => {
                let not_a_number = "the agent's id is not a whole number above zero";
                no_id(error, "the agent's id is larger than 64 bits hold", not_a_number)
            }
            Some(Ok(_)) | None => Unreadable { reason: "the agent's id is missing" },
        });
    };
    let text = |name: &str| object.get(name).and_then(Member::text);
    let call_center_ids = object.get("call_center_ids").map(Member::each).unwrap_or_default();
    Ok(Some(AgentEvent {
        user_id: target.id,
        at: object.first(&["event_timestamp", "date"], time_as_of(received_at)).unwrap_or(received_at),
        name: target.name,
        status: text("on_duty_status"),
        reason: text("on_duty_status_reason"),
        availability: text("availability_status"),
        call_center_ids: call_center_ids.into_iter().filter_map(Member::text).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::DialpadId;

    fn read(payload: &str) -> Result<Option<AgentEvent>, Unreadable> {
        agent_event("agent_status", payload, DateTime::from_timestamp(1_780_000_000, 0).unwrap())
    }

    #[test]
    fn an_agent_is_read_from_numbers_and_strings_alike() {
        let event = read(
            r#"{"target":{"id":"77","type":"user","name":"Ben"},"on_duty_status":"unavailable","date":1772503200000,
                "on_duty_status_reason":"Lunch","call_center_ids":[5,"6",null,{}]}"#,
        );
        let expected = AgentEvent {
            user_id: DialpadId(77),
            at: DateTime::from_timestamp_millis(1_772_503_200_000).unwrap(),
            name: Some("Ben".to_owned()),
            status: Some("unavailable".to_owned()),
            reason: Some("Lunch".to_owned()),
            availability: None,
            call_center_ids: vec!["5".to_owned(), "6".to_owned()],
        };
        assert_eq!(event, Ok(Some(expected)));
    }

    #[test]
    fn without_an_id_it_can_never_be_read_and_other_families_are_none() {
        for payload in [
            "[]",
            r#"{"on_duty_status":"busy"}"#,
            r#"{"on_duty_status":"busy","target":{"id":"x"}}"#,
            r#"{"on_duty_status":"busy","target":{"id":9223372036854775808}}"#,
        ] {
            assert!(read(payload).is_err(), "{payload}");
        }
        for payload in [r#"{"call_id":1,"state":"ringing"}"#, r#"{"id":1,"mms":true}"#] {
            assert_eq!(read(payload), Ok(None), "{payload}");
        }
    }
}
