//! Mailboxes and messages.

use shared::domain::call::{CallEvent, Direction, Outcome, Recording, Status, fold};

use super::{Line, Processor, one_by_one, told, user};

#[test]
fn an_outbound_call_that_reaches_a_mailbox_was_not_answered() {
    let mut line = Line::new(1, Direction::Outbound, Some(user(5)), 0);
    let calling = line.says("calling", 100);
    line.0.voicemail_link = Some("https://dialpad.com/v/1".to_owned());
    let voicemail = line.says("voicemail", 20_000);
    line.connect(20_000);
    line.end(30_000);
    let events = [calling, voicemail, line.says("hangup", 30_000)];
    assert_eq!(one_by_one(&events), ["call.ring 1", "call.ended 1 no_answer", "call.updated 1 no_answer"]);
    let row = &fold(&events).legs[0];
    assert_eq!((row.status, row.connected_at, row.voicemail.as_ref()), (Status::Missed, None, None));
    assert_eq!(row.from_number.as_deref(), Some("+14155550101"));
}

#[test]
fn a_mailbox_that_picks_up_does_not_answer() {
    let mut line = Line::of_user(1, 0);
    let ringing = line.says("ringing", 100);
    let voicemail = line.says("voicemail", 20_000);
    line.connect(20_500);
    let connected = line.says("connected", 20_600);
    line.end(40_000);
    let hangup = line.says("hangup", 40_000);
    let row = &fold(&[ringing.clone(), voicemail, connected, hangup.clone()]).legs[0];
    assert_eq!((row.outcome, row.connected_at), (Some(Outcome::Missed), None));
    // The state was lost, and only the link tells.
    let linked = CallEvent { voicemail_link: Some("https://dialpad.com/v/1".to_owned()), ..hangup };
    assert_eq!(fold(&[ringing, linked]).legs[0].outcome, Some(Outcome::Missed));
}

#[test]
fn a_message_is_announced_once_with_what_is_known_of_it() {
    let mut line = Line::of_user(1, 0);
    line.end(40_000);
    line.0.voicemail_link = Some("https://dialpad.com/v/1".to_owned());
    let hangup = line.says("hangup", 40_000);
    line.0.recordings = vec![Recording {
        url: "https://dialpad.com/v/1-audio".to_owned(),
        is_voicemail: true,
        is_admin: false,
        duration_ms: Some(21_480.0),
    }];
    let uploaded = line.says("voicemail_uploaded", 50_000);
    line.0.transcript = Some("please call me back".to_owned());
    let transcription = line.says("transcription", 60_000);
    let again = line.says("voicemail_uploaded", 70_000);

    let mut processor = Processor::default();
    assert_eq!(told(&processor.take(&[hangup])), ["call.ended 1 missed"]);
    assert!(
        processor.take(std::slice::from_ref(&transcription)).is_empty(),
        "a transcript proves no message"
    );
    assert_eq!(processor.conversations()[0].legs[0].voicemail, None);
    let moments = processor.take(&[uploaded]);
    assert_eq!(told(&moments), ["voicemail.received 1 voicemail", "voicemail.updated 1 voicemail"]);
    let voicemail = moments[1].leg.voicemail.as_ref().unwrap();
    assert_eq!(voicemail.transcript.as_deref(), Some("please call me back"));
    assert_eq!(voicemail.recording_url.as_deref(), Some("https://dialpad.com/v/1-audio"));
    assert_eq!(voicemail.duration_ms, Some(21_480.0));
    assert!(processor.take(&[again]).is_empty());
}

#[test]
fn a_transcript_that_came_before_its_message_is_in_it() {
    let mut line = Line::of_user(1, 0);
    line.end(40_000);
    line.0.transcript = Some("please call me back".to_owned());
    let transcription = line.says("transcription", 50_000);
    let conversation = fold(&[transcription, line.says("voicemail_uploaded", 51_000)]);
    let received = conversation.moments.last().unwrap();
    assert_eq!(told(std::slice::from_ref(received)), ["voicemail.received 1 voicemail"]);
    assert!(received.leg.voicemail.as_ref().unwrap().transcript.is_some());
}

#[test]
fn a_message_is_announced_however_late() {
    let mut line = Line::of_user(1, 0);
    line.end(40_000);
    let (uploaded, dispositions) =
        (line.says("voicemail_uploaded", 50_000), line.says("dispositions", 60_000));
    let told = one_by_one(&[line.says("hangup", 40_000), dispositions, uploaded]);
    assert_eq!(told, ["call.ended 1 missed", "call.updated 1 missed", "voicemail.received 1 voicemail"]);
}
