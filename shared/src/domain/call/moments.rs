//! The mapping: what clients are told of each of Dialpad's events.

use super::{
    CallEvent, Leg, State,
    track::{Phase, Track},
    walk::Walk,
};
use crate::domain::client_event::EventName;

/// How a leg stood before an event.
pub(super) struct Before {
    phase: Phase,
    was_over: bool,
    /// Only for states that are no news when they change nothing.
    leg: Option<Leg>,
}

impl Before {
    /// Looks at a leg before the event is taken in.
    pub(super) fn of(walk: &Walk<'_>, leg: usize, state: &State) -> Self {
        let track = walk.track(leg);
        let may_be_no_news = matches!(state, State::Connected | State::VoicemailUploaded);
        Self {
            phase: track.phase,
            was_over: track.over_at.is_some(),
            leg: may_be_no_news.then(|| walk.leg(leg)),
        }
    }
}

/// What clients are told of an event that the walk has just taken in.
pub(super) fn told(walk: &mut Walk<'_>, leg: usize, event: &CallEvent, before: &Before) -> Vec<EventName> {
    let step = Step { walk, leg, event, before };
    // Its end was lost or is late: it comes first.
    let lost_end = step.proves_an_end_that_was_not_told().then_some(EventName::CallEnded);
    let names: Vec<EventName> = lost_end.into_iter().chain(step.mapped()).collect();

    let told = &mut walk.track_mut(leg).told;
    told.extend(names.iter().filter_map(|name| match name {
        // Whoever comes back from hold had been answered.
        EventName::CallStarted | EventName::CallResumed => Some(EventName::CallStarted),
        EventName::CallRing | EventName::CallEnded | EventName::VoicemailReceived => Some(*name),
        EventName::CallQueued
        | EventName::CallHeld
        | EventName::CallParked
        | EventName::CallUpdated
        | EventName::CallRecording
        | EventName::VoicemailUpdated
        | EventName::MessageReceived
        | EventName::MessageSent
        | EventName::MessageStatus
        | EventName::AgentStatus => None,
    }));
    told.dedup();
    names
}

/// What a state may tell clients of.
pub(super) enum Subject {
    /// The call.
    Call,
    /// The call and the message that was left.
    Message,
    /// Only the message.
    Transcript,
}

/// What clients may be told of by this state on such a leg, whatever else is known: the table without its conditions.
pub(super) fn subject(state: &State, track: &Track<'_>) -> Option<Subject> {
    match state {
        State::Transcription if track.proves_its_end(state) => Some(Subject::Message),
        State::Calling | State::Ringing if !track.is_user() => None,
        State::Preanswer | State::Monitor | State::Eavesdrop | State::Admin | State::Other(_) => None,
        State::VoicemailUploaded => Some(Subject::Message),
        State::Transcription => Some(Subject::Transcript),
        State::Calling
        | State::Ringing
        | State::Queued
        | State::Connected
        | State::Hold
        | State::Parked
        | State::Merged
        | State::Barge
        | State::Takeover
        | State::AiPlaybook
        | State::Missed
        | State::Blocked
        | State::Voicemail
        | State::Hangup
        | State::Gone
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
        | State::Pcsat => Some(Subject::Call),
    }
}

/// An event, the leg it is of, and how that leg stood before.
struct Step<'a> {
    walk: &'a Walk<'a>,
    leg: usize,
    event: &'a CallEvent,
    before: &'a Before,
}

