//! How a client follows an app's events so that it ends with exactly the log: the rules of the contract, as code.
//!
//! Frames may come twice, out of order, or not at all, and a connection of a user sees only part of the log, so a gap in
//! `seq` proves nothing. What proves that all is there is the count in the answer to a ping.

mod session;
pub mod witness;

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub use session::follow;

/// What a client remembers. The cursor is what it keeps when it closes.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    cursor: i64,
    /// What came after the cursor.
    held: BTreeSet<i64>,
}

/// What a frame means to the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These are new: use them.
    New(Vec<Value>),
    /// Something is missing: say this, and go on reading.
    Ask(Value),
    /// The log no longer reaches back: load the lists again. What comes from here on is followed.
    Reload,
    /// The server has forgotten this connection, so nothing will come over it: connect again.
    Reconnect,
}

impl Follower {
    /// Begins after this place of the log: 0 for everything that is kept.
    #[must_use]
    pub const fn after(cursor: i64) -> Self {
        Self { cursor, held: BTreeSet::new() }
    }

    /// Everything up to here was seen.
    #[must_use]
    pub const fn cursor(&self) -> i64 {
        self.cursor
    }

    /// What to say after connecting, and whenever something is missing.
    #[must_use]
    pub fn resume(&self) -> Value {
        json!({ "action": "resume", "after": self.cursor })
    }

    /// What to say every few minutes.
    #[must_use]
    pub fn ping(&self) -> Value {
        json!({ "action": "ping", "after": self.cursor })
    }

    /// Takes a frame in.
    pub fn take(&mut self, frame: Value) -> Step {
        let seq = frame["seq"].as_i64();
        match (frame["event"].as_str(), seq) {
            (Some("pong"), Some(head)) => {
                let seen = i64::try_from(self.held.range(..=head).count());
                if seen.ok() == frame["count"].as_i64() {
                    self.move_to(head);
                    Step::New(Vec::new())
                } else {
                    Step::Ask(self.resume())
                }
            }
            (Some("replay"), Some(last)) => {
                if frame["recovered"] == false {
                    self.move_to(last);
                    return Step::Reload;
                }
                let events = frame["events"].as_array().cloned().unwrap_or_default();
                let new = events.into_iter().filter(|event| self.is_new(event)).collect();
                self.move_to(last);
                Step::New(new)
            }
            (Some("error"), _) if frame["code"] == "not_connected" => Step::Reconnect,
            (_, Some(_)) if self.is_new(&frame) => Step::New(vec![frame]),
            _ => Step::New(Vec::new()),
        }
    }

    /// Whether an event was not seen before; from now on it was.
    fn is_new(&mut self, event: &Value) -> bool {
        event["seq"].as_i64().is_some_and(|seq| seq > self.cursor && self.held.insert(seq))
    }

    fn move_to(&mut self, place: i64) {
        self.cursor = self.cursor.max(place);
        self.held = self.held.split_off(&(self.cursor + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64) -> Value {
        json!({ "event": "call.ring", "seq": seq })
    }

    fn replay(seqs: &[i64], last: i64) -> Value {
        let events: Vec<_> = seqs.iter().copied().map(event).collect();
        json!({ "event": "replay", "events": events, "seq": last, "has_more": false, "recovered": true })
    }

    #[test]
    fn repeats_are_dropped_and_disorder_is_not_loss() {
        let mut follower = Follower::after(0);
        for (seq, is_new) in [(2, true), (1, true), (2, false), (1, false)] {
            let expected = if is_new { vec![event(seq)] } else { Vec::new() };
            assert_eq!(follower.take(event(seq)), Step::New(expected));
        }
        assert_eq!(follower.take(json!({"event": "pong", "seq": 2, "count": 2})), Step::New(Vec::new()));
        assert_eq!(follower.cursor(), 2);
        assert_eq!(follower.take(event(1)), Step::New(Vec::new()));
    }

    #[test]
    fn a_frame_that_never_came_is_asked_for() {
        let mut follower = Follower::after(5);
        follower.take(event(8));
        let pong = json!({"event": "pong", "seq": 9, "count": 2});
        assert_eq!(follower.take(pong), Step::Ask(json!({"action": "resume", "after": 5})));
        assert_eq!(follower.take(replay(&[7, 8], 9)), Step::New(vec![event(7)]));
        assert_eq!(follower.cursor(), 9);
    }

    #[test]
    fn a_connection_that_the_server_has_forgotten_is_given_up() {
        let mut follower = Follower::after(5);
        let forgotten = json!({"event": "error", "code": "not_connected", "message": "connect again"});
        assert_eq!(follower.take(forgotten), Step::Reconnect);
        assert_eq!(follower.take(json!({"event": "error", "code": "unavailable"})), Step::New(Vec::new()));
    }

    #[test]
    fn what_the_log_no_longer_has_is_loaded_again() {
        let mut follower = Follower::after(5);
        let lost = json!({"event": "replay", "events": [], "seq": 90, "has_more": false, "recovered": false});
        assert_eq!(follower.take(lost), Step::Reload);
        assert_eq!(follower.cursor(), 90);
    }
}
