//! Calls to a call centre: its own leg, and one for each agent who is rung.

use serde_json::json;

use super::super::script::{Leg, Script};
use super::people;

/// The caller's leg waits, and the agents' phones ring.
fn rings(script: &mut Script, group: &Leg, seconds: f64) -> Vec<Leg> {
    script.says(seconds, group, "ringing");
    let mut agents = Vec::new();
    for agent in 0..script.agents() {
        // One after the other, as they are dialled.
        let seconds = seconds + 0.05 + f64::from(u16::try_from(agent).unwrap_or(u16::MAX)) * 0.01;
        let leg = script.user(agent + 1, agent, seconds).with(json!({
            "entry_point_call_id": group.id(), "internal_number": "+14155550120",
        }));
        script.says(seconds + 0.2, &leg, "ringing");
        agents.push(leg);
    }
    agents
}

pub(super) fn answered(script: &mut Script, is_queued: bool) {
    let mut group = script.group(0, 0.0);
    script.says(0.5, &group, "preanswer");
    if is_queued {
        group.set(json!({ "date_queued": script.time(7.2) }));
        script.says(7.9, &group, "queued");
    }
    let mut agents = rings(script, &group, 20.0);
    let mut answering = agents.remove(0);
    script.connects(33.0, &mut answering);
    group.set(json!({ "operator_call_id": answering.id() }));
    script.connects(33.1, &mut group);
    for agent in &mut agents {
        script.hangs_up(33.2, agent, 0.0);
    }
    script.hangs_up(150.0, &mut answering, 117.0);
    script.hangs_up(150.1, &mut group, 117.0);
    if is_queued {
        answering.set(json!({ "call_dispositions": "Order~Delivery" }));
        script.says(175.0, &answering, "dispositions");
    }
}

pub(super) fn abandoned(script: &mut Script) {
    let mut group = script.group(0, 0.0);
    script.says(0.5, &group, "preanswer");
    group.set(json!({ "date_queued": script.time(7.2) }));
    script.says(7.9, &group, "queued");
    script.hangs_up(64.0, &mut group, 0.0);
}

pub(super) fn voicemail(script: &mut Script) {
    let mut group = script.group(0, 0.0);
    script.says(0.5, &group, "preanswer");
    for agent in &mut rings(script, &group, 5.0) {
        script.says(35.0, agent, "missed");
        script.hangs_up(35.5, agent, 0.0);
    }
    group.set(json!({ "voicemail_link": people::link(&group) }));
    script.says(36.0, &group, "voicemail");
    script.hangs_up(70.0, &mut group, 0.0);
    people::message(script, &mut group, 82.0);
}
