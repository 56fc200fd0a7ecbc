//! What a batch did, told once it is committed: a line for each delivery and for each client event, and the metrics.

use chrono::{DateTime, Utc};
use shared::{
    domain::{
        client_event::EventName,
        ids::{AppId, DialpadId},
    },
    store::inbox::Finished,
    telemetry::{Metric, Metrics, TraceId},
};
use tracing::{info, warn};
use uuid::Uuid;

use crate::traces::{About, Cause, Traces};

/// A client event, for the log.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) seq: i64,
    pub(crate) id: Uuid,
    pub(crate) event: EventName,
    pub(crate) about: About,
    pub(crate) cause: Cause,
    /// Whether it is for one CRM user only.
    pub(crate) is_targeted: bool,
}

/// What became of the deliveries of a batch.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    pub(crate) finished: Vec<Finished>,
    pub(crate) unreadable: Vec<(Uuid, String)>,
    pub(crate) conflicting: Vec<Uuid>,
    pub(crate) unrecognised: usize,
    /// Since when each of them had waited.
    pub(crate) waited_since: Vec<DateTime<Utc>>,
}

impl Deliveries {
    /// Writes a line for each, and counts them.
    pub(crate) fn tell(&self, app_id: AppId, traces: &Traces, metrics: &Metrics, now: DateTime<Utc>) {
        metrics.add(Metric::Applied, self.finished.len());
        metrics.add(Metric::Dead, self.unreadable.len());
        metrics.add(Metric::Conflicting, self.conflicting.len());
        metrics.add(Metric::Unrecognised, self.unrecognised);
        for since in &self.waited_since {
            metrics.add(Metric::ReceivedToLoggedMs, (now - *since).num_milliseconds().max(0));
        }
        for Finished { id, call_id, message_id, .. } in &self.finished {
            let trace_id = traces.of(*id).map(TraceId::as_str);
            let (call_id, message_id) = (call_id.map(shown), message_id.map(shown));
            info!(component = "Processor", %app_id, event_id = %id, call_id, message_id, trace_id, "applied");
        }
        for (id, reason) in &self.unreadable {
            let trace_id = traces.of(*id).map(TraceId::as_str);
            warn!(component = "Processor", %app_id, event_id = %id, trace_id, reason, "dead");
        }
        for id in &self.conflicting {
            let trace_id = traces.of(*id).map(TraceId::as_str);
            warn!(component = "Processor", %app_id, event_id = %id, trace_id, "left aside");
        }
    }
}

impl Note {
    /// Writes the line.
    pub(crate) fn tell(&self, app_id: AppId) {
        let Self { seq, id, event, about, cause, is_targeted } = self;
        let event_id = cause.event_id.map(tracing::field::display);
        let trace_id = cause.trace_id.as_ref().map(TraceId::as_str);
        let (name, client_event_id) = (event.as_str(), tracing::field::display(id));
        match (about, event) {
            (About::Call(call_id), EventName::VoicemailReceived) => info!(
                component = "Voicemail", %app_id, event_id, %call_id, trace_id, client_event_id, seq, is_targeted, "created"
            ),
            (About::Call(call_id), EventName::VoicemailUpdated) => info!(
                component = "Voicemail", %app_id, event_id, %call_id, trace_id, client_event_id, seq, is_targeted, "updated"
            ),
            (About::Call(call_id), _) => info!(
                component = "Call", %app_id, event_id, %call_id, trace_id, client_event_id, seq, is_targeted, name, "told"
            ),
            (About::Message(message_id), _) => info!(
                component = "Message", %app_id, event_id, %message_id, trace_id, client_event_id, seq, is_targeted, name, "told"
            ),
            (About::Agent, _) => info!(
                component = "Agent", %app_id, event_id, trace_id, client_event_id, seq, is_targeted, name, "told"
            ),
        }
    }
}

fn shown(id: DialpadId) -> tracing::field::DisplayValue<DialpadId> {
    tracing::field::display(id)
}
