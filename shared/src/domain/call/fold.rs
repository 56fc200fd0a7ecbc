//! The fold: all events of a conversation become its legs, and what clients are told of them.
//!
//! It depends on nothing but the set of its events: not on the order they came in, not on how often. The events are put
//! in order by Dialpad's clock and walked once; [`Moment`]s hold what was known at their place of the walk, the legs
//! what is known at its end.

use std::{cmp::Ordering, collections::HashMap};

use chrono::{DateTime, Utc};

use super::{
    CallEvent, Leg, Outcome, State,
    joined::Joined,
    moments::{self, Before, Subject},
    walk::Walk,
};
use crate::domain::{client_event::EventName, ids::DialpadId};

/// Legs that belong together, and their story.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The legs of which an event was seen, the parent first: the one that was made first, then by id.
    pub legs: Vec<Leg>,
    /// What clients are told, in the order of Dialpad's clock.
    pub moments: Vec<Moment>,
    /// How many events it rests on, repeats not counted.
    pub events: usize,
    /// The newest event of each leg that clients may have been told of: about the call, and about its message. Not the
    /// newest moment, since what was told when an event came may be no moment any more now that more is known.
    pub(super) newest: HashMap<DialpadId, Newest>,
}

/// The newest events of a leg that clients may have been told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Newest {
    /// About the call.
    pub(super) call: Option<DateTime<Utc>>,
    /// About the message that was left.
    pub(super) voicemail: Option<DateTime<Utc>>,
}

/// Something clients are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// What they are told.
    pub event: EventName,
    /// When it happened, by Dialpad's clock.
    pub at: DateTime<Utc>,
    /// What Dialpad calls it.
    pub what: State,
    /// The leg as it stood right after it, by all that is known up to then.
    pub leg: Leg,
}

/// Folds the events of one conversation.
#[must_use]
pub fn fold(events: &[CallEvent]) -> Conversation {
    let events = in_order(events);
    let mut walk = Walk::default();
    let mut moments = Vec::new();
    let mut newest: HashMap<DialpadId, Newest> = HashMap::new();
    // How each leg has ended by what clients were told last.
    let mut shown = HashMap::new();
    // When it was told of each leg that it was handed on: once a moment, since by that one is known when it comes again.
    let mut handed_on_at = HashMap::new();
    for event in &events {
        let number = walk.number(event.call_id);
        let before = Before::of(&walk, number, &event.state);
        walk.step(number, event);
        let told = moments::told(&mut walk, number, event, &before);
        let newest_of_leg = newest.entry(event.call_id).or_default();
        match moments::subject(&event.state, walk.track(number)) {
            Some(Subject::Call) => newest_of_leg.call = Some(event.at),
            Some(Subject::Message) => {
                *newest_of_leg = Newest { call: Some(event.at), voicemail: Some(event.at) };
            }
            Some(Subject::Transcript) => newest_of_leg.voicemail = Some(event.at),
            None => {}
        }
        for name in told {
            let leg = walk.leg(number);
            shown.insert(event.call_id, leg.outcome);
            moments.push(Moment { event: name, at: event.at, what: event.state.clone(), leg });
        }
        // An end was told as an answer, and now the leg appears that the call went on as.
        for other in walk.handed_on_beside(number) {
            let leg = walk.leg(other);
            let newest = newest.entry(leg.call_id).or_default();
            newest.call = newest.call.max(Some(event.at));
            let is_news =
                matches!(shown.get(&leg.call_id), Some(Some(outcome)) if *outcome != Outcome::Transferred);
            if is_news
                && leg.outcome == Some(Outcome::Transferred)
                && handed_on_at.insert(leg.call_id, event.at) != Some(event.at)
            {
                shown.insert(leg.call_id, leg.outcome);
                let what = State::parse(Outcome::Transferred.as_str());
                moments.push(Moment { event: EventName::CallUpdated, at: event.at, what, leg });
            }
        }
    }
    let mut legs: Vec<Leg> = walk.legs().collect();
    legs.sort_by_key(|leg| (leg.started_at.is_none(), leg.started_at, leg.call_id));
    Conversation { legs, moments, events: events.len(), newest }
}

/// Groups events by conversation: those that mention a common leg, and those that mention one with them, and so on.
/// The groups come in the order of their smallest leg, the events of each in the order given.
#[must_use]
pub fn conversations(events: Vec<CallEvent>) -> Vec<Vec<CallEvent>> {
    let mut joined = Joined::default();
    let mut numbers = HashMap::new();
    for event in &events {
        let mut number = |id: DialpadId| *numbers.entry(id).or_insert_with(|| joined.add());
        let mentioned: Vec<usize> = event.mentioned().map(&mut number).collect();
        for other in &mentioned[1..] {
            joined.join(mentioned[0], *other);
        }
    }
    let mut groups: HashMap<usize, Vec<CallEvent>> = HashMap::new();
    for event in events {
        groups.entry(joined.root(numbers[&event.call_id])).or_default().push(event);
    }
    let mut groups: Vec<Vec<CallEvent>> = groups.into_values().collect();
    groups.sort_by_cached_key(|events| events.iter().map(|event| event.call_id).min());
    groups
}

/// The events in the order they happened, each once. Of two that say the same thing of the same leg and moment but
/// differ in the rest, the tie-break decides, so that any order of arrival keeps the same one.
fn in_order(events: &[CallEvent]) -> Vec<&CallEvent> {
    let mut events: Vec<(usize, &CallEvent)> =
        events.iter().map(|event| (event.state.rank(), event)).collect();
    events.sort_by(|one, other| identity(one, other).then_with(|| one.1.tie_break.cmp(&other.1.tie_break)));
    events.dedup_by(|later, kept| identity(kept, later) == Ordering::Equal);
    events.into_iter().map(|(_, event)| event).collect()
}

fn identity((rank, event): &(usize, &CallEvent), (other_rank, other): &(usize, &CallEvent)) -> Ordering {
    event
        .at
        .cmp(&other.at)
        .then_with(|| rank.cmp(other_rank))
        .then_with(|| event.call_id.cmp(&other.call_id))
        .then_with(|| event.state.as_str().cmp(other.state.as_str()))
}
