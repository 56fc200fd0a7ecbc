//! What Dialpad calls the things that happen to a leg.

/// Our word for a leg that Dialpad does not know any more.
const GONE: &str = "gone";

/// Defines the states in the order in which they come in the life of a leg, each with Dialpad's word for it.
macro_rules! states {
    ($($(#[$meta:meta])* $variant:ident = $word:literal,)+) => {
        /// What happened to a leg, in Dialpad's words. The set has grown over the years, so it is open. One word is ours.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum State {
            $($(#[$meta])* $variant,)+
            /// Dialpad was asked for the leg and does not know it any more. No word of Dialpad's: nobody delivers it.
            Gone,
            /// A word that was new when this was written: kept as it is, and no reason to tell anybody anything.
            Other(String),
        }

        impl State {
            /// Every state of Dialpad's that is known, in the order of a leg's life.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)+];

            /// Reads Dialpad's word; one that is not known is kept as it is.
            #[must_use]
            pub fn parse(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    GONE => Self::Gone,
                    unknown => Self::Other(unknown.to_owned()),
                }
            }

            /// Dialpad's word for it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Gone => GONE,
                    Self::Other(word) => word,
                }
            }
        }
    };
}

states! {
    /// An outbound leg was placed.
    Calling = "calling",
    /// Before any human: a greeting, a menu, or parked there by a transfer.
    Preanswer = "preanswer",
    /// Waiting in a call centre's queue.
    Queued = "queued",
    /// A user's devices ring.
    Ringing = "ringing",
    /// Answered; and again after each hold, since there is no state for the end of a hold.
    Connected = "connected",
    /// Put on hold, until the next `connected` or `hangup`.
    Hold = "hold",
    /// Parked.
    Parked = "parked",
    /// Joined with another leg into a conference.
    Merged = "merged",
    /// A supervisor speaks in.
    Barge = "barge",
    /// A supervisor takes the call.
    Takeover = "takeover",
    /// A supervisor watches.
    Monitor = "monitor",
    /// A supervisor listens.
    Eavesdrop = "eavesdrop",
    /// An administrator acted.
    Admin = "admin",
    /// A playbook's result.
    AiPlaybook = "ai_playbook",
    /// It rang out: nobody took this leg.
    Missed = "missed",
    /// Refused by a block list.
    Blocked = "blocked",
    /// Sent to voicemail; no proof that a message was left.
    Voicemail = "voicemail",
    /// This leg ended, answered or not.
    Hangup = "hangup",
    /// A message was recorded: the only proof that there is one.
    VoicemailUploaded = "voicemail_uploaded",
    /// A message was written down.
    Transcription = "transcription",
    /// A user's recording is ready.
    Recording = "recording",
    /// The company's recording is ready.
    AdminRecording = "admin_recording",
    /// The conversation was written down.
    CallTranscription = "call_transcription",
    /// Part of the recap: the summary.
    RecapSummary = "recap_summary",
    /// Part of the recap: the outcome.
    RecapOutcome = "recap_outcome",
    /// Part of the recap: the purposes.
    RecapPurposes = "recap_purposes",
    /// Part of the recap: what is to be done.
    RecapActionItems = "recap_action_items",
    /// The wrap-up form was filled.
    Postcall = "postcall",
    /// A disposition was saved.
    Dispositions = "dispositions",
    /// The caller answered the survey.
    Csat = "csat",
    /// The survey's answer was predicted.
    Pcsat = "pcsat",
}

impl State {
    /// Reads one of the event names that the implementation guide uses where Dialpad has states.
    #[must_use]
    pub fn of_guide_name(name: &str) -> Option<Self> {
        match name {
            "call.ring" => Some(Self::Ringing),
            "call.started" => Some(Self::Connected),
            "call.ended" => Some(Self::Hangup),
            "voicemail.received" => Some(Self::VoicemailUploaded),
            _ => None,
        }
    }

    /// Whether the word was known when this was written.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Its place in the life of a leg: of two events of the same millisecond, the lower one came first. Unknown words
    /// come after those of Dialpad that are known, and ours after them all.
    #[must_use]
    pub fn rank(&self) -> usize {
        let unknown = Self::KNOWN.len();
        if matches!(self, Self::Gone) {
            return unknown + 1;
        }
        Self::KNOWN.iter().position(|known| known == self).unwrap_or(unknown)
    }

    /// Whether it only comes after the end of a leg, so that with an end in its snapshot it proves a `hangup` that was
    /// lost.
    #[must_use]
    pub const fn is_aftermath(&self) -> bool {
        match self {
            Self::VoicemailUploaded
            | Self::Transcription
            | Self::Recording
            | Self::AdminRecording
            | Self::CallTranscription
            | Self::RecapSummary
            | Self::RecapOutcome
            | Self::RecapPurposes
            | Self::RecapActionItems
            | Self::Postcall
            | Self::Dispositions
            | Self::Csat
            | Self::Pcsat => true,
            Self::Calling
            | Self::Preanswer
            | Self::Queued
            | Self::Ringing
            | Self::Connected
            | Self::Hold
            | Self::Parked
            | Self::Merged
            | Self::Barge
            | Self::Takeover
            | Self::Monitor
            | Self::Eavesdrop
            | Self::Admin
            | Self::AiPlaybook
            | Self::Missed
            | Self::Blocked
            | Self::Voicemail
            | Self::Hangup
            | Self::Gone
            | Self::Other(_) => false,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_the_31_states_of_dialpad() {
        let mut words: Vec<&str> = State::KNOWN.iter().map(State::as_str).collect();
        words.sort_unstable();
        let official = "admin admin_recording ai_playbook barge blocked call_transcription calling connected csat \
                        dispositions eavesdrop hangup hold merged missed monitor parked pcsat postcall preanswer queued \
                        recap_action_items recap_outcome recap_purposes recap_summary recording ringing takeover \
                        transcription voicemail voicemail_uploaded";
        assert_eq!(words.join(" "), official);
    }

    #[test]
    fn a_word_is_read_back_as_it_was_written() {
        for word in State::KNOWN.iter().map(State::as_str).chain(["gone", "held", "Ringing", "", "call.ring"])
        {
            assert_eq!(State::parse(word).as_str(), word);
        }
        assert_eq!(State::parse("held"), State::Other("held".to_owned()));
    }

    #[test]
    fn ranks_are_distinct_and_unknown_states_come_last() {
        let ranks: Vec<usize> = State::KNOWN.iter().map(State::rank).collect();
        assert_eq!(ranks, (0..31).collect::<Vec<_>>());
        assert_eq!([State::parse("new").rank(), State::Gone.rank()], [31, 32]);
        assert!(State::Connected.rank() < State::Hangup.rank());
    }

    #[test]
    fn the_names_of_the_guide_are_four() {
        assert_eq!(State::of_guide_name("call.ring"), Some(State::Ringing));
        assert_eq!(State::of_guide_name("call.started"), Some(State::Connected));
        assert_eq!(State::of_guide_name("call.ended"), Some(State::Hangup));
        assert_eq!(State::of_guide_name("voicemail.received"), Some(State::VoicemailUploaded));
        assert_eq!(State::of_guide_name("ringing"), None);
    }
}
