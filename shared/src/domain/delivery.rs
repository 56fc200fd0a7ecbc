//! A delivery of Dialpad's, before anybody asks what happened.

/// A family of Dialpad's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A leg of a call: `call_id` and `state`, or one of the guide's names in `event_type`.
    Call,
    /// A text message: `message_status` or `mms`.
    Message,
    /// A call-centre agent's duty: `on_duty_status`.
    AgentStatus,
    /// A contact was created, updated or deleted.
    Contact,
    /// An administrator changed something.
    ChangeLog,
    /// Anything else: kept, counted, told to nobody.
    Unknown,
}

impl Family {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Message => "message",
            Self::AgentStatus => "agent_status",
            Self::Contact => "contact",
            Self::ChangeLog => "change_log",
            Self::Unknown => "unknown",
        }
    }
}

/// A delivery, as far as it has to be understood to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What it is about.
    pub family: Family,
    /// What stands in `webhook_events.event_type`: of a call its state, as Dialpad or the guide wrote it; else the
    /// family.
    pub event_type: String,
    /// The same for every copy of a delivery: SHA-256 over family, Dialpad's id, state or status, and
    /// `event_timestamp`; where one of them is missing, over the whole text.
    pub dedupe_key: [u8; 32],
    /// SHA-256 of the whole text as it came: what comes again under the same key is a copy if it has the same.
    pub payload_hash: [u8; 32],
    /// The text to store as `jsonb`. NUL and lone surrogates, which that type refuses, stand in it with the backslash of
    /// their escape doubled; nothing else differs from what was sent.
    pub json: String,
}
