//! Call-centre agents: what they are doing, by the newest that Dialpad said.

use chrono::{DateTime, Utc};

use super::ids::DialpadId;

/// What one delivery says of an agent: all of it at that moment, so that what is missing is not so any more.
///
/// The order of the members is the order of two events of an agent: by time; of one moment, by what they say, so that any
/// order of arrival keeps the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentEvent {
    /// The agent.
    pub user_id: DialpadId,
    /// When Dialpad emitted the event.
    pub at: DateTime<Utc>,
    /// Available, occupied, and so on, in Dialpad's words.
    pub status: Option<String>,
    /// Why, where the agent said so.
    pub reason: Option<String>,
    /// Whether calls reach the agent, in Dialpad's words.
    pub availability: Option<String>,
    /// The call centres the agent works for.
    pub call_center_ids: Vec<String>,
    /// The agent's name.
    pub name: Option<String>,
}

/// Those events of one agent that are newer than the one before them, beginning with what is known. The last one is what
/// is known from now on; a late event and a repeated one are not among them.
#[must_use]
pub fn newer(known: Option<&AgentEvent>, mut events: Vec<AgentEvent>) -> Vec<AgentEvent> {
    events.sort();
    events.dedup();
    events.retain(|event| known.is_none_or(|known| event > known));
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, status: &str) -> AgentEvent {
        AgentEvent {
            user_id: DialpadId(1),
            at: DateTime::from_timestamp_millis(at).unwrap(),
            status: Some(status.to_owned()),
            reason: None,
            availability: None,
            call_center_ids: Vec::new(),
            name: None,
        }
    }

    #[test]
    fn a_late_or_repeated_event_changes_nothing() {
        let known = event(5, "occupied");
        assert_eq!(newer(Some(&known), vec![event(4, "available"), known.clone()]), []);
        let both = newer(None, vec![event(7, "available"), known.clone(), event(7, "available")]);
        assert_eq!(both, [known, event(7, "available")]);
    }

    #[test]
    fn of_one_moment_the_same_event_wins_in_any_order() {
        let (one, other) = (event(5, "available"), event(5, "wrapup"));
        assert_eq!(newer(Some(&other), vec![one.clone()]), []);
        assert_eq!(newer(Some(&one), vec![other.clone()]), [other]);
    }
}
