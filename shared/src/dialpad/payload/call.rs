//! A stored row becomes a [`CallEvent`].

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{
    Unreadable, family,
    member::{Member, NoId},
    object::Object,
    parties, time_as_of, unwrapped,
};
use crate::domain::{
    call::{CallEvent, Direction, Recording, State},
    delivery::Family,
    ids::DialpadId,
};

/// Reads a row of `webhook_events`; `None` if it is not about a call.
///
/// The state is the payload's `state`; else the guide's name in its `event_type`; else the row's own `event_type`, where
/// a person may have written either. Without `event_timestamp` the event happened when the row arrived.
///
/// With one of the guide's names a `duration` is in seconds, as in the implementation that the guide was written for;
/// with Dialpad's own states it is in milliseconds, as all of Dialpad's durations are.
pub fn call_event(
    event_type: &str,
    payload: &str,
    received_at: DateTime<Utc>,
) -> Result<Option<CallEvent>, Unreadable> {
    let unreadable = |reason| Err(Unreadable { reason });
    let payload = unwrapped(payload);
    let object = Object::read(&payload);
    let word = match object.as_ref().map(family::classify) {
        Some((Family::Call, Some(word))) => word,
        Some((Family::Unknown, _)) | None if names_a_call_event(event_type) => event_type.trim().to_owned(),
        _ => return Ok(None),
    };
    let Some(mut object) = object else { return unreadable("the payload is not an object") };
    let by_guide = State::of_guide_name(word.trim());
    let is_by_guide = by_guide.is_some();
    if is_by_guide {
        object = with_nested(object);
    }
    let call_id =
        match object.any(if is_by_guide { &["call_id", "id"] } else { &["call_id"] }).map(Member::id) {
            Some(Ok(call_id)) => call_id,
            Some(Err(NoId::TooLarge)) => return unreadable("call_id is larger than 64 bits hold"),
            Some(Err(NoId::NotANumber)) => return unreadable("call_id is not a whole number above zero"),
            None => return unreadable("call_id is missing"),
        };
    let state = by_guide.unwrap_or_else(|| State::parse(word.trim()));
    let reader = Reader { object, is_by_guide, received_at };
    let at = reader.time(&["event_timestamp"]).unwrap_or(received_at);
    Ok(Some(reader.event(call_id, state, at, Sha256::digest(&*payload).to_vec())))
}

fn names_a_call_event(event_type: &str) -> bool {
    let word = event_type.trim();
    State::of_guide_name(word).is_some() || State::parse(word).is_known()
}

/// With what stands below `call`, `data.call` or `voicemail`, where the older documents put it.
fn with_nested(object: Object<'_>) -> Object<'_> {
    let nested = object
        .below("call")
        .or_else(|| object.below("data").and_then(|data| data.below("call")))
        .or_else(|| object.below("voicemail"));
    match nested {
        Some(nested) => object.or(nested),
        None => object,
    }
}

struct Reader<'a> {
    object: Object<'a>,
    is_by_guide: bool,
    received_at: DateTime<Utc>,
}

impl<'a> Reader<'a> {
    fn event(&self, call_id: DialpadId, state: State, at: DateTime<Utc>, tie_break: Vec<u8>) -> CallEvent {
        let direction = parties::direction(&self.object);
        let [mut external, mut internal] =
            [self.text(&["from_number", "from", "caller"]), self.text(&["to_number", "to", "callee"])];
        if direction == Some(Direction::Outbound) {
            std::mem::swap(&mut external, &mut internal);
        }
        CallEvent {
            call_id,
            at,
            tie_break,
            direction,
            external_number: self.text(&["external_number"]).or(external),
            internal_number: self.text(&["internal_number"]).or(internal),
            target: parties::target(&self.object),
            contact_name: parties::contact_name(&self.object),
            started_at: self.time(&["date_started", "started_at", "start_time"]),
            connected_at: self.time(&["date_connected", "connected_at"]),
            ended_at: self.time(&["date_ended", "ended_at", "end_time"]),
            talk_ms: self.talk_ms(&state),
            hold_ms: self.milliseconds("hold_time"),
            entry_point_call_id: self.id(&["entry_point_call_id"]),
            operator_call_id: self.id(&["operator_call_id"]),
            master_call_id: self.id(&["master_call_id"]).or_else(|| {
                let origin = self.object.below("transferred_from")?;
                origin.get("call_id")?.id().ok()
            }),
            is_transferred: self.object.get("is_transferred").and_then(Member::truth).unwrap_or(false),
            recordings: self.recordings(&state),
            voicemail_link: self.text(&["voicemail_link", "voicemail_share_link"]),
            transcript: self.text(&["transcription_text", "transcript"]),
            custom_data: self.text(&["custom_data"]),
            state,
        }
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        self.object.first(names, Member::text)
    }

