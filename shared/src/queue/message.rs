//! What travels on the queues.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ids::AppId;

/// A message of the event queue, from `webhook` to `processor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventMessage {
    /// A delivery was stored: there is work for this app. It may be lost: the sweep finds the work too.
    Stored {
        /// The app.
        app_id: AppId,
    },
    /// A delivery that the database did not take: this message is all there is of it.
    Spilled(SpilledDelivery),
}

/// A delivery that waits in the queue until the database is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpilledDelivery {
    /// The app it was sent to.
    pub app_id: AppId,
    /// The body exactly as it came.
    pub body: String,
    /// Whether its signature was verified; else that is done when it is stored.
    pub verified: bool,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// A message of the push queue, from `processor` to `broadcaster`: entries of one app, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushMessage {
    /// The app.
    pub app_id: AppId,
    /// What is to be sent.
    pub events: Vec<Entry>,
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
}
