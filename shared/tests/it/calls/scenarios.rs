//! The rules of the mapping, one by one.

use chrono::{DateTime, Utc};
use shared::domain::{
    call::{CallEvent, Conversation, Direction, Leg, Outcome, Recording, Status, Target, fold},
    ids::DialpadId,
};

use super::{Line, Processor, event, folded, time, told, user};

fn leg(conversation: &Conversation, call_id: i64) -> &Leg {
    conversation.legs.iter().find(|leg| leg.call_id == DialpadId(call_id)).unwrap()
}

pub(super) fn one_by_one(events: &[CallEvent]) -> Vec<String> {
    let mut processor = Processor::default();
    events.iter().flat_map(|event| told(&processor.take(std::slice::from_ref(event)))).collect()
}

/// A direct call that is answered: ringing, connected, hangup.
pub(super) fn answered() -> [CallEvent; 3] {
    let mut line = Line::of_user(1, 0);
    let ringing = line.says("ringing", 1000);
    line.connect(5000);
    let connected = line.says("connected", 5000);
    line.end(65_000);
    [ringing, connected, line.says("hangup", 65_000)]
}

/// A call to a group with two agents, of whom the first answers. Group 10, agents 11 and 12.
fn group_call() -> Vec<CallEvent> {
    let mut group = Line::of_group(10, 0);
    let (mut ada, mut ben) = (Line::of_agent(11, 10, 4000), Line::of_agent(12, 10, 4500));
    let mut events = vec![
        group.says("preanswer", 1000),
        group.says("queued", 2000),
        group.says("ringing", 4000),
        ada.says("ringing", 4100),
        ben.says("ringing", 4600),
    ];
    ada.connect(8000);
    events.push(ada.says("connected", 8000));
    group.connect(8000);
    group.0.operator_call_id = Some(DialpadId(11));
    events.push(group.says("connected", 8100));
    ben.end(8200);
    events.push(ben.says("hangup", 8200));
    ada.end(60_000);
    events.push(ada.says("hangup", 60_000));
    group.end(60_000);
    events.push(group.says("hangup", 60_100));
    events
}

#[test]
fn a_group_call_rings_every_agent_and_ends_once_for_each() {
    assert_eq!(
        one_by_one(&group_call()),
        [
            "call.queued 10",
            "call.ring 11",
            "call.ring 12",
            "call.started 11",
            "call.updated 10",
            "call.ended 12 answered_elsewhere",
            "call.ended 11 answered",
            "call.updated 10 answered",
        ]
    );
}

#[test]
fn the_leg_that_was_made_first_is_the_parent() {
    let conversation = fold(&group_call());
    let ids: Vec<i64> = conversation.legs.iter().map(|leg| leg.call_id.0).collect();
    assert_eq!(ids, [10, 11, 12]);
    assert_eq!(conversation.events, 10);
    let group = &conversation.legs[0];
    assert_eq!((group.user_id, group.group_id), (None, Some(DialpadId(9000))));
    assert_eq!(group.group_name.as_deref(), Some("Support"));
    assert_eq!(group.connected_at, Some(time(8000)));
}

#[test]
fn a_colleague_whose_answer_is_learnt_late_answered_all_the_same() {
    let mut events = group_call();
    events.rotate_left(8);
    assert_eq!(leg(&fold(&events), 12).outcome, Some(Outcome::AnsweredElsewhere));
}

#[test]
fn an_agent_rung_before_the_one_who_answered_missed_the_call() {
    let group = Line::of_group(10, 0);
    let (mut ada, mut ben) = (Line::of_agent(11, 10, 1000), Line::of_agent(12, 10, 21_000));
    ada.end(20_000);
    ben.connect(25_000);
    let events = [
        group.says("queued", 0),
        ada.says("missed", 20_000),
        ada.says("hangup", 20_100),
        ben.says("connected", 25_000),
    ];
    let conversation = fold(&events);
    assert_eq!(leg(&conversation, 11).outcome, Some(Outcome::Missed));
    assert_eq!(leg(&conversation, 12).status, Status::Active);
}

#[test]
fn an_operator_out_of_sight_starts_and_ends_the_groups_leg() {
    let mut group = Line::of_group(10, 0);
    group.0.operator_call_id = Some(DialpadId(77));
    let menu = Line::of_group(10, 0).says("connected", 500);
    group.connect(8000);
    let connected = group.says("connected", 8000);
    group.end(60_000);
    let events = [menu, connected.clone(), connected, group.says("hangup", 60_000)];
    assert_eq!(one_by_one(&events), ["call.updated 10", "call.started 10", "call.ended 10 answered"]);
    assert_eq!(fold(&events).legs.len(), 1, "a leg that was only mentioned is no row");
}

#[test]
fn a_menu_that_picks_up_is_no_answer() {
    let mut group = Line::of_group(10, 0);
    group.connect(100);
    let connected = group.says("connected", 100);
    group.end(9000);
    let conversation = fold(&[connected, group.says("hangup", 9000)]);
    assert_eq!(conversation.legs[0].outcome, Some(Outcome::Abandoned));
    assert_eq!(conversation.legs[0].connected_at, None);
}