    fn id(&self, names: &[&str]) -> Option<DialpadId> {
        self.object.first(names, |member| member.id().ok())
    }

    fn time(&self, names: &[&str]) -> Option<DateTime<Utc>> {
        self.object.first(names, time_as_of(self.received_at))
    }

    fn milliseconds(&self, name: &str) -> Option<f64> {
        self.object.first(&[name], Member::milliseconds)
    }

    /// The length that a hand-written `duration` gives.
    fn guide_ms(&self) -> Option<f64> {
        self.object
            .first(&["duration", "duration_seconds"], Member::milliseconds)
            .map(|seconds| seconds * 1000.0)
            .filter(|_| self.is_by_guide)
    }

    /// `talk_time` is the honest length. `duration` holds the time on hold, too, and so stands in only where the dates
    /// cannot.
    fn talk_ms(&self, state: &State) -> Option<f64> {
        let talk_time = self.milliseconds("talk_time");
        if talk_time.is_some() || *state == State::VoicemailUploaded {
            return talk_time;
        }
        if self.is_by_guide {
            return self.guide_ms();
        }
        let has_dates = ["date_connected", "date_ended"].iter().all(|date| self.time(&[date]).is_some());
        if has_dates {
            return None;
        }
        let hold_ms = self.milliseconds("hold_time").unwrap_or(0.0);
        self.milliseconds("duration").map(|duration| (duration - hold_ms).max(0.0))
    }

    /// What can be listened to; what is better comes first.
    fn recordings(&self, state: &State) -> Vec<Recording> {
        let mut recordings = Vec::new();
        for detail in self.each("recording_details").filter_map(Object::of) {
            let kind = detail.get("recording_type").and_then(Member::text).unwrap_or_default();
            if let Some(url) = detail.get("url").and_then(Member::word) {
                recordings.push(Recording {
                    url,
                    is_voicemail: kind.eq_ignore_ascii_case("voicemail"),
                    is_admin: kind.eq_ignore_ascii_case("admincallrecording"),
                    duration_ms: detail.get("duration").and_then(Member::milliseconds),
                });
            }
        }
        // A plain address on an event that proves a message is the message's.
        let is_voicemail = *state == State::VoicemailUploaded;
        for (name, is_admin) in
            [("recording_url", false), ("audio_url", false), ("admin_recording_urls", true)]
        {
            let duration_ms = if is_voicemail { self.guide_ms() } else { None };
            recordings.extend(self.each(name).filter_map(Member::word).map(|url| Recording {
                url,
                is_voicemail: is_voicemail && !is_admin,
                is_admin,
                duration_ms,
            }));
        }
        recordings
    }

    fn each(&self, name: &str) -> impl Iterator<Item = Member<'a>> + use<'a> {
        self.object.get(name).into_iter().flat_map(Member::each)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::call::Target;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(21_000)
    }

    fn read(event_type: &str, payload: &str) -> CallEvent {
        call_event(event_type, payload, now()).unwrap().unwrap()
    }

