//! A stored row becomes a [`MessageEvent`].

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{Unreadable, member::Member, no_id, object::Object, of_family, parties, time_as_of, unwrapped};
use crate::domain::{
    delivery::Family,
    ids::DialpadId,
    message::{MessageEvent, Status},
};

/// Reads a row of `webhook_events`; `None` if it is not about a text message. Without `event_timestamp` the event
/// happened when the row arrived.
pub fn message_event(
    event_type: &str,
    payload: &str,
    received_at: DateTime<Utc>,
) -> Result<Option<MessageEvent>, Unreadable> {
    let payload = unwrapped(payload);
    let Some(object) = of_family(Family::Message, event_type, &payload)? else { return Ok(None) };
    let message_id = match object.any(&["id", "message_id"]).map(Member::id) {
        Some(Ok(id)) => id,
        Some(Err(error)) => {
            let not_a_number = "the message's id is not a whole number above zero";
            return Err(no_id(error, "the message's id is larger than 64 bits hold", not_a_number));
        }
        None => return Err(Unreadable { reason: "the message's id is missing" }),
    };
    Ok(Some(read(&object, message_id, received_at, Sha256::digest(&*payload).to_vec())))
}

fn read(
    object: &Object<'_>,
    message_id: DialpadId,
    received_at: DateTime<Utc>,
    tie_break: Vec<u8>,
) -> MessageEvent {
    let time = time_as_of(received_at);
    // Where there are several, a thread is with the first; the others stay in the payload.
    let number = |member: Member<'_>| member.each().into_iter().find_map(Member::text);
    let text = |names: &[&str]| object.first(names, Member::text);
    MessageEvent {
        message_id,
        at: object.first(&["event_timestamp"], time).unwrap_or(received_at),
        tie_break,
        direction: parties::direction(object),
        from_number: object.first(&["from_number", "from"], number),
        to_number: object.first(&["to_number", "to_numbers", "to"], number),
        target: parties::target(object),
        sender_id: object.first(&["sender_id"], |member| member.id().ok()),
        contact_name: parties::contact_name(object),
        text: text(&["text", "text_content"]),
        mms: object.get("mms").and_then(Member::truth),
        mms_url: object.first(&["mms_url"], |member| member.each().into_iter().find_map(Member::word)),
        status: object.get("message_status").and_then(Member::word).and_then(|word| Status::parse(&word)),
        delivery_result: object.get("message_delivery_result").and_then(Member::word),
        sent_at: object.first(&["created_date", "sent_at"], time),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::call::{Direction, Target};

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(21_000)
    }

    fn read(payload: &str) -> MessageEvent {
        message_event("message", payload, now()).unwrap().unwrap()
    }

    #[test]
    fn members_may_be_of_any_type_they_have_had() {
        let event = read(
            r#"{"id":"9007199254740993","direction":"Outbound","event_timestamp":"1772496060380","mms":"TRUE",
                "from_number":14155550101,"to_number":[null,{},"+14155550150","+14155550160"],"text_content":"Hi",
                "target":{"id":"55","type":"department","name":"Desk"},"sender_id":"77","message_status":"Pending",
                "mms_url":["https://e.com/a.jpg"],"created_date":"2026-03-02T17:00:00Z","contact":{"name":"Robin"}}"#,
        );
        assert_eq!(event.message_id, DialpadId(9_007_199_254_740_993));
        assert_eq!((event.direction, event.mms), (Some(Direction::Outbound), Some(true)));
        assert_eq!(event.at.timestamp_millis(), 1_772_496_060_380);
        assert_eq!(event.sent_at.unwrap().timestamp_millis(), 1_772_470_800_000);
        assert_eq!(event.from_number.as_deref(), Some("14155550101"));
        assert_eq!(event.to_number.as_deref(), Some("+14155550150"));
        assert_eq!((event.text.as_deref(), event.contact_name.as_deref()), (Some("Hi"), Some("Robin")));
        let desk = Target { id: DialpadId(55), is_user: false, name: Some("Desk".to_owned()) };
        assert_eq!((event.target, event.sender_id), (Some(desk), Some(DialpadId(77))));
        assert_eq!(event.mms_url.as_deref(), Some("https://e.com/a.jpg"));
        assert_eq!(event.status.unwrap().as_str(), "pending");
    }

    #[test]
    fn what_cannot_be_read_was_not_said() {
        let event = read(
            r#"{"id":1,"direction":"up","event_timestamp":{},"mms":{},"from_number":[],"to_number":{},"text":"",
                "text_content":" ","target":{},"sender_id":0,"message_status":" ","mms_url":7,"created_date":253402300799999,
                "message_delivery_result":{},"contact":[]}"#,
        );
        let expected = MessageEvent {
            message_id: DialpadId(1),
            at: now(),
            tie_break: event.tie_break.clone(),
            direction: None,
            from_number: None,
            to_number: None,
            target: None,
            sender_id: None,
            contact_name: None,
            text: None,
            mms: None,
            mms_url: None,
            status: None,
            delivery_result: None,
            sent_at: None,
        };
        assert_eq!(event, expected);
    }

    #[test]
    fn only_a_message_is_read_and_only_with_an_id() {
        for (event_type, payload) in [
            ("message", r#"{"call_id":1,"state":"ringing"}"#),
            ("unknown", r#"{"id":1}"#),
            ("ringing", "[]"),
            ("message", r#"{"target":{"id":1},"on_duty_status":"busy"}"#),
        ] {
            assert_eq!(message_event(event_type, payload, now()), Ok(None), "{payload}");
        }
        for payload in
            ["[]", "null", r#"{"mms":true}"#, r#"{"id":"x","mms":true}"#, r#"{"id":99999999999999999999}"#]
        {
            assert!(message_event("message", payload, now()).is_err(), "{payload}");
        }
    }
}
