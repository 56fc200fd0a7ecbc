//! Why a handshake is refused, and the status it is refused with.

use shared::{domain::handshake::Reason, registry, store};

/// A refused handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No credential came.
    #[error("find a credential in the handshake")]
    Missing,
    /// The key is none, no live one, or in the wrong place; the client is not told which.
    #[error("accept a key ({})", .0.as_str())]
    Key(Reason),
    /// The key is nobody's.
    #[error("find the key")]
    UnknownKey,
    /// The ticket is none, or was used, or is too old, or its key is dead.
    #[error("accept a ticket")]
    Ticket,
    /// The key or the ticket is good, its app is not active.
    #[error("serve an inactive app")]
    Inactive,
    /// The ticket is another user's.
    #[error("open a socket for another user than the ticket's")]
    OtherUser,
    /// A parameter of the handshake is wrong.
    #[error("read user_id")]
    UserId,
    /// The database is away, or failed.
    #[error("look the credential up")]
    Store(#[from] store::Error),
    /// The table of connections is away, or failed.
    #[error("register the connection")]
    Registry(#[from] registry::Error),
}

impl Error {
    /// Stable name: in the log line, and of the metric.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "no_credential",
            Self::UnknownKey => "unknown_key",
            Self::Ticket => "bad_ticket",
            Self::OtherUser => "other_user",
            Self::Store(_) | Self::Registry(_) => "unavailable",
            Self::Key(reason) => reason.as_str(),
            Self::Inactive => Reason::AppInactive.as_str(),
            Self::UserId => Reason::UserId.as_str(),
        }
    }

    /// What the app of the presented key is to know of it.
    pub(crate) fn of_a_key(&self) -> Option<Reason> {
        match self {
            Self::Key(reason) => Some(*reason),
            Self::Inactive => Some(Reason::AppInactive),
            Self::UserId => Some(Reason::UserId),
            Self::Missing
            | Self::UnknownKey
            | Self::Ticket
            | Self::OtherUser
            | Self::Store(_)
            | Self::Registry(_) => None,
        }
    }

    /// The status of the handshake's answer.
    pub(crate) fn status(&self) -> i64 {
        match self {
            Self::Missing | Self::Key(_) | Self::UnknownKey | Self::Ticket => 401,
            Self::Inactive | Self::OtherUser => 403,
            Self::UserId => 400,
            Self::Store(_) | Self::Registry(_) => 503,
        }
    }
}
