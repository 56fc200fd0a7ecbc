//! What holds of every call, in whatever order and number its events come in.
//!
//! `PROPTEST_CASES` says how many cases are tried of each; without it, a few.

use std::collections::HashMap;

use proptest::{collection::vec, prelude::*, sample::Index};
use shared::domain::{
    call::{CallEvent, Direction, Moment, Recording, State, Target},
    frame::EventName,
    ids::DialpadId,
};

use super::{Processor, event, folded, plausible, rows, time};

fn few_cases() -> ProptestConfig {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if chosen { ProptestConfig::default().cases } else { 48 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// How deliveries go wrong: repeated, lost, out of order, several at a time.
#[derive(Clone, Debug)]
struct Trouble {
    repeated: Vec<Index>,
    order: Vec<Index>,
    batches: Vec<usize>,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    (vec(any::<Index>(), 0..8), vec(any::<Index>(), 60), vec(1..6_usize, 60))
        .prop_map(|(repeated, order, batches)| Trouble { repeated, order, batches })
}

impl Trouble {
    fn befalls(&self, events: &[CallEvent]) -> Vec<CallEvent> {
        let mut events = events.to_vec();
        for index in &self.repeated {
            if let Some(event) = index.get_or_none(&events).cloned() {
                events.push(event);
            }
        }
        for (last, index) in (1..events.len()).rev().zip(self.order.iter().cycle()) {
            events.swap(last, index.index(last + 1));
        }
        events
    }

    fn batches(&self, events: &[CallEvent]) -> Vec<Vec<CallEvent>> {
        let mut rest = events;
        let mut batches = Vec::new();
        for size in self.batches.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (batch, others) = rest.split_at(rest.len().min(*size));
            batches.push(batch.to_vec());
            rest = others;
        }
        batches
    }
}

trait GetOrNone {
    fn get_or_none<'a>(&self, events: &'a [CallEvent]) -> Option<&'a CallEvent>;
}

impl GetOrNone for Index {
    fn get_or_none<'a>(&self, events: &'a [CallEvent]) -> Option<&'a CallEvent> {
        (!events.is_empty()).then(|| self.get(events))
    }
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
        let is_voicemail =
            matches!(moment.event, EventName::VoicemailReceived | EventName::VoicemailUpdated);
        let newest = newest.entry((moment.leg.call_id, is_voicemail)).or_insert(moment.at);
        prop_assert!(moment.at >= *newest, "{:?} goes back", moment.event);
        *newest = moment.at;
    }
    Ok(())
}

/// Events as nobody would send them: any state on any of a few legs, at few times, with contradicting contents.
fn nonsense() -> impl Strategy<Value = CallEvent> {
    let states = State::KNOWN.iter().cloned().chain([State::parse("new")]).collect::<Vec<_>>();
    let id = || proptest::option::weighted(0.2, (1..5_i64).prop_map(DialpadId));
    let at = || proptest::option::weighted(0.3, (0..8_i64).prop_map(time));
    let flags = any::<[bool; 6]>();
    let length = proptest::option::weighted(0.2, 0.0..9.0_f64);
    (1..5_i64, proptest::sample::select(states), 0..8_i64, (id(), id(), id()), (at(), at(), at()), flags, length)
        .prop_map(|(call_id, state, at_ms, (entry, operator, master), (started, connected, ended), flags, length)| {
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
                direction: has_recording
                    .then_some(if is_outbound { Direction::Outbound } else { Direction::Inbound }),
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
        })
}

proptest! {
    #![proptest_config(few_cases())]

    #[test]
    fn any_order_and_repetition_ends_in_the_same_rows(plan in plausible::plan(), trouble in trouble()) {
        let events = plausible::events(&plan);
        let (told, processor) = processed(&trouble.batches(&trouble.befalls(&events)));
        prop_assert_eq!(rows(&processor.conversations()), rows(&folded(events)));
        check_promises(&told)?;
    }

    #[test]
    fn in_order_clients_are_told_the_whole_story(plan in plausible::plan(), trouble in trouble()) {
        let events = plausible::events(&plan);
        let story: Vec<Moment> = folded(events.clone()).into_iter().flat_map(|one| one.moments).collect();
        let one_by_one: Vec<Vec<CallEvent>> = events.iter().map(|event| vec![event.clone()]).collect();
        prop_assert_eq!(&processed(&one_by_one).0, &story);
        prop_assert_eq!(&processed(&trouble.batches(&events)).0, &story);
    }

    #[test]
    fn losses_break_no_promise(plan in plausible::plan(), lost in vec(any::<bool>(), 60), trouble in trouble()) {
        let mut lost = lost.into_iter().cycle();
        let events: Vec<CallEvent> =
            plausible::events(&plan).into_iter().filter(|_| !lost.next().unwrap()).collect();
        let (told, processor) = processed(&trouble.batches(&trouble.befalls(&events)));
        prop_assert_eq!(rows(&processor.conversations()), rows(&folded(events)));
        check_promises(&told)?;
    }

    #[test]
    fn every_end_and_every_message_is_told_in_any_order(plan in plausible::plan(), trouble in trouble()) {
        let events = plausible::events(&plan);
        let (told, _) = processed(&trouble.batches(&trouble.befalls(&events)));
        let story: Vec<Moment> = folded(events.clone()).into_iter().flat_map(|one| one.moments).collect();
        prop_assert_eq!(count(&told, EventName::VoicemailReceived), count(&story, EventName::VoicemailReceived));
        let ended = count(&told, EventName::CallEnded);
        for leg in count(&story, EventName::CallEnded).keys() {
            prop_assert!(ended.contains_key(leg), "{leg} never ended");
        }
    }

    #[test]
    fn nonsense_ends_in_the_same_rows_and_in_order_tells_its_story(
        events in vec(nonsense(), 0..30),
        trouble in trouble(),
    ) {
        let (_, processor) = processed(&trouble.batches(&trouble.befalls(&events)));
        prop_assert_eq!(rows(&processor.conversations()), rows(&folded(events.clone())));

        let mut in_order = events;
        in_order.sort_by(|one, other| {
            let key = |event: &CallEvent| (event.at, event.state.rank(), event.call_id);
            key(one).cmp(&key(other)).then_with(|| one.tie_break.cmp(&other.tie_break))
        });
        let one_by_one: Vec<Vec<CallEvent>> = in_order.iter().map(|event| vec![event.clone()]).collect();
        let (told, processor) = processed(&one_by_one);
        let mut story: Vec<Moment> =
            processor.conversations().into_iter().flat_map(|one| one.moments).collect();
        story.sort_by_key(|moment| (moment.at, moment.what.rank(), moment.leg.call_id));
        prop_assert_eq!(told, story);
    }
}
