//! Calls that are handed on from one leg to another.

use shared::domain::{
    call::{CallEvent, Outcome, Status, Target, fold},
    ids::DialpadId,
};

use super::{Line, event, leg, one_by_one, time, told, user};

#[test]
fn a_call_that_is_handed_on_is_transferred_and_the_next_leg_answered() {
    let mut ada = Line::of_user(1, 0);
    let ringing = ada.says("ringing", 100);
    ada.connect(5000);
    let connected = ada.says("connected", 5000);
    let mut ben = Line::of_user(2, 30_000);
    ben.0.master_call_id = Some(DialpadId(1));
    let rings_on = ben.says("ringing", 30_000);
    ada.end(31_000);
    ada.0.is_transferred = true;
    let leaves = ada.says("hangup", 31_000);
    ben.connect(35_000);
    let answers = ben.says("connected", 35_000);
    ben.end(60_000);
    let ends = ben.says("hangup", 60_000);
    let events = [ringing, connected, rings_on, leaves, answers, ends];
    assert_eq!(
        one_by_one(&events),
        [
            "call.ring 1",
            "call.started 1",
            "call.ring 2",
            "call.ended 1 transferred",
            "call.started 2",
            "call.ended 2 answered"
        ]
    );
    let mut late = events.clone();
    late.swap(2, 3);
    assert_eq!(fold(&late).legs, fold(&events).legs);
    assert_eq!(leg(&fold(&events), 1).status, Status::Ended);
}

#[test]
fn an_end_that_was_told_as_an_answer_is_corrected_when_the_next_leg_appears() {
    let mut ada = Line::of_user(1, 0);
    ada.connect(5000);
    let connected = ada.says("connected", 5000);
    ada.end(31_000);
    ada.0.is_transferred = true;
    let leaves = ada.says("hangup", 31_000);
    let mut ben = Line::of_user(2, 33_000);
    ben.0.master_call_id = Some(DialpadId(1));
    let rings = ben.says("ringing", 33_000);
    ben.connect(35_000);
    let answers = ben.says("connected", 35_000);
    let events = [connected, leaves, rings, answers];
    let expected = [
        "call.started 1",
        "call.ended 1 answered",
        "call.ring 2",
        "call.updated 1 transferred",
        "call.started 2",
    ];
    assert_eq!(one_by_one(&events), expected);
    assert_eq!(told(&fold(&events).moments), expected);
    let update = &fold(&events).moments[3];
    assert_eq!((update.what.as_str(), update.at), ("transferred", events[2].at));
    // The ringing is late: the answer shows the next leg as well, and nothing is told twice.
    let [connected, leaves, rings, answers] = events;
    assert_eq!(
        one_by_one(&[connected, leaves, answers, rings]),
        ["call.started 1", "call.ended 1 answered", "call.started 2", "call.updated 1 transferred"]
    );
}

/// Contradictory as they are, three events of one moment make it seem handed on, then not, then handed on again.
#[test]
fn of_one_moment_clients_are_told_once_that_a_leg_was_handed_on() {
    let handed_on = |state: &str, at: i64| CallEvent { is_transferred: true, ..event(1, state, at) };
    let answered = CallEvent {
        connected_at: Some(time(1000)),
        started_at: Some(time(0)),
        ..handed_on("connected", 1000)
    };
    let later = CallEvent {
        master_call_id: Some(DialpadId(1)),
        started_at: Some(time(5000)),
        target: Some(user(2)),
        ..event(2, "ringing", 6000)
    };
    let group = Target { id: DialpadId(9000), is_user: false, name: None };
    let to_a_group = CallEvent { target: Some(group), ..handed_on("postcall", 6000) };
    let agent = CallEvent {
        entry_point_call_id: Some(DialpadId(1)),
        connected_at: Some(time(2000)),
        target: Some(user(3)),
        ..event(3, "dispositions", 6000)
    };
    let events = [handed_on("ringing", 0), answered, handed_on("hangup", 3000), later, to_a_group, agent];
    let story = told(&fold(&events).moments);
    assert_eq!(one_by_one(&events), story);
    let of_the_leg: Vec<_> =
        story.iter().filter(|told| told.contains(" 1 ") && told.starts_with("call.updated")).collect();
    assert_eq!(of_the_leg, ["call.updated 1 transferred", "call.updated 1 missed"]);
}

#[test]
fn who_is_handed_a_call_and_does_not_take_it_missed_it() {
    let mut ada = Line::of_user(1, 0);
    ada.connect(5000);
    ada.0.is_transferred = true;
    let mut support = Line::of_group(2, 30_000);
    support.0.master_call_id = Some(DialpadId(1));
    let mut ben = Line::of_agent(3, 2, 31_000);
    let events = [ada.says("connected", 5000), support.says("queued", 30_000), ben.says("ringing", 31_000)];
    ada.end(30_500);
    ben.end(50_000);
    support.end(50_000);
    let ends = [ada.says("hangup", 30_500), ben.says("hangup", 50_000), support.says("hangup", 50_100)];
    let conversation = fold(&[&events[..], &ends[..]].concat());
    let outcomes: Vec<_> = conversation.legs.iter().map(|leg| leg.outcome.unwrap()).collect();
    assert_eq!(outcomes, [Outcome::Transferred, Outcome::Missed, Outcome::Missed]);
    assert_eq!(told(&conversation.moments).last().unwrap(), "call.ended 2 missed");
}

#[test]
fn a_leg_is_handed_on_to_one_that_was_made_after_its_answer_and_not_with_it() {
    let outcome = |made_at: i64| {
        let mut ada = Line::of_user(1, 0);
        let ringing = ada.says("ringing", 0);
        ada.connect(5000);
        let connected = ada.says("connected", 5000);
        ada.0.is_transferred = true;
        ada.end(9000);
        let mut ben = Line::of_user(2, made_at);
        ben.0.master_call_id = Some(DialpadId(1));
        leg(&fold(&[ringing, connected, ada.says("hangup", 9000), ben.says("ringing", 9500)]), 1).outcome
    };
    assert_eq!(outcome(5001), Some(Outcome::Transferred));
    assert_eq!(outcome(5000), Some(Outcome::Answered));
}
