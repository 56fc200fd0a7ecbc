//! What a leg is by all that was said of it: the row of `calls`, and its voicemail.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::ids::DialpadId;

/// A leg of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    /// Dialpad's id of the leg.
    pub call_id: DialpadId,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// The number that called.
    pub from_number: Option<String>,
    /// The number that was called.
    pub to_number: Option<String>,
    /// Where the leg stands.
    pub status: Status,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
    /// The user it is for; none on a group's leg.
    pub user_id: Option<DialpadId>,
    /// The group it is for; none on a user's leg.
    pub group_id: Option<DialpadId>,
    /// The name of that group.
    pub group_name: Option<String>,
    /// The name of the party outside.
    pub contact_name: Option<String>,
    /// When the leg was made.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was answered.
    pub connected_at: Option<DateTime<Utc>>,
    /// When it ended; none after an end that nobody knows of.
    pub ended_at: Option<DateTime<Utc>>,
    /// Time spent talking, in milliseconds; none before the end.
    pub duration_ms: Option<f64>,
    /// Recording of the call.
    pub recording_url: Option<String>,
    /// The message that was left, once it is proved.
    pub voicemail: Option<Voicemail>,
    /// What the caller of Dialpad's API attached to the call.
    pub custom_data: Option<String>,
}

/// A message that was left on a leg.
#[derive(Clone, Debug, PartialEq)]
pub struct Voicemail {
    /// Where to hear it.
    pub recording_url: Option<String>,
    /// What it says.
    pub transcript: Option<String>,
    /// Its length in milliseconds.
    pub duration_ms: Option<f64>,
}

/// Defines an enum whose variants are written in `snake_case` in JSON, SQL and queries alike.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word that stands for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or(())
            }
        }
    };
}

words! {
    /// Who called whom.
    Direction {
        /// Somebody outside called the company.
        Inbound = "inbound",
        /// The company called.
        Outbound = "outbound",
    }
}

words! {
    /// Where a leg stands.
    Status {
        /// Waiting in a queue, or before a greeting.
        Queued = "queued",
        /// Ringing, or being dialled.
        Ringing = "ringing",
        /// People are talking.
        Active = "active",
        /// On hold or parked.
        Held = "held",
        /// Over, after an answer (here or elsewhere), or nobody knows how.
        Ended = "ended",
        /// Over without an answer.
        Missed = "missed",
        /// Over, and a message was left.
        Voicemail = "voicemail",
        /// Refused by a block list.
        Rejected = "rejected",
    }
}

words! {
    /// How a leg ended.
    Outcome {
        /// Somebody answered it.
        Answered = "answered",
        /// A colleague answered the call.
        AnsweredElsewhere = "answered_elsewhere",
        /// Nobody took it.
        Missed = "missed",
        /// A message was left.
        Voicemail = "voicemail",
        /// The caller gave up before any agent was rung.
        Abandoned = "abandoned",
        /// An outbound call that nobody answered.
        NoAnswer = "no_answer",
        /// Refused by a block list.
        Blocked = "blocked",
        /// Answered, then handed on.
        Transferred = "transferred",
        /// Nobody knows: its end was lost, and Dialpad does not know the call any more.
        Unknown = "unknown",
    }
}

impl Outcome {
    /// The status a leg has after this outcome.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Answered | Self::AnsweredElsewhere | Self::Transferred | Self::Unknown => Status::Ended,
            Self::Voicemail => Status::Voicemail,
            Self::Blocked => Status::Rejected,
            Self::Missed | Self::NoAnswer | Self::Abandoned => Status::Missed,
        }
    }
}
