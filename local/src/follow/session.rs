//! Following over one connection.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Follower, Step};
use crate::client::{Error, Socket};

/// How long an answer may take; API Gateway gives up after 29 seconds.
const PATIENCE: Duration = Duration::from_secs(35);

/// Follows until the connection ends or is of no use any more; the answer says why.
///
/// It is asked every `ping` whether anything was missed, however much comes: what comes proves nothing about what did
/// not. `seen` gets each new event once, and nothing when the log no longer reached back.
pub async fn follow(
    socket: &mut Socket,
    follower: &mut Follower,
    ping: Duration,
    mut seen: impl FnMut(Option<&Value>),
) -> Error {
    if let Err(error) = socket.say(&follower.resume()).await {
        return error;
    }
    // What was asked last and not answered yet is not asked again until patience ends.
    let mut asked_at = Some(Instant::now());
    let mut next_ping = Instant::now() + ping;
    loop {
        let wake = asked_at.map_or(next_ping, |asked_at| asked_at + PATIENCE);
        let frame = match socket.next(wake.saturating_duration_since(Instant::now())).await {
            Ok(frame) => Some(frame),
            Err(Error::TooLate) if asked_at.is_some() => return Error::TooLate,
            Err(Error::TooLate) => None,
            Err(error) => return error,
        };
        let mut question = None;
        if let Some(frame) = frame {
            // Events have an id; answers, whatever they say, have none.
            if frame.get("id").is_none() {
                asked_at = None;
            }
            let has_more = frame["has_more"] == true;
            match follower.take(frame) {
                Step::New(events) => events.iter().for_each(|event| seen(Some(event))),
                Step::Ask(resume) => question = Some(resume),
                Step::Reload => seen(None),
                Step::Reconnect => return Error::Forgotten,
            }
            if has_more {
                question = Some(follower.resume());
            }
        }
        if question.is_none() && asked_at.is_none() && Instant::now() >= next_ping {
            question = Some(follower.ping());
        }
        if let Some(question) = question {
            if let Err(error) = socket.say(&question).await {
                return error;
            }
            asked_at = Some(Instant::now());
            next_ping = Instant::now() + ping;
        }
    }
}
