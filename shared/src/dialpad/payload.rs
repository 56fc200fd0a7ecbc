//! Dialpad's payloads: what family a delivery is of, and what an event says.
//!
//! Nothing here fails on a strange payload. A delivery is any JSON object at all ([`inspect`]); of an event ([`event`])
//! only the id of the leg, the message or the agent has to be readable. Whatever else is missing, null, `{}`, of another
//! type or out of range is taken as not said; so is a time long after the delivery came.
//!
//! Besides Dialpad's own members, those are read that people write who insert a row by hand after the implementation
//! guide: `event_type` with one of the guide's names in place of `state`; `from_number` or `from`, `to_number` or `to`;
//! `user_id` or `dialpad_user_id` in place of `target`; `contact_name`, `transcript`, `recording_url`; `started_at`,
//! `connected_at`, `ended_at`; and all of it below `call`, `data.call` or `voicemail`.

mod agent;
mod call;
mod escapes;
mod family;
mod member;
mod message;
mod object;
mod parties;

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

pub use agent::agent_event;
pub use call::call_event;
pub use family::{NotAnObject, inspect};
pub use message::message_event;

use crate::domain::{agent::AgentEvent, call::CallEvent, delivery::Family, message::MessageEvent};

/// What a row of `webhook_events` says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something of a leg of a call.
    Call(Box<CallEvent>),
    /// Something of a text message.
    Message(Box<MessageEvent>),
    /// Something of an agent.
    Agent(Box<AgentEvent>),
}

/// An event that can never be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read an event: {reason}")]
pub struct Unreadable {
    /// What is wrong with it; never a value of the payload.
    pub reason: &'static str,
}

/// Reads a row of `webhook_events`; `None` if it is of a family that is only kept.
pub fn event(
    event_type: &str,
    payload: &str,
    received_at: DateTime<Utc>,
) -> Result<Option<Event>, Unreadable> {
    if let Some(event) = call_event(event_type, payload, received_at)? {
        return Ok(Some(Event::Call(Box::new(event))));
    }
    if let Some(event) = message_event(event_type, payload, received_at)? {
        return Ok(Some(Event::Message(Box::new(event))));
    }
    Ok(agent_event(event_type, payload, received_at)?.map(|event| Event::Agent(Box::new(event))))
}

/// How far ahead of its arrival a delivery's times may be: no clock is that wrong. What is further ahead is no time. Were it
/// one, nothing that its leg says before then would be news any more.
const FARTHEST_AHEAD: TimeDelta = TimeDelta::days(366);

/// How a time is read of a delivery that came then.
fn time_as_of(received_at: DateTime<Utc>) -> impl Fn(member::Member<'_>) -> Option<DateTime<Utc>> + Copy {
    let latest = received_at.checked_add_signed(FARTHEST_AHEAD).unwrap_or(DateTime::<Utc>::MAX_UTC);
    move |member| member.time().filter(|time| *time <= latest)
}

/// The object of a row of this family: by its shape, or, where that says nothing, by the row's own `event_type`.
fn of_family<'a>(
    family: Family,
    event_type: &str,
    payload: &'a str,
) -> Result<Option<object::Object<'a>>, Unreadable> {
    let object = object::Object::read(payload);
    let is_named_so = event_type.trim() == family.as_str();
    match object.as_ref().map(|object| family::classify(object).0) {
        Some(found) if found == family => Ok(object),
        Some(Family::Unknown) if is_named_so => Ok(object),
        None if is_named_so => Err(Unreadable { reason: "the payload is not an object" }),
        _ => Ok(None),
    }
}

/// The text of the object. What `jsonb` cannot hold at all, by its depth for example, is stored as one JSON string.
fn unwrapped(payload: &str) -> Cow<'_, str> {
    let is_string = payload.trim_start().starts_with('"');
    match is_string.then(|| serde_json::from_str::<String>(payload)) {
        Some(Ok(text)) => Cow::Owned(escapes::doubled(&text).into_owned()),
        Some(Err(_)) | None => escapes::doubled(payload),
    }
}

/// Why this is no id.
fn no_id(no_id: member::NoId, too_large: &'static str, not_a_number: &'static str) -> Unreadable {
    Unreadable {
        reason: match no_id {
            member::NoId::TooLarge => too_large,
            member::NoId::NotANumber => not_a_number,
        },
    }
}
