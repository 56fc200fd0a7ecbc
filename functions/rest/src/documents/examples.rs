//! An example of each frame, written by the same types that write the real ones.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use shared::domain::{
    call::{Direction, Outcome, Status},
    client_event::{EventName, Subject},
    frame::{AgentFrame, CallFrame, Envelope, MessageFrame, VoicemailFrame},
    ids::{AppId, DialpadId},
    socket::{CloseReason, Notice, Pong, Refusal, RefusalCode, Replay, Reply},
};
use uuid::Uuid;

const CALLER: &str = "+14155550160";
const OFFICE: &str = "+14155550100";
const AGENT: DialpadId = DialpadId(5_600_000_000_000_001);
const LEG: DialpadId = DialpadId(6_300_000_000_000_001);

/// Examples of the message with this name.
pub(super) fn of(name: &str) -> Vec<Value> {
    if let Some(event) = EventName::ALL.into_iter().find(|event| written(event) == name) {
        return vec![frame(event)];
    }
    let (seq, has_more, recovered) = (9, false, true);
    let refusal = |code, message| Reply::<Value>::Error(Refusal { code, message });
    match name {
        "ping" => vec![json!({"action": "ping", "after": 7}), json!({"action": "ping"})],
        "resume" => vec![json!({"action": "resume", "after": 7})],
        "pong" => vec![written(Reply::<Value>::Pong(Pong { seq, count: 2 }))],
        "replay" => {
            let events = vec![frame(EventName::CallRing)];
            vec![written(Reply::Replay(Replay { events, seq, has_more, recovered }))]
        }
        "error" => vec![
            written(refusal(RefusalCode::UnknownAction, "the actions are ping and resume")),
            written(refusal(RefusalCode::Malformed, "after is a whole number, not negative")),
        ],
        "connection.closing" => vec![written(Notice::Closing { reason: CloseReason::KeyRevoked })],
        _ => Vec::new(),
    }
}

fn written(value: impl Serialize) -> Value {
    // Texts, numbers and names: it can always be written.
    serde_json::to_value(value).unwrap_or_default()
}

fn frame(event: EventName) -> Value {
    match event.subject() {
        Subject::Call => call(event),
        Subject::Voicemail => voicemail(event),
        Subject::Message => message(event),
        Subject::Agent => agent(event),
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x019a_b2c3_d4e5_7000_8000_0000_0000_0000 + number)
}

fn envelope(event: EventName) -> Envelope {
    let place = EventName::ALL.iter().position(|known| *known == event).unwrap_or_default();
    let seq = i64::try_from(place).unwrap_or_default() + 1;
    let at =
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::milliseconds(1_780_000_000_000) + TimeDelta::seconds(seq);
    Envelope {
        event,
        id: id(0x100 + place as u128),
        seq,
        app_id: AppId(id(1)),
        occurred_at: at.into(),
        timestamp: (at + TimeDelta::milliseconds(180)).into(),
    }
}

fn call(event: EventName) -> Value {
    let ended = matches!(event, EventName::CallEnded | EventName::CallUpdated | EventName::CallRecording);
    let envelope = envelope(event);
    let status = if ended {
        Status::Ended
    } else if event == EventName::CallQueued {
        Status::Queued
    } else if event == EventName::CallRing {
        Status::Ringing
    } else if matches!(event, EventName::CallHeld | EventName::CallParked) {
        Status::Held
    } else {
        Status::Active
    };
    written(CallFrame {
        version: envelope.seq,
        envelope,
        call_id: LEG,
        call: id(2),
        parent_call_id: id(2),
        direction: Some(Direction::Inbound),
        from_number: Some(CALLER),
        to_number: Some(OFFICE),
        status,
        outcome: ended.then_some(Outcome::Answered),
        user_id: (event != EventName::CallQueued).then_some(AGENT),
        group: (event == EventName::CallQueued).then_some("Support"),
        target_crm_user: (event != EventName::CallQueued).then_some("user_abc"),
        contact_name: Some("Ann Example"),
        duration_seconds: ended.then_some(95),
        duration_ms: ended.then_some(95_200.0),
        recording_url: (event == EventName::CallRecording).then_some("https://dialpad.example/recording/1"),
        custom_data: None,
        what: (event == EventName::CallUpdated).then_some("recap_summary"),
        truncated: false,
    })
}

fn voicemail(event: EventName) -> Value {
    let is_update = event == EventName::VoicemailUpdated;
    written(VoicemailFrame {
        envelope: envelope(event),
        voicemail_id: id(3),
        call_id: LEG,
        call: id(2),
        from_number: Some(CALLER),
        to_number: Some(OFFICE),
        user_id: Some(AGENT),
        group: None,
        target_crm_user: Some("user_abc"),
        contact_name: Some("Ann Example"),
        duration_seconds: Some(21),
        duration_ms: Some(21_480.0),
        recording_url: Some("https://dialpad.example/voicemail/1"),
        transcript: is_update.then_some("Hello, please call me back."),
        what: is_update.then_some("transcription"),
        truncated: false,
    })
}

fn message(event: EventName) -> Value {
    let is_inbound = event == EventName::MessageReceived;
    let (from, to) = if is_inbound { (CALLER, OFFICE) } else { (OFFICE, CALLER) };
    written(MessageFrame {
        envelope: envelope(event),
        message_id: id(4),
        dialpad_message_id: DialpadId(4_900_000_000_000_001),
        direction: Some(if is_inbound { Direction::Inbound } else { Direction::Outbound }),
        from_number: Some(from),
        to_number: Some(to),
        text: Some("On my way"),
        mms: false,
        mms_url: None,
        status: Some(if event == EventName::MessageStatus { "delivered" } else { "pending" }),
        delivery_result: None,
        user_id: Some(AGENT),
        group: None,
        target_crm_user: Some("user_abc"),
        contact_name: Some("Ann Example"),
        truncated: false,
    })
}

fn agent(event: EventName) -> Value {
    written(AgentFrame {
        envelope: envelope(event),
        user_id: AGENT,
        status: Some("available"),
        reason: None,
        availability: Some("open"),
        call_center_ids: vec!["5500000000000201"],
        target_crm_user: Some("user_abc"),
        truncated: false,
    })
}
