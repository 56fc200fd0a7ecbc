//! What holds of every call, in whatever order and number its events come in.
//!
//! `PROPTEST_CASES` says how many cases are tried of each; without it, a few.

use std::{collections::HashMap, fmt};

use proptest::{collection::vec, prelude::*};
use shared::domain::{
    call::{CallEvent, Direction, Moment, Recording, State, Target},
    client_event::EventName,
    ids::DialpadId,
};

use super::{Processor, event, few_cases, folded, plausible, rows, time};

/// Events, and how their deliveries go wrong: repeated, out of order, several at a time.
#[derive(Clone)]
struct Deliveries {
    events: Vec<CallEvent>,
    /// Which event is delivered when.
    order: Vec<usize>,
    batches: Vec<usize>,
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |event: &CallEvent| {
            format!("{} {} at {}", event.call_id, event.state, event.at.timestamp_millis())
        };
        let names: Vec<String> = self.order.iter().map(|index| name(&self.events[*index])).collect();
        f.debug_struct("Deliveries").field("order", &names).field("batches", &self.batches).finish()
    }
}

fn deliveries(events: impl Strategy<Value = Vec<CallEvent>>) -> impl Strategy<Value = Deliveries> {
    let repeated = |events: Vec<CallEvent>| {
        let length = events.len();
        (Just(events), vec(0..length.max(1), 0..16))
    };
    let shuffled = |(events, repeated): (Vec<CallEvent>, Vec<usize>)| {
        let known = events.len();
        let order: Vec<usize> = (0..known).chain(repeated).filter(|index| *index < known).collect();
        (Just(events), Just(order).prop_shuffle(), vec(1..6_usize, 1..20))
    };
    events.prop_flat_map(repeated).prop_flat_map(shuffled).prop_map(|(events, order, batches)| Deliveries {
        events,
        order,
        batches,
    })
}

fn plausible_events() -> impl Strategy<Value = Vec<CallEvent>> {
    plausible::plan().prop_map(|plan| plausible::events(&plan))
}

impl Deliveries {
    fn as_delivered(&self) -> Vec<Vec<CallEvent>> {
        let delivered: Vec<CallEvent> = self.order.iter().map(|index| self.events[*index].clone()).collect();
        self.batched(&delivered)
    }

    fn in_order(&self) -> Vec<Vec<CallEvent>> {
        self.batched(&self.events)
    }

    fn batched(&self, mut events: &[CallEvent]) -> Vec<Vec<CallEvent>> {
        let mut sizes = self.batches.iter().cycle();
        let mut batches = Vec::new();
        while !events.is_empty() {
            let (batch, rest) = events.split_at(events.len().min(*sizes.next().unwrap()));
            batches.push(batch.to_vec());
            events = rest;
        }
        batches
    }
}

fn one_by_one(events: &[CallEvent]) -> Vec<Vec<CallEvent>> {
    events.iter().map(|event| vec![event.clone()]).collect()
}

/// What is told of these events when nothing goes wrong.
fn story(events: &[CallEvent]) -> Vec<Moment> {
    folded(events.to_vec()).into_iter().flat_map(|conversation| conversation.moments).collect()
}

/// What the processor tells of these batches, and its rows in the end.
fn processed(batches: &[Vec<CallEvent>]) -> (Vec<Moment>, Processor) {
    let mut processor = Processor::default();
    let told = batches.iter().flat_map(|batch| processor.take(batch)).collect();
    (told, processor)
}

fn count(told: &[Moment], name: EventName) -> HashMap<DialpadId, usize> {
    let mut counts = HashMap::new();
    for moment in told.iter().filter(|moment| moment.event == name) {
        *counts.entry(moment.leg.call_id).or_default() += 1;
    }
    counts
}

fn check_promises(told: &[Moment]) -> Result<(), TestCaseError> {
    for once in
        [EventName::CallRing, EventName::CallStarted, EventName::CallEnded, EventName::VoicemailReceived]
    {
        for (leg, times) in count(told, once) {
            prop_assert!(times == 1, "{once:?} {times} times on {leg}");
        }
    }
    let mut newest = HashMap::new();
    for moment in told {
        let is_voicemail = matches!(moment.event, EventName::VoicemailReceived | EventName::VoicemailUpdated);
        let newest = newest.entry((moment.leg.call_id, is_voicemail)).or_insert(moment.at);
        prop_assert!(moment.at >= *newest, "{:?} goes back", moment.event);
        *newest = moment.at;
    }
    Ok(())
}

