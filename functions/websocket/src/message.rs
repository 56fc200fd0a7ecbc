//! What a client says, and what it is answered, by route response.

use serde::Deserialize;
use serde_json::value::RawValue;
use shared::{
    domain::{
        ids::AppId,
        socket::{self, Pong, Refusal, RefusalCode, Request},
    },
    registry::Connection,
    store::{
        self,
        event_log::{self, Audience, LoggedEvent, Stretch},
    },
    telemetry::{Chain, Metric},
};
use tracing::{info, warn};

use crate::sockets::Sockets;

/// The most that one reply may hold, in bytes: API Gateway's frame.
const MAX_REPLY_BYTES: usize = 32 * 1024;
/// Room for what stands around the events of a replay.
const ENVELOPE_BYTES: usize = 256;
/// How many entries are read for one reply. Frames below 200 bytes do not exist, so more would not fit.
const MAX_EVENTS: i64 = 150;

/// What a client is answered, with frames as the log has them.
type Reply = socket::Reply<Box<RawValue>>;

/// A page of the log.
type Replay = socket::Replay<Box<RawValue>>;

const UNAVAILABLE: Reply = refusal(RefusalCode::Unavailable, "the event log is away; try again");
const MALFORMED: Reply = refusal(RefusalCode::Malformed, "send a JSON object with an action");
const NO_PLACE: Reply = refusal(RefusalCode::Malformed, "after is a whole number, not negative");
const UNKNOWN_ACTION: Reply = refusal(RefusalCode::UnknownAction, "the actions are ping and resume");
const NOT_CONNECTED: Reply = refusal(RefusalCode::NotConnected, "this connection was dropped; connect again");

const fn refusal(code: RefusalCode, message: &'static str) -> Reply {
    Reply::Error(Refusal { code, message })
}

/// Answers one message: gives the frame that goes back.
pub(crate) async fn reply(sockets: &Sockets, connection_id: &str, body: &str) -> String {
    // Strings, numbers and text that is JSON already: nothing here can fail to be written.
    serde_json::to_string(&answer_to(sockets, connection_id, body).await).unwrap_or_default()
}

async fn answer_to(sockets: &Sockets, connection_id: &str, body: &str) -> Reply {
    let request = match parse(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let connection = match sockets.registry.find(connection_id).await {
        Ok(Some(connection)) => connection,
        Ok(None) => return NOT_CONNECTED,
        Err(error) => {
            warn!(component = "WebSocket", connection_id, error = %Chain(&error), "connection unknown");
            return UNAVAILABLE;
        }
    };
    answer(sockets, &connection, request).await.unwrap_or_else(|error| {
        warn!(component = "WebSocket", app_id = %connection.app_id, connection_id, error = %Chain(&error), "event log unread");
        UNAVAILABLE
    })
}

/// Tells what is no JSON object with an action from an action that does not exist.
fn parse(body: &str) -> Result<Request, Reply> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        action: std::borrow::Cow<'a, str>,
    }
    let Ok(named) = serde_json::from_str::<Named<'_>>(body) else { return Err(MALFORMED) };
    match named.action.as_ref() {
        "ping" | "resume" => serde_json::from_str(body).map_err(|_| NO_PLACE),
        _ => Err(UNKNOWN_ACTION),
    }
}

async fn answer(sockets: &Sockets, connection: &Connection, request: Request) -> Result<Reply, store::Error> {
    let audience = connection.crm_user_id.as_deref().map_or(Audience::App, Audience::User);
    let db = sockets.store.tenant(connection.app_id).await?;
    match request {
        Request::Ping { after } => {
            let after = after.map_or(i64::MAX, |after| after.0);
            let (seq, count) = event_log::count(&*db, connection.app_id, audience, after).await?;
            Ok(Reply::Pong(Pong { seq, count }))
        }
        Request::Resume { after } => {
            let stretch = event_log::read(&*db, connection.app_id, audience, after.0, MAX_EVENTS).await?;
            let replay = page(after.0, stretch);
            log(connection.app_id, &connection.id, &replay);
            let result = if replay.recovered { "recovered" } else { "expired" };
            sockets.metrics.count(Metric::Resumed, result);
            Ok(Reply::Replay(replay))
        }
    }
}

