//! What Dialpad delivers, as it is written down: legs, and one snapshot of a leg after the other. People and numbers are
//! invented.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// The times and the cast of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// When it begins. Ids are made from it, so scenarios that begin in different milliseconds are different calls.
    pub start: DateTime<Utc>,
    /// How many times faster than in life it goes.
    pub speed: f64,
    /// How many agents a group rings, 1 to 500.
    pub agents: usize,
}

/// Deliveries being written.
#[derive(Debug)]
pub(super) struct Script {
    setting: Setting,
    deliveries: Vec<Value>,
}

/// A leg of a call, by all that is true of it now.
#[derive(Clone, Debug)]
pub(super) struct Leg(Map<String, Value>);

impl Script {
    pub(super) fn new(setting: Setting) -> Self {
        Self { setting, deliveries: Vec::new() }
    }

    /// Milliseconds of the epoch, so many seconds into the scenario.
    #[expect(clippy::cast_possible_truncation, reason = "a scenario lasts minutes")]
    pub(super) fn time(&self, seconds: f64) -> i64 {
        self.setting.start.timestamp_millis() + (seconds * 1000.0 / self.setting.speed) as i64
    }

    /// A length of so many seconds, as Dialpad writes lengths: in milliseconds, with fractions.
    pub(super) fn length(&self, seconds: f64) -> f64 {
        seconds * 1000.0 / self.setting.speed
    }

    pub(super) fn agents(&self) -> usize {
        self.setting.agents.clamp(1, 500)
    }

    /// An id that nothing else of this scenario has.
    pub(super) fn id(&self, number: usize) -> i64 {
        // A thousand ids for each millisecond stay below 2^53 until the year 2255.
        self.setting.start.timestamp_millis() * 1000 + i64::try_from(number % 1000).unwrap_or(0)
    }

    /// The leg of one person.
    pub(super) fn user(&self, number: usize, agent: usize, seconds: f64) -> Leg {
        self.leg(number, seconds, &agent_target(agent))
    }

    /// The leg of a call centre.
    pub(super) fn group(&self, number: usize, seconds: f64) -> Leg {
        let target = json!({ "id": 5_500_000_000_000_201_i64, "type": "call_center", "phone": "+14155550120",
                    "name": "Sample Support", "office_id": 5_500_000_000_000_001_i64 });
        self.leg(number, seconds, &target)
    }

    fn leg(&self, number: usize, seconds: f64, target: &Value) -> Leg {
        let mut leg = Leg(Map::new());
        leg.set(json!({
            "call_id": self.id(number),
            "date_started": self.time(seconds),
            "direction": "inbound",
            "external_number": "+14155550150",
            "internal_number": target["phone"],
            "contact": { "id": 5_700_000_000_000_001_i64, "type": "local", "phone": "+14155550150", "name": "Jo Client" },
            "target": target,
            "recording_details": [],
        }));
        leg
    }

    /// Something happens to a leg.
    pub(super) fn says(&mut self, seconds: f64, leg: &Leg, state: &str) {
        let mut payload = leg.clone();
        payload.set(json!({ "state": state, "event_timestamp": self.time(seconds) }));
        self.deliver(Value::Object(payload.0));
    }

    /// Somebody answers.
    pub(super) fn connects(&mut self, seconds: f64, leg: &mut Leg) {
        leg.set(json!({ "date_connected": self.time(seconds) }));
        self.says(seconds, leg, "connected");
    }

    /// It ends. `talk` are the seconds that people talked.
    pub(super) fn hangs_up(&mut self, seconds: f64, leg: &mut Leg, talk: f64) {
        leg.set(json!({
            "date_ended": self.time(seconds), "talk_time": self.length(talk), "duration": self.length(talk),
        }));
        self.says(seconds + 0.6, leg, "hangup");
    }

    /// Anything that is no call.
    pub(super) fn deliver(&mut self, payload: Value) {
        self.deliveries.push(payload);
    }

    /// The deliveries, in the order in which things happened.
    pub(super) fn finish(mut self) -> Vec<Value> {
        self.deliveries.sort_by_key(|payload| payload["event_timestamp"].as_i64());
        self.deliveries
    }
}

impl Leg {
    /// Something else becomes true of it.
    #[expect(clippy::needless_pass_by_value, reason = "reads as a literal where it is called")]
    pub(super) fn set(&mut self, members: Value) {
        for (name, value) in members.as_object().into_iter().flatten() {
            self.0.insert(name.clone(), value.clone());
        }
    }

    pub(super) fn with(mut self, members: Value) -> Self {
        self.set(members);
        self
    }

    pub(super) fn id(&self) -> &Value {
        &self.0["call_id"]
    }
}

/// Who works here; the first is the one that all simple scenarios are about.
pub(super) fn agent_target(agent: usize) -> Value {
    let names = ["Ada Sample", "Ben Placeholder", "Cleo Example", "Dan Specimen"];
    let id = 5_600_000_000_000_001 + i64::try_from(agent).unwrap_or(0);
    json!({
        "id": id, "type": "user", "phone": format!("+1415555{:04}", 101 + agent % 9000),
        "name": names[agent % names.len()],
    })
}
