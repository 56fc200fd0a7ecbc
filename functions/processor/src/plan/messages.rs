//! What a batch changes of text messages: each of them, folded anew.

use std::collections::BTreeMap;

use shared::{
    domain::{
        ids::{DialpadId, new_id},
        message::{Message, MessageEvent, Moment, fold},
    },
    store::folding::Known,
};
use uuid::Uuid;

/// What a batch changes of text messages.
pub(crate) struct Messages {
    /// The messages it touches.
    pub(crate) changes: Vec<Change>,
}

/// What a batch changes of one message.
pub(crate) struct Change {
    /// The message as it stands now.
    pub(crate) message: Message,
    /// What clients are to be told of it.
    pub(crate) news: Vec<Moment>,
}

impl Messages {
    /// Folds the `new` events with those that were applied before.
    pub(crate) fn new(new: &[MessageEvent], applied: Vec<MessageEvent>) -> Self {
        let mut events: BTreeMap<DialpadId, (Vec<MessageEvent>, Vec<MessageEvent>)> = BTreeMap::new();
        for event in new {
            events.entry(event.message_id).or_default().1.push(event.clone());
        }
        for event in applied {
            if let Some((before, _)) = events.get_mut(&event.message_id) {
                before.push(event);
            }
        }
        let folded = events.values().filter_map(|(before, new)| fold(before, new));
        Self { changes: folded.map(|(message, news)| Change { message, news }).collect() }
    }

    /// Every message.
    pub(crate) fn ids(&self) -> Vec<DialpadId> {
        self.changes.iter().map(|change| change.message.message_id).collect()
    }

    /// Every user whom the news is about.
    pub(crate) fn users(&self) -> impl Iterator<Item = DialpadId> {
        self.changes.iter().flat_map(|change| &change.news).filter_map(|moment| moment.message.user_id)
    }

    /// The rows of `messages`, under the ids that are known or new ones.
    pub(crate) fn rows(&self, known: &Known) -> Vec<(Uuid, &Message)> {
        let id = |message: &Message| known.messages.get(&message.message_id).copied().unwrap_or_else(new_id);
        self.changes.iter().map(|change| (id(&change.message), &change.message)).collect()
    }
}