fn log(app_id: AppId, connection_id: &str, replay: &Replay) {
    info!(
        component = "WebSocket",
        %app_id,
        connection_id,
        events = replay.events.len(),
        recovered = replay.recovered,
        has_more = replay.has_more,
        "resumed"
    );
}

/// Cuts a stretch of the log to what one reply may hold.
fn page(after: i64, stretch: Stretch) -> Replay {
    let Stretch { head, oldest, events } = stretch;
    let reaches_back = after == head || (after < head && oldest.is_some_and(|oldest| oldest <= after + 1));
    if !reaches_back {
        return Replay { events: Vec::new(), seq: head, has_more: false, recovered: false };
    }
    let read = events.len();
    let mut page = Vec::new();
    let mut bytes = ENVELOPE_BYTES;
    let mut seq = after;
    for LoggedEvent { seq: place, frame, .. } in events {
        bytes += frame.len() + 1;
        if bytes > MAX_REPLY_BYTES {
            break;
        }
        if let Ok(frame) = RawValue::from_string(frame) {
            page.push(frame);
        }
        seq = place;
    }
    // All that may be seen was read: nothing up to the head is left for this connection.
    let is_complete = page.len() == read && i64::try_from(read).is_ok_and(|read| read < MAX_EVENTS);
    let seq = if is_complete { head } else { seq };
    Replay { events: page, seq, has_more: !is_complete, recovered: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(oldest: i64, head: i64, bytes: usize) -> Stretch {
        Stretch {
            head,
            oldest: (oldest <= head).then_some(oldest),
            events: (oldest..=head)
                .map(|seq| LoggedEvent {
                    seq,
                    id: shared::domain::ids::new_id(),
                    audience: None,
                    frame: format!("\"{}\"", "x".repeat(bytes)),
                    trace_id: None,
                })
                .collect(),
        }
    }

    #[test]
    fn a_reply_stays_below_the_frame_limit_and_says_where_to_go_on() {
        let replay = page(0, stretch(1, 5, 10_000));
        assert_eq!((replay.events.len(), replay.seq, replay.has_more, replay.recovered), (3, 3, true, true));
        assert!(serde_json::to_string(&Reply::Replay(replay)).unwrap().len() <= MAX_REPLY_BYTES);
    }

    #[test]
    fn a_complete_replay_ends_at_the_head() {
        let mut some = stretch(1, 5, 10);
        some.events.truncate(2);
        let replay = page(0, some);
        assert_eq!((replay.events.len(), replay.seq, replay.has_more), (2, 5, false));
    }

    #[test]
    fn a_place_the_log_does_not_know_is_not_recovered() {
        for (after, oldest, head) in [(3, 10, 20), (21, 10, 20), (0, 6, 5)] {
            let replay = page(after, stretch(oldest, head, 10));
            assert!(!replay.recovered, "{after} {oldest} {head}");
            assert_eq!((replay.seq, replay.events.len()), (head, 0));
        }
        assert!(page(9, stretch(10, 20, 10)).recovered);
        assert!(page(0, stretch(1, 0, 10)).recovered);
    }

    #[test]
    fn odd_messages_are_answered_in_words() {
        for (body, code) in [
            ("", "malformed"),
            ("hello", "malformed"),
            ("[]", "malformed"),
            ("{}", "malformed"),
            (r#"{"action":7}"#, "malformed"),
            (r#"{"action":"dance"}"#, "unknown_action"),
            (r#"{"action":"resume"}"#, "malformed"),
            (r#"{"action":"resume","after":-1}"#, "malformed"),
            (r#"{"action":"resume","after":"1"}"#, "malformed"),
            (r#"{"action":"ping","after":1.5}"#, "malformed"),
        ] {
            match parse(body) {
                Err(reply) => assert_eq!(serde_json::to_value(&reply).unwrap()["code"], code, "{body}"),
                Ok(request) => panic!("{body}: {request:?}"),
            }
        }
        assert!(matches!(parse(r#"{"action":"ping","extra":1}"#), Ok(Request::Ping { after: None })));
        assert!(matches!(parse(r#"{"\u0061ction":"p\u0069ng"}"#), Ok(Request::Ping { .. })));
    }
}
