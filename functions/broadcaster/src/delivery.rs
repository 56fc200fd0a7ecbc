//! One app's entries to its sockets: each socket gets its own, in order, beside all others.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use chrono::TimeDelta;
use futures_util::{StreamExt as _, future::try_join_all, stream};
use shared::{
    clock::Clock,
    domain::{
        ids::AppId,
        socket::{CloseReason, Notice},
    },
    push::{Delivery, Pusher},
    queue::{Close, Entry},
    registry::{self, Connection, Registry},
    telemetry::{Chain, Metric, Metrics, TraceId},
};
use tracing::{info, warn};

/// How many sockets are written to at once.
const SOCKETS_AT_ONCE: usize = 128;
/// How many users are looked up one by one before the whole app is.
const USERS_AT_ONCE: usize = 8;
/// Waits between the tries of a frame that API Gateway throttled; after the last the socket is closed.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

/// How long after `$connect` a socket may not be open yet, and answer 410: as long as an integration may take.
const HANDSHAKE: TimeDelta = TimeDelta::seconds(30);

/// What delivering needs.
pub struct Broadcaster {
    registry: Registry,
    pusher: Pusher,
    clock: Box<dyn Clock>,
    metrics: Metrics,
}

impl Broadcaster {
    /// Puts it together.
    #[must_use]
    pub fn new(registry: Registry, pusher: Pusher, clock: Box<dyn Clock>) -> Self {
        Self { registry, pusher, clock, metrics: Metrics::default() }
    }

    /// Counts into these instead of into some that nobody reads.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// What happened since they were written.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn flush(&self) {
        self.metrics.flush(self.clock.now());
    }

    /// Sends entries of one app to whoever is connected, then closes the sockets that are to be closed. Fails only when
    /// it cannot know who is connected.
    pub async fn deliver(
        &self,
        app_id: AppId,
        entries: &[Entry],
        closings: &[Close],
    ) -> Result<(), registry::Error> {
        let connections = self.connections(app_id, entries, closings).await?;
        let connected = connections.len();
        let reached: Vec<AtomicUsize> = entries.iter().map(|_| AtomicUsize::new(0)).collect();
        let reached = reached.as_slice();
        stream::iter(connections)
            .for_each_concurrent(SOCKETS_AT_ONCE, |connection| async move {
                let is_left = self.write(&connection, entries, reached).await;
                if is_left && let Some(close) = closings.iter().find(|close| concerns(close, &connection)) {
                    self.close(&connection, close.reason).await;
                }
            })
            .await;
        for (entry, sockets) in entries.iter().zip(reached) {
            let sockets = sockets.load(Ordering::Relaxed);
            let (seq, trace_id) = (entry.seq, entry.trace_id.as_ref().map(TraceId::as_str));
            info!(component = "Push", %app_id, client_event_id = %entry.id, seq, trace_id, sockets, connected, "pushed");
            self.metrics.add(Metric::Pushed, sockets);
        }
        Ok(())
    }

    /// Who is connected and concerned. When all of it is for users, only they and the app's own connections are asked for.
    async fn connections(
        &self,
        app_id: AppId,
        entries: &[Entry],
        closings: &[Close],
    ) -> Result<Vec<Connection>, registry::Error> {
        let now = self.clock.now();
        let users: Option<BTreeSet<&str>> = entries.iter().map(|entry| entry.audience.as_deref()).collect();
        match users.filter(|users| closings.is_empty() && users.len() <= USERS_AT_ONCE) {
            Some(users) => {
                let of_users = users.into_iter().map(Some).chain([None]);
                let asked = of_users.map(|user| self.registry.of_user(app_id, user, now));
                Ok(try_join_all(asked).await?.concat())
            }
            None => self.registry.of_app(app_id, now).await,
        }
    }

    /// Writes to one socket what it may see, in order, until it is through or the socket is lost. Says whether the socket
    /// is still there, or is going to be.
    async fn write(&self, connection: &Connection, entries: &[Entry], reached: &[AtomicUsize]) -> bool {
        for (entry, reached) in entries.iter().zip(reached).filter(|(entry, _)| may_see(connection, entry)) {
            match self.post(connection, entry).await {
                Delivery::Delivered => drop(reached.fetch_add(1, Ordering::Relaxed)),
                // One that is being opened gets what it misses here by its first `resume`; forgotten, it would get nothing.
                Delivery::Gone if self.clock.now() - connection.opened_at < HANDSHAKE => return true,
                Delivery::Gone => {
                    self.metrics.add(Metric::Gone, 1);
                    self.forget(connection, "gone").await;
                    return false;
                }
                Delivery::Throttled => {
                    // A gap that the client does not notice would be worse than a reconnect with `resume`.
                    self.metrics.add(Metric::Throttled, 1);
                    self.disconnect(connection).await;
                    self.forget(connection, "throttled").await;
                    return false;
                }
            }
        }
        true
    }

    /// Closes a socket after a last frame that says why: API Gateway itself can only say 1000.
    async fn close(&self, connection: &Connection, reason: CloseReason) {
        // Two names: it can always be written.
        let frame = serde_json::to_string(&Notice::Closing { reason }).unwrap_or_default();
        if let Err(error) = self.pusher.post(&connection.id, &frame).await {
            warn!(component = "WebSocket", app_id = %connection.app_id, error = %Chain(&error), "could not say why a socket is closed");
        }
        self.disconnect(connection).await;
        self.forget(connection, reason.as_str()).await;
    }

    async fn disconnect(&self, connection: &Connection) {
        if let Err(error) = self.pusher.close(&connection.id).await {
            warn!(component = "WebSocket", app_id = %connection.app_id, error = %Chain(&error), "could not close a socket");
        }
    }

    /// Posts one frame, trying again while API Gateway throttles or fails.
    async fn post(&self, connection: &Connection, entry: &Entry) -> Delivery {
        let mut waits = BACKOFF.iter();
        loop {
            match self.pusher.post(&connection.id, &entry.frame).await {
                Ok(delivery @ (Delivery::Delivered | Delivery::Gone)) => return delivery,
                Ok(Delivery::Throttled) => {}
                Err(error) => {
                    warn!(component = "Push", app_id = %connection.app_id, seq = entry.seq, error = %Chain(&error), "post failed");
                }
            }
            match waits.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return Delivery::Throttled,
            }
        }
    }

    async fn forget(&self, connection: &Connection, reason: &'static str) {
        info!(component = "WebSocket", app_id = %connection.app_id, connection_id = connection.id, reason, "closed");
        if let Err(error) = self.registry.remove(&connection.id).await {
            warn!(component = "WebSocket", app_id = %connection.app_id, error = %Chain(&error), "could not remove a connection");
        }
    }
}

