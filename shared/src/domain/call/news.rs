//! placeholder until written
use super::{Conversation, Moment};
/// News.
#[must_use]
pub fn news(_before: &[Conversation], _after: &Conversation) -> Vec<Moment> { Vec::new() }
