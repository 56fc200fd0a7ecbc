//! The faults there are.

use std::time::Duration;

/// A fault, or a limit that is not in force unless it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A handshake is answered 429.
    ConnectRate,
    /// A post is answered 429.
    PostRate,
    /// A post is answered 410 though the client is there.
    PostGone,
    /// A post is answered 429.
    PostThrottle,
    /// A post is not answered, and not done.
    PostHang,
    /// `$disconnect` is not invoked.
    DisconnectDrop,
    /// The edge writes slowly to a client.
    SocketSlow,
    /// A message is delivered twice.
    QueueDuplicate,
    /// A message comes late.
    QueueDelay,
    /// A message is overtaken by later ones.
    QueueReorder,
    /// A queue does not take a message.
    QueueRefuse,
    /// A process dies before it sees the event.
    KillBefore,
    /// A process dies while it is at an event.
    KillDuring,
    /// A process dies after its work, and its answer is lost.
    KillAfter,
    /// The database refuses connections and breaks those it has.
    DatabaseRefuse,
    /// The database is reached and does not answer.
    DatabaseHang,
}

/// What the value of a fault says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A share.
    Share,
    /// A share and how long it lasts, with what counts when it is not said.
    ShareLasting(Duration),
    /// How many a second.
    PerSecond,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::ConnectRate,
        Self::PostRate,
        Self::PostGone,
        Self::PostThrottle,
        Self::PostHang,
        Self::DisconnectDrop,
        Self::SocketSlow,
        Self::QueueDuplicate,
        Self::QueueDelay,
        Self::QueueReorder,
        Self::QueueRefuse,
        Self::KillBefore,
        Self::KillDuring,
        Self::KillAfter,
        Self::DatabaseRefuse,
        Self::DatabaseHang,
    ];

    /// Its name, in flags and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectRate => "connect-rate",
            Self::PostRate => "post-rate",
            Self::PostGone => "post-gone",
            Self::PostThrottle => "post-throttle",
            Self::PostHang => "post-hang",
            Self::DisconnectDrop => "disconnect-drop",
            Self::SocketSlow => "socket-slow",
            Self::QueueDuplicate => "queue-duplicate",
            Self::QueueDelay => "queue-delay",
            Self::QueueReorder => "queue-reorder",
            Self::QueueRefuse => "queue-refuse",
            Self::KillBefore => "kill-before",
            Self::KillDuring => "kill-during",
            Self::KillAfter => "kill-after",
            Self::DatabaseRefuse => "database-refuse",
            Self::DatabaseHang => "database-hang",
        }
    }

    /// The fault of that name, or which names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            format!("there is no fault {name:?}; there are {}", names.join(", "))
        })
    }

    /// Whether it needs the proxy before the database.
    #[must_use]
    pub const fn is_of_database(self) -> bool {
        matches!(self, Self::DatabaseRefuse | Self::DatabaseHang)
    }

    /// Whether it needs the functions to be processes of this program.
    #[must_use]
    pub const fn is_of_processes(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillDuring | Self::KillAfter)
    }

    pub(super) const fn form(self) -> Form {
        match self {
            Self::ConnectRate | Self::PostRate => Form::PerSecond,
            Self::PostGone
            | Self::PostThrottle
            | Self::DisconnectDrop
            | Self::QueueDuplicate
            | Self::QueueRefuse
            | Self::KillBefore
            | Self::KillAfter => Form::Share,
            Self::PostHang | Self::QueueDelay => Form::ShareLasting(Duration::from_mins(1)),
            Self::SocketSlow => Form::ShareLasting(Duration::from_millis(500)),
            Self::QueueReorder => Form::ShareLasting(Duration::from_millis(250)),
            Self::KillDuring => Form::ShareLasting(Duration::from_millis(20)),
            Self::DatabaseRefuse | Self::DatabaseHang => Form::ShareLasting(Duration::from_secs(5)),
        }
    }

    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}
