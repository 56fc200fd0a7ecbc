//! Calls as they might happen: plans that proptest makes and shrinks, and the events Dialpad would send of them.

use proptest::{collection::vec, prelude::*};
use shared::domain::{
    call::{CallEvent, Direction, Recording},
    ids::DialpadId,
};

use super::{Line, user};

/// A call to come.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// Between one user and somebody outside.
    Direct { outbound: bool, has_target: bool, answered: bool, talk: Talk, voicemail: Voicemail },
    /// Answered by one user and handed on to another.
    Transfer { taken: bool, overlaps: bool, talk: Talk },
    /// To a group that rings its agents.
    Group {
        agents: usize,
        queued: bool,
        answered_by: Option<usize>,
        in_sight: bool,
        linked_by_master: bool,
        talk: Talk,
    },
    /// Given up, refused, or left to the mailbox of a group.
    Untaken { blocked: bool, queued: bool, voicemail: Voicemail },
}

/// What happens while people talk, and after.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    /// Interruptions; whether parked instead of held.
    pauses: Vec<bool>,
    recorded: bool,
    recapped: bool,
}

/// What happens when nobody answers.
#[derive(Clone, Debug)]
pub(super) struct Voicemail {
    says_missed: bool,
    sent: bool,
    /// Whether the caller is sent there only after the hangup.
    sent_late: bool,
    /// The message, if the caller leaves one; whether it is written down.
    message: Option<bool>,
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    let talk = || {
        (vec(any::<bool>(), 0..5), any::<bool>(), any::<bool>())
            .prop_map(|(pauses, recorded, recapped)| Talk { pauses, recorded, recapped })
    };
    let voicemail = || {
        any::<[bool; 5]>().prop_map(|[says_missed, sent, sent_late, uploaded, transcribed]| Voicemail {
            says_missed,
            sent,
            sent_late,
            message: uploaded.then_some(transcribed),
        })
    };
    prop_oneof![
        (any::<[bool; 3]>(), talk(), voicemail()).prop_map(
            |([outbound, has_target, answered], talk, voicemail)| {
                Plan::Direct { outbound, has_target, answered, talk, voicemail }
            }
        ),
        (any::<bool>(), any::<bool>(), talk()).prop_map(|(taken, overlaps, talk)| Plan::Transfer {
            taken,
            overlaps,
            talk
        }),
        (1..9_usize, any::<[bool; 3]>(), proptest::option::of(0..8_usize), talk()).prop_map(
            |(agents, [queued, in_sight, linked_by_master], answered_by, talk)| Plan::Group {
                agents,
                queued,
                answered_by: answered_by.map(|agent| agent % agents),
                in_sight,
                linked_by_master,
                talk,
            }
        ),
        (any::<bool>(), any::<bool>(), voicemail()).prop_map(|(blocked, queued, voicemail)| Plan::Untaken {
            blocked,
            queued,
            voicemail
        }),
    ]
}

/// The events that Dialpad sends of a call, in order.
pub(super) fn events(plan: &Plan) -> Vec<CallEvent> {
    let mut stage = Stage::default();
    match plan {
        Plan::Direct { outbound, has_target, answered, talk, voicemail } => {
            let direction = if *outbound { Direction::Outbound } else { Direction::Inbound };
            let mut line = Line::new(1, direction, has_target.then(|| user(501)), stage.now());
            stage.says(&line, if *outbound { "calling" } else { "ringing" });
            if *outbound {
                stage.says(&line, "ringing");
            }
            if *answered {
                stage.talks(&mut line, talk);
                stage.hangs_up(&mut line);
                stage.wraps_up(&line, talk);
            } else {
                stage.is_left_to_voicemail(&mut line, voicemail);
            }
        }
        Plan::Transfer { taken, overlaps, talk } => stage.transfer(*taken, *overlaps, talk),
        Plan::Group { .. } => stage.group(plan),
        Plan::Untaken { blocked, queued, voicemail } => {
            let mut group = Line::of_group(10, stage.now());
            if *blocked {
                stage.says(&group, "blocked");
                stage.hangs_up(&mut group);
            } else {
                stage.says(&group, "preanswer");
                if *queued {
                    stage.says(&group, "queued");
                }
                stage.is_left_to_voicemail(&mut group, voicemail);
            }
        }
    }
    stage.events
}

#[derive(Default)]
struct Stage {
    events: Vec<CallEvent>,
    clock: i64,
}