/// Events as nobody would send them: any state on any of a few legs, at few times, with contradicting contents.
fn nonsense() -> impl Strategy<Value = CallEvent> {
    let states = State::KNOWN.iter().cloned().chain([State::Gone, State::parse("new")]).collect::<Vec<_>>();
    let id = || proptest::option::weighted(0.2, (1..5_i64).prop_map(DialpadId));
    let at = || proptest::option::weighted(0.3, (0..8_i64).prop_map(time));
    let flags = any::<[bool; 6]>();
    let length = proptest::option::weighted(0.2, 0.0..9.0_f64);
    (
        1..5_i64,
        proptest::sample::select(states),
        0..8_i64,
        (id(), id(), id()),
        (at(), at(), at()),
        flags,
        length,
    )
        .prop_map(
            |(
                call_id,
                state,
                at_ms,
                (entry, operator, master),
                (started, connected, ended),
                flags,
                length,
            )| {
                let [has_target, is_user, is_transferred, has_recording, is_voicemail, is_outbound] = flags;
                let mut event = CallEvent {
                    entry_point_call_id: entry,
                    operator_call_id: operator,
                    master_call_id: master,
                    started_at: started,
                    connected_at: connected,
                    ended_at: ended,
                    talk_ms: length,
                    is_transferred,
                    direction: has_recording.then_some(if is_outbound {
                        Direction::Outbound
                    } else {
                        Direction::Inbound
                    }),
                    target: has_target.then_some(Target { id: DialpadId(7), is_user, name: None }),
                    ..event(call_id, state.as_str(), at_ms)
                };
                if has_recording {
                    event.recordings = vec![Recording {
                        url: format!("{at_ms}"),
                        is_voicemail,
                        is_admin: is_user,
                        duration_ms: length,
                    }];
                }
                event.tie_break = format!("{event:?}").into_bytes();
                event
            },
        )
}

proptest! {
    #![proptest_config(few_cases())]

    #[test]
    fn any_order_and_repetition_ends_in_the_same_rows(deliveries in deliveries(plausible_events())) {
        let (told, processor) = processed(&deliveries.as_delivered());
        prop_assert_eq!(rows(processor.conversations()), rows(folded(deliveries.events)));
        check_promises(&told)?;
    }

    #[test]
    fn in_order_clients_are_told_the_whole_story(deliveries in deliveries(plausible_events())) {
        let story = story(&deliveries.events);
        prop_assert_eq!(&processed(&one_by_one(&deliveries.events)).0, &story);
        prop_assert_eq!(&processed(&deliveries.in_order()).0, &story);
        check_promises(&story)?;
    }

    #[test]
    fn losses_break_no_promise(
        deliveries in deliveries(plausible_events().prop_flat_map(|events| {
            let length = events.len();
            proptest::sample::subsequence(events, 0..=length)
        })),
    ) {
        let (told, processor) = processed(&deliveries.as_delivered());
        check_promises(&told)?;
        prop_assert_eq!(processed(&one_by_one(&deliveries.events)).0.len(), story(&deliveries.events).len());
        prop_assert_eq!(rows(processor.conversations()), rows(folded(deliveries.events)));
    }

    #[test]
    fn every_end_and_every_message_is_told_in_any_order(deliveries in deliveries(plausible_events())) {
        let (told, story) = (processed(&deliveries.as_delivered()).0, story(&deliveries.events));
        let messages = |told| count(told, EventName::VoicemailReceived);
        prop_assert_eq!(messages(&told), messages(&story));
        let ended = count(&told, EventName::CallEnded);
        for leg in count(&story, EventName::CallEnded).keys() {
            prop_assert!(ended.contains_key(leg), "{leg} never ended");
        }
    }

    #[test]
    fn nonsense_ends_in_the_same_rows_and_in_order_tells_its_story(
        deliveries in deliveries(vec(nonsense(), 0..30)),
    ) {
        let (_, processor) = processed(&deliveries.as_delivered());
        prop_assert_eq!(rows(processor.conversations()), rows(folded(deliveries.events.clone())));

        let mut in_order = deliveries.events;
        in_order.sort_by(|one, other| {
            let key = |event: &CallEvent| (event.at, event.state.rank(), event.call_id);
            key(one).cmp(&key(other)).then_with(|| one.tie_break.cmp(&other.tie_break))
        });
        // What one event tells of another leg stands among the others of its time.
        let sorted = |mut moments: Vec<Moment>| {
            moments.sort_by_key(|moment| (moment.at, moment.what.rank(), moment.leg.call_id));
            moments
        };
        prop_assert_eq!(sorted(processed(&one_by_one(&in_order)).0), sorted(story(&in_order)));
    }
}
