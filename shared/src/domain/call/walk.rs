//! The walk over the events of a conversation, in order: what is known of every leg at each step.

use std::collections::HashMap;

use super::{CallEvent, Direction, Leg, Voicemail, joined::Joined, track::Track};
use crate::domain::ids::DialpadId;

/// Everything that is known after the events walked so far, and nothing of those that come later.
#[derive(Debug, Default)]
pub(super) struct Walk<'a> {
    numbers: HashMap<DialpadId, usize>,
    tracks: Vec<Track<'a>>,
    joined: Joined,
}

impl<'a> Walk<'a> {
    /// Takes in the next event, which is of this leg.
    pub(super) fn step(&mut self, leg: usize, event: &'a CallEvent) {
        for mentioned in event.mentioned().skip(1) {
            let mentioned = self.number(mentioned);
            self.joined.join(leg, mentioned);
        }
        if let Some(entry_point) =
            event.entry_point_call_id.map(|id| self.number(id)).filter(|&entry| entry != leg)
        {
            self.tracks[entry_point].is_entry_point = true;
            self.tracks[leg].entry_point = Some(entry_point);
        }
        let (was_user, was_answered) = (self.is_users(leg), self.picked_up_at(leg).is_some());
        let was_handed_on = self.tracks[leg].is_transferred;
        self.tracks[leg].absorb(event);

        let (is_user, is_answered) = (self.is_users(leg), self.picked_up_at(leg).is_some());
        let started_at = self.tracks[leg].started_at;
        let members = self.joined.members_mut(leg);
        members.latest_start = members.latest_start.max(started_at);
        if is_user && !was_user {
            members.users.push(leg);
        }
        if is_answered && !was_answered {
            members.answered.push(leg);
        }
        if self.tracks[leg].is_transferred && !was_handed_on {
            self.joined.members_mut(leg).handed_on.push(leg);
        }
    }

    /// The other legs of a conversation that are over and were handed on: what comes later may show to whom.
    pub(super) fn handed_on_beside(&self, leg: usize) -> Vec<usize> {
        let handed_on = self.joined.members(leg).handed_on.iter().copied();
        handed_on.filter(|&other| other != leg && self.tracks[other].is_over()).collect()
    }

    /// The number of a leg, by Dialpad's id of it.
    pub(super) fn number(&mut self, id: DialpadId) -> usize {
        *self.numbers.entry(id).or_insert_with(|| {
            self.tracks.push(Track::new(id));
            self.joined.add()
        })
    }

    /// What is known of a leg by itself.
    pub(super) fn track(&self, leg: usize) -> &Track<'a> {
        &self.tracks[leg]
    }

    /// The same, to be changed.
    pub(super) fn track_mut(&mut self, leg: usize) -> &mut Track<'a> {
        &mut self.tracks[leg]
    }

    /// The sets of legs that belong together.
    pub(super) fn joined(&self) -> &Joined {
        &self.joined
    }

    /// What is known of another leg, by Dialpad's id of it.
    pub(super) fn find(&self, id: DialpadId) -> Option<&Track<'a>> {
        self.numbers.get(&id).map(|&leg| &self.tracks[leg])
    }

    /// Whether a leg was seen that is a user's.
    fn is_users(&self, leg: usize) -> bool {
        self.tracks[leg].seen_at.is_some() && self.tracks[leg].is_user()
    }

    /// Every leg of which an event was seen, as it stands now.
    pub(super) fn legs(&self) -> impl Iterator<Item = Leg> {
        (0..self.tracks.len()).filter(|&leg| self.tracks[leg].seen_at.is_some()).map(|leg| self.leg(leg))
    }

    /// A leg as it stands now.
    pub(super) fn leg(&self, leg: usize) -> Leg {
        let track = &self.tracks[leg];
        let direction = self.direction(leg);
        let (from_number, to_number) = match direction {
            Some(Direction::Outbound) => (track.internal_number, track.external_number),
            Some(Direction::Inbound) | None => (track.external_number, track.internal_number),
        };
        let outcome = track.is_over().then(|| self.outcome(leg));
        let (users, groups) = match track.target {
            Some(target) if target.is_user => (Some(target), None),
            group => (None, group),
        };
        Leg {
            call_id: track.call_id,
            direction,
            from_number: from_number.cloned(),
            to_number: to_number.cloned(),
            status: outcome.map_or_else(|| track.live_status(), super::Outcome::status),
            outcome,
            user_id: users.map(|user| user.id),
            group_id: groups.map(|group| group.id),
            group_name: groups.and_then(|group| group.name.clone()),
            contact_name: track.contact_name.cloned(),
            started_at: track.started_at,
            connected_at: self.answered_at(leg),
            ended_at: self.ended_at(leg),
            duration_ms: self.duration_ms(leg),
            recording_url: track.shown_recording().cloned(),
            voicemail: track.message_left_at.map(|_| Voicemail {
                recording_url: track.voicemail_recording_url.or(track.voicemail_link).cloned(),
                transcript: track.transcript.cloned(),
                duration_ms: track.voicemail_ms,
            }),
            custom_data: track.custom_data.cloned(),
        }
    }

    /// Who called whom. An agent's leg of an inbound call may say outbound; the leg it came in through knows better.
    pub(super) fn direction(&self, leg: usize) -> Option<Direction> {
        let track = &self.tracks[leg];
        let came_in = track.entry_point.map(|entry| &self.tracks[entry]).is_some_and(|entry| {
            entry.direction == Some(Direction::Inbound) && !entry.is_user() && track.is_user()
        });
        if came_in { Some(Direction::Inbound) } else { track.direction }
    }
}
