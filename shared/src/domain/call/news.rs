//! What is new to clients when events were added to a conversation.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{Conversation, Moment, State, fold::Newest};
use crate::domain::{client_event::EventName, ids::DialpadId};

/// The moments of `after` that clients were not shown yet, in order. `before` are the conversations that were folded
/// without the new events; several when the new events joined them.
///
/// - Nothing is shown twice, and of one of Dialpad's events nothing more once it has been shown.
/// - Nothing is shown that is older than what its leg already showed: a late event changes the rows, and never moves a
///   call backwards. Only a message that was left may come late, since nothing newer on a call makes it untrue.
/// - A leg rings, starts, ends and gets its message once.
#[must_use]
pub fn news(before: &[Conversation], after: &Conversation) -> Vec<Moment> {
    let mut shown: HashMap<DialpadId, Shown<'_>> = HashMap::new();
    for conversation in before {
        for (leg, newest) in &conversation.newest {
            shown.entry(*leg).or_default().newest = *newest;
        }
        for moment in &conversation.moments {
            let shown = shown.entry(moment.leg.call_id).or_default();
            shown.causes.insert((&moment.what, moment.at));
            shown.names.insert(moment.event);
        }
    }
    let is_news = |moment: &&Moment| shown.get(&moment.leg.call_id).is_none_or(|shown| shown.allows(moment));
    after.moments.iter().filter(is_news).cloned().collect()
}

/// What clients were shown of a leg.
#[derive(Debug, Default)]
struct Shown<'a> {
    causes: HashSet<(&'a State, DateTime<Utc>)>,
    names: HashSet<EventName>,
    newest: Newest,
}

impl Shown<'_> {
    fn allows(&self, moment: &Moment) -> bool {
        let (once, newest) = match moment.event {
            EventName::CallRing | EventName::CallStarted | EventName::CallEnded => (true, self.newest.call),
            EventName::VoicemailReceived => (true, None),
            EventName::VoicemailUpdated => (false, self.newest.voicemail),
            EventName::CallQueued
            | EventName::CallHeld
            | EventName::CallResumed
            | EventName::CallParked
            | EventName::CallUpdated
            | EventName::CallRecording => (false, self.newest.call),
            // No moment of a call is one of these.
            EventName::MessageReceived
            | EventName::MessageSent
            | EventName::MessageStatus
            | EventName::AgentStatus => return false,
        };
        let was_shown = self.causes.contains(&(&moment.what, moment.at));
        let was_told = once && self.names.contains(&moment.event);
        !was_shown && !was_told && Some(moment.at) >= newest
    }
}
