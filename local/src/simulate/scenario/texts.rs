//! What is no call: text messages, and an agent's status.

use serde_json::json;

use super::super::script::{Script, agent_target};

const CUSTOMER: &str = "+14155550150";

pub(super) fn messages(script: &mut Script) {
    let agent = agent_target(0);
    for (number, seconds, direction, status, text) in [
        (0, 0.0, "inbound", "pending", "Is my order ready?"),
        (1, 60.0, "outbound", "pending", "Yes, it is ready for pickup."),
        (1, 61.0, "outbound", "sent", "Yes, it is ready for pickup."),
        (1, 63.0, "outbound", "delivered", "Yes, it is ready for pickup."),
    ] {
        let (from, to) = if direction == "inbound" {
            (json!(CUSTOMER), json!([agent["phone"]]))
        } else {
            (agent["phone"].clone(), json!([CUSTOMER]))
        };
        script.deliver(json!({
            "id": script.id(number),
            "created_date": script.time(if number == 0 { 0.0 } else { 60.0 }),
            "event_timestamp": script.time(seconds + 0.4),
            "direction": direction,
            "from_number": from,
            "to_number": to,
            "target": { "id": agent["id"], "type": "user", "name": agent["name"], "phone_number": "(415) 555-0101" },
            "contact": { "id": 5_700_000_000_000_001_i64, "name": "Jo Client", "phone_number": CUSTOMER },
            "sender_id": null,
            "mms": false,
            "mms_url": null,
            "is_internal": false,
            "message_status": status,
            "message_delivery_result": if status == "delivered" { json!("accepted") } else { json!(null) },
            "text": text,
            "text_content": text,
        }));
    }
}

pub(super) fn agent_status(script: &mut Script) {
    let shift = [
        (0.0, "available"),
        (30.0, "occupied"),
        (90.0, "wrapup"),
        (120.0, "available"),
        (180.0, "unavailable"),
    ];
    for (seconds, status) in shift {
        script.deliver(json!({
            "target": agent_target(0),
            "date": script.time(seconds),
            "event_timestamp": script.time(seconds + 0.2),
            "on_duty_status": status,
            "on_duty_status_reason": null,
            "availability_status": if status == "available" { "available" } else { "unavailable" },
            "call_center_ids": ["5500000000000201"],
            "powerdialer_mode": false,
            "powerdialer_session": null,
        }));
    }
}
