//! Frames of calls and of the voicemails left on them.

use std::collections::HashMap;

use shared::{
    domain::{
        call::Moment,
        client_event::{EventName, Subject},
        frame::{CallFrame, Envelope, VoicemailFrame},
        ids::DialpadId,
        time::seconds,
    },
    store::folding::CallRow,
};
use uuid::Uuid;

use super::{Log, Texts, json};
use crate::{
    plan::{Calls, Change, Rows, count},
    traces::About,
};

/// Writes what a batch tells of calls.
pub(super) fn write(log: &mut Log<'_>, calls: &Calls, rows: &Rows<'_>) {
    let row_of: HashMap<DialpadId, &CallRow<'_>> =
        rows.calls.iter().map(|row| (row.leg.call_id, row)).collect();
    let voicemails: HashMap<DialpadId, Uuid> =
        rows.voicemails.iter().map(|(id, leg)| (leg.call_id, *id)).collect();
    let news = calls.changes.iter().flat_map(|change| versions(change).into_iter().zip(&change.news));
    for (version, moment) in news {
        let Some(row) = row_of.get(&moment.leg.call_id) else { continue };
        let voicemail = voicemails.get(&moment.leg.call_id).filter(|_| is_about_voicemail(moment.event));
        let about = About::Call(moment.leg.call_id);
        log.add(moment.event, about, moment.at, moment.leg.user_id, |envelope, crm_user, texts| {
            match voicemail {
                Some(id) => voicemail_frame(envelope, moment, row, *id, crm_user, texts),
                None => call_frame(envelope, moment, row, version, crm_user, texts),
            }
        });
    }
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
    event.subject() == Subject::Voicemail
}

fn call_frame(
    envelope: Envelope,
    moment: &Moment,
    row: &CallRow<'_>,
    version: i64,
    crm_user: Option<&str>,
    texts: &mut Texts,
) -> String {
    let leg = &moment.leg;
    let mut frame = CallFrame {
        envelope,
        call_id: leg.call_id,
        call: row.id,
        parent_call_id: row.parent_call_id,
        version,
        direction: leg.direction,
        from_number: texts.cut(leg.from_number.as_deref()),
        to_number: texts.cut(leg.to_number.as_deref()),
        status: leg.status,
        outcome: leg.outcome,
        user_id: leg.user_id,
        group: texts.cut(leg.group_name.as_deref()),
        target_crm_user: crm_user,
        contact_name: texts.cut(leg.contact_name.as_deref()),
        duration_seconds: leg.duration_ms.map(seconds),
        duration_ms: leg.duration_ms,
        recording_url: texts.cut(leg.recording_url.as_deref()),
        custom_data: texts.cut(leg.custom_data.as_deref()),
        what: (moment.event == EventName::CallUpdated).then(|| moment.what.as_str()),
        truncated: false,
    };
    frame.truncated = texts.were_cut;
    json(&frame)
}

fn voicemail_frame(
    envelope: Envelope,
    moment: &Moment,
    row: &CallRow<'_>,
    voicemail_id: Uuid,
    crm_user: Option<&str>,
    texts: &mut Texts,
) -> String {
    let leg = &moment.leg;
    let voicemail = leg.voicemail.as_ref();
    let duration_ms = voicemail.and_then(|voicemail| voicemail.duration_ms);
    let mut frame = VoicemailFrame {
        envelope,
        voicemail_id,
        call_id: leg.call_id,
        call: row.id,
        from_number: texts.cut(leg.from_number.as_deref()),
        to_number: texts.cut(leg.to_number.as_deref()),
        user_id: leg.user_id,
        group: texts.cut(leg.group_name.as_deref()),
        target_crm_user: crm_user,
        contact_name: texts.cut(leg.contact_name.as_deref()),
        duration_seconds: duration_ms.map(seconds),
        duration_ms,
        recording_url: texts.cut(voicemail.and_then(|voicemail| voicemail.recording_url.as_deref())),
        what: (moment.event == EventName::VoicemailUpdated).then(|| moment.what.as_str()),
        transcript: texts.cut(voicemail.and_then(|voicemail| voicemail.transcript.as_deref())),
        truncated: false,
    };
    frame.truncated = texts.were_cut;
    json(&frame)
}
