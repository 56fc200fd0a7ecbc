//! Calls between one agent and somebody outside.

use serde_json::{Value, json};

use super::super::script::{Leg, Script};

pub(super) fn answered(script: &mut Script) {
    let mut call = script.user(0, 0, 0.0);
    script.says(1.0, &call, "ringing");
    script.connects(6.0, &mut call);
    script.says(41.0, &call, "hold");
    script.says(61.0, &call, "connected");
    call.set(json!({ "hold_time": script.length(20.0) }));
    script.hangs_up(121.0, &mut call, 95.000_25);
}

pub(super) fn missed(script: &mut Script) {
    let mut call = script.user(0, 0, 0.0);
    script.says(1.0, &call, "ringing");
    script.says(25.0, &call, "missed");
    script.hangs_up(26.0, &mut call, 0.0);
}

pub(super) fn voicemail(script: &mut Script, is_left: bool) {
    let mut call = script.user(0, 0, 0.0);
    script.says(1.0, &call, "ringing");
    script.says(25.0, &call, "missed");
    call.set(json!({ "voicemail_link": link(&call) }));
    script.says(26.0, &call, "voicemail");
    script.hangs_up(59.0, &mut call, 0.0);
    if is_left {
        message(script, &mut call, 72.0);
    }
}

/// The proof of a message, and its transcript.
pub(super) fn message(script: &mut Script, call: &mut Leg, seconds: f64) {
    call.set(json!({ "recording_details": [{
        "id": "1", "url": link(call), "duration": script.length(21.48),
        "start_time": script.time(seconds - 35.0), "recording_type": "voicemail",
    }] }));
    script.says(seconds, call, "voicemail_uploaded");
    call.set(json!({ "transcription_text": "Hi, please call me back about my order. Thanks." }));
    script.says(seconds + 22.0, call, "transcription");
}

pub(super) fn link(call: &Leg) -> Value {
    json!(format!("https://dialpad.example/v/{}", call.id()))
}

pub(super) fn outbound(script: &mut Script, is_answered: bool) {
    let mut call = script.user(0, 0, 0.0).with(json!({ "direction": "outbound" }));
    script.says(1.0, &call, "calling");
    if is_answered {
        script.connects(8.7, &mut call);
        script.hangs_up(68.7, &mut call, 60.0);
    } else {
        script.says(2.0, &call, "ringing");
        script.hangs_up(40.0, &mut call, 0.0);
    }
}

pub(super) fn recorded(script: &mut Script, hangup_comes: bool) {
    let mut call = script.user(0, 0, 0.0).with(json!({ "was_recorded": true }));
    script.says(1.0, &call, "ringing");
    script.connects(6.0, &mut call);
    if hangup_comes {
        script.hangs_up(90.0, &mut call, 84.0);
    } else {
        call.set(json!({ "date_ended": script.time(90.0), "talk_time": script.length(84.0) }));
    }
    call.set(json!({ "recording_details": [{
        "id": "2", "url": format!("https://dialpad.example/r/{}", call.id()), "duration": script.length(84.0),
        "start_time": script.time(6.0), "recording_type": "callrecording",
    }] }));
    script.says(110.0, &call, "recording");
    call.set(json!({ "admin_recording_urls": [format!("https://dialpad.example/blob/adminrecording/{}.mp3", call.id())] }));
    script.says(111.0, &call, "admin_recording");
    script.says(170.0, &call, "call_transcription");
    call.set(json!({ "recap_summary": "The order is on its way." }));
    script.says(240.0, &call, "recap_summary");
    call.set(json!({ "recap_outcome": "Resolved", "recap_purposes": ["Delivery"] }));
    script.says(241.0, &call, "recap_outcome");
    script.says(242.0, &call, "recap_purposes");
    call.set(json!({ "recap_action_items": ["Send the tracking number"] }));
    script.says(243.0, &call, "recap_action_items");
    script.says(250.0, &call, "postcall");
    call.set(json!({ "csat_score": "5", "pcsat_score": 4.5 }));
    script.says(300.0, &call, "csat");
    script.says(301.0, &call, "pcsat");
}

pub(super) fn supervised(script: &mut Script) {
    let mut call = script.user(0, 0, 0.0);
    script.says(1.0, &call, "ringing");
    script.connects(6.0, &mut call);
    for (seconds, state) in
        [(20.0, "ai_playbook"), (30.0, "monitor"), (35.0, "eavesdrop"), (50.0, "barge"), (70.0, "merged")]
    {
        script.says(seconds, &call, state);
    }
    script.says(80.0, &call, "takeover");
    script.hangs_up(120.0, &mut call, 114.0);
    script.says(125.0, &call, "admin");
}

pub(super) fn parked(script: &mut Script) {
    let mut call = script.user(0, 0, 0.0);
    script.says(1.0, &call, "ringing");
    script.connects(4.0, &mut call);
    script.says(30.0, &call, "parked");
    script.says(55.0, &call, "connected");
    call.set(json!({ "hold_time": script.length(25.0) }));
    script.hangs_up(80.0, &mut call, 51.0);
}

pub(super) fn blocked(script: &mut Script) {
    let mut call = script.user(0, 0, 0.0);
    script.says(0.5, &call, "blocked");
    script.hangs_up(0.6, &mut call, 0.0);
}

pub(super) fn transfer(script: &mut Script) {
    let mut first = script.user(0, 0, 0.0);
    script.says(1.0, &first, "ringing");
    script.connects(6.0, &mut first);
    script.says(35.0, &first, "hold");
    let mut second = script.user(1, 1, 40.0).with(json!({ "master_call_id": first.id() }));
    script.says(41.0, &second, "ringing");
    script.connects(47.0, &mut second);
    first.set(json!({ "is_transferred": true, "hold_time": script.length(12.0) }));
    script.hangs_up(47.5, &mut first, 29.0);
    script.hangs_up(120.0, &mut second, 73.0);
}
