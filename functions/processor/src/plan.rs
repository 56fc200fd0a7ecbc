//! From pending events to what is to be written: pure, between the reads and the writes of a batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::{
    dialpad::payload::call_event,
    domain::{
        call::{CallEvent, Conversation, Leg, Moment, conversations, fold, news},
        ids::{DialpadId, new_id},
    },
    store::{
        folding::{CallRow, Known, StoredEvent},
        inbox::{Finished, PendingEvent},
    },
};
use uuid::Uuid;

/// A batch as it was understood.
pub(crate) struct Read {
    /// What it says of calls.
    pub(crate) events: Vec<CallEvent>,
    /// The rows that are done once this batch is written.
    pub(crate) finished: Vec<Finished>,
    /// The rows that can never be read, and why.
    pub(crate) unreadable: Vec<(Uuid, String)>,
}

impl Read {
    pub(crate) fn new(pending: Vec<PendingEvent>) -> Self {
        let mut read = Self { events: Vec::new(), finished: Vec::new(), unreadable: Vec::new() };
        for row in pending {
            match call_event(&row.event_type, &row.payload, row.received_at) {
                Ok(event) => {
                    read.finished.push(Finished {
                        id: row.id,
                        call_id: event.as_ref().map(|event| event.call_id),
                        event_timestamp: event.as_ref().map(|event| event.at),
                    });
                    read.events.extend(event);
                }
                Err(unreadable) => read.unreadable.push((row.id, unreadable.to_string())),
            }
        }
        read
    }

    /// Every leg the batch mentions.
    pub(crate) fn mentioned(&self) -> Vec<DialpadId> {
        self.events.iter().flat_map(CallEvent::mentioned).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Joins the ids that belong together: by what is known, and by what the batch says.
    pub(crate) fn group(&self, links: HashMap<DialpadId, i64>) -> Grouping {
        let mut groups: BTreeMap<i64, BTreeSet<DialpadId>> = BTreeMap::new();
        let mut group_of: HashMap<DialpadId, i64> = HashMap::new();
        let joins = links
            .iter()
            .map(|(id, conversation)| vec![*id, DialpadId(*conversation)])
            .chain(self.events.iter().map(|event| event.mentioned().collect()));
        for ids in joins {
            // A conversation is named by its smallest id.
            let mut members: BTreeSet<DialpadId> = ids.iter().copied().collect();
            for id in &ids {
                if let Some(group) = group_of.get(id).and_then(|name| groups.remove(name)) {
                    members.extend(group);
                }
            }
            if let Some(name) = members.first().map(|id| id.0) {
                group_of.extend(members.iter().map(|id| (*id, name)));
                groups.insert(name, members);
            }
        }
        Grouping { groups, links }
    }
}

/// The conversations a batch touches.
pub(crate) struct Grouping {
    groups: BTreeMap<i64, BTreeSet<DialpadId>>,
    links: HashMap<DialpadId, i64>,
}

impl Grouping {
    /// Every leg of them.
    pub(crate) fn legs(&self) -> Vec<DialpadId> {
        self.groups.values().flatten().copied().collect()
    }
}

/// What a batch changes.
#[derive(Default)]
pub(crate) struct Plan {
    /// The conversations it touches.
    pub(crate) changes: Vec<Change>,
    /// The ids whose conversation is new, or another than before.
    pub(crate) links: Vec<(DialpadId, i64)>,
}

/// What a batch changes of one conversation.
pub(crate) struct Change {
    /// The conversation as it stands now.
    pub(crate) conversation: Conversation,
    /// What clients are to be told of it.
    pub(crate) news: Vec<Moment>,
    /// How many events it rested on before.
    pub(crate) events_before: usize,
}

/// The rows a batch writes.
pub(crate) struct Rows<'a> {
    pub(crate) calls: Vec<CallRow<'a>>,
    pub(crate) voicemails: Vec<(Uuid, &'a Leg)>,
}

impl Plan {
    pub(crate) fn new(read: &Read, grouping: Grouping, applied: &[StoredEvent]) -> Self {
        let mut before: HashMap<i64, Vec<CallEvent>> = HashMap::new();
        let mut after: BTreeMap<i64, Vec<CallEvent>> = BTreeMap::new();
        let name_of: HashMap<DialpadId, i64> =
            grouping.groups.iter().flat_map(|(name, ids)| ids.iter().map(|id| (*id, *name))).collect();
        let old = applied
            .iter()
            // What was applied was readable then, and our reading only ever learns.
            .filter_map(|row| call_event(&row.event_type, &row.payload, row.received_at).ok().flatten());
        for event in old {
            if let Some(name) = name_of.get(&event.call_id) {
                before.entry(*name).or_default().push(event);
            }
        }
        for event in &read.events {
            if let Some(name) = name_of.get(&event.call_id) {
                after.entry(*name).or_default().push(event.clone());
            }
        }
        let changes = after
            .into_iter()
            .map(|(name, mut events)| {
                let old = before.remove(&name).unwrap_or_default();
                events.extend(old.iter().cloned());
                let before: Vec<_> = conversations(old).iter().map(|events| fold(events)).collect();
                let conversation = fold(&events);
                let news = news(&before, &conversation);
                let events_before = before.iter().map(|conversation| conversation.events).sum();
                Change { conversation, news, events_before }
            })
            .collect();
        let Grouping { groups, links } = grouping;
        let links = groups
            .iter()
            .flat_map(|(name, ids)| ids.iter().map(|id| (*id, *name)))
            .filter(|(id, name)| links.get(id) != Some(name))
            .collect();
        Self { changes, links }
    }

    /// Every leg of the conversations.
    pub(crate) fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.changes.iter().flat_map(|change| &change.conversation.legs)
    }

    /// Every user whom the news is about.
    pub(crate) fn users(&self) -> Vec<DialpadId> {
        let users =
            self.changes.iter().flat_map(|change| &change.news).filter_map(|moment| moment.leg.user_id);
        users.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The rows, under the ids that are known or new ones.
    pub(crate) fn rows<'a>(&'a self, known: &Known) -> Rows<'a> {
        let mut rows = Rows { calls: Vec::new(), voicemails: Vec::new() };
        for Change { conversation, .. } in &self.changes {
            let mut parent = None;
            for leg in &conversation.legs {
                let id = known.calls.get(&leg.call_id).copied().unwrap_or_else(new_id);
                let parent_call_id = *parent.get_or_insert(id);
                let version = count(conversation.events);
                rows.calls.push(CallRow { id, parent_call_id, version, leg });
                if leg.voicemail.is_some() {
                    rows.voicemails
                        .push((known.voicemails.get(&leg.call_id).copied().unwrap_or_else(new_id), leg));
                }
            }
        }
        rows
    }
}

/// A number of events, as it is stored.
pub(crate) fn count(events: usize) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}
