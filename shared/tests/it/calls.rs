//! The fold, and what clients are told, as the processor uses them: events come in, in any order and number.

mod groups;
mod late;
mod lost;
mod plausible;
mod properties;
mod scenarios;
mod transfers;
mod voicemails;

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::ProptestConfig;
use shared::domain::{
    call::{CallEvent, Conversation, Direction, Leg, Moment, State, Target, conversations, fold, news},
    ids::DialpadId,
};

/// Does what the processor does, without a database.
#[derive(Debug, Default)]
pub(crate) struct Processor {
    processed: Vec<CallEvent>,
}

impl Processor {
    /// Takes a batch of events and returns what clients are told.
    pub(crate) fn take(&mut self, batch: &[CallEvent]) -> Vec<Moment> {
        let before = folded(self.processed.clone());
        self.processed.extend_from_slice(batch);
        let touched: HashSet<DialpadId> = batch.iter().map(|event| event.call_id).collect();
        folded(self.processed.clone())
            .iter()
            .filter(|conversation| conversation.legs.iter().any(|leg| touched.contains(&leg.call_id)))
            .flat_map(|conversation| news(&before, conversation))
            .collect()
    }

    /// The rows in the end.
    pub(crate) fn conversations(&self) -> Vec<Conversation> {
        folded(self.processed.clone())
    }
}

/// The conversations that these events make.
pub(crate) fn folded(events: Vec<CallEvent>) -> Vec<Conversation> {
    conversations(events).iter().map(|events| fold(events)).collect()
}

/// The rows of conversations, without their stories.
pub(crate) fn rows(conversations: Vec<Conversation>) -> Vec<(Vec<Leg>, usize)> {
    conversations.into_iter().map(|conversation| (conversation.legs, conversation.events)).collect()
}

/// A few cases of each property, or as many as `PROPTEST_CASES` says.
pub(crate) fn few_cases() -> ProptestConfig {
    let is_chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if is_chosen { ProptestConfig::default().cases } else { 48 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn time(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_470_800, 0).unwrap() + TimeDelta::milliseconds(milliseconds)
}

/// An event that says nothing but that it happened, so many milliseconds into the story.
fn event(call_id: i64, state: &str, at: i64) -> CallEvent {
    CallEvent {
        call_id: DialpadId(call_id),
        state: State::parse(state),
        at: time(at),
        tie_break: format!("{call_id} {state} {at}").into_bytes(),
        direction: None,
        external_number: None,
        internal_number: None,
        target: None,
        contact_name: None,
        started_at: None,
        connected_at: None,
        ended_at: None,
        talk_ms: None,
        hold_ms: None,
        entry_point_call_id: None,
        operator_call_id: None,
        master_call_id: None,
        is_transferred: false,
        recordings: Vec::new(),
        voicemail_link: None,
        transcript: None,
        custom_data: None,
    }
}

/// A leg of a call, as Dialpad sees it: each of its events is a snapshot.
#[derive(Clone, Debug)]
struct Line(CallEvent);

impl Line {
    fn new(call_id: i64, direction: Direction, target: Option<Target>, now: i64) -> Self {
        Self(CallEvent {
            direction: Some(direction),
            external_number: Some("+14155550150".to_owned()),
            internal_number: Some("+14155550101".to_owned()),
            contact_name: Some("Robin Caller".to_owned()),
            target,
            started_at: Some(time(now)),
            ..event(call_id, "", 0)
        })
    }

    fn of_user(call_id: i64, now: i64) -> Self {
        Self::new(call_id, Direction::Inbound, Some(user(call_id)), now)
    }

    fn of_group(call_id: i64, now: i64) -> Self {
        let target = Target { id: DialpadId(9000), is_user: false, name: Some("Support".to_owned()) };
        Self::new(call_id, Direction::Inbound, Some(target), now)
    }

    fn of_agent(call_id: i64, group: i64, now: i64) -> Self {
        let mut line = Self::of_user(call_id, now);
        line.0.entry_point_call_id = Some(DialpadId(group));
        line
    }

    fn connect(&mut self, now: i64) {
        self.0.connected_at = Some(time(now));
    }

    fn end(&mut self, now: i64) {
        self.0.ended_at = Some(time(now));
        self.0.hold_ms = Some(0.0);
        self.0.talk_ms =
            Some(self.0.connected_at.map_or(0.0, |from| (time(now) - from).as_seconds_f64() * 1000.0));
    }

    /// The snapshot that Dialpad sends a little later.
    fn says(&self, state: &str, now: i64) -> CallEvent {
        let said = event(self.0.call_id.0, state, now + 300);
        CallEvent { state: said.state, at: said.at, tie_break: said.tie_break, ..self.0.clone() }
    }
}

fn user(id: i64) -> Target {
    Target { id: DialpadId(id), is_user: true, name: Some("Ada Sample".to_owned()) }
}

fn leg(conversation: &Conversation, call_id: i64) -> &Leg {
    conversation.legs.iter().find(|leg| leg.call_id == DialpadId(call_id)).unwrap()
}

/// What is told when each event comes alone.
fn one_by_one(events: &[CallEvent]) -> Vec<String> {
    let mut processor = Processor::default();
    events.iter().flat_map(|event| told(&processor.take(std::slice::from_ref(event)))).collect()
}

/// A direct call that is answered: ringing, connected, hangup.
fn answered() -> [CallEvent; 3] {
    let mut line = Line::of_user(1, 0);
    let ringing = line.says("ringing", 1000);
    line.connect(5000);
    let connected = line.says("connected", 5000);
    line.end(65_000);
    [ringing, connected, line.says("hangup", 65_000)]
}

/// What was told, in short: the event, the leg, and how it ended if it did.
fn told(moments: &[Moment]) -> Vec<String> {
    moments
        .iter()
        .map(|moment| {
            let event = serde_json::to_value(moment.event).unwrap();
            let mut line = format!("{} {}", event.as_str().unwrap(), moment.leg.call_id);
            if let Some(outcome) = moment.leg.outcome {
                line.push(' ');
                line.push_str(outcome.as_str());
            }
            line
        })
        .collect()
}
