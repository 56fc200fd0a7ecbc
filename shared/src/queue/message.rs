//! What travels on the queues.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{ids::AppId, socket::CloseReason},
    telemetry::TraceId,
};

/// What `webhook` tells `processor`: that there is work, by the event queue, or the work itself, by the spill queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventMessage {
    /// A delivery was stored: there is work for this app. It may be lost: the sweep finds the work too.
    Stored {
        /// The app.
        app_id: AppId,
        /// The delivery's row.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_id: Option<Uuid>,
        /// The trace it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace_id: Option<TraceId>,
    },
    /// A delivery that the database did not take: this message is all there is of it.
    Spilled(SpilledDelivery),
}

/// A delivery that waits in the spill queue until the database is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpilledDelivery {
    /// The app it was sent to; none: that is looked up when it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<AppId>,
    /// The key that says whose it is; without one and without an app it is the only active app's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyProof>,
    /// The body exactly as it came.
    pub body: String,
    /// Whether its signature was verified; else that is done when it is stored.
    pub verified: bool,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// The trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
}

/// What is known of a key that was shown: enough to find it, and to tell that it was the right one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyProof {
    /// Its public part.
    pub id: String,
    /// SHA-256 of the whole.
    pub hash: Vec<u8>,
}

/// A message of the push queue, to `broadcaster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushMessage {
    /// The app.
    pub app_id: AppId,
    /// What is to be sent, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Entry>,
    /// Which sockets are to be closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close: Option<Close>,
}

/// Sockets to be closed, each after a last frame that says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// Those that were opened with these keys; none: all of the app.
    pub key_ids: Option<Vec<Uuid>>,
    /// Why.
    pub reason: CloseReason,
}

impl PushMessage {
    /// Entries of the log to be sent.
    #[must_use]
    pub const fn events(app_id: AppId, events: Vec<Entry>) -> Self {
        Self { app_id, events, close: None }
    }

    /// Sockets to be closed.
    #[must_use]
    pub const fn close(app_id: AppId, close: Close) -> Self {
        Self { app_id, events: Vec::new(), close: Some(close) }
    }
}

/// One frame and who gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the log.
    pub seq: i64,
    /// Its stable id.
    pub id: Uuid,
    /// The CRM user it is for; none: everybody.
    pub audience: Option<String>,
    /// The frame exactly as it is sent.
    pub frame: String,
    /// The trace of the delivery that caused it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
}
