//! One snapshot of one leg, as Dialpad sent it.

use chrono::{DateTime, Utc};

use super::{Direction, State};
use crate::domain::ids::DialpadId;

/// What one delivery says of one leg. Everything but the id, the state and the time may be missing, and a missing
/// value never erases a known one.
#[derive(Clone, Debug, PartialEq)]
pub struct CallEvent {
    /// The leg.
    pub call_id: DialpadId,
    /// What happened to it.
    pub state: State,
    /// When Dialpad emitted the event (`event_timestamp`).
    pub at: DateTime<Utc>,
    /// Breaks ties between events of one moment in the same way whatever order they came in.
    pub tie_break: Vec<u8>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// The number outside the company.
    pub external_number: Option<String>,
    /// The company's number.
    pub internal_number: Option<String>,
    /// Who the leg is for.
    pub target: Option<Target>,
    /// The name of the party outside.
    pub contact_name: Option<String>,
    /// When the leg was made.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was answered.
    pub connected_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Time spent talking, in milliseconds.
    pub talk_ms: Option<f64>,
    /// Time spent on hold, in milliseconds.
    pub hold_ms: Option<f64>,
    /// The group leg this leg came in through.
    pub entry_point_call_id: Option<DialpadId>,
    /// On a group leg: the leg of the agent who answered.
    pub operator_call_id: Option<DialpadId>,
    /// Root of a forwarded or transferred chain.
    pub master_call_id: Option<DialpadId>,
    /// Whether it left the line it came in on.
    pub is_transferred: bool,
    /// Recordings that are ready.
    pub recordings: Vec<Recording>,
    /// Page of the voicemail; no proof that there is one.
    pub voicemail_link: Option<String>,
    /// Text of the voicemail.
    pub transcript: Option<String>,
    /// What the caller of Dialpad's API attached to the call.
    pub custom_data: Option<String>,
}

impl CallEvent {
    /// Every leg this event mentions, its own first.
    pub fn mentioned(&self) -> impl Iterator<Item = DialpadId> {
        [Some(self.call_id), self.entry_point_call_id, self.operator_call_id, self.master_call_id]
            .into_iter()
            .flatten()
    }
}

/// Who a leg is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Dialpad's id of the user or group.
    pub id: DialpadId,
    /// Whether it is one person; anything else is a group (office, department, call centre, …).
    pub is_user: bool,
    /// Its name.
    pub name: Option<String>,
}

/// A recording that can be fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Where.
    pub url: String,
    /// Whether it is a voicemail; else it is of the call.
    pub is_voicemail: bool,
    /// Whether it is the company's copy, which API tokens often may not fetch: the user's is preferred.
    pub is_admin: bool,
    /// Its length in milliseconds.
    pub duration_ms: Option<f64>,
}
