//! What is told of an event that comes late: only what its leg has not outdone by something that clients were told.

use shared::domain::{
    call::{CallEvent, Direction, fold},
    ids::DialpadId,
};

use super::{Line, one_by_one};

#[test]
fn the_ringing_of_a_group_outdoes_nothing_and_that_of_a_user_does() {
    let (group, user) = (Line::of_group(10, 0), Line::of_user(1, 0));
    assert_eq!(one_by_one(&[group.says("ringing", 9000), group.says("queued", 5000)]), ["call.queued 10"]);
    assert_eq!(one_by_one(&[user.says("ringing", 9000), user.says("queued", 5000)]), ["call.ring 1"]);
}

#[test]
fn a_transcript_outdoes_the_call_only_if_it_proves_the_end() {
    let line = Line::of_user(1, 0);
    let mut ended = line.clone();
    ended.end(8000);
    let after =
        |transcript: CallEvent| one_by_one(&[line.says("ringing", 0), transcript, line.says("merged", 5000)]);
    assert_eq!(after(line.says("transcription", 9000)), ["call.ring 1", "call.updated 1"]);
    assert_eq!(after(ended.says("transcription", 9000)), ["call.ring 1", "call.ended 1 missed"]);
}

#[test]
fn what_waits_or_holds_after_the_end_is_told_to_nobody() {
    let line = Line::of_user(1, 0);
    for state in ["queued", "hold", "parked", "gone"] {
        let events = [line.says("ringing", 0), line.says("missed", 5000), line.says(state, 9000)];
        assert_eq!(one_by_one(&events), ["call.ring 1", "call.ended 1 missed"], "{state}");
    }
}

#[test]
fn only_an_agents_leg_has_the_direction_of_the_group_that_it_came_in_through() {
    let outbound = |mut line: Line| {
        line.0.direction = Some(Direction::Outbound);
        line
    };
    let through = |mut line: Line, entry: i64| {
        line.0.entry_point_call_id = Some(DialpadId(entry));
        outbound(line)
    };
    let direction = |entry: Line, leg: &Line| {
        let legs = fold(&[entry.says("ringing", 0), leg.says("ringing", 1000)]).legs;
        legs.into_iter().find(|found| found.call_id == leg.0.call_id).unwrap().direction
    };
    let agent = through(Line::of_user(1, 1000), 10);
    assert_eq!(direction(Line::of_group(10, 0), &agent), Some(Direction::Inbound));
    assert_eq!(direction(Line::of_user(10, 0), &agent), Some(Direction::Outbound), "another user's leg");
    assert_eq!(direction(outbound(Line::of_group(10, 0)), &agent), Some(Direction::Outbound));
    let group = through(Line::of_group(20, 1000), 10);
    assert_eq!(direction(Line::of_group(10, 0), &group), Some(Direction::Outbound));
}
