//! Frames of what agents do.

use shared::domain::{client_event::EventName, frame::AgentFrame};

use super::{Log, json};
use crate::{plan::Agents, traces::About};

/// Writes what a batch tells of agents.
pub(super) fn write(log: &mut Log<'_>, agents: &Agents) {
    for agent in &agents.news {
        log.add(
            EventName::AgentStatus,
            About::Agent,
            agent.at,
            Some(agent.user_id),
            |envelope, crm_user, texts| {
                let mut frame = AgentFrame {
                    envelope,
                    user_id: agent.user_id,
                    status: texts.cut(agent.status.as_deref()),
                    reason: texts.cut(agent.reason.as_deref()),
                    availability: texts.cut(agent.availability.as_deref()),
                    call_center_ids: texts.cut_list(&agent.call_center_ids),
                    target_crm_user: crm_user,
                    truncated: false,
                };
                frame.truncated = texts.were_cut;
                json(&frame)
            },
        );
    }
}