impl Step<'_> {
    /// The table. What no line fits is stored and told to nobody.
    #[expect(clippy::match_same_arms, reason = "the order of the lines is the specification")]
    fn mapped(&self) -> Option<EventName> {
        let was_over = self.before.was_over;
        let is_user = self.track().is_user();
        match self.event.state {
            // A user's phone rings, or dials: once. What a group's leg does before that is its own business.
            State::Calling | State::Ringing if self.rings_for_the_first_time() => Some(EventName::CallRing),
            State::Queued if !was_over => Some(EventName::CallQueued),

            // `connected` also stands for the end of a hold.
            State::Connected if was_over => self.if_changed(EventName::CallUpdated),
            State::Connected if self.before.phase == Phase::Held => Some(EventName::CallResumed),
            State::Connected if is_user && self.was_told(EventName::CallStarted) => {
                self.if_changed(EventName::CallUpdated)
            }
            State::Connected if is_user => Some(EventName::CallStarted),
            // An agent answered whose own leg cannot be seen; else the agent's leg tells.
            State::Connected if self.is_answered_out_of_sight() => Some(EventName::CallStarted),
            State::Connected => Some(EventName::CallUpdated),

            State::Hold if !was_over => Some(EventName::CallHeld),
            State::Parked if !was_over => Some(EventName::CallParked),

            // The first of these ends a user's leg. A group's ends with its hangup, or with one of them that comes after it,
            // unless an agent's leg told of the end.
            State::Missed | State::Voicemail | State::Blocked
                if (is_user || self.track().date_ended.is_some()) && self.may_end() =>
            {
                Some(EventName::CallEnded)
            }
            State::Hangup if self.may_end() => Some(EventName::CallEnded),
            State::Missed | State::Voicemail | State::Blocked | State::Hangup => Some(EventName::CallUpdated),
            // Its end was lost. Of an end that is known this says nothing.
            State::Gone if !was_over && self.may_end() => Some(EventName::CallEnded),
            State::Gone if !was_over => Some(EventName::CallUpdated),

            // Sent to voicemail is no message. This is one.
            State::VoicemailUploaded if self.was_told(EventName::VoicemailReceived) => {
                self.if_changed(EventName::VoicemailUpdated)
            }
            State::VoicemailUploaded => Some(EventName::VoicemailReceived),
            // A transcript without a message waits for it.
            State::Transcription if self.track().message_left_at.is_some() => {
                Some(EventName::VoicemailUpdated)
            }

            State::Recording | State::AdminRecording => Some(EventName::CallRecording),
            State::CallTranscription
            | State::RecapSummary
            | State::RecapOutcome
            | State::RecapPurposes
            | State::RecapActionItems
            | State::Dispositions
            | State::Postcall
            | State::Csat
            | State::Pcsat
            | State::AiPlaybook
            | State::Merged
            | State::Barge
            | State::Takeover => Some(EventName::CallUpdated),

            State::Calling
            | State::Ringing
            | State::Preanswer
            | State::Queued
            | State::Hold
            | State::Parked
            | State::Transcription
            | State::Monitor
            | State::Eavesdrop
            | State::Admin
            | State::Gone
            | State::Other(_) => None,
        }
    }

    fn track(&self) -> &Track<'_> {
        self.walk.track(self.leg)
    }

    fn was_told(&self, name: EventName) -> bool {
        self.track().told.contains(&name)
    }

    fn rings_for_the_first_time(&self) -> bool {
        self.track().is_user()
            && !self.before.was_over
            && matches!(self.before.phase, Phase::Unknown | Phase::Waiting)
            && !self.was_told(EventName::CallRing)
    }

    fn is_answered_out_of_sight(&self) -> bool {
        self.walk.has_unseen_operator(self.leg) && !self.was_told(EventName::CallStarted)
    }

    fn may_end(&self) -> bool {
        !self.was_told(EventName::CallEnded)
            && (self.track().is_user() || self.walk.an_agent_answered_at(self.leg).is_none())
    }

    fn proves_an_end_that_was_not_told(&self) -> bool {
        self.track().proves_its_end(&self.event.state) && self.may_end()
    }

    fn if_changed(&self, name: EventName) -> Option<EventName> {
        (self.before.leg.as_ref() != Some(&self.walk.leg(self.leg))).then_some(name)
    }
}
