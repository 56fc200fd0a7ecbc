//! What is known of one leg at one point of the walk.

use chrono::{DateTime, Utc};

use super::{CallEvent, Direction, State, Status, Target};
use crate::domain::{client_event::EventName, ids::DialpadId};

/// Everything that was said of a leg so far. Events are taken in order of their time; a value that is missing in one
/// never erases what another said, and where two differ the later one is right, except that a leg is made and answered
/// only once: there the earlier is.
#[derive(Debug)]
pub(super) struct Track<'a> {
    pub(super) call_id: DialpadId,
    pub(super) direction: Option<Direction>,
    pub(super) external_number: Option<&'a String>,
    pub(super) internal_number: Option<&'a String>,
    pub(super) target: Option<&'a Target>,
    pub(super) contact_name: Option<&'a String>,
    pub(super) custom_data: Option<&'a String>,
    pub(super) recording_url: Option<&'a String>,
    admin_recording_url: Option<&'a String>,
    pub(super) voicemail_recording_url: Option<&'a String>,
    pub(super) voicemail_ms: Option<f64>,
    pub(super) voicemail_link: Option<&'a String>,
    pub(super) transcript: Option<&'a String>,
    pub(super) talk_ms: Option<f64>,
    pub(super) hold_ms: Option<f64>,

    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) date_connected: Option<DateTime<Utc>>,
    pub(super) date_ended: Option<DateTime<Utc>>,

    pub(super) entry_point: Option<usize>,
    pub(super) operator_call_id: Option<DialpadId>,
    /// Whether another leg came in through this one: only a group's leg has such.
    pub(super) is_entry_point: bool,
    pub(super) is_transferred: bool,

    /// Where the leg stands while it is not over.
    pub(super) phase: Phase,
    /// When each of these was first said of it.
    pub(super) seen_at: Option<DateTime<Utc>>,
    pub(super) rang_at: Option<DateTime<Utc>>,
    pub(super) picked_up_at: Option<DateTime<Utc>>,
    pub(super) missed_at: Option<DateTime<Utc>>,
    pub(super) blocked_at: Option<DateTime<Utc>>,
    pub(super) to_voicemail_at: Option<DateTime<Utc>>,
    pub(super) message_left_at: Option<DateTime<Utc>>,
    pub(super) hung_up_at: Option<DateTime<Utc>>,
    pub(super) over_at: Option<DateTime<Utc>>,
    /// When it was last heard of, once Dialpad does not know it any more.
    pub(super) gone_at: Option<DateTime<Utc>>,

    /// What clients were told of it that they are told only once.
    pub(super) told: Vec<EventName>,
}

/// Where a leg stands while it is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was said yet that tells.
    Unknown,
    /// It waits in a queue or before a greeting.
    Waiting,
    /// It rings, or is being dialled.
    Ringing,
    /// People talk, or a menu does.
    Talking,
    /// It is on hold or parked.
    Held,
    /// A group did not take it, but it may go on: queued again, or hung up.
    Untaken,
}

impl<'a> Track<'a> {
    /// A leg of which nothing is known but that another leg mentioned it.
    pub(super) const fn new(call_id: DialpadId) -> Self {
        Self {
            call_id,
            direction: None,
            external_number: None,
            internal_number: None,
            target: None,
            contact_name: None,
            custom_data: None,
            recording_url: None,
            admin_recording_url: None,
            voicemail_recording_url: None,
            voicemail_ms: None,
            voicemail_link: None,
            transcript: None,
            talk_ms: None,
            hold_ms: None,
            started_at: None,
            date_connected: None,
            date_ended: None,
            entry_point: None,
            operator_call_id: None,
            is_entry_point: false,
            is_transferred: false,
            phase: Phase::Unknown,
            seen_at: None,
            rang_at: None,
            picked_up_at: None,
            missed_at: None,
            blocked_at: None,
            to_voicemail_at: None,
            message_left_at: None,
            hung_up_at: None,
            over_at: None,
            gone_at: None,
            told: Vec::new(),
        }
    }

