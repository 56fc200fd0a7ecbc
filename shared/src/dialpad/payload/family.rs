//! What family a delivery is of, told by its shape: Dialpad names no type, neither in a header nor in a member.

use sha2::{Digest as _, Sha256};

use super::{escapes, object::Object};
use crate::domain::{
    call::State,
    delivery::{Delivery, Family},
};

/// The longest word that is kept as an event type; Dialpad's longest has 18 letters.
const LONGEST_WORD: usize = 100;

/// The body of a delivery is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read a delivery as a JSON object")]
pub struct NotAnObject;

/// Reads a delivery as far as it has to be understood to be stored. Any JSON object will do, however odd.
pub fn inspect(raw: &str) -> Result<Delivery, NotAnObject> {
    let json = escapes::doubled(raw);
    let object = Object::read(&json).ok_or(NotAnObject)?;
    let (family, word) = classify(&object);
    let mut event_type = word.unwrap_or_else(|| family.as_str().to_owned());
    event_type.truncate(event_type.floor_char_boundary(LONGEST_WORD));
    let dedupe_key = dedupe_key(family, &event_type, &object, raw);
    let payload_hash = Sha256::digest(raw).into();
    Ok(Delivery { family, event_type, dedupe_key, payload_hash, json: json.into_owned() })
}

/// The family of an object; of a call also the word that names its state.
pub(super) fn classify(object: &Object<'_>) -> (Family, Option<String>) {
    let has = |name| object.get(name).is_some();
    let word = |name| object.get(name).and_then(super::member::Member::word);
    let state = word("state");
    if state.is_some() && has("call_id") {
        return (Family::Call, state);
    }
    if let Some(name) = word("event_type").filter(|name| State::of_guide_name(name).is_some()) {
        return (Family::Call, Some(name));
    }
    let family = if has("message_status") || has("mms") {
        Family::Message
    } else if has("on_duty_status") {
        Family::AgentStatus
    } else if has("contact") && word("event").is_some_and(|event| is_change_of_contact(&event)) {
        Family::Contact
    } else if has("action") && has("changed_by") {
        Family::ChangeLog
    } else if let Some(state) = state.filter(|state| State::parse(state).is_known()) {
        // A call whose id was lost: kept as one, so that somebody sees it.
        return (Family::Call, Some(state));
    } else {
        Family::Unknown
    };
    (family, None)
}

fn is_change_of_contact(event: &str) -> bool {
    ["created", "updated", "deleted"].iter().any(|change| event.eq_ignore_ascii_case(change))
}

fn dedupe_key(family: Family, word: &str, object: &Object<'_>, raw: &str) -> [u8; 32] {
    let target = || object.below("target").and_then(|target| target.get("id"));
    let (id, status, time) = match family {
        Family::Call => (object.get("call_id"), Some(word.to_owned()), object.get("event_timestamp")),
        Family::Message => (object.get("id"), text(object, "message_status"), object.get("event_timestamp")),
        Family::AgentStatus => {
            (target(), text(object, "on_duty_status"), object.any(&["event_timestamp", "date"]))
        }
        // Contacts have no time, changes no id, and of the unknown nothing is known.
        Family::Contact | Family::ChangeLog | Family::Unknown => (None, None, None),
    };
    // The same id may be a number in one copy and a string in the next.
    let id = id.and_then(|id| id.id().map(|id| id.to_string()).ok().or_else(|| id.text()));
    let time = time.and_then(super::member::Member::time).map(|time| time.timestamp_millis().to_string());
    match (id, time) {
        (Some(id), Some(time)) => {
            digest(&[family.as_str(), &id, status.as_deref().unwrap_or_default(), &time])
        }
        _ => digest(&[raw]),
    }
}

fn text(object: &Object<'_>, name: &str) -> Option<String> {
    object.get(name).and_then(super::member::Member::text)
}

