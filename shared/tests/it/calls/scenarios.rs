//! The rules of the mapping, one by one.

use chrono::{DateTime, Utc};
use shared::domain::{
    call::{CallEvent, Outcome, Recording, Status, fold},
    ids::DialpadId,
};

use super::{Line, Processor, answered, event, folded, one_by_one, time, told};

#[test]
fn a_late_answer_fills_the_row_and_tells_nobody() {
    let [ringing, connected, mut hangup] = answered();
    hangup.connected_at = None;
    let mut processor = Processor::default();
    assert_eq!(told(&processor.take(&[ringing])), ["call.ring 1"]);
    assert_eq!(told(&processor.take(&[hangup])), ["call.ended 1 missed"]);
    assert_eq!(processor.conversations()[0].legs[0].connected_at, None);
    assert!(processor.take(&[connected]).is_empty());
    let row = &processor.conversations()[0].legs[0];
    assert_eq!((row.connected_at, row.outcome), (Some(time(5000)), Some(Outcome::Answered)));
}

#[test]
fn nothing_rings_twice() {
    let [ringing, connected, hangup] = answered();
    let mut again = ringing.clone();
    again.at = time(3000);
    again.tie_break = b"again".to_vec();
    let events = [ringing.clone(), again, ringing.clone(), connected, hangup.clone(), ringing, hangup];
    assert_eq!(one_by_one(&events), ["call.ring 1", "call.started 1", "call.ended 1 answered"]);
}

#[test]
fn of_two_ways_to_end_the_first_by_time_counts_and_the_end_is_told_once() {
    let mut line = Line::of_user(1, 0);
    let missed = line.says("missed", 20_000);
    line.end(20_200);
    let hangup = line.says("hangup", 20_200);
    assert_eq!(
        one_by_one(&[missed.clone(), hangup.clone()]),
        ["call.ended 1 missed", "call.updated 1 missed"]
    );
    assert_eq!(one_by_one(&[hangup, missed]), ["call.ended 1 missed"]);
}

#[test]
fn a_connected_that_changes_nothing_is_no_news() {
    let [ringing, connected, _] = answered();
    let mut repeated = connected.clone();
    repeated.at = time(7000);
    let mut named = repeated.clone();
    named.at = time(8000);
    named.contact_name = Some("Robin C.".to_owned());
    assert_eq!(
        one_by_one(&[ringing, connected, repeated, named]),
        ["call.ring 1", "call.started 1", "call.updated 1"]
    );
}

#[test]
fn hold_and_park_both_end_with_the_next_connected() {
    let mut line = Line::of_user(1, 0);
    line.connect(1000);
    let states = ["connected", "hold", "connected", "parked", "connected"];
    let events: Vec<_> = (1..).zip(states).map(|(second, state)| line.says(state, second * 1000)).collect();
    assert_eq!(
        one_by_one(&events),
        ["call.started 1", "call.held 1", "call.resumed 1", "call.parked 1", "call.resumed 1"]
    );
    assert_eq!(fold(&events[..2]).legs[0].status, Status::Held);
}

#[test]
fn what_comes_after_the_end_proves_an_end_that_was_lost() {
    let [ringing, connected, hangup] = answered();
    let mut recording = hangup.clone();
    (recording.state, recording.at) = (shared::domain::call::State::Recording, time(75_000));
    let events = [ringing, connected, recording, hangup];
    assert_eq!(
        one_by_one(&events),
        ["call.ring 1", "call.started 1", "call.ended 1 answered", "call.recording 1 answered"]
    );
    assert_eq!(fold(&events).legs, fold(&events[..3]).legs, "the recording's snapshot says it all");
}

#[test]
fn a_date_of_the_end_alone_is_no_end() {
    let mut line = Line::of_user(1, 0);
    line.0.ended_at = Some(time(9000));
    let row = &fold(&[line.says("ringing", 100)]).legs[0];
    assert_eq!((row.status, row.ended_at, row.outcome), (Status::Ringing, None, None));
}

#[test]
fn a_refused_caller_is_rejected() {
    let line = Line::of_user(1, 0);
    let conversation = fold(&[line.says("blocked", 100), line.says("hangup", 200)]);
    assert_eq!(told(&conversation.moments), ["call.ended 1 blocked", "call.updated 1 blocked"]);
    assert_eq!(conversation.legs[0].status, Status::Rejected);
    let group = Line::of_group(1, 0);
    let conversation = fold(&[group.says("blocked", 100), group.says("hangup", 200)]);
    assert_eq!(told(&conversation.moments), ["call.updated 1 blocked", "call.ended 1 blocked"]);
}

#[test]
fn supervisors_and_unknown_states_are_told_to_nobody() {
    let line = Line::of_user(1, 0);
    let states = ["monitor", "eavesdrop", "admin", "preanswer", "held", "transferred", ""];
    let events: Vec<_> = (1..).zip(states).map(|(second, state)| line.says(state, second)).collect();
    let conversation = fold(&events);
    assert!(conversation.moments.is_empty());
    assert_eq!((conversation.legs.len(), conversation.events), (1, states.len()));
}

#[test]
fn the_talk_is_measured_where_dialpad_does_not() {
    let [ringing, connected, mut hangup] = answered();
    hangup.hold_ms = Some(20_000.0);
    for talk_ms in [None, Some(0.0)] {
        hangup.talk_ms = talk_ms;
        let row = &fold(&[ringing.clone(), connected.clone(), hangup.clone()]).legs[0];
        assert_eq!(row.duration_ms, Some(40_000.0));
    }
    hangup.talk_ms = Some(31_500.5);
    let row = &fold(&[ringing.clone(), connected.clone(), hangup]).legs[0];
    assert_eq!(row.duration_ms, Some(31_500.5), "where it does, it is right");
    assert_eq!(fold(&[ringing, connected]).legs[0].duration_ms, None, "none before the end");
}

