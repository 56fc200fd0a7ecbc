//! What Dialpad delivers for a call, one snapshot of the leg after the other. People and numbers are invented.

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde_json::{Value, json};

/// What happens.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Scenario {
    /// Somebody calls, an agent answers, puts the caller on hold, and hangs up
    InboundAnswered,
    /// Somebody calls and nobody answers
    InboundMissed,
    /// Somebody calls, nobody answers, and a message is left
    Voicemail,
    /// An agent calls somebody
    Outbound,
}

/// How long the longest of them takes, in milliseconds.
const LONGEST_MS: i64 = 130_000;
/// Dialpad's id of the agent.
const AGENT: i64 = 5_600_000_000_000_001;

impl Scenario {
    /// The payloads, in the order of delivery, of a call that is over now. The call's id is made from the time, so that each
    /// run is a new call.
    #[must_use]
    pub fn payloads(self, now: DateTime<Utc>) -> Vec<Value> {
        let start = now.timestamp_millis() - LONGEST_MS;
        let call = Leg { start, inbound: !matches!(self, Self::Outbound) };
        match self {
            Self::InboundAnswered => vec![
                call.at(1, "ringing", json!({})),
                call.at(6, "connected", json!({ "date_connected": start + 6000 })),
                call.at(41, "hold", json!({ "date_connected": start + 6000 })),
                call.at(61, "connected", json!({ "date_connected": start + 6000 })),
                call.at(
                    122,
                    "hangup",
                    json!({
                        "date_connected": start + 6000, "date_ended": start + 121_000,
                        "talk_time": 95_000.25, "hold_time": 20_000.0, "duration": 115_000.25,
                    }),
                ),
            ],
            Self::InboundMissed => vec![
                call.at(1, "ringing", json!({})),
                call.at(25, "missed", json!({})),
                call.at(26, "hangup", json!({ "date_ended": start + 26_000 })),
            ],
            Self::Voicemail => {
                let link = format!("https://dialpad.example/v/{start}");
                vec![
                    call.at(1, "ringing", json!({})),
                    call.at(25, "missed", json!({})),
                    call.at(26, "voicemail", json!({ "voicemail_link": link })),
                    call.at(60, "hangup", json!({ "date_ended": start + 59_000, "voicemail_link": link })),
                    call.at(
                        72,
                        "voicemail_uploaded",
                        json!({
                            "date_ended": start + 59_000, "voicemail_link": link,
                            "recording_details": [{
                                "id": "1", "url": link, "duration": 21_480, "start_time": start + 37_000,
                                "recording_type": "voicemail",
                            }],
                        }),
                    ),
                    call.at(
                        94,
                        "transcription",
                        json!({
                            "date_ended": start + 59_000, "voicemail_link": link,
                            "transcription_text": "Hi, please call me back about my order. Thanks.",
                        }),
                    ),
                ]
            }
            Self::Outbound => {
                vec![
                call.at(1, "calling", json!({})),
                call.at(9, "connected", json!({ "date_connected": start + 8700 })),
                call.at(70, "hangup", json!({
                    "date_connected": start + 8700, "date_ended": start + 68_700, "talk_time": 60_000.0,
                })),
            ]
            }
        }
    }
}

struct Leg {
    start: i64,
    inbound: bool,
}

impl Leg {
    /// The snapshot after so many seconds.
    fn at(&self, seconds: i64, state: &str, more: Value) -> Value {
        let mut payload = json!({
            "call_id": self.start * 1000,
            "state": state,
            "event_timestamp": self.start + seconds * 1000,
            "date_started": self.start,
            "direction": if self.inbound { "inbound" } else { "outbound" },
            "external_number": "+14155550150",
            "internal_number": "+14155550101",
            "contact": { "id": 5_700_000_000_000_001_i64, "type": "local", "phone": "+14155550150", "name": "Jo Client" },
            "target": { "id": AGENT, "type": "user", "phone": "+14155550101", "name": "Ada Sample" },
            "recording_details": [],
        });
        if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
            payload.extend(more);
        }
        payload
    }
}
