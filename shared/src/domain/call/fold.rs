//! placeholder until written
use chrono::{DateTime, Utc};
use super::{CallEvent, Leg};
use crate::domain::{frame::EventName, ids::DialpadId};
/// A conversation.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Conversation {
    /// Its legs.
    pub legs: Vec<Leg>,
    /// What clients are told.
    pub moments: Vec<Moment>,
}
/// Something a client is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// The kind.
    pub event: EventName,
    /// When.
    pub at: DateTime<Utc>,
    /// Dialpad's state that brought it.
    pub what: String,
    /// The leg as it stood then.
    pub leg: Leg,
}
/// Folds.
#[must_use]
pub fn fold(_events: &[CallEvent]) -> Conversation { Conversation::default() }
/// unused
pub(super) fn _leg(_: DialpadId) {}