/// Each part with its length, so that no two lists of parts look alike.
fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(json: &str) -> (Family, String) {
        let delivery = inspect(json).unwrap();
        (delivery.family, delivery.event_type)
    }

    fn key(json: &str) -> [u8; 32] {
        inspect(json).unwrap().dedupe_key
    }

    #[test]
    fn a_family_is_told_by_its_shape() {
        for (json, expected, event_type) in [
            (r#"{"call_id":1,"state":"ringing"}"#, Family::Call, "ringing"),
            (r#"{"call_id":"1","state":"brand_new"}"#, Family::Call, "brand_new"),
            (r#"{"call_id":1,"event_type":"call.ring"}"#, Family::Call, "call.ring"),
            (r#"{"call_id":1,"state":"hangup","event_type":"call.ring"}"#, Family::Call, "hangup"),
            (
                r#"{"call_id":1,"state":null,"event_type":"voicemail.received"}"#,
                Family::Call,
                "voicemail.received",
            ),
            (r#"{"state":"connected"}"#, Family::Call, "connected"),
            (r#"{"id":1,"message_status":"pending"}"#, Family::Message, "message"),
            (r#"{"id":1,"mms":false}"#, Family::Message, "message"),
            (r#"{"on_duty_status":"busy","target":{"id":1}}"#, Family::AgentStatus, "agent_status"),
            (r#"{"event":"Created","contact":{"id":"x"}}"#, Family::Contact, "contact"),
            (r#"{"action":"updated_ivr","changed_by":{"id":1}}"#, Family::ChangeLog, "change_log"),
            (r#"{"call_id":1}"#, Family::Unknown, "unknown"),
            (r#"{"call_id":1,"state":""}"#, Family::Unknown, "unknown"),
            (r#"{"call_id":1,"state":5}"#, Family::Unknown, "unknown"),
            (r#"{"state":"california"}"#, Family::Unknown, "unknown"),
            (r#"{"call_id":1,"event_type":"call.exploded"}"#, Family::Unknown, "unknown"),
            ("{}", Family::Unknown, "unknown"),
        ] {
            assert_eq!(family(json), (expected, event_type.to_owned()), "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["", "[]", "null", "12", "\"{}\"", "{", "eyJ.eyJ.x", "{\"a\":\"\0\"}"] {
            assert_eq!(inspect(body), Err(NotAnObject), "{body:?}");
        }
    }

    #[test]
    fn odd_objects_are_deliveries_all_the_same() {
        let deep = format!(
            r#"{{"call_id":1,"state":"ringing","x":{}{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        for json in [
            deep.as_str(),
            r#"{"call_id":1e999999,"state":"ringing"}"#,
            r#"{"call_id":1,"call_id":2,"state":"missed","state":"ringing"}"#,
            r#"{"call_id":99999999999999999999999999,"state":"ringing"}"#,
            r#"{"call_id":{},"state":"ringing","\ud800":"\udfff","event_timestamp":[]}"#,
        ] {
            assert_eq!(family(json), (Family::Call, "ringing".to_owned()));
        }
    }

    #[test]
    fn what_jsonb_refuses_is_escaped_and_nothing_else_changes() {
        let delivery =
            inspect(r#" {"state":"ring\u0000ing", "call_id" : 1.0, "x":"\ud83d\ude00\ud83d"}"#).unwrap();
        assert_eq!(
            delivery.json,
            r#" {"state":"ring\\u0000ing", "call_id" : 1.0, "x":"\ud83d\ude00\\ud83d"}"#
        );
        assert_eq!(delivery.event_type, r"ring\u0000ing");
    }

    #[test]
    fn a_word_as_long_as_a_book_is_cut() {
        let (_, event_type) = family(&format!(r#"{{"call_id":1,"state":"{}"}}"#, "é".repeat(100_000)));
        assert_eq!(event_type.len(), LONGEST_WORD);
    }

    #[test]
    fn copies_have_one_key() {
        let one =
            key(r#"{"call_id":6100000000000001,"state":"connected","event_timestamp":1772470806900,"a":1}"#);
        let other =
            key(r#"{"event_timestamp":"1772470806900","state":"connected","call_id":"6100000000000001"}"#);
        assert_eq!(one, other);
    }

    #[test]
    fn what_comes_under_one_key_is_a_copy_if_its_text_is_the_same() {
        let hash = |json: &str| inspect(json).unwrap().payload_hash;
        let (one, other) = (
            r#"{"call_id":1,"state":"connected","event_timestamp":1772470806900,"a":"\u0000"}"#,
            r#"{"call_id":1,"state":"connected","event_timestamp":1772470806900,"a":"\u0001"}"#,
        );
        assert_eq!((key(one), hash(one)), (key(other), hash(one)));
        assert_ne!(hash(one), hash(other));
    }

    #[test]
    fn the_states_of_a_leg_have_keys_of_their_own() {
        let keys = [
            r#"{"call_id":1,"state":"connected","event_timestamp":1772470806900}"#,
            r#"{"call_id":1,"state":"connected","event_timestamp":1772470861000}"#,
            r#"{"call_id":1,"state":"hangup","event_timestamp":1772470806900}"#,
            r#"{"call_id":2,"state":"connected","event_timestamp":1772470806900}"#,
            r#"{"id":1,"message_status":"connected","event_timestamp":1772470806900}"#,
            r#"{"id":1,"mms":true,"event_timestamp":1772470806900}"#,
            r#"{"target":{"id":1},"on_duty_status":"busy","date":1772470806900}"#,
            r#"{"target":{"id":1},"on_duty_status":"busy","date":1772470806901}"#,
        ]
        .map(key);
        let distinct: std::collections::HashSet<_> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn without_an_id_or_a_time_the_whole_text_counts() {
        for (one, other) in [
            (r#"{"call_id":1,"state":"ringing"}"#, r#"{"call_id":1,"state":"ringing","a":1}"#),
            (r#"{"state":"ringing","event_timestamp":1}"#, r#"{"state":"ringing","event_timestamp":1 }"#),
            (r#"{"event":"Updated","contact":{"id":"a"}}"#, r#"{"event":"Updated","contact":{"id":"b"}}"#),
        ] {
            assert_eq!(key(one), key(one));
            assert_ne!(key(one), key(other));
        }
    }
}
