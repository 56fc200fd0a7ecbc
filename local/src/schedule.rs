//! Runs the template's scheduled functions, as an `EventBridge` schedule does.

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::{
    lambda::Lambda,
    template::{ACCOUNT, Schedule},
};

/// Runs the function at once and then every `rate`, until the future is dropped.
///
/// A run that is still under way when the next is due is let finish first: on one machine a second one would only
/// take a process from the functions that serve.
pub async fn run(schedule: Schedule, rate: Duration, lambda: Lambda, region: String) {
    let mut interval = tokio::time::interval(rate);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let event = schedule.input.clone().unwrap_or_else(|| event(&schedule, &SystemClock, &region));
        if let Err(error) = lambda.invoke(&schedule.function, event).await {
            tracing::warn!(function = schedule.function, %error, "a scheduled run failed");
        }
    }
}

fn event(schedule: &Schedule, clock: &dyn Clock, region: &str) -> Value {
    json!({
        "version": "0",
        "id": Uuid::new_v4(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "region": region,
        "resources": [format!("arn:aws:events:{region}:{ACCOUNT}:rule/{}", schedule.name)],
        "detail": {},
    })
}
