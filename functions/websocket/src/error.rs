//! Why a handshake is refused, and the status it is refused with.

use shared::{registry, store};

/// A refused handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No credential came.
    #[error("find a credential in the handshake")]
    Missing,
    /// It is no credential, or no live one; the client is not told which.
    #[error("accept the credential: {0}")]
    Rejected(&'static str),
    /// The key is good, its app is not active.
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
            Self::Rejected(_) => "bad_credential",
            Self::Inactive => "app_inactive",
            Self::OtherUser => "other_user",
            Self::UserId => "user_id",
            Self::Store(_) | Self::Registry(_) => "unavailable",
        }
    }

    /// The status of the handshake's answer.
    pub(crate) fn status(&self) -> i64 {
        match self {
            Self::Missing | Self::Rejected(_) => 401,
            Self::Inactive | Self::OtherUser => 403,
            Self::UserId => 400,
            Self::Store(_) | Self::Registry(_) => 503,
        }
    }
}