    /// Takes in what an event says, except the legs it mentions, which the walk resolves.
    pub(super) fn absorb(&mut self, event: &'a CallEvent) {
        self.learn(event);
        let first = |slot: &mut Option<DateTime<Utc>>| {
            slot.get_or_insert(event.at);
        };
        first(&mut self.seen_at);
        match event.state {
            State::Calling | State::Ringing => {
                first(&mut self.rang_at);
                self.phase = Phase::Ringing;
            }
            State::Preanswer | State::Queued => self.phase = Phase::Waiting,
            State::Connected => {
                // Once a caller was sent to voicemail, it is the mailbox that picks up.
                if self.to_voicemail_at.is_none() {
                    first(&mut self.picked_up_at);
                }
                self.phase = Phase::Talking;
            }
            State::Hold | State::Parked => self.phase = Phase::Held,
            State::Missed => {
                first(&mut self.missed_at);
                self.not_taken(event.at);
            }
            State::Voicemail => {
                first(&mut self.to_voicemail_at);
                self.not_taken(event.at);
            }
            State::Blocked => {
                first(&mut self.blocked_at);
                first(&mut self.over_at);
            }
            State::Hangup => {
                first(&mut self.hung_up_at);
                first(&mut self.over_at);
            }
            State::Gone => {
                first(&mut self.gone_at);
                first(&mut self.over_at);
            }
            State::VoicemailUploaded => {
                first(&mut self.to_voicemail_at);
                first(&mut self.message_left_at);
                first(&mut self.over_at);
            }
            State::Transcription
            | State::Recording
            | State::AdminRecording
            | State::CallTranscription
            | State::RecapSummary
            | State::RecapOutcome
            | State::RecapPurposes
            | State::RecapActionItems
            | State::Postcall
            | State::Dispositions
            | State::Csat
            | State::Pcsat => {
                if self.proves_its_end(&event.state) {
                    first(&mut self.over_at);
                }
            }
            State::Merged
            | State::Barge
            | State::Takeover
            | State::Monitor
            | State::Eavesdrop
            | State::Admin
            | State::AiPlaybook
            | State::Other(_) => {}
        }
    }

    fn learn(&mut self, event: &'a CallEvent) {
        learn(&mut self.direction, event.direction);
        learn(&mut self.external_number, event.external_number.as_ref());
        learn(&mut self.internal_number, event.internal_number.as_ref());
        learn(&mut self.target, event.target.as_ref());
        learn(&mut self.contact_name, event.contact_name.as_ref());
        learn(&mut self.custom_data, event.custom_data.as_ref());
        learn(&mut self.voicemail_link, event.voicemail_link.as_ref());
        // The same member holds the text of a conversation when that is what was written down.
        if event.state != State::CallTranscription {
            learn(&mut self.transcript, event.transcript.as_ref());
        }
        learn(&mut self.talk_ms, event.talk_ms);
        learn(&mut self.hold_ms, event.hold_ms);
        learn(&mut self.date_ended, event.ended_at);
        learn(&mut self.operator_call_id, event.operator_call_id);
        self.started_at = earlier(self.started_at, event.started_at);
        self.date_connected = earlier(self.date_connected, event.connected_at);
        self.is_transferred |= event.is_transferred;

        let mut calls = event.recordings.iter().filter(|recording| !recording.is_voicemail);
        learn(&mut self.recording_url, calls.clone().find(|call| !call.is_admin).map(|call| &call.url));
        learn(&mut self.admin_recording_url, calls.find(|call| call.is_admin).map(|call| &call.url));
        if let Some(voicemail) = event.recordings.iter().find(|recording| recording.is_voicemail) {
            learn(&mut self.voicemail_recording_url, Some(&voicemail.url));
            learn(&mut self.voicemail_ms, voicemail.duration_ms);
        }
    }

    /// Nobody took it: the end of a user's leg, while a group may still queue it again, unless it has ended.
    fn not_taken(&mut self, at: DateTime<Utc>) {
        if self.is_user() || self.date_ended.is_some() {
            self.over_at.get_or_insert(at);
        } else {
            self.phase = Phase::Untaken;
        }
    }

    /// Whether it is one person's leg. Without a target it is, unless another leg came in through it: the guide's
    /// hand-made events have no target, and must ring.
    pub(super) fn is_user(&self) -> bool {
        self.target.map_or(!self.is_entry_point, |target| target.is_user)
    }

    /// Whether nothing can happen to it any more but that more becomes known.
    pub(super) const fn is_over(&self) -> bool {
        self.over_at.is_some() || matches!(self.phase, Phase::Untaken)
    }

    /// Whether it is over only because Dialpad does not know it any more: nothing says when or how it ended.
    pub(super) const fn is_lost(&self) -> bool {
        self.gone_at.is_some()
            && self.date_ended.is_none()
            && self.hung_up_at.is_none()
            && self.missed_at.is_none()
            && self.blocked_at.is_none()
            && self.to_voicemail_at.is_none()
    }

    /// Whether this state is one that only comes after the end, with the end in its snapshot. The end alone proves
    /// nothing: snapshots may be ahead of their state.
    pub(super) const fn proves_its_end(&self, state: &State) -> bool {
        state.is_aftermath() && self.date_ended.is_some()
    }

    /// Its status while it is not over.
    pub(super) const fn live_status(&self) -> Status {
        match self.phase {
            Phase::Waiting => Status::Queued,
            Phase::Unknown | Phase::Ringing | Phase::Untaken => Status::Ringing,
            Phase::Talking => Status::Active,
            Phase::Held => Status::Held,
        }
    }

    /// The recording to show: the user's, else the company's.
    pub(super) fn shown_recording(&self) -> Option<&'a String> {
        self.recording_url.or(self.admin_recording_url)
    }
}

fn learn<T>(known: &mut Option<T>, said: Option<T>) {
    if said.is_some() {
        *known = said;
    }
}

fn earlier(known: Option<DateTime<Utc>>, said: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match (known, said) {
        (Some(known), Some(said)) => Some(known.min(said)),
        (known, said) => known.or(said),
    }
}
