//! Ends that were never told: Dialpad was asked, and does not know the leg any more.

use shared::domain::call::{CallEvent, Outcome, Status, fold};

use super::{Line, Processor, answered, one_by_one, told};

/// What is noted when Dialpad does not know a leg: it was last heard of with this event.
fn gone(last: &CallEvent) -> CallEvent {
    let asked = super::event(last.call_id.0, "gone", 0);
    CallEvent { at: last.at, ..asked }
}

#[test]
fn a_leg_that_dialpad_does_not_know_any_more_is_over_and_nobody_knows_how() {
    let [ringing, connected, _] = answered();
    let events = [ringing, connected.clone(), gone(&connected)];
    assert_eq!(one_by_one(&events), ["call.ring 1", "call.started 1", "call.ended 1 unknown"]);
    let row = &fold(&events).legs[0];
    assert_eq!((row.status, row.outcome), (Status::Ended, Some(Outcome::Unknown)));
    assert_eq!((row.ended_at, row.duration_ms), (None, None), "nobody was told when");
    assert_eq!(row.connected_at, Some(super::time(5000)));
}

#[test]
fn an_end_that_comes_late_says_more_and_is_no_second_end() {
    let [ringing, connected, hangup] = answered();
    let lost = gone(&connected);
    let late = [ringing.clone(), connected.clone(), lost.clone(), hangup.clone()];
    assert_eq!(
        one_by_one(&late),
        ["call.ring 1", "call.started 1", "call.ended 1 unknown", "call.updated 1 answered"]
    );
    assert_eq!(fold(&late).legs, fold(&[ringing, connected, hangup]).legs);
    let mut recording = answered()[2].clone();
    (recording.state, recording.at) = (shared::domain::call::State::Recording, super::time(75_000));
    let [ringing, connected, _] = answered();
    let aftermath = [ringing, connected, lost, recording];
    assert_eq!(fold(&aftermath).legs[0].outcome, Some(Outcome::Answered), "its snapshot has the end");
}

#[test]
fn of_a_leg_whose_end_is_known_it_tells_nothing() {
    let [ringing, connected, hangup] = answered();
    let mut processor = Processor::default();
    processor.take(&[ringing, connected, hangup.clone()]);
    let before = processor.conversations()[0].legs.clone();
    assert_eq!(told(&processor.take(&[gone(&hangup)])), [""; 0]);
    assert_eq!(processor.conversations()[0].legs, before);
}

#[test]
fn a_ringing_leg_and_a_groups_leg_end_too() {
    let line = Line::of_user(1, 0);
    let ringing = line.says("ringing", 1000);
    assert_eq!(one_by_one(&[ringing.clone(), gone(&ringing)]), ["call.ring 1", "call.ended 1 unknown"]);
    let group = Line::of_group(10, 0);
    let queued = group.says("queued", 1000);
    assert_eq!(one_by_one(&[queued.clone(), gone(&queued)]), ["call.queued 10", "call.ended 10 unknown"]);
}

/// What was said of its end before, by Dialpad or by what followed, counts.
#[test]
fn a_leg_that_was_missed_refused_or_sent_to_voicemail_is_not_lost() {
    for (state, outcome) in
        [("missed", Outcome::Missed), ("blocked", Outcome::Blocked), ("voicemail", Outcome::Missed)]
    {
        for line in [Line::of_user(1, 0), Line::of_group(1, 0)] {
            let last = line.says(state, 1000);
            let leg = &fold(&[line.says("ringing", 500), last.clone(), gone(&last)]).legs[0];
            assert_eq!((leg.outcome, leg.status), (Some(outcome), outcome.status()), "{state}");
            assert_eq!(leg.ended_at, Some(last.at), "{state}");
        }
    }
}
