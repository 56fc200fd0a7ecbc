//! Calls to a group: a leg for the group, and one for each agent whose phone rings.

use shared::domain::{
    call::{CallEvent, Direction, Outcome, Status, fold},
    ids::DialpadId,
};

use super::{Line, leg, one_by_one, time};

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