    fn reason(event_type: &str, payload: &str) -> &'static str {
        call_event(event_type, payload, now()).unwrap_err().reason
    }

    #[test]
    fn the_state_is_the_payloads_else_the_guides_else_the_rows() {
        for (event_type, payload, state) in [
            ("call.ring", r#"{"call_id":1,"state":"connected","event_type":"call.ended"}"#, State::Connected),
            ("unknown", r#"{"call_id":1,"event_type":"call.ended"}"#, State::Hangup),
            ("call.ring", r#"{"call_id":1}"#, State::Ringing),
            ("hold", r#"{"call_id":1,"state":null}"#, State::Hold),
            ("whatever", r#"{"call_id":1,"state":"brand_new"}"#, State::parse("brand_new")),
        ] {
            assert_eq!(read(event_type, payload).state, state, "{payload}");
        }
    }

    #[test]
    fn what_is_not_about_a_call_is_none() {
        for (event_type, payload) in [
            ("unknown", r#"{"call_id":1}"#),
            ("brand_new", r#"{"call_id":1}"#),
            ("message", r#"{"id":1,"message_status":"sent"}"#),
            ("ringing", r#"{"id":1,"message_status":"sent"}"#),
            ("unknown", "[]"),
            ("message", "null"),
        ] {
            assert_eq!(call_event(event_type, payload, now()), Ok(None), "{payload}");
        }
    }

    #[test]
    fn a_call_event_without_a_leg_can_never_be_read() {
        assert_eq!(reason("ringing", "[]"), "the payload is not an object");
        assert_eq!(reason("call.ring", "\"text\""), "the payload is not an object");
        assert_eq!(reason("call.ring", "{}"), "call_id is missing");
        assert_eq!(reason("x", r#"{"state":"ringing"}"#), "call_id is missing");
        for id in ["\"abc\"", "{}", "0", "-4", "1.5", "[1]", "true", "1e400"] {
            let payload = format!(r#"{{"state":"ringing","call_id":{id}}}"#);
            assert_eq!(reason("ringing", &payload), "call_id is not a whole number above zero", "{id}");
        }
        for id in ["9223372036854775808", "\"99999999999999999999\""] {
            let payload = format!(r#"{{"state":"ringing","call_id":{id}}}"#);
            assert_eq!(reason("ringing", &payload), "call_id is larger than 64 bits hold");
        }
    }

    #[test]
    fn ids_beyond_what_javascript_holds_survive() {
        let event = read(
            "ringing",
            r#"{"state":"ringing","call_id":"9007199254740993","master_call_id":9007199254740995}"#,
        );
        assert_eq!(event.call_id, DialpadId(9_007_199_254_740_993));
        assert_eq!(event.master_call_id, Some(DialpadId(9_007_199_254_740_995)));
    }

    #[test]
    fn what_cannot_be_read_was_not_said() {
        let event = read(
            "hangup",
            r#"{"call_id":1,"state":"hangup","direction":"sideways","external_number":" ","internal_number":{},
                "target":{},"contact":[],"date_started":"soon","date_connected":1e300,"date_ended":-1,"talk_time":"long",
                "hold_time":{},"entry_point_call_id":0,"operator_call_id":99999999999999999999,"is_transferred":"FALSE",
                "recording_details":{"a":1},"recording_url":null,"admin_recording_urls":[null,1,{}],"event_timestamp":[],
                "transcription_text":"","custom_data":{"a":1}}"#,
        );
        let expected = CallEvent {
            call_id: DialpadId(1),
            state: State::Hangup,
            at: now(),
            tie_break: event.tie_break.clone(),
            direction: None,
            external_number: None,
            internal_number: None,
            target: None,
            contact_name: None,
            started_at: None,
            connected_at: None,
            ended_at: None,
            talk_ms: None,
            hold_ms: None,
            entry_point_call_id: None,
            operator_call_id: None,
            master_call_id: None,
            is_transferred: false,
            recordings: Vec::new(),
            voicemail_link: None,
            transcript: None,
            custom_data: None,
        };
        assert_eq!(event, expected);
    }

    #[test]
    fn what_happens_long_after_it_was_told_was_not_said() {
        let at = |ahead: TimeDelta| {
            let time = (now() + ahead).timestamp_millis();
            let event = read(
                "hangup",
                &format!(
                    r#"{{"call_id":1,"state":"hangup","event_timestamp":{time},"date_started":{time},"date_connected":{time},
                        "date_ended":{time}}}"#
                ),
            );
            [Some(event.at), event.started_at, event.connected_at, event.ended_at]
        };
        assert_eq!(at(TimeDelta::days(366)), [Some(now() + TimeDelta::days(366)); 4]);
        assert_eq!(at(TimeDelta::days(367)), [Some(now()), None, None, None]);
        let whenever =
            call_event("hangup", r#"{"call_id":1,"date_ended":1772470801068}"#, DateTime::<Utc>::MAX_UTC);
        assert!(whenever.unwrap().unwrap().ended_at.is_some());
    }

    #[test]
    fn numbers_and_booleans_may_be_strings() {
        let event = read(
            "hangup",
            r#"{"call_id":"1","state":"hangup","event_timestamp":"1772470801068","talk_time":"95200.5",
                "is_transferred":"True","internal_number":"blocked","target":{"id":"77","type":"User"},
                "date_started":"2026-03-02T17:00:00Z"}"#,
        );
        assert_eq!(event.at.timestamp_millis(), 1_772_470_801_068);
        assert_eq!(event.started_at.unwrap().timestamp_millis(), 1_772_470_800_000);
        assert_eq!((event.talk_ms, event.is_transferred), (Some(95200.5), true));
        assert_eq!(event.internal_number.as_deref(), Some("blocked"));
        assert_eq!(event.target, Some(Target { id: DialpadId(77), is_user: true, name: None }));
    }

    #[test]
    fn whoever_is_no_user_is_a_group() {
        for kind in ["office", "department", "call_center", "call_router", "room", "something_new"] {
            let payload = format!(
                r#"{{"call_id":1,"state":"queued","target":{{"id":5,"type":"{kind}","name":"Desk"}}}}"#
            );
            let expected = Target { id: DialpadId(5), is_user: false, name: Some("Desk".to_owned()) };
            assert_eq!(read("queued", &payload).target, Some(expected));
        }
    }

    #[test]
    fn a_row_written_after_the_guide_is_understood() {
        let event = read(
            "call.ended",
            r#"{"call_id":123,"direction":"outbound","from":"+14155550101","to_number":"+14155550150","user_id":"987654",
                "duration":42,"recording_url":"https://example.com/a.mp3","started_at":"2026-03-02T17:00:00Z"}"#,
        );
        assert_eq!(event.internal_number.as_deref(), Some("+14155550101"));
        assert_eq!(event.external_number.as_deref(), Some("+14155550150"));
        assert_eq!(event.target, Some(Target { id: DialpadId(987_654), is_user: true, name: None }));
        assert_eq!((event.talk_ms, event.at), (Some(42_000.0), now()));
        assert!(!event.recordings[0].is_voicemail);
    }

    #[test]
    fn a_voicemail_written_after_the_guide_is_understood() {
        for payload in [
            r#"{"call_id":5,"recording_url":"https://example.com/v.mp3","transcript":"hello","duration":20}"#,
            r#"{"event_type":"voicemail.received","voicemail":{"id":5,"audio_url":"https://example.com/v.mp3",
                "transcript":"hello","duration_seconds":20}}"#,
            r#"{"event_type":"voicemail.received","data":{"call":{"call_id":"5","transcript":"hello","duration":20,
                "recording_url":["https://example.com/v.mp3"]}}}"#,
        ] {
            let event = read("voicemail.received", payload);
            assert_eq!((event.call_id, &event.state), (DialpadId(5), &State::VoicemailUploaded));
            assert_eq!(event.transcript.as_deref(), Some("hello"));
            let expected = Recording {
                url: "https://example.com/v.mp3".to_owned(),
                is_voicemail: true,
                is_admin: false,
                duration_ms: Some(20_000.0),
            };
            assert_eq!(event.recordings, [expected]);
            assert_eq!(event.talk_ms, None);
        }
    }

    #[test]
    fn dialpads_own_duration_is_in_milliseconds_and_a_last_resort() {
        let talk_ms =
            |members: &str| read("hangup", &format!(r#"{{"call_id":1,"state":"hangup",{members}}}"#)).talk_ms;
        assert_eq!(talk_ms(r#""duration":8951.5,"hold_time":951.5"#), Some(8000.0));
        assert_eq!(talk_ms(r#""duration":8951.03,"talk_time":0"#), Some(0.0));
        assert_eq!(
            talk_ms(r#""duration":8951.03,"date_connected":1772470801068,"date_ended":1772470809068"#),
            None
        );
    }

    #[test]
    fn recordings_come_in_every_shape_it_has_had() {
        let event = read(
            "recording",
            r#"{"call_id":1,"state":"recording","recording_url":"https://e.com/old","admin_recording_urls":["https://e.com/admin"],
                "recording_details":[{"url":"https://e.com/v","recording_type":"voicemail","duration":"21480"},{},
                                     {"url":"https://e.com/a","recording_type":"admincallrecording"},
                                     {"url":"https://e.com/c","recording_type":"callrecording","duration":95210}]}"#,
        );
        let short: Vec<_> = event
            .recordings
            .iter()
            .map(|recording| (recording.url.as_str(), recording.is_voicemail, recording.is_admin))
            .collect();
        assert_eq!(
            short,
            [
                ("https://e.com/v", true, false),
                ("https://e.com/a", false, true),
                ("https://e.com/c", false, false),
                ("https://e.com/old", false, false),
                ("https://e.com/admin", false, true),
            ]
        );
    }

    #[test]
    fn an_object_that_jsonb_could_not_hold_is_read_from_its_text() {
        let deep = format!(
            r#"{{"call_id":1,"state":"ringing","x":{}{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let stored = serde_json::to_string(&deep).unwrap();
        assert_eq!(read("ringing", &stored).call_id, DialpadId(1));
        assert_eq!(read("ringing", &stored).tie_break, read("ringing", &deep).tie_break);
    }

    #[test]
    fn doubled_escapes_show_as_text() {
        let event = read("ringing", r#"{"call_id":1,"state":"ringing","contact":{"name":"a\\u0000b"}}"#);
        assert_eq!(event.contact_name.as_deref(), Some(r"a\u0000b"));
    }
}
