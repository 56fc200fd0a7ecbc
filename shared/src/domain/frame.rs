//! The frames that CRM clients get: one flat JSON object each.

use serde::Serialize;
use uuid::Uuid;

use super::{
    call::{Direction, Outcome, Status},
    client_event::EventName,
    ids::{AppId, DialpadId},
    time::Timestamp,
};

/// The most that a frame may hold, in bytes.
pub const MAX_FRAME_BYTES: usize = 24 * 1024;

/// What every frame of the event log begins with.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Envelope {
    /// What happened.
    pub event: EventName,
    /// Stable id: the same wherever the event is seen.
    pub id: Uuid,
    /// Its place in the app's log.
    pub seq: i64,
    /// The tenant.
    pub app_id: AppId,
    /// When it happened, by Dialpad's clock.
    pub occurred_at: Timestamp,
    /// When the frame was made, by ours.
    pub timestamp: Timestamp,
}

/// A frame about a call.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallFrame<'a> {
    /// What, which, when.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Dialpad's id of the leg.
    pub call_id: DialpadId,
    /// Our id of the leg.
    pub call: Uuid,
    /// Our id of the conversation: its first leg's.
    pub parent_call_id: Uuid,
    /// How many of Dialpad's events the conversation rests on. Ignore a frame whose version is below the last one of this
    /// leg: it is older.
    pub version: i64,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// The number that called.
    pub from_number: Option<&'a str>,
    /// The number that was called.
    pub to_number: Option<&'a str>,
    /// Where the leg stands.
    pub status: Status,
    /// How it ended, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The Dialpad user the leg is for.
    pub user_id: Option<DialpadId>,
    /// The group the leg is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    /// The CRM user who is that Dialpad user.
    pub target_crm_user: Option<&'a str>,
    /// The name of the party outside.
    pub contact_name: Option<&'a str>,
    /// Time spent talking, rounded, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// The same, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Where to hear the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_url: Option<&'a str>,
    /// What was attached to the call through Dialpad's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<&'a str>,
    /// On `call.updated`: Dialpad's state that brought the news.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<&'a str>,
    /// Whether a text was cut to keep the frame small.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A frame about a voicemail.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VoicemailFrame<'a> {
    /// What, which, when.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Our id of the message.
    pub voicemail_id: Uuid,
    /// Dialpad's id of the leg it was left on.
    pub call_id: DialpadId,
    /// Our id of that leg.
    pub call: Uuid,
    /// The number that called.
    pub from_number: Option<&'a str>,
    /// The number that was called.
    pub to_number: Option<&'a str>,
    /// The Dialpad user it was left to.
    pub user_id: Option<DialpadId>,
    /// The group it was left to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    /// The CRM user who is that Dialpad user.
    pub target_crm_user: Option<&'a str>,
    /// The name of the caller.
    pub contact_name: Option<&'a str>,
    /// Its length, rounded.
    pub duration_seconds: Option<i64>,
    /// Its length, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Where to hear it.
    pub recording_url: Option<&'a str>,
    /// What it says, once Dialpad has written it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<&'a str>,
    /// On `voicemail.updated`: Dialpad's state that brought the news.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<&'a str>,
    /// Whether a text was cut to keep the frame small.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A frame about a text message.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageFrame<'a> {
    /// What, which, when.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Our id of the message.
    pub message_id: Uuid,
    /// Dialpad's id of it.
    pub dialpad_message_id: DialpadId,
    /// Who wrote to whom.
    pub direction: Option<Direction>,
    /// The number that wrote.
    pub from_number: Option<&'a str>,
    /// The number that was written to.
    pub to_number: Option<&'a str>,
    /// What it says, where Dialpad tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// Whether something is attached.
    pub mms: bool,
    /// What is attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mms_url: Option<&'a str>,
    /// How far it got, in Dialpad's words.
    pub status: Option<&'a str>,
    /// Why it got no further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_result: Option<&'a str>,
    /// The Dialpad user who wrote or got it.
    pub user_id: Option<DialpadId>,
    /// The group that wrote or got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    /// The CRM user who is that Dialpad user.
    pub target_crm_user: Option<&'a str>,
    /// The name of the party outside.
    pub contact_name: Option<&'a str>,
    /// Whether a text was cut to keep the frame small.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A frame about what an agent does.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentFrame<'a> {
    /// What, which, when.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The agent, as a Dialpad user.
    pub user_id: DialpadId,
    /// Available, occupied, and so on, in Dialpad's words.
    pub status: Option<&'a str>,
    /// Why, where the agent said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// Whether calls reach the agent, in Dialpad's words.
    pub availability: Option<&'a str>,
    /// The call centres the agent works for.
    pub call_center_ids: Vec<&'a str>,
    /// The CRM user who is that Dialpad user.
    pub target_crm_user: Option<&'a str>,
    /// Whether a text was cut to keep the frame small.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}
