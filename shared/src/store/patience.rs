//! How long a transaction may take as seen from here.
//!
//! The limits that Postgres is given end what Postgres is at. When the server stops, or something on the way to it takes
//! packets and passes none on, they end nothing, and what was sent would be awaited for ever. So the task that drives a
//! connection gives it up when its transaction is not over in time: whatever waits for an answer fails as on a connection
//! that broke, and the pool makes another.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::Instant,
};
use tokio_postgres::Connection;

use crate::telemetry::Chain;

/// Until when the transaction has to be over, if there is one.
type Until = Option<Instant>;

/// What the user of a connection says to the task that drives it.
#[derive(Debug)]
pub(super) struct Patience(watch::Sender<Until>);

impl Patience {
    /// One, and what the driving task gets of it.
    pub(super) fn new() -> (Self, watch::Receiver<Until>) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), receiver)
    }

    /// A transaction begins, and has to be over after so long.
    pub(super) fn begin(&self, time: Duration) {
        self.0.send_replace(Some(Instant::now() + time));
    }

    /// It is over. The task finds that out when it looks; it is not worth waking.
    pub(super) fn end(&self) {
        self.0.send_if_modified(|until| {
            *until = None;
            false
        });
    }
}

/// Drives a connection until it ends, or is not answered in time.
pub(super) async fn drive<S, T>(connection: Connection<S, T>, mut until: watch::Receiver<Until>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::warn!(component = "Database", error = %Chain(&error), "connection ended");
        },
        () = passed(&mut until) => {
            tracing::warn!(component = "Database", "connection given up: its transaction was not over in time");
        }
    }
}

/// Waits until a transaction has taken too long.
async fn passed(until: &mut watch::Receiver<Until>) {
    loop {
        let now_until = *until.borrow_and_update();
        let time_is_up = async {
            match now_until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = until.changed() => if changed.is_err() {
                // Nobody uses the connection any more: it ends by itself.
                return std::future::pending().await;
            },
            () = time_is_up => if *until.borrow() == now_until {
                return;
            },
        }
    }
}
