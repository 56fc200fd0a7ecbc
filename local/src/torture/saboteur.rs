//! Does what is scheduled.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use tokio::time::{Instant, sleep};

use super::{
    Error,
    schedule::{Act, STEADY, Schedule},
    stage::Stage,
};

/// How long calls come in before the one long outage, and after it.
pub(super) const BEFORE_OUTAGE: Duration = Duration::from_secs(5);
pub(super) const AFTER_OUTAGE: Duration = Duration::from_secs(5);

/// What was broken on schedule.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// How often each thing was.
    pub(super) times: BTreeMap<&'static str, u64>,
    /// When the database was there again after it had been away.
    pub(super) returns: Vec<DateTime<Utc>>,
    /// How many processes were killed that may have been at a delivery, which then has no answer.
    pub(super) killed: u64,
}

/// The same as always, and queues that take nothing.
fn without_queues() -> Vec<&'static str> {
    STEADY.into_iter().filter(|flag| !flag.starts_with("queue-refuse")).chain(["queue-refuse=1"]).collect()
}

/// Breaks one thing after the other until the end, or until it is over.
pub(super) async fn work(
    stage: &mut Stage,
    mut schedule: Schedule,
    end: Instant,
    is_over: impl Fn() -> bool,
) -> Result<Broken, Error> {
    let mut broken = Broken::default();
    loop {
        let (pause, act) = schedule.next();
        let at = Instant::now() + pause;
        while Instant::now() < at {
            if is_over() || Instant::now() >= end {
                return Ok(broken);
            }
            sleep((at - Instant::now()).min(Duration::from_millis(100))).await;
        }
        tracing::info!(?act, "breaking");
        *broken.times.entry(act.name()).or_default() += 1;
        perform(stage, act).await?;
        if act.is_of_database() {
            broken.returns.push(SystemClock.now());
        }
    }
}

/// Takes the database away for so long: first it refuses, then it is silent. Twice all processes that take deliveries are
/// killed, so that others take them that have never seen the database.
pub(super) async fn outage(stage: &Stage, length: Duration) -> Result<Broken, Error> {
    let mut broken = Broken::default();
    sleep(BEFORE_OUTAGE).await;
    for (access, act) in [("refuse", Act::Refuse(length / 2)), ("hang", Act::Hang(length / 2))] {
        tracing::info!(?act, "breaking");
        *broken.times.entry(act.name()).or_default() += 1;
        stage.act(json!({ "act": "database", "access": access })).await?;
        sleep(length / 4).await;
        broken.killed += stage.kill("webhook").await?;
        sleep(length / 4).await;
    }
    stage.act(json!({ "act": "database", "access": "open" })).await?;
    broken.returns.push(SystemClock.now());
    sleep(AFTER_OUTAGE).await;
    Ok(broken)
}

async fn perform(stage: &mut Stage, act: Act) -> Result<(), Error> {
    let database = |access: &str| json!({ "act": "database", "access": access });
    match act {
        Act::Kill(function) => stage.act(json!({ "act": "kill", "function": function })).await?,
        Act::Crash(away) => stage.crash(away).await?,
        Act::Refuse(length) => {
            stage.act(database("refuse")).await?;
            sleep(length).await;
            stage.act(database("open")).await?;
        }
        Act::Hang(length) => {
            stage.act(database("hang")).await?;
            sleep(length).await;
            stage.act(database("open")).await?;
        }
        Act::QueuesAway(length) => {
            stage.put(None, &without_queues()).await?;
            sleep(length).await;
            stage.put(None, &STEADY).await?;
        }
        Act::AllAway(length) => {
            stage.put(None, &without_queues()).await?;
            stage.act(database("refuse")).await?;
            sleep(length).await;
            stage.act(database("open")).await?;
            stage.put(None, &STEADY).await?;
        }
        Act::Storm => stage.storm.send_modify(|storm| *storm += 1),
    }
    Ok(())
}
