//! What a batch changes of calls: the conversations it touches, folded anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::{
    domain::{
        call::{CallEvent, Conversation, Leg, Moment, conversations, fold, news},
        ids::{DialpadId, new_id},
    },
    store::folding::{CallRow, Known},
};
use uuid::Uuid;

/// The conversations a batch touches.
pub(crate) struct Grouping {
    groups: BTreeMap<i64, BTreeSet<DialpadId>>,
    links: HashMap<DialpadId, i64>,
}

impl Grouping {
    /// Joins the ids that belong together: by what is known, and by what the batch says.
    pub(crate) fn new(events: &[CallEvent], links: HashMap<DialpadId, i64>) -> Self {
        let mut groups: BTreeMap<i64, BTreeSet<DialpadId>> = BTreeMap::new();
        let mut group_of: HashMap<DialpadId, i64> = HashMap::new();
        let joins = links
            .iter()
            .map(|(id, conversation)| vec![*id, DialpadId(*conversation)])
            .chain(events.iter().map(|event| event.mentioned().collect()));
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
        Self { groups, links }
    }

    /// Every leg of them.
    pub(crate) fn legs(&self) -> Vec<DialpadId> {
        self.groups.values().flatten().copied().collect()
    }
}

/// What a batch changes of calls.
pub(crate) struct Calls {
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

impl Calls {
    /// Folds the `new` events with those that were applied before.
    pub(crate) fn new(new: &[CallEvent], applied: Vec<CallEvent>, grouping: Grouping) -> Self {
        let mut before: HashMap<i64, Vec<CallEvent>> = HashMap::new();
        let mut after: BTreeMap<i64, Vec<CallEvent>> = BTreeMap::new();
        let name_of: HashMap<DialpadId, i64> =
            grouping.groups.iter().flat_map(|(name, ids)| ids.iter().map(|id| (*id, *name))).collect();
        for event in applied {
            if let Some(name) = name_of.get(&event.call_id) {
                before.entry(*name).or_default().push(event);
            }
        }
        for event in new {
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
    pub(crate) fn legs(&self) -> Vec<DialpadId> {
        let legs = self.changes.iter().flat_map(|change| &change.conversation.legs);
        legs.map(|leg| leg.call_id).collect()
    }

    /// Every user whom the news is about.
    pub(crate) fn users(&self) -> impl Iterator<Item = DialpadId> {
        self.changes.iter().flat_map(|change| &change.news).filter_map(|moment| moment.leg.user_id)
    }

    /// The rows of `calls` and of `voicemails`, under the ids that are known or new ones.
    pub(crate) fn rows(&self, known: &Known) -> (Vec<CallRow<'_>>, Vec<(Uuid, &Leg)>) {
        let (mut calls, mut voicemails) = (Vec::new(), Vec::new());
        for Change { conversation, .. } in &self.changes {
            let mut parent = None;
            for leg in &conversation.legs {
                let id = known.calls.get(&leg.call_id).copied().unwrap_or_else(new_id);
                let parent_call_id = *parent.get_or_insert(id);
                let version = count(conversation.events);
                calls.push(CallRow { id, parent_call_id, version, leg });
                if leg.voicemail.is_some() {
                    voicemails
                        .push((known.voicemails.get(&leg.call_id).copied().unwrap_or_else(new_id), leg));
                }
            }
        }
        (calls, voicemails)
    }
}

/// A number of events, as it is stored.
pub(crate) fn count(events: usize) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}