impl Stage {
    fn now(&mut self) -> i64 {
        self.clock += 1000;
        self.clock
    }

    fn says(&mut self, line: &Line, state: &str) {
        let now = self.now();
        self.events.push(line.says(state, now));
    }

    fn talks(&mut self, line: &mut Line, talk: &Talk) {
        line.connect(self.now());
        self.says(line, "connected");
        for parked in &talk.pauses {
            self.says(line, if *parked { "parked" } else { "hold" });
            self.says(line, "connected");
        }
    }

    fn hangs_up(&mut self, line: &mut Line) {
        line.end(self.now());
        self.says(line, "hangup");
    }

    fn wraps_up(&mut self, line: &Line, talk: &Talk) {
        let mut line = line.clone();
        if talk.recorded {
            let id = line.0.call_id;
            let recording = |kind: &str, is_admin| Recording {
                url: format!("https://dialpad.example/{kind}/{id}"),
                is_voicemail: false,
                is_admin,
                duration_ms: Some(1000.0),
            };
            line.0.recordings = vec![recording("r", false)];
            self.says(&line, "recording");
            line.0.recordings = vec![recording("admin", true)];
            self.says(&line, "admin_recording");
        }
        if talk.recapped {
            for state in ["call_transcription", "recap_summary", "recap_action_items", "dispositions"] {
                self.says(&line, state);
            }
        }
    }

    fn is_left_to_voicemail(&mut self, line: &mut Line, voicemail: &Voicemail) {
        let Voicemail { says_missed, sent, sent_late, message } = *voicemail;
        if says_missed {
            self.says(line, "missed");
        }
        if sent && !sent_late {
            line.0.voicemail_link = Some("https://dialpad.example/v/1".to_owned());
            self.says(line, "voicemail");
            // The mailbox picks up.
            line.connect(self.clock);
        }
        line.end(self.now());
        line.0.talk_ms = Some(0.0);
        self.says(line, "hangup");
        if sent && sent_late {
            self.says(line, "voicemail");
        }
        if let Some(transcribed) = message.filter(|_| sent) {
            line.0.recordings = vec![Recording {
                url: "https://dialpad.example/v/1".to_owned(),
                is_voicemail: true,
                is_admin: false,
                duration_ms: Some(2000.0),
            }];
            self.says(line, "voicemail_uploaded");
            if transcribed {
                line.0.transcript = Some("please call me back".to_owned());
                self.says(line, "transcription");
            }
        }
    }

    fn transfer(&mut self, taken: bool, overlaps: bool, talk: &Talk) {
        let mut ada = Line::of_user(1, self.now());
        self.says(&ada, "ringing");
        self.talks(&mut ada, talk);
        ada.0.is_transferred = true;
        if !overlaps {
            self.hangs_up(&mut ada);
        }
        let mut ben = Line::of_user(2, self.now());
        ben.0.master_call_id = Some(DialpadId(1));
        self.says(&ben, "ringing");
        if overlaps {
            self.hangs_up(&mut ada);
        }
        if taken {
            self.talks(&mut ben, talk);
        } else {
            self.says(&ben, "missed");
        }
        self.hangs_up(&mut ben);
        self.wraps_up(&ada, talk);
    }

    fn group(&mut self, plan: &Plan) {
        let Plan::Group { agents, queued, answered_by, in_sight, linked_by_master, ref talk } = *plan else {
            return;
        };
        let mut group = Line::of_group(10, self.now());
        self.says(&group, "preanswer");
        if queued {
            self.says(&group, "queued");
        }
        self.says(&group, "ringing");
        let mut rung = Vec::new();
        for agent in (11..).take(agents) {
            let mut line = Line::of_agent(agent, 10, self.now());
            if linked_by_master {
                line.0.master_call_id = line.0.entry_point_call_id.take();
            }
            if in_sight {
                self.says(&line, "ringing");
            }
            rung.push(line);
        }
        if let Some(answering) = answered_by {
            let mut agent = rung.remove(answering);
            group.0.operator_call_id = Some(agent.0.call_id);
            group.connect(self.now());
            if in_sight {
                self.talks(&mut agent, talk);
            }
            self.says(&group, "connected");
            rung.push(agent);
        }
        for mut agent in rung {
            agent.end(self.now());
            if in_sight {
                self.says(&agent, "hangup");
            }
        }
        self.hangs_up(&mut group);
        self.wraps_up(&group, talk);
    }
}
