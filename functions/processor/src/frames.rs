//! From news of calls to entries of the event log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::{
    domain::{
        call::Moment,
        frame::{CallFrame, Envelope, EventName, MAX_FRAME_BYTES, VoicemailFrame},
        ids::{AppId, DialpadId, new_id},
        time::seconds,
    },
    store::{
        event_log::LoggedEvent,
        folding::{CallRow, Known},
    },
};
use uuid::Uuid;

use crate::plan::{Change, Plan, Rows, count};

/// How long a text may be, tried one after the other until the frame is small enough. The last always is.
const TEXT_LIMITS: [usize; 5] = [usize::MAX, 16 * 1024, 4 * 1024, 512, 64];

/// Writes the frames of a batch, numbered from the head of the log on.
pub(crate) fn log(
    app_id: AppId,
    plan: &Plan,
    rows: &Rows<'_>,
    known: &Known,
    last_seq: i64,
    now: DateTime<Utc>,
) -> Vec<LoggedEvent> {
    let calls: HashMap<DialpadId, &CallRow<'_>> =
        rows.calls.iter().map(|row| (row.leg.call_id, row)).collect();
    let voicemails: HashMap<DialpadId, Uuid> =
        rows.voicemails.iter().map(|(id, leg)| (leg.call_id, *id)).collect();
    let mut log = Vec::new();
    let news = plan.changes.iter().flat_map(|change| versions(change).into_iter().zip(&change.news));
    for ((version, moment), seq) in news.zip(last_seq + 1..) {
        let Some(row) = calls.get(&moment.leg.call_id) else { continue };
        let id = new_id();
        let crm_user = moment.leg.user_id.and_then(|user| known.crm_users.get(&user)).map(String::as_str);
        let source = Source {
            envelope: Envelope {
                event: moment.event,
                id,
                seq,
                app_id,
                occurred_at: moment.at.into(),
                timestamp: now.into(),
            },
            moment,
            row,
            version,
            voicemail_id: voicemails.get(&moment.leg.call_id).copied(),
            crm_user,
        };
        log.push(LoggedEvent { seq, id, audience: crm_user.map(str::to_owned), frame: source.frame() });
    }
    log
}

/// The version of each frame: the last one of a leg carries the row's, the one before it one less, and so on, but all are
/// above what was sent before. Two frames that one event caused have the same: both tell of the leg as it is by then.
fn versions(change: &Change) -> Vec<i64> {
    let first = count(change.events_before) + 1;
    let mut next: HashMap<DialpadId, i64> = HashMap::new();
    let mut versions: Vec<i64> = change
        .news
        .iter()
        .rev()
        .map(|moment| {
            let next = next.entry(moment.leg.call_id).or_insert(count(change.conversation.events));
            let version = (*next).max(first);
            // Frames of voicemails carry no version.
            *next -= i64::from(!is_about_voicemail(moment.event));
            version
        })
        .collect();
    versions.reverse();
    versions
}

fn is_about_voicemail(event: EventName) -> bool {
    matches!(event, EventName::VoicemailReceived | EventName::VoicemailUpdated)
}

/// All that a frame is made of.
struct Source<'a> {
    envelope: Envelope,
    moment: &'a Moment,
    row: &'a CallRow<'a>,
    version: i64,
    voicemail_id: Option<Uuid>,
    crm_user: Option<&'a str>,
}

impl Source<'_> {
    /// The frame, with its texts cut where it would be too large.
    fn frame(&self) -> String {
        let mut frame = String::new();
        for limit in TEXT_LIMITS {
            frame = match self.voicemail_id {
                Some(id) if is_about_voicemail(self.moment.event) => {
                    self.voicemail(id, &mut Texts::up_to(limit))
                }
                _ => self.call(&mut Texts::up_to(limit)),
            };
            if frame.len() <= MAX_FRAME_BYTES {
                break;
            }
        }
        frame
    }

    fn call(&self, texts: &mut Texts) -> String {
        let leg = &self.moment.leg;
        let mut frame = CallFrame {
            envelope: self.envelope.clone(),
            call_id: leg.call_id,
            call: self.row.id,
            parent_call_id: self.row.parent_call_id,
            version: self.version,
            direction: leg.direction,
            from_number: texts.cut(leg.from_number.as_deref()),
            to_number: texts.cut(leg.to_number.as_deref()),
            status: leg.status,
            outcome: leg.outcome,
            user_id: leg.user_id,
            group: texts.cut(leg.group_name.as_deref()),
            target_crm_user: self.crm_user,
            contact_name: texts.cut(leg.contact_name.as_deref()),
            duration_seconds: leg.duration_ms.map(seconds),
            duration_ms: leg.duration_ms,
            recording_url: texts.cut(leg.recording_url.as_deref()),
            custom_data: texts.cut(leg.custom_data.as_deref()),
            what: (self.moment.event == EventName::CallUpdated).then(|| self.moment.what.as_str()),
            truncated: false,
        };
        frame.truncated = texts.were_cut;
        json(&frame)
    }

    fn voicemail(&self, voicemail_id: Uuid, texts: &mut Texts) -> String {
        let leg = &self.moment.leg;
        let voicemail = leg.voicemail.as_ref();
        let duration_ms = voicemail.and_then(|voicemail| voicemail.duration_ms);
        let mut frame = VoicemailFrame {
            envelope: self.envelope.clone(),
            voicemail_id,
            call_id: leg.call_id,
            call: self.row.id,
            from_number: texts.cut(leg.from_number.as_deref()),
            to_number: texts.cut(leg.to_number.as_deref()),
            user_id: leg.user_id,
            group: texts.cut(leg.group_name.as_deref()),
            target_crm_user: self.crm_user,
            contact_name: texts.cut(leg.contact_name.as_deref()),
            duration_seconds: duration_ms.map(seconds),
            duration_ms,
            recording_url: texts.cut(voicemail.and_then(|voicemail| voicemail.recording_url.as_deref())),
            what: (self.moment.event == EventName::VoicemailUpdated).then(|| self.moment.what.as_str()),
            transcript: texts.cut(voicemail.and_then(|voicemail| voicemail.transcript.as_deref())),
            truncated: false,
        };
        frame.truncated = texts.were_cut;
        json(&frame)
    }
}

/// Cuts texts, and remembers whether it had to.
struct Texts {
    limit: usize,
    were_cut: bool,
}

impl Texts {
    fn up_to(limit: usize) -> Self {
        Self { limit, were_cut: false }
    }

    fn cut<'a>(&mut self, text: Option<&'a str>) -> Option<&'a str> {
        let text = text?;
        if text.len() <= self.limit {
            return Some(text);
        }
        self.were_cut = true;
        Some(&text[..text.floor_char_boundary(self.limit)])
    }
}

fn json(frame: &impl Serialize) -> String {
    // Made of strings, numbers and names: it can always be written.
    serde_json::to_string(frame).unwrap_or_default()
}
