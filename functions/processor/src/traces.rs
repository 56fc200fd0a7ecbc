//! Which delivery, and which trace, a client event comes from.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use shared::{domain::ids::DialpadId, store::inbox::Finished, telemetry::TraceId};
use uuid::Uuid;

/// The traces that wake-ups told of, by the row of the delivery. What no wake-up told of has none.
#[derive(Debug, Default)]
pub(crate) struct Traces(HashMap<Uuid, TraceId>);

impl Traces {
    /// Notes what a wake-up says.
    pub(crate) fn note(&mut self, event_id: Option<Uuid>, trace_id: Option<TraceId>) {
        if let (Some(event_id), Some(trace_id)) = (event_id, trace_id) {
            self.0.insert(event_id, trace_id);
        }
    }

    /// The trace of a delivery.
    pub(crate) fn of(&self, event_id: Uuid) -> Option<&TraceId> {
        self.0.get(&event_id)
    }
}

/// What a delivery is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum About {
    Call(DialpadId),
    Message(DialpadId),
    /// Of agents only the time is noted.
    Agent,
}

/// The deliveries of a batch, by what they are of and when it happened.
#[derive(Debug)]
pub(crate) struct Causes<'a> {
    rows: HashMap<(About, Option<DateTime<Utc>>), Uuid>,
    traces: &'a Traces,
}

/// The delivery that caused a client event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    pub(crate) event_id: Option<Uuid>,
    pub(crate) trace_id: Option<TraceId>,
}

impl<'a> Causes<'a> {
    pub(crate) fn new(finished: &[Finished], traces: &'a Traces) -> Self {
        let row = |event: &Finished| {
            let about = match (event.call_id, event.message_id) {
                (Some(call), _) => About::Call(call),
                (None, Some(message)) => About::Message(message),
                (None, None) => About::Agent,
            };
            ((about, event.event_timestamp), event.id)
        };
        Self { rows: finished.iter().map(row).collect(), traces }
    }

    /// What caused a client event of this about and time.
    pub(crate) fn of(&self, about: About, at: DateTime<Utc>) -> Cause {
        let event_id = self.rows.get(&(about, Some(at))).copied();
        Cause { event_id, trace_id: event_id.and_then(|id| self.traces.of(id)).cloned() }
    }
}
