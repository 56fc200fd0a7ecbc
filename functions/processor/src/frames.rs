//! From news to entries of the event log.

mod agents;
mod calls;
mod messages;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::{
    domain::{
        client_event::EventName,
        frame::{Envelope, MAX_FRAME_BYTES},
        ids::{AppId, DialpadId, new_id},
    },
    store::{event_log::LoggedEvent, folding::Known},
};

use crate::{
    plan::{Plan, Rows},
    told::Note,
    traces::{About, Causes},
};

/// How long a text may be, tried one after the other until the frame is small enough. The last always is.
const TEXT_LIMITS: [usize; 5] = [usize::MAX, 16 * 1024, 4 * 1024, 512, 64];

/// Writes the frames of a batch, numbered from the head of the log on.
pub(crate) fn log(
    app_id: AppId,
    plan: &Plan,
    rows: &Rows<'_>,
    known: &Known,
    causes: &Causes<'_>,
    last_seq: i64,
    now: DateTime<Utc>,
) -> Written {
    let (crm_users, next_seq, written) = (&known.crm_users, last_seq + 1, Written::default());
    let mut log = Log { app_id, now, crm_users, causes, next_seq, written };
    calls::write(&mut log, &plan.calls, rows);
    messages::write(&mut log, &plan.messages, rows);
    agents::write(&mut log, &plan.agents);
    log.written
}

/// Entries of the event log, and what there is to be said of each.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) events: Vec<LoggedEvent>,
    pub(crate) notes: Vec<Note>,
}

/// The entries that a batch adds to the log of an app.
struct Log<'a> {
    app_id: AppId,
    now: DateTime<Utc>,
    crm_users: &'a HashMap<DialpadId, String>,
    causes: &'a Causes<'a>,
    next_seq: i64,
    written: Written,
}

impl Log<'_> {
    /// Adds what happened `at` that time to this Dialpad user: for the CRM user who that is, else for everybody. `frame`
    /// is given the envelope, the CRM user and something to cut texts with.
    fn add(
        &mut self,
        event: EventName,
        about: About,
        at: DateTime<Utc>,
        user: Option<DialpadId>,
        frame: impl Fn(Envelope, Option<&str>, &mut Texts) -> String,
    ) {
        let (id, seq) = (new_id(), self.next_seq);
        let crm_user = user.and_then(|user| self.crm_users.get(&user)).map(String::as_str);
        let envelope = Envelope {
            event,
            id,
            seq,
            app_id: self.app_id,
            occurred_at: at.into(),
            timestamp: self.now.into(),
        };
        let mut written = String::new();
        for limit in TEXT_LIMITS {
            written = frame(envelope.clone(), crm_user, &mut Texts::up_to(limit));
            if written.len() <= MAX_FRAME_BYTES {
                break;
            }
        }
        let audience = crm_user.map(str::to_owned);
        let cause = self.causes.of(about, at);
        let (is_targeted, trace_id) = (audience.is_some(), cause.trace_id.clone());
        self.written.notes.push(Note { seq, id, event, about, cause, is_targeted });
        self.written.events.push(LoggedEvent { seq, id, audience, frame: written, trace_id });
        self.next_seq += 1;
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

    /// As many of a list as are no longer together than one text may be.
    fn cut_list<'a>(&mut self, list: &'a [String]) -> Vec<&'a str> {
        let mut bytes = 0_usize;
        let fit = list.iter().take_while(|text| {
            // With its quotation marks and its comma.
            bytes = bytes.saturating_add(text.len() + 3);
            bytes <= self.limit
        });
        let fit: Vec<&str> = fit.map(String::as_str).collect();
        self.were_cut |= fit.len() < list.len();
        fit
    }
}

fn json(frame: &impl Serialize) -> String {
    // Made of strings, numbers and names: it can always be written.
    serde_json::to_string(frame).unwrap_or_default()
}
