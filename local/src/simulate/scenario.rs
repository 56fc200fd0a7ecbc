//! What can be simulated.

mod groups;
mod people;
mod texts;

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use serde_json::Value;

use super::script::{Script, Setting};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Somebody calls, an agent answers, puts the caller on hold, and hangs up
    InboundAnswered,
    /// Somebody calls and nobody answers
    InboundMissed,
    /// Somebody calls, nobody answers, and a message is left
    Voicemail,
    /// The same, but the caller hangs up in the greeting: there is a link and no message
    VoicemailWithoutMessage,
    /// An agent calls somebody
    Outbound,
    /// An agent calls and nobody answers
    OutboundUnanswered,
    /// A call that is recorded, written down and summed up
    Recorded,
    /// A call that is parked, and taken up again
    Parked,
    /// A call that supervisors listen to, speak in and take over
    Supervised,
    /// A caller on the block list
    Blocked,
    /// An agent answers and hands the call on to a colleague
    Transfer,
    /// A call centre rings its agents, and the first of them answers
    Group,
    /// The same after waiting in a queue, with a disposition in the end
    Queue,
    /// The caller gives up in the queue
    Abandoned,
    /// No agent answers, and the caller leaves the call centre a message
    GroupVoicemail,
    /// The hangup of a call is lost; what follows it proves the end
    LostHangup,
    /// A text message comes, and is answered
    Messages,
    /// An agent's status changes through a shift
    AgentStatus,
    /// With --calls: all of them in turn
    Mixed,
}

/// How long the longest of them takes, in seconds.
pub(super) const LONGEST_SECONDS: i64 = 400;

impl Scenario {
    /// The payloads, in the order of delivery, of a call that is over now, at the speed of life and with two agents.
    #[must_use]
    pub fn payloads(self, now: DateTime<Utc>) -> Vec<Value> {
        let start = now - TimeDelta::seconds(LONGEST_SECONDS);
        self.played(Setting { start, speed: 1.0, agents: 2 })
    }

    /// The payloads, in the order of delivery.
    #[must_use]
    pub fn played(self, setting: Setting) -> Vec<Value> {
        let mut script = Script::new(setting);
        match self {
            Self::InboundAnswered => people::answered(&mut script),
            Self::InboundMissed => people::missed(&mut script),
            Self::Voicemail => people::voicemail(&mut script, true),
            Self::VoicemailWithoutMessage => people::voicemail(&mut script, false),
            Self::Outbound => people::outbound(&mut script, true),
            Self::OutboundUnanswered => people::outbound(&mut script, false),
            Self::Recorded => people::recorded(&mut script, true),
            Self::LostHangup => people::recorded(&mut script, false),
            Self::Parked => people::parked(&mut script),
            Self::Supervised => people::supervised(&mut script),
            Self::Blocked => people::blocked(&mut script),
            Self::Transfer => people::transfer(&mut script),
            Self::Group => groups::answered(&mut script, false),
            Self::Queue => groups::answered(&mut script, true),
            Self::Abandoned => groups::abandoned(&mut script),
            Self::GroupVoicemail => groups::voicemail(&mut script),
            Self::Messages => texts::messages(&mut script),
            Self::AgentStatus => texts::agent_status(&mut script),
            Self::Mixed => {
                for (number, scenario) in Self::all().enumerate() {
                    let later = TimeDelta::milliseconds(i64::try_from(number).unwrap_or(0));
                    for payload in scenario.played(Setting { start: setting.start + later, ..setting }) {
                        script.deliver(payload);
                    }
                }
            }
        }
        script.finish()
    }

    /// The scenario of the call with this number: itself, or each in its turn.
    #[must_use]
    pub fn of_call(self, number: usize) -> Self {
        if self == Self::Mixed { Self::all().cycle().nth(number).unwrap_or(self) } else { self }
    }

    /// Every scenario that is one story.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        Self::value_variants().iter().copied().filter(|scenario| *scenario != Self::Mixed)
    }
}
