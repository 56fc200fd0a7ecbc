//! What was sent, and how it was answered.

use std::{collections::HashSet, time::Duration};

use serde_json::Value;
use shared::dialpad::payload;

/// A delivery, as the database tells it from others.
pub(super) type Key = Vec<u8>;

/// The key of a delivery.
pub(super) fn key(payload: &Value) -> Option<Key> {
    payload::inspect(&payload.to_string()).ok().map(|delivery| delivery.dedupe_key.to_vec())
}

/// The account of the senders.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By app: deliveries that were answered 200.
    pub(super) taken: Vec<HashSet<Key>>,
    /// By app: all that was sent, answered or not.
    pub(super) sent: Vec<HashSet<Key>>,
    /// Requests that were answered 200.
    pub(super) answered: u64,
    /// Requests that were answered 5xx or not at all, and made again.
    pub(super) again: u64,
    /// Deliveries that were sent twice on purpose.
    pub(super) doubled: u64,
    /// Deliveries that changed places with the next.
    pub(super) swapped: u64,
    /// Calls, messages and the like.
    pub(super) calls: u64,
    /// Deliveries that were refused with 4xx, which nothing here deserves.
    pub(super) refused: u64,
    /// The slowest answer of 200.
    pub(super) slowest: Duration,
    /// Answers of 200 that took longer than two seconds, which is what a delivery has while the database is away.
    pub(super) slow: u64,
    /// Answers of 200 that took longer than Dialpad waits.
    pub(super) too_late: u64,
}

impl Ledger {
    pub(super) fn new(apps: usize) -> Self {
        Self { taken: vec![HashSet::new(); apps], sent: vec![HashSet::new(); apps], ..Self::default() }
    }

    /// Adds the account of another sender.
    pub(super) fn add(&mut self, other: Self) {
        for (mine, theirs) in self.taken.iter_mut().zip(other.taken) {
            mine.extend(theirs);
        }
        for (mine, theirs) in self.sent.iter_mut().zip(other.sent) {
            mine.extend(theirs);
        }
        self.answered += other.answered;
        self.again += other.again;
        self.doubled += other.doubled;
        self.swapped += other.swapped;
        self.calls += other.calls;
        self.refused += other.refused;
        self.slow += other.slow;
        self.too_late += other.too_late;
        self.slowest = self.slowest.max(other.slowest);
    }
}