#[test]
fn what_is_known_is_never_erased() {
    let [ringing, connected, hangup] = answered();
    let mut bare = event(1, "recap_summary", 90_000);
    bare.target = None;
    let row = |events: &[CallEvent]| fold(events).legs.remove(0);
    assert_eq!(
        row(&[ringing.clone(), connected.clone(), hangup.clone()]),
        row(&[ringing, connected, hangup, bare])
    );
}

#[test]
fn the_users_recording_is_preferred_to_the_companys() {
    let recording = |url: &str, is_admin| Recording {
        url: url.to_owned(),
        is_voicemail: false,
        is_admin,
        duration_ms: None,
    };
    let [_, _, mut hangup] = answered();
    hangup.recordings = vec![recording("users", false)];
    let mut later = event(1, "admin_recording", 90_000);
    later.recordings = vec![recording("companys", true)];
    assert_eq!(fold(&[hangup, later.clone()]).legs[0].recording_url.as_deref(), Some("users"));
    assert_eq!(fold(&[later]).legs[0].recording_url.as_deref(), Some("companys"));
}

#[test]
fn events_without_a_target_are_a_users() {
    let events = [event(123, "ringing", 0), event(123, "connected", 1000), event(123, "hangup", 9000)];
    assert_eq!(one_by_one(&events), ["call.ring 123", "call.started 123", "call.ended 123 answered"]);
    let row = &fold(&events).legs[0];
    let expected: [Option<DateTime<Utc>>; 3] = [None, Some(time(1000)), Some(time(9000))];
    assert_eq!([row.started_at, row.connected_at, row.ended_at], expected);
    assert_eq!(row.duration_ms, Some(8000.0));
}

#[test]
fn legs_that_name_themselves_or_each_other_are_legs_all_the_same() {
    let mut one = event(1, "ringing", 0);
    one.entry_point_call_id = Some(DialpadId(1));
    one.master_call_id = Some(DialpadId(2));
    let mut two = event(2, "ringing", 10);
    two.entry_point_call_id = Some(DialpadId(1));
    two.operator_call_id = Some(DialpadId(2));
    one.operator_call_id = Some(DialpadId(2));
    assert_eq!(folded(vec![two, one, event(3, "ringing", 5)]).len(), 2);
}

#[test]
fn a_mentioned_leg_joins_two_conversations() {
    let mut joining = event(3, "ringing", 20);
    joining.master_call_id = Some(DialpadId(1));
    joining.operator_call_id = Some(DialpadId(2));
    let apart = vec![event(1, "ringing", 0), event(2, "ringing", 10)];
    assert_eq!(folded(apart.clone()).len(), 2);
    let mut processor = Processor::default();
    processor.take(&apart);
    assert_eq!(told(&processor.take(&[joining])), ["call.ring 3"], "joined legs do not ring again");
    assert_eq!(processor.conversations().len(), 1);
}

#[test]
fn of_two_versions_of_one_event_any_order_keeps_the_same() {
    let mut one = event(1, "ringing", 0);
    let mut other = one.clone();
    (one.contact_name, one.tie_break) = (Some("Robin".to_owned()), vec![2]);
    (other.contact_name, other.tie_break) = (Some("Jo".to_owned()), vec![1]);
    let folded = fold(&[one.clone(), other.clone()]);
    assert_eq!(folded, fold(&[other, one]));
    assert_eq!((folded.events, folded.legs[0].contact_name.as_deref()), (1, Some("Jo")));
}

#[test]
fn ten_thousand_events_of_one_call_are_folded_in_no_time() {
    let line = Line::of_user(1, 0);
    let states = ["connected", "hold", "recap_summary", "hangup", "monitor"];
    let events: Vec<_> =
        (0..10_000).zip(states.iter().cycle()).map(|(at, state)| line.says(state, at)).collect();
    let began = std::time::Instant::now();
    assert_eq!(fold(&events).events, 10_000);
    assert!(began.elapsed().as_secs() < 2, "without optimisation; a quadratic fold takes minutes");
}

#[test]
fn an_answer_that_was_lost_is_known_by_its_date_unless_a_mailbox_may_have_picked_up() {
    let mut line = Line::of_user(1, 0);
    let ringing = line.says("ringing", 1000);
    line.connect(5000);
    let before = |state: &str| line.says(state, 6000);
    let mut ended = line.clone();
    ended.end(65_000);
    let hangup = ended.says("hangup", 65_000);
    let linked =
        CallEvent { voicemail_link: Some("https://dialpad.example/v/1".to_owned()), ..hangup.clone() };
    for (events, outcome) in [
        (vec![hangup.clone()], Outcome::Answered),
        (vec![linked], Outcome::Missed),
        (vec![before("missed"), hangup.clone()], Outcome::Missed),
        (vec![before("voicemail"), hangup.clone()], Outcome::Missed),
        (vec![before("blocked"), hangup.clone()], Outcome::Blocked),
    ] {
        let events: Vec<_> = std::iter::once(ringing.clone()).chain(events).collect();
        let leg = &fold(&events).legs[0];
        assert_eq!(leg.outcome, Some(outcome), "{:?}", events[1].state);
        let connected_at = (outcome == Outcome::Answered).then(|| time(5000));
        assert_eq!(leg.connected_at, connected_at, "{:?}", events[1].state);
    }
}