#[test]
fn a_caller_who_gives_up_while_agents_ring_missed_them() {
    let mut group = Line::of_group(10, 0);
    let mut ada = Line::of_agent(11, 10, 2000);
    let queued = group.says("queued", 1000);
    let ringing = ada.says("ringing", 2000);
    ada.end(9000);
    group.end(9000);
    let events = [queued, ringing, ada.says("hangup", 9000), group.says("hangup", 9100)];
    assert_eq!(
        one_by_one(&events),
        ["call.queued 10", "call.ring 11", "call.ended 11 missed", "call.ended 10 missed"]
    );
}

#[test]
fn a_group_may_be_left_a_message() {
    let mut group = Line::of_group(10, 0);
    let queued = group.says("queued", 1000);
    let voicemail = group.says("voicemail", 9000);
    group.end(30_000);
    let hangup = group.says("hangup", 30_000);
    let uploaded = group.says("voicemail_uploaded", 40_000);
    let told = one_by_one(&[queued, voicemail, hangup, uploaded]);
    assert_eq!(
        told,
        [
            "call.queued 10",
            "call.updated 10 missed",
            "call.ended 10 missed",
            "voicemail.received 10 voicemail"
        ]
    );
}

#[test]
fn an_agents_leg_that_calls_itself_outbound_is_inbound() {
    let mut events = group_call();
    for event in events.iter_mut().filter(|event| event.call_id == DialpadId(12)) {
        event.direction = Some(Direction::Outbound);
    }
    let conversation = fold(&events);
    let ben = leg(&conversation, 12);
    assert_eq!((ben.direction, ben.outcome), (Some(Direction::Inbound), Some(Outcome::AnsweredElsewhere)));
    assert_eq!(ben.from_number.as_deref(), Some("+14155550150"));
}

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
fn a_thousand_agents_of_one_group_are_folded_in_no_time() {
    let events: Vec<_> = (0..3000_i64)
        .flat_map(|number| {
            let mut line = Line::of_agent(100 + number, 10, number);
            line.connect(number + 1);
            line.end(number + 2);
            [
                line.says("ringing", number),
                line.says("connected", number + 1),
                line.says("hangup", number + 2),
            ]
        })
        .collect();
    let began = std::time::Instant::now();
    assert_eq!(fold(&events).legs.len(), 3000);
    assert!(began.elapsed().as_secs() < 10, "without optimisation");
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

#[test]
fn a_colleague_who_answers_in_the_moment_in_which_a_phone_begins_to_ring_answered_elsewhere() {
    let outcome = |answered_at: i64| {
        let (mut ada, mut ben) = (Line::of_agent(11, 10, 0), Line::of_agent(12, 10, 5000));
        let mut events = vec![Line::of_group(10, 0).says("ringing", 0), ada.says("ringing", 0)];
        ada.connect(answered_at);
        events.push(ada.says("connected", answered_at));
        events.push(ben.says("ringing", 5000));
        ben.end(6000);
        events.push(ben.says("hangup", 6000));
        leg(&fold(&events), 12).outcome
    };
    assert_eq!(outcome(5000), Some(Outcome::AnsweredElsewhere));
    assert_eq!(outcome(4999), Some(Outcome::Missed), "then it was handed on to whoever is rung now");
}

#[test]
fn an_operator_out_of_sight_answered_elsewhere_if_that_was_when_the_phones_fell_silent() {
    let outcome = |operator: i64, answered_at: i64| {
        let (mut group, mut ben) = (Line::of_group(10, 0), Line::of_agent(12, 10, 0));
        let mut events = vec![Line::of_agent(11, 10, 0).says("ringing", 0), ben.says("ringing", 0)];
        ben.end(6000);
        events.push(ben.says("hangup", 6000));
        group.connect(answered_at);
        group.0.operator_call_id = Some(DialpadId(operator));
        events.push(group.says("connected", answered_at));
        leg(&fold(&events), 12).outcome
    };
    assert_eq!(outcome(99, 8000), Some(Outcome::AnsweredElsewhere));
    assert_eq!(outcome(99, 8001), Some(Outcome::Missed));
    assert_eq!(outcome(11, 8000), Some(Outcome::Missed), "whose leg is in sight tells by itself");
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

#[test]
fn a_group_that_rang_missed_the_call_and_one_that_only_kept_it_waiting_was_abandoned() {
    let after = |state: &str| {
        let mut group = Line::of_group(10, 5000);
        let first = group.says(state, 6000);
        group.end(9000);
        [first, group.says("hangup", 9000)]
    };
    let outcome = |events: &[CallEvent]| leg(&fold(events), 10).outcome;
    assert_eq!(outcome(&after("ringing")), Some(Outcome::Missed), "nobody's leg was seen");
    assert_eq!(outcome(&after("queued")), Some(Outcome::Abandoned));
    // Whose leg was made before the group's handed the call to it, and was not rung for it.
    let with_a_user_since = |made_at: i64| {
        let mut user = Line::of_user(1, made_at);
        user.0.entry_point_call_id = Some(DialpadId(10));
        [vec![user.says("ringing", 5500)], after("queued").to_vec()].concat()
    };
    assert_eq!(outcome(&with_a_user_since(5000)), Some(Outcome::Missed));
    assert_eq!(outcome(&with_a_user_since(4999)), Some(Outcome::Abandoned));
}
