//! What a client and we say to each other on a socket, besides the frames of the event log.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// A place in an app's event log: the `seq` of an event, or 0 for the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seq(pub i64);

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seq = i64::deserialize(deserializer)?;
        if seq < 0 { Err(D::Error::custom("after is negative")) } else { Ok(Self(seq)) }
    }
}

/// What a client may say.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Request {
    /// Keeps the socket open, and asks whether anything was missed. Say it every five minutes.
    Ping {
        /// The client's cursor: everything up to this `seq` was seen. Without it nothing is counted.
        #[serde(default)]
        after: Option<Seq>,
    },
    /// Asks for what came after a place in the log.
    Resume {
        /// The client's cursor: everything up to this `seq` was seen.
        after: Seq,
    },
}

/// What a client is answered; `E` is a frame of the log as it was stored.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Reply<E> {
    /// To a ping: where the log ends, and how much of it after the client's cursor is for this connection.
    Pong(Pong),
    /// To a resume: a page of the log, by the same rule who sees what as live events.
    Replay(Replay<E>),
    /// To what could not be done. The connection stays.
    Error(Refusal),
}

/// Where the log ends.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pong {
    /// The app's last event.
    pub seq: i64,
    /// How many events after the client's cursor this connection may see. A client that holds as many moves its cursor to
    /// `seq`; another one resumes.
    pub count: i64,
}

/// A page of the log.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Replay<E> {
    /// The frames exactly as they were sent.
    pub events: Vec<E>,
    /// The last place that was looked at: ask again from here.
    pub seq: i64,
    /// Whether there is more.
    pub has_more: bool,
    /// False when the log no longer reaches back that far: load the lists again, then follow from `seq`.
    pub recovered: bool,
}

/// Why something could not be done.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// Stable name to program against.
    pub code: RefusalCode,
    /// The same in words.
    pub message: &'static str,
}

/// The names of what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// It is no JSON object with an action, or `after` is not a whole number.
    Malformed,
    /// There is no such action.
    UnknownAction,
    /// The connection was dropped on our side: connect again.
    NotConnected,
    /// The event log is away: try again.
    Unavailable,
}

/// What a client is told unasked, besides events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event")]
pub enum Notice {
    /// The last frame before we close a socket.
    #[serde(rename = "connection.closing")]
    Closing {
        /// Why.
        reason: CloseReason,
    },
}

/// Why a socket is closed, as its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// Its key was revoked, rotated, or expired.
    KeyRevoked,
    /// Its app is not active any more.
    AppInactive,
}

impl CloseReason {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyRevoked => "key_revoked",
            Self::AppInactive => "app_inactive",
        }
    }
}
