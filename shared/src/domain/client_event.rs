//! What clients are told of: the names of client events, and what each is about.

use serde::Serialize;

/// The name of a client event. Clients ignore names they do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EventName {
    /// A user's phone rings, or dials.
    #[serde(rename = "call.ring")]
    CallRing,
    /// A call waits in a queue.
    #[serde(rename = "call.queued")]
    CallQueued,
    /// A call was answered.
    #[serde(rename = "call.started")]
    CallStarted,
    /// A call was put on hold.
    #[serde(rename = "call.held")]
    CallHeld,
    /// A call came back from hold.
    #[serde(rename = "call.resumed")]
    CallResumed,
    /// A call was parked.
    #[serde(rename = "call.parked")]
    CallParked,
    /// A call ended; once for each leg.
    #[serde(rename = "call.ended")]
    CallEnded,
    /// More became known of a call.
    #[serde(rename = "call.updated")]
    CallUpdated,
    /// A recording of a call is ready.
    #[serde(rename = "call.recording")]
    CallRecording,
    /// A message was left; once for each leg.
    #[serde(rename = "voicemail.received")]
    VoicemailReceived,
    /// More became known of a message, its transcript for example.
    #[serde(rename = "voicemail.updated")]
    VoicemailUpdated,
    /// Somebody outside wrote; once for each text message.
    #[serde(rename = "message.received")]
    MessageReceived,
    /// Somebody in the company wrote; once for each text message.
    #[serde(rename = "message.sent")]
    MessageSent,
    /// A text message got further, or failed to.
    #[serde(rename = "message.status")]
    MessageStatus,
    /// An agent does something else now.
    #[serde(rename = "agent.status")]
    AgentStatus,
}

/// What an event is about, and so which frame tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A call: [`CallFrame`](super::frame::CallFrame).
    Call,
    /// A message that a caller left: [`VoicemailFrame`](super::frame::VoicemailFrame).
    Voicemail,
    /// A text message: [`MessageFrame`](super::frame::MessageFrame).
    Message,
    /// What an agent does: [`AgentFrame`](super::frame::AgentFrame).
    Agent,
}

impl EventName {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::CallRing,
        Self::CallQueued,
        Self::CallStarted,
        Self::CallHeld,
        Self::CallResumed,
        Self::CallParked,
        Self::CallEnded,
        Self::CallUpdated,
        Self::CallRecording,
        Self::VoicemailReceived,
        Self::VoicemailUpdated,
        Self::MessageReceived,
        Self::MessageSent,
        Self::MessageStatus,
        Self::AgentStatus,
    ];

    /// The name as it stands in a frame.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallRing => "call.ring",
            Self::CallQueued => "call.queued",
            Self::CallStarted => "call.started",
            Self::CallHeld => "call.held",
            Self::CallResumed => "call.resumed",
            Self::CallParked => "call.parked",
            Self::CallEnded => "call.ended",
            Self::CallUpdated => "call.updated",
            Self::CallRecording => "call.recording",
            Self::VoicemailReceived => "voicemail.received",
            Self::VoicemailUpdated => "voicemail.updated",
            Self::MessageReceived => "message.received",
            Self::MessageSent => "message.sent",
            Self::MessageStatus => "message.status",
            Self::AgentStatus => "agent.status",
        }
    }

    /// What it is about.
    #[must_use]
    pub const fn subject(self) -> Subject {
        match self {
            Self::CallRing
            | Self::CallQueued
            | Self::CallStarted
            | Self::CallHeld
            | Self::CallResumed
            | Self::CallParked
            | Self::CallEnded
            | Self::CallUpdated
            | Self::CallRecording => Subject::Call,
            Self::VoicemailReceived | Self::VoicemailUpdated => Subject::Voicemail,
            Self::MessageReceived | Self::MessageSent | Self::MessageStatus => Subject::Message,
            Self::AgentStatus => Subject::Agent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EventName;

    #[test]
    fn a_name_reads_the_same_in_frames_and_in_log_lines() {
        for name in EventName::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
    }
}
