//! A stored row becomes a [`CallEvent`].

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{
    escapes,
    family::{self, Family},
    member::{Member, NoId},
    object::Object,
};
use crate::domain::{
    call::{CallEvent, Direction, Recording, State, Target},
    ids::DialpadId,
};

/// A call event that can never be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read a call event: {reason}")]
pub struct Unreadable {
    /// What is wrong with it; never a value of the payload.
    pub reason: &'static str,
}

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
    let at = object.get("event_timestamp").and_then(Member::time).unwrap_or(received_at);
    Ok(Some(Reader { object, is_by_guide }.event(call_id, state, at, Sha256::digest(&*payload).to_vec())))
}

/// The text of the object. What `jsonb` cannot hold at all, by its depth for example, is stored as one JSON string.
fn unwrapped(payload: &str) -> Cow<'_, str> {
    let is_string = payload.trim_start().starts_with('"');
    match is_string.then(|| serde_json::from_str::<String>(payload)) {
        Some(Ok(text)) => Cow::Owned(escapes::doubled(&text).into_owned()),
        Some(Err(_)) | None => escapes::doubled(payload),
    }
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
}

impl<'a> Reader<'a> {
    fn event(&self, call_id: DialpadId, state: State, at: DateTime<Utc>, tie_break: Vec<u8>) -> CallEvent {
        let direction = self.direction();
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
            target: self.target(),
            contact_name: self
                .object
                .below("contact")
                .and_then(|contact| contact.get("name")?.text())
                .or_else(|| self.text(&["contact_name"])),
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

    /// The first of these members that can be read as this.
    fn first<T>(&self, names: &[&str], read: impl Fn(Member<'a>) -> Option<T>) -> Option<T> {
        names.iter().find_map(|name| read(self.object.get(name)?))
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        self.first(names, Member::text)
    }

    fn id(&self, names: &[&str]) -> Option<DialpadId> {
        self.first(names, |member| member.id().ok())
    }

    fn time(&self, names: &[&str]) -> Option<DateTime<Utc>> {
        self.first(names, Member::time)
    }

    fn milliseconds(&self, name: &str) -> Option<f64> {
        self.first(&[name], Member::milliseconds)
    }

    fn direction(&self) -> Option<Direction> {
        match self.text(&["direction"])?.trim().to_ascii_lowercase().as_str() {
            "inbound" | "incoming" | "in" => Some(Direction::Inbound),
            "outbound" | "outgoing" | "out" => Some(Direction::Outbound),
            _ => None,
        }
    }

    /// Whom the leg is for. Anything that says it is not a user is a group.
    fn target(&self) -> Option<Target> {
        let read = |target: Object<'_>| {
            let is_group = target
                .get("type")
                .and_then(Member::text)
                .is_some_and(|kind| !kind.eq_ignore_ascii_case("user"));
            let name = target.get("name").and_then(Member::text);
            Some(Target { id: target.get("id")?.id().ok()?, is_user: !is_group, name })
        };
        let user = || {
            let id = self.id(&["user_id", "dialpad_user_id"]);
            id.or_else(|| self.object.below("owner")?.get("id")?.id().ok())
        };
        self.object
            .below("target")
            .and_then(read)
            .or_else(|| user().map(|id| Target { id, is_user: true, name: None }))
    }

    /// The length that a hand-written `duration` gives.
    fn guide_ms(&self) -> Option<f64> {
        self.first(&["duration", "duration_seconds"], Member::milliseconds)
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
        for detail in self.each("recording_details").filter_map(Member::object) {
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