/// Whether a closing is meant for this socket.
fn concerns(close: &Close, connection: &Connection) -> bool {
    let keys = close.key_ids.as_ref();
    keys.is_none_or(|keys| keys.iter().any(|key| connection.key_id == key.to_string()))
}

/// The two-tier rule: an event for a user goes to that user and to the app's own connections; any other goes to all.
fn may_see(connection: &Connection, entry: &Entry) -> bool {
    match (&entry.audience, &connection.crm_user_id) {
        (Some(audience), Some(user)) => audience == user,
        (None, _) | (_, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_for_a_user_is_hidden_from_other_users_only() {
        let socket = |user: Option<&str>| Connection {
            id: "c".into(),
            app_id: AppId(shared::domain::ids::new_id()),
            crm_user_id: user.map(str::to_owned),
            key_id: "k".into(),
            opened_at: chrono::DateTime::UNIX_EPOCH,
        };
        let entry = |audience: Option<&str>| Entry {
            seq: 1,
            id: shared::domain::ids::new_id(),
            audience: audience.map(str::to_owned),
            frame: String::new(),
            trace_id: None,
        };
        for (audience, user, sees) in [
            (Some("ada"), Some("ada"), true),
            (Some("ada"), Some("ben"), false),
            (Some("ada"), None, true),
            (None, Some("ben"), true),
            (None, None, true),
        ] {
            assert_eq!(may_see(&socket(user), &entry(audience)), sees, "{audience:?} {user:?}");
        }
    }
}
