//! From pending events to what is to be written: pure, between the reads and the writes of a batch.
//!
//! There are three families of events: calls, text messages and agents. Each is read, folded and told by itself; they
//! share the transaction, the order of the log, and the rule who is told.

mod agents;
mod calls;
mod messages;

use std::collections::BTreeSet;

use shared::{
    dialpad::payload::{Event, event},
    domain::{
        agent::AgentEvent,
        call::{CallEvent, Leg},
        delivery::Family,
        ids::DialpadId,
        message::{Message, MessageEvent},
    },
    phone::Region,
    store::{
        folding::{CallRow, Known, StoredEvent},
        inbox::{Finished, PendingEvent},
    },
};
use uuid::Uuid;

pub(crate) use agents::Agents;
pub(crate) use calls::{Calls, Change, Grouping, count};
pub(crate) use messages::Messages;

use crate::numbers;

/// Events, by family.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) calls: Vec<CallEvent>,
    pub(crate) messages: Vec<MessageEvent>,
    pub(crate) agents: Vec<AgentEvent>,
}

impl Events {
    fn push(&mut self, mut event: Event, region: Option<Region>) {
        numbers::spell(&mut event, region);
        match event {
            Event::Call(event) => self.calls.push(*event),
            Event::Message(event) => self.messages.push(*event),
            Event::Agent(event) => self.agents.push(*event),
        }
    }

    /// Every leg they mention.
    pub(crate) fn legs(&self) -> Vec<DialpadId> {
        distinct(self.calls.iter().flat_map(CallEvent::mentioned))
    }

    /// Every message they are of.
    pub(crate) fn messages(&self) -> Vec<DialpadId> {
        distinct(self.messages.iter().map(|event| event.message_id))
    }

    /// Every agent they are of.
    pub(crate) fn agents(&self) -> Vec<DialpadId> {
        distinct(self.agents.iter().map(|event| event.user_id))
    }
}

/// A batch as it was understood.
pub(crate) struct Read {
    /// What it says.
    pub(crate) events: Events,
    /// The rows that are done once this batch is written.
    pub(crate) finished: Vec<Finished>,
    /// The rows that can never be read, and why.
    pub(crate) unreadable: Vec<(Uuid, String)>,
    /// The rows that are kept aside, since they contradict earlier ones: they are not even read.
    pub(crate) conflicting: Vec<Uuid>,
    /// How many rows are of a state or a family that is not known.
    pub(crate) unrecognised: usize,
}

impl Read {
    /// Reads them; national numbers are those of `region`.
    pub(crate) fn new(pending: Vec<PendingEvent>, region: Option<Region>) -> Self {
        let mut read = Self {
            events: Events::default(),
            finished: Vec::new(),
            unreadable: Vec::new(),
            conflicting: Vec::new(),
            unrecognised: 0,
        };
        for row in pending {
            if row.is_conflicting {
                read.conflicting.push(row.id);
                continue;
            }
            match event(&row.event_type, &row.payload, row.received_at) {
                Ok(event) => {
                    read.unrecognised += usize::from(is_unrecognised(&row.event_type, event.as_ref()));
                    read.finished.push(finished(row.id, event.as_ref()));
                    if let Some(event) = event {
                        read.events.push(event, region);
                    }
                }
                Err(unreadable) => read.unreadable.push((row.id, unreadable.to_string())),
            }
        }
        read
    }
}

/// Whether Dialpad says something that it did not say when this was written.
fn is_unrecognised(event_type: &str, event: Option<&Event>) -> bool {
    match event {
        Some(Event::Call(event)) => !event.state.is_known(),
        Some(Event::Message(_) | Event::Agent(_)) => false,
        None => event_type == Family::Unknown.as_str(),
    }
}

/// What is noted on the row of an event, so that it is found again.
fn finished(id: Uuid, event: Option<&Event>) -> Finished {
    let (call_id, message_id, event_timestamp) = match event {
        Some(Event::Call(event)) => (Some(event.call_id), None, Some(event.at)),
        Some(Event::Message(event)) => (None, Some(event.message_id), Some(event.at)),
        Some(Event::Agent(event)) => (None, None, Some(event.at)),
        None => (None, None, None),
    };
    Finished { id, call_id, message_id, event_timestamp }
}

/// What a batch changes.
pub(crate) struct Plan {
    pub(crate) calls: Calls,
    pub(crate) messages: Messages,
    pub(crate) agents: Agents,
}

/// The rows a batch writes.
pub(crate) struct Rows<'a> {
    pub(crate) calls: Vec<CallRow<'a>>,
    pub(crate) voicemails: Vec<(Uuid, &'a Leg)>,
    pub(crate) messages: Vec<(Uuid, &'a Message)>,
    pub(crate) agents: Vec<&'a AgentEvent>,
}

impl Plan {
    /// Folds the `new` events with those of the same calls and messages that were `applied` before, and with the agents
    /// as they are known.
    pub(crate) fn new(
        new: &Events,
        grouping: Grouping,
        applied: &[StoredEvent],
        agents: &[AgentEvent],
        region: Option<Region>,
    ) -> Self {
        let mut old = Events::default();
        for row in applied {
            // What was applied was readable then, and our reading only ever learns.
            if let Ok(Some(event)) = event(&row.event_type, &row.payload, row.received_at) {
                old.push(event, region);
            }
        }
        Self {
            calls: Calls::new(&new.calls, old.calls, grouping),
            messages: Messages::new(&new.messages, old.messages),
            agents: Agents::new(&new.agents, agents),
        }
    }

    /// Every user whom the news is about.
    pub(crate) fn users(&self) -> Vec<DialpadId> {
        distinct(self.calls.users().chain(self.messages.users()).chain(self.agents.users()))
    }

    /// The rows, under the ids that are known or new ones.
    pub(crate) fn rows(&self, known: &Known) -> Rows<'_> {
        let (calls, voicemails) = self.calls.rows(known);
        Rows { calls, voicemails, messages: self.messages.rows(known), agents: self.agents.rows() }
    }
}

fn distinct(ids: impl Iterator<Item = DialpadId>) -> Vec<DialpadId> {
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}
