//! Any events of a few legs that contradict each other: the fold ends, and its rows do not depend on the order in which
//! the events come, nor on how often.
#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use shared::domain::{
    call::{CallEvent, Conversation, Direction, Recording, State, Target, conversations, fold, news},
    ids::DialpadId,
};

fuzz_target!(|bytes: &[u8]| {
    let mut events: Vec<CallEvent> = bytes.chunks_exact(12).take(60).map(read).collect();
    let in_order = folded(events.clone());
    for conversation in &in_order {
        assert!(news(&[], conversation).len() <= conversation.moments.len());
        assert!(
            news(std::slice::from_ref(conversation), conversation).is_empty(),
            "nothing is new of what was shown"
        );
    }
    events.extend(events.first().cloned());
    events.reverse();
    assert_eq!(rows(&in_order), rows(&folded(events)));
});

fn folded(events: Vec<CallEvent>) -> Vec<Conversation> {
    conversations(events).iter().map(|events| fold(events)).collect()
}

fn rows(conversations: &[Conversation]) -> Vec<(String, usize)> {
    let row = |conversation: &Conversation| (format!("{:?}", conversation.legs), conversation.events);
    conversations.iter().map(row).collect()
}

/// Twelve bytes: the leg, the state, the time, three other legs, three dates, two flags, a length.
fn read(bytes: &[u8]) -> CallEvent {
    let time = |byte: u8| DateTime::from_timestamp(i64::from(byte), 0);
    let maybe_time = |byte: u8| (byte > 127).then(|| time(byte - 128)).flatten();
    let maybe_leg = |byte: u8| (byte > 127).then(|| DialpadId(i64::from(byte % 8)));
    let flag = |bit: u8| bytes[9] >> bit & 1 == 1;
    let ours = [State::Gone, State::parse("new")];
    let mut states = State::KNOWN.iter().chain(&ours).cycle();
    CallEvent {
        call_id: DialpadId(i64::from(bytes[0] % 8)),
        state: states.nth(usize::from(bytes[1])).cloned().unwrap_or(State::Gone),
        at: time(bytes[2]).unwrap_or_default(),
        tie_break: bytes.to_vec(),
        entry_point_call_id: maybe_leg(bytes[3]),
        operator_call_id: maybe_leg(bytes[4]),
        master_call_id: maybe_leg(bytes[5]),
        started_at: maybe_time(bytes[6]),
        connected_at: maybe_time(bytes[7]),
        ended_at: maybe_time(bytes[8]),
        direction: flag(0).then_some(if flag(1) { Direction::Inbound } else { Direction::Outbound }),
        target: flag(2).then_some(Target { id: DialpadId(7), is_user: flag(3), name: None }),
        is_transferred: flag(4),
        voicemail_link: flag(5).then(|| "v".to_owned()),
        transcript: flag(6).then(|| "t".to_owned()),
        external_number: flag(7).then(|| "+14155550150".to_owned()),
        internal_number: None,
        contact_name: None,
        talk_ms: (bytes[10] > 127).then(|| f64::from(bytes[10]) - 200.0),
        hold_ms: (bytes[11] > 127).then(|| f64::from(bytes[11]) - 200.0),
        recordings: (bytes[10] % 4 == 1)
            .then(|| Recording {
                url: bytes[11].to_string(),
                is_voicemail: bytes[11] % 2 == 0,
                is_admin: bytes[11] % 3 == 0,
                duration_ms: None,
            })
            .into_iter()
            .collect(),
        custom_data: None,
    }
}
