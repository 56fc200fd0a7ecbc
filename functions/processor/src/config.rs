//! Settings of the processor.

use std::time::Duration;

use chrono::TimeDelta;
use shared::config::{Env, Error, Secret};

/// What the processor is told.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `PUSH_QUEUE_URL`.
    pub push_queue_url: String,
    /// `EVENT_QUEUE_URL`: a wake-up of it comes again when there is more work than for one turn.
    pub event_queue_url: String,
    /// `SPILL_QUEUE_URL`: what waits there is put off by it, and comes by the trigger.
    pub spill_queue_url: String,
    /// `PROCESSOR_BATCH_SIZE`: events of one app that are applied in one transaction.
    pub batch_size: i64,
    /// `PROCESSOR_POLL_INTERVAL_SECONDS`: how often a scheduled run looks for work.
    pub poll_interval: Duration,
    /// `EVENT_LOG_RETENTION_DAYS`: how long clients can resume and backends can read events.
    pub event_log_retention: TimeDelta,
    /// `DELIVERY_RETENTION_DAYS`: how long a delivery is kept that no call or message is made of.
    pub delivery_retention: TimeDelta,
    /// `DIALPAD_FUNCTION`: the function that speaks with Dialpad; without it, Dialpad is not asked for anything.
    pub dialpad_function: Option<String>,
    /// `RECONCILE_AFTER_SECONDS`: after how long a silence Dialpad is asked for a leg that is not over; 0: never.
    pub reconcile_after: Option<TimeDelta>,
    /// `PROCESSOR_SWEEP_SECONDS`: how long a scheduled run goes on looking; 0: it looks once.
    pub sweep: Duration,
    /// `STACK_NAME`: whose metrics these are.
    pub stack_name: String,
}

impl Config {
    /// Reads them.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        let batch_size = env.parsed("PROCESSOR_BATCH_SIZE", 50)?;
        let poll_interval = env.parsed("PROCESSOR_POLL_INTERVAL_SECONDS", 5)?;
        if !(1..=1000).contains(&batch_size) {
            return Err(Error::Invalid("PROCESSOR_BATCH_SIZE"));
        }
        if poll_interval == 0 {
            return Err(Error::Invalid("PROCESSOR_POLL_INTERVAL_SECONDS"));
        }
        Ok(Self {
            database_url: Secret::new(env.required("DATABASE_URL")?),
            push_queue_url: env.required("PUSH_QUEUE_URL")?.to_owned(),
            event_queue_url: env.required("EVENT_QUEUE_URL")?.to_owned(),
            spill_queue_url: env.required("SPILL_QUEUE_URL")?.to_owned(),
            batch_size,
            poll_interval: Duration::from_secs(poll_interval),
            event_log_retention: days(env, "EVENT_LOG_RETENTION_DAYS", 7)?,
            delivery_retention: days(env, "DELIVERY_RETENTION_DAYS", 30)?,
            dialpad_function: env.optional("DIALPAD_FUNCTION").map(str::to_owned),
            reconcile_after: reconcile_after(env)?,
            sweep: Duration::from_secs(env.parsed("PROCESSOR_SWEEP_SECONDS", 55)?),
            stack_name: env.required("STACK_NAME")?.to_owned(),
        })
    }
}

fn reconcile_after(env: &Env) -> Result<Option<TimeDelta>, Error> {
    const WEEK: i64 = 7 * 24 * 60 * 60;
    match env.parsed("RECONCILE_AFTER_SECONDS", 900)? {
        0 => Ok(None),
        seconds @ 60..=WEEK => Ok(Some(TimeDelta::seconds(seconds))),
        _ => Err(Error::Invalid("RECONCILE_AFTER_SECONDS")),
    }
}

fn days(env: &Env, name: &'static str, default: i64) -> Result<TimeDelta, Error> {
    let days = env.parsed(name, default)?;
    if (1..=3650).contains(&days) { Ok(TimeDelta::days(days)) } else { Err(Error::Invalid(name)) }
}
