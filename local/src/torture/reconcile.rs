//! Sent against rows against log against what each client holds.

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{
    Error,
    ledger::{Key, Ledger},
    stage::{Stage, Watched},
};
use crate::follow::witness::{Difference, Logged};

/// What the calls came in under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum During {
    /// Faults of every kind: what is not answered 200 is delivered again.
    Faults,
    /// The database alone is away: every delivery has to be answered 200, and at once, but for those that a process was
    /// at when it was killed.
    Outage {
        /// How many processes were.
        killed: u64,
    },
}

/// How many places are named of those that are wrong.
const NAMED: usize = 5;

/// What must not be, by name, and how often it was.
#[derive(Debug, Default)]
pub(super) struct Violations(pub(super) Vec<(&'static str, u64)>);

impl Violations {
    /// All together.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    fn add(&mut self, name: &'static str, count: impl TryInto<u64>) {
        let count = count.try_into().unwrap_or(u64::MAX);
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => self.0.push((name, count)),
        }
    }
}

/// What of one app is counted in the database, by name; `$1` is the app, and every number should be nothing.
pub const COUNTS: [(&str, &str); 6] = [
    (
        "stored events that are not applied",
        "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL",
    ),
    (
        "legs of calls without a row, or rows without a leg",
        "SELECT count(*) FROM (SELECT DISTINCT call_id FROM webhook_events WHERE app_id = $1 AND call_id IS NOT NULL) e
         FULL JOIN (SELECT dialpad_call_id FROM calls WHERE app_id = $1) c ON c.dialpad_call_id = e.call_id
         WHERE e.call_id IS NULL OR c.dialpad_call_id IS NULL",
    ),
    (
        "entries of the log with the id of another",
        "SELECT count(*) - count(DISTINCT id) FROM client_events WHERE app_id = $1",
    ),
    (
        "entries of the log that say again what another says",
        "SELECT count(*) - count(DISTINCT frame::jsonb - '{id,seq,timestamp,version}'::text[])
         FROM client_events WHERE app_id = $1",
    ),
    (
        "calls that rang or ended twice",
        "SELECT coalesce(sum(times - 1), 0)::bigint FROM (
             SELECT count(*) AS times FROM client_events
             WHERE app_id = $1 AND frame::jsonb ->> 'event' IN ('call.ring', 'call.ended')
             GROUP BY frame::jsonb ->> 'event', frame::jsonb ->> 'call_id', frame::jsonb ->> 'occurred_at') t",
    ),
    (
        "entries of the log never handed over",
        "SELECT count(*) FROM client_events WHERE app_id = $1 AND handed_over_at IS NULL",
    ),
];

/// Compares everything; clients have so long to catch up.
pub(super) async fn all(
    stage: &Stage,
    ledger: &Ledger,
    during: During,
    is_quiet: bool,
    patience: Duration,
) -> Result<Violations, Error> {
    let database = stage.database().await?;
    let mut violations = Violations::default();
    violations.add("no quiet after the faults", u64::from(!is_quiet));
    violations.add("deliveries refused with 4xx", ledger.refused);
    if let During::Outage { killed } = during {
        violations.add("deliveries answered after more than 2 s", ledger.slow);
        violations.add("deliveries not answered 200 at once", ledger.again.saturating_sub(killed));
    }
    violations.add("deliveries in the dead-letter queue", stage.held("SpillDeadLetterQueue").await?);
    let end = Instant::now() + patience;
    for (number, watched) in stage.apps.iter().enumerate() {
        let app_id = watched.app.app_id.0;
        deliveries(&database, app_id, &ledger.taken[number], &ledger.sent[number], &mut violations).await?;
        for (name, sql) in COUNTS {
            violations.add(name, database.query_one(sql, &[&app_id]).await?.get::<_, i64>(0));
        }
        let log = log(&database, app_id, &mut violations).await?;
        clients(watched, &log, end, &mut violations).await;
    }
    Ok(violations)
}

/// What was answered 200 is stored, and what is stored was sent.
async fn deliveries(
    database: &Client,
    app_id: Uuid,
    taken: &HashSet<Key>,
    sent: &HashSet<Key>,
    violations: &mut Violations,
) -> Result<(), Error> {
    let rows = database.query("SELECT dedupe_key FROM webhook_events WHERE app_id = $1", &[&app_id]).await?;
    let stored: HashSet<Key> = rows.iter().map(|row| row.get(0)).collect();
    violations.add("deliveries answered 200 and not stored", taken.difference(&stored).count());
    violations.add("stored deliveries that were never sent", stored.difference(sent).count());
    violations.add("deliveries stored twice", rows.len() - stored.len());
    Ok(())
}

/// The log of an app, whose places are 1, 2, 3 and so on up to its head.
async fn log(database: &Client, app_id: Uuid, violations: &mut Violations) -> Result<Vec<Logged>, Error> {
    let sql = "SELECT seq, audience, frame FROM client_events WHERE app_id = $1 ORDER BY seq";
    let rows = database.query(sql, &[&app_id]).await?;
    let log: Vec<_> = rows.iter().map(|row| Logged::new(row.get(0), row.get(1), row.get(2))).collect();
    let sql = "SELECT last_seq FROM app_streams WHERE app_id = $1";
    let head: i64 = database.query_one(sql, &[&app_id]).await?.get(0);
    let is_whole = log.iter().map(Logged::seq).eq(1..=head);
    violations.add("logs whose seq has a gap or a repeat", u64::from(!is_whole));
    Ok(log)
}

/// Each client holds exactly the log of its audience.
async fn clients(watched: &Watched, log: &[Logged], end: Instant, violations: &mut Violations) {
    for (name, witness) in &watched.witnesses {
        let difference = loop {
            let difference = witness.difference(log);
            if difference.is_none() || Instant::now() >= end {
                break difference.unwrap_or_default();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        violations.add("events that a client does not hold", difference.missing.len());
        violations.add("events that a client holds and should not", difference.wrong.len());
        violations.add("events that were new to a client twice", difference.repeated.len());
        violations.add("clients told to load the lists again", u64::from(difference.has_reloaded));
        if difference != Difference::default() {
            let first = |places: &[i64]| places.iter().take(NAMED).copied().collect::<Vec<_>>();
            tracing::error!(
                app_id = %watched.app.app_id,
                client = name,
                missing = ?first(&difference.missing),
                wrong = ?first(&difference.wrong),
                repeated = ?first(&difference.repeated),
                "a client does not hold the log of its audience"
            );
        }
    }
}
