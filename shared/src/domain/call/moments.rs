//! The mapping: what clients are told of each of Dialpad's events.

use super::{
    CallEvent, Leg, State,
    track::{Phase, Track},
    walk::Walk,
};
use crate::domain::frame::EventName;

/// A leg as the mapping looks at it: before the event, and after.
pub(super) struct Step<'a> {
    /// The walk, with the event taken in.
    walk: &'a Walk,
    /// The leg, with the event taken in.
    track: &'a Track,
    number: usize,
    before: Before,
}

/// What the mapping has to know of the time before an event.
pub(super) struct Before {
    phase: Phase,
    was_over: bool,
    had_message: bool,
    /// Only for the states that are no news when nothing changed.
    leg: Option<Leg>,
}

impl Before {
    /// Looks at a leg before the event is taken in.
    pub(super) fn new(_: &Walk) -> Self {
        unimplemented!()
    }
}
