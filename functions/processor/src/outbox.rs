//! From the event log to the push queue, in as few messages as fit.

use shared::{
    domain::ids::AppId,
    queue::{Entry, PushMessage, Queue},
    store::event_log::LoggedEvent,
    telemetry::Chain,
};
use tracing::warn;

/// How much one message holds: well below what SQS takes, since frames grow when they are quoted.
const MAX_BYTES: usize = 200 * 1024;

/// Sends entries of one app's log, in order; gives back the places of those that the queue took.
pub(crate) async fn send(queue: &Queue, app_id: AppId, log: Vec<LoggedEvent>) -> Vec<i64> {
    let mut sent = Vec::with_capacity(log.len());
    for message in messages(app_id, log) {
        match queue.send(&message).await {
            Ok(()) => sent.extend(message.events.iter().map(|event| event.seq)),
            Err(error) => {
                warn!(component = "Processor", %app_id, error = %Chain(&error), "push queue away, the sweep sends again");
                break;
            }
        }
    }
    sent
}

fn messages(app_id: AppId, log: Vec<LoggedEvent>) -> Vec<PushMessage> {
    let mut messages: Vec<PushMessage> = Vec::new();
    let mut bytes = MAX_BYTES;
    for LoggedEvent { seq, id, audience, frame, trace_id } in log {
        bytes += frame.len();
        if bytes > MAX_BYTES {
            bytes = frame.len();
            messages.push(PushMessage::events(app_id, Vec::new()));
        }
        if let Some(message) = messages.last_mut() {
            message.events.push(Entry { seq, id, audience, frame, trace_id });
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_order_and_messages_their_size() {
        let app_id = AppId(shared::domain::ids::new_id());
        let log: Vec<_> = (1..=30)
            .map(|seq| LoggedEvent {
                seq,
                id: app_id.0,
                audience: None,
                frame: "\"".repeat(24 * 1024),
                trace_id: None,
            })
            .collect();
        let messages = messages(app_id, log);
        assert_eq!(
            messages.iter().flat_map(|message| &message.events).map(|entry| entry.seq).collect::<Vec<_>>(),
            (1..=30).collect::<Vec<_>>()
        );
        for message in &messages {
            let bytes = serde_json::to_string(message).unwrap().len();
            assert!(bytes < shared::queue::MAX_MESSAGE_BYTES, "{bytes}");
        }
        assert_eq!(messages.len(), 4);
    }
}
