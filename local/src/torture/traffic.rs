//! Dialpad: so many calls at once, each delivery until it is taken, some twice and some in the wrong order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    Arguments, Error,
    ledger::{Ledger, key},
    stage::Stage,
};
use crate::{
    client::{App, Client},
    simulate::{Scenario, Setting},
};

/// The share of deliveries that are sent twice, and the share that change places with the next.
const DISORDER: f64 = 0.05;
/// How long an answer is awaited before the delivery is made again.
const ANSWER: Duration = Duration::from_secs(35);
/// Dialpad gives up on an answer after this.
const DIALPADS_PATIENCE: Duration = Duration::from_secs(5);
/// What a delivery has while the database is away.
const OUTAGES_PATIENCE: Duration = Duration::from_secs(2);
/// The pauses before a delivery is made again: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The senders at work.
pub(super) struct Traffic {
    shared: Arc<Shared>,
    senders: JoinSet<Ledger>,
}

struct Shared {
    client: Client,
    apps: Vec<App>,
    seed: u64,
    begun: DateTime<Utc>,
    /// The next call's number.
    next: AtomicU64,
    deliveries: AtomicU64,
    most_deliveries: u64,
    end: Instant,
}

impl Shared {
    fn is_over(&self) -> bool {
        Instant::now() >= self.end || self.deliveries.load(Ordering::Relaxed) >= self.most_deliveries
    }
}

/// Starts as many senders as calls are to happen at once.
pub(super) fn start(stage: &Stage, arguments: &Arguments, end: Instant) -> Traffic {
    let shared = Arc::new(Shared {
        client: stage.client.clone(),
        apps: stage.apps.iter().map(|watched| watched.app.clone()).collect(),
        seed: arguments.seed,
        begun: SystemClock.now() - TimeDelta::days(1),
        next: AtomicU64::new(0),
        deliveries: AtomicU64::new(0),
        most_deliveries: arguments.deliveries.unwrap_or(u64::MAX),
        end,
    });
    let mut senders = JoinSet::new();
    for _ in 0..arguments.calls {
        senders.spawn(send(Arc::clone(&shared)));
    }
    Traffic { shared, senders }
}

impl Traffic {
    /// Whether no more calls begin.
    pub(super) fn is_over(&self) -> bool {
        self.shared.is_over()
    }

    /// Waits for the calls that are under way; gives the account of all senders.
    pub(super) async fn finish(mut self) -> Result<Ledger, Error> {
        let mut ledger = Ledger::new(self.shared.apps.len());
        while let Some(sender) = self.senders.join_next().await {
            ledger.add(sender?);
        }
        Ok(ledger)
    }
}

async fn send(shared: Arc<Shared>) -> Ledger {
    let mut ledger = Ledger::new(shared.apps.len());
    while !shared.is_over() {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let mut chance = fastrand::Rng::with_seed(shared.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let app = chance.usize(0..shared.apps.len());
        let deliveries = call(&shared, number, &mut chance, &mut ledger);
        shared.deliveries.fetch_add(deliveries.len() as u64, Ordering::Relaxed);
        for payload in deliveries {
            deliver(&shared.client, &shared.apps[app], app, &payload, &mut ledger).await;
        }
    }
    ledger
}

/// What is delivered of one call, in what order.
fn call(shared: &Shared, number: u64, chance: &mut fastrand::Rng, ledger: &mut Ledger) -> Vec<Value> {
    let scenario = Scenario::Mixed.of_call(chance.usize(0..1000));
    // Ids are made from the beginning, so that each call has a second of its own.
    let start = shared.begun + TimeDelta::seconds(i64::try_from(number).unwrap_or_default());
    let mut deliveries = scenario.played(Setting { start, speed: 1.0, agents: 3 });
    let mut index = 0;
    while index + 1 < deliveries.len() {
        if chance.f64() < DISORDER {
            deliveries.swap(index, index + 1);
            ledger.swapped += 1;
            index += 1;
        }
        index += 1;
    }
    for index in (0..deliveries.len()).rev() {
        if chance.f64() < DISORDER {
            let later = chance.usize(index + 1..=deliveries.len());
            deliveries.insert(later, deliveries[index].clone());
            ledger.doubled += 1;
        }
    }
    ledger.calls += 1;
    deliveries
}

/// Delivers until it is taken.
async fn deliver(client: &Client, app: &App, number: usize, payload: &Value, ledger: &mut Ledger) {
    let key = key(payload).unwrap_or_default();
    ledger.sent[number].insert(key.clone());
    let mut pause = FIRST_PAUSE;
    loop {
        let asked = Instant::now();
        match timeout(ANSWER, client.deliver(app, payload)).await {
            Ok(Ok(answer)) if answer.status.is_success() => {
                ledger.answered += 1;
                ledger.slowest = ledger.slowest.max(asked.elapsed());
                ledger.slow += u64::from(asked.elapsed() > OUTAGES_PATIENCE);
                ledger.too_late += u64::from(asked.elapsed() > DIALPADS_PATIENCE);
                ledger.taken[number].insert(key);
                return;
            }
            Ok(Ok(answer)) if answer.status.is_client_error() => {
                tracing::error!(status = answer.status.as_u16(), "a delivery was refused");
                ledger.refused += 1;
                return;
            }
            Ok(Ok(_) | Err(_)) | Err(_) => ledger.again += 1,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
