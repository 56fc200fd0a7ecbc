//! Tables that are written and deleted from all the time: how fast what is due goes, and how much of a table is air.
//!
//! A day is some seconds here, since what is written is dated back: it is due after so many of these days. Postgres cleans
//! up by itself, and looks for that as often in such a day as it does in one of a busy installation: seldom.

use std::time::{Duration, Instant};

use axum::http::Method;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::bench::{
    Error,
    report::{
        Line, Report,
        Unit::{Megabytes, PerSecond},
    },
    stage::Stage,
    stats::number,
};

/// Postgres looks once a second what is to be cleaned up, which is several times in a day of ours.
const OFTEN: &str = "ALTER SYSTEM SET autovacuum_naptime = 1";
const AS_USUAL: &str = "ALTER SYSTEM RESET autovacuum_naptime";
const RELOAD: &str = "SELECT pg_reload_conf()";

/// As the processor writes a batch, and then notes that it was handed over.
const ENTRIES: &str = "INSERT INTO client_events (app_id, seq, id, audience, frame, created_at)
    SELECT $1, n, gen_random_uuid(), NULL, repeat('x', 480), now() - interval '7 days' + $4::float8 * interval '1 second'
    FROM generate_series($2::bigint, $3::bigint) AS n";
const HANDED_OVER: &str =
    "UPDATE client_events SET handed_over_at = now() WHERE app_id = $1 AND seq BETWEEN $2 AND $3";
/// As they come, and as they are applied.
const DELIVERIES: &str = "INSERT INTO webhook_events (id, app_id, event_type, payload, dedupe_key, due_at)
    SELECT gen_random_uuid(), $1, 'agent_status', jsonb_build_object('text', repeat('x', 300)), sha256(n::text::bytea), 'infinity'
    FROM generate_series($2::bigint, $3::bigint) AS n";
const APPLIED: &str =
    "UPDATE webhook_events SET processed_at = now() - interval '30 days' + $2::float8 * interval '1 second'
    WHERE app_id = $1 AND processed_at IS NULL";

/// One delivery of those that no row is made of for so many entries of the log.
const ENTRIES_A_DELIVERY: i64 = 4;
const BATCH: i64 = 50;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (days, kept) = (stage.size(21, 4), stage.size(7, 1));
    let day = Duration::from_millis(u64::try_from(stage.size(3_000, 300)).unwrap_or_default());
    let entries = i64::try_from(stage.size(12_000, 400)).unwrap_or_default();
    let (app, _socket) = stage.app("retention").await?;
    let app_id = app.app_id.0;
    stage.database.batch_execute(OFTEN).await?;
    stage.database.batch_execute(RELOAD).await?;
    let due_after = number(kept) * day.as_secs_f64();
    let (mut rates, mut dead) = (Vec::new(), 0.0_f64);
    for number_of_day in 0..days {
        let begun = Instant::now();
        let first = 1 + i64::try_from(number_of_day).unwrap_or_default() * entries;
        write(&stage.database, app_id, first, first + entries - 1, due_after).await?;
        let due = count(&stage.database, app_id, "created_at < now() - interval '7 days'").await?;
        let start = Instant::now();
        forget(stage).await?;
        if due > 0 {
            rates.push(number(due) / start.elapsed().as_secs_f64());
        }
        tokio::time::sleep(day.saturating_sub(begun.elapsed())).await;
        if number_of_day > kept {
            dead = dead.max(dead_for_each_live(&stage.database).await?);
        }
    }
    report.add(Line::new("entries that were due, deleted", PerSecond, rates));
    for (table, what) in [("client_events", "the log"), ("webhook_events", "deliveries")] {
        let (size, packed) = sizes(&stage.database, table).await?;
        let line = Line::new(format!("{what} after {days} days, {kept} of them kept"), Megabytes, vec![size]);
        report.add(line.beside("the same rows in a new table", &[packed]));
    }
    report.note(format!(
        "a day is {:.1} s and {entries} entries; at the end of a day at most {dead:.2} dead rows for each of the log that lives, \
         as Postgres counts them; half of the time that deleting takes is a pause for others",
        day.as_secs_f64()
    ));
    stage.database.batch_execute(AS_USUAL).await?;
    stage.database.batch_execute(RELOAD).await?;
    Ok(())
}

/// Writes a day.
async fn write(database: &Client, app_id: Uuid, first: i64, last: i64, due_after: f64) -> Result<(), Error> {
    let (entries, handed_over) = (database.prepare(ENTRIES).await?, database.prepare(HANDED_OVER).await?);
    let (deliveries, applied) = (database.prepare(DELIVERIES).await?, database.prepare(APPLIED).await?);
    let mut from = first;
    while from <= last {
        let to = last.min(from + BATCH - 1);
        database.execute(&entries, &[&app_id, &from, &to, &due_after]).await?;
        database.execute(&handed_over, &[&app_id, &from, &to]).await?;
        let to_delivery = from + (to - from) / ENTRIES_A_DELIVERY;
        database.execute(&deliveries, &[&app_id, &from, &to_delivery]).await?;
        database.execute(&applied, &[&app_id, &due_after]).await?;
        from = to + 1;
    }
    let head = "UPDATE app_streams SET last_seq = $2 WHERE app_id = $1";
    database.execute(head, &[&app_id, &last]).await?;
    Ok(())
}

/// What the schedule does, and an operator who does not wait for it.
async fn forget(stage: &Stage) -> Result<(), Error> {
    let path = "/2015-03-31/functions/processor/invocations";
    let answer = stage.aws.send(Method::POST, path, &[], r#"{"action":"forget"}"#).await?;
    if answer.status.is_success() && !answer.headers.contains_key("x-amz-function-error") {
        Ok(())
    } else {
        Err(Error::failed(format!("what is due was not deleted: {}", answer.body)))
    }
}

async fn count(database: &Client, app_id: Uuid, condition: &str) -> Result<usize, Error> {
    let sql = format!("SELECT count(*) FROM client_events WHERE app_id = $1 AND {condition}");
    Ok(usize::try_from(database.query_one(&sql, &[&app_id]).await?.get::<_, i64>(0)).unwrap_or_default())
}

async fn dead_for_each_live(database: &Client) -> Result<f64, Error> {
    let sql = "SELECT n_dead_tup::float8 / greatest(n_live_tup, 1) FROM pg_stat_user_tables WHERE relname = 'client_events'";
    Ok(database.query_one(sql, &[]).await?.get(0))
}

/// The size of a table with its indexes, in megabytes, and that of a new one with the same rows.
async fn sizes(database: &Client, table: &str) -> Result<(f64, f64), Error> {
    let size = async |name: &str| {
        let sql = format!("SELECT pg_total_relation_size('{name}')::float8 / 1e6");
        Ok::<f64, Error>(database.query_one(&sql, &[]).await?.get(0))
    };
    let new = format!(
        "DROP TABLE IF EXISTS packed; CREATE TABLE packed (LIKE {table} INCLUDING ALL); INSERT INTO packed SELECT * FROM {table}"
    );
    database.batch_execute(&new).await?;
    let found = (size(table).await?, size("packed").await?);
    database.batch_execute("DROP TABLE packed").await?;
    Ok(found)
}
