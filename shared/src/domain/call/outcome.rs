//! Who answered, and how a leg ended: by what is known of it and of the legs that belong to it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Direction, Outcome, walk::Walk};

/// How far apart the clocks may be that say when a colleague answered and when the other phones fell silent.
const SLACK: TimeDelta = TimeDelta::seconds(2);

impl Walk<'_> {
    /// How a leg ended, supposed that it has. The first line that fits is right.
    pub(super) fn outcome(&self, leg: usize) -> Outcome {
        let track = self.track(leg);
        let is_inbound = self.direction(leg) != Some(Direction::Outbound);
        if track.message_left_at.is_some() {
            Outcome::Voicemail
        } else if self.was_handed_on(leg) {
            Outcome::Transferred
        } else if track.is_lost() {
            Outcome::Unknown
        } else if self.answered_at(leg).is_some() {
            Outcome::Answered
        } else if track.blocked_at.is_some() {
            Outcome::Blocked
        } else if is_inbound && track.is_user() && self.a_colleague_answered(leg) {
            Outcome::AnsweredElsewhere
        } else if track.missed_at.is_some() {
            Outcome::Missed
        } else if !is_inbound {
            Outcome::NoAnswer
        } else if track.to_voicemail_at.is_none() && !self.rang_somebody(leg) {
            Outcome::Abandoned
        } else {
            Outcome::Missed
        }
    }

    /// When somebody picked up this very leg. `connected` says so, unless the caller had been sent to voicemail before;
    /// a date alone says so only when nothing points to a mailbox, which picks up too. A group's leg is also connected
    /// to menus: there it takes an operator.
    pub(super) fn picked_up_at(&self, leg: usize) -> Option<DateTime<Utc>> {
        let track = self.track(leg);
        if !track.is_user() && track.operator_call_id.is_none() {
            return None;
        }
        let nobody_did = track.missed_at.is_some()
            || track.blocked_at.is_some()
            || track.to_voicemail_at.is_some()
            || track.voicemail_link.is_some();
        match track.picked_up_at {
            Some(said_at) => Some(track.date_connected.unwrap_or(said_at)),
            None if nobody_did => None,
            None => track.date_connected,
        }
    }

    /// When a leg was answered: a user's by the user, a group's by one of its agents.
    pub(super) fn answered_at(&self, leg: usize) -> Option<DateTime<Utc>> {
        let track = self.track(leg);
        if track.is_user() {
            return self.picked_up_at(leg);
        }
        self.an_agent_answered_at(leg).or_else(|| self.picked_up_at(leg))
    }

    /// When the first of the users answered who were rung for a group's leg. Whoever answered before it was made handed
    /// the call on to the group.
    pub(super) fn an_agent_answered_at(&self, group: usize) -> Option<DateTime<Utc>> {
        let made_at = self.track(group).started_at;
        let answers = self.joined().members(group).answered.iter().filter(|&&agent| agent != group);
        answers
            .filter(|&&agent| self.track(agent).is_user())
            .filter_map(|&agent| self.picked_up_at(agent))
            .filter(|&answered_at| made_at.is_none_or(|made_at| answered_at >= made_at))
            .min()
    }

    /// Whether a leg that rang at the same time was answered. Rung one after the other, the first one missed the call.
    fn a_colleague_answered(&self, leg: usize) -> bool {
        let track = self.track(leg);
        let made_at = track.started_at;
        let silent_at = [track.over_at, self.ended_at(leg)].into_iter().flatten().min();
        self.joined().members(leg).answered.iter().filter(|&&other| other != leg).any(|&other| {
            let Some(answered_at) = self.picked_up_at(other) else { return false };
            if made_at.is_some_and(|made_at| answered_at < made_at) {
                return false;
            }
            let colleague = self.track(other);
            if colleague.is_user() {
                let began_at = colleague.started_at.or(colleague.seen_at);
                began_at.zip(silent_at).is_none_or(|(began_at, silent_at)| began_at <= silent_at)
            } else {
                // An operator whose own leg was never seen: only the moment of the answer is known.
                self.has_unseen_operator(other)
                    && silent_at.is_none_or(|silent_at| answered_at - silent_at <= SLACK)
            }
        })
    }

    /// Whether a group's leg names an operator of whom no leg was seen.
    pub(super) fn has_unseen_operator(&self, group: usize) -> bool {
        self.track(group)
            .operator_call_id
            .is_some_and(|operator| self.find(operator).is_none_or(|operator| operator.seen_at.is_none()))
    }

    /// Whether an answered leg went on as another one.
    fn was_handed_on(&self, leg: usize) -> bool {
        self.track(leg).is_transferred
            && self
                .answered_at(leg)
                .zip(self.joined().members(leg).latest_start)
                .is_some_and(|(answered_at, latest_start)| latest_start > answered_at)
    }

    /// Whether anybody's phone rang for a leg: always for a user's, while a group may keep a caller waiting without.
    fn rang_somebody(&self, leg: usize) -> bool {
        let track = self.track(leg);
        track.is_user()
            || track.rang_at.is_some()
            || self.joined().members(leg).users.iter().any(|&user| {
                let user = self.track(user);
                user.is_user() && user.started_at.zip(track.started_at).is_none_or(|(user, leg)| user >= leg)
            })
    }

    /// When a leg ended, once it has and somebody knows.
    pub(super) fn ended_at(&self, leg: usize) -> Option<DateTime<Utc>> {
        let track = self.track(leg);
        let is_known = track.is_over() && !track.is_lost();
        is_known.then(|| track.date_ended.or(track.hung_up_at).or(track.over_at)).flatten()
    }

    /// How long people talked on a leg, once it is over. Dialpad's own figure is right where it has one.
    pub(super) fn duration_ms(&self, leg: usize) -> Option<f64> {
        let track = self.track(leg);
        if !track.is_over() {
            return None;
        }
        match (track.talk_ms, self.answered_at(leg), self.ended_at(leg)) {
            (Some(talk_ms), ..) if talk_ms > 0.0 => Some(talk_ms),
            (_, Some(answered_at), Some(ended_at)) => {
                #[expect(clippy::cast_precision_loss, reason = "a call is shorter than 285,000 years")]
                let connected_ms = (ended_at - answered_at).num_milliseconds() as f64;
                Some((connected_ms - track.hold_ms.unwrap_or(0.0)).max(0.0))
            }
            (talk_ms, ..) => talk_ms,
        }
    }
}
