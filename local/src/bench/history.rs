//! An app with a long history, among a hundred apps.

use std::time::Instant;

use uuid::Uuid;

use super::Error;
use crate::{
    client::{App, Client},
    console,
};

/// How many other apps there are.
const OTHERS: i64 = 99;
/// How many numbers called.
const NUMBERS: i64 = 50_000;
const NEWEST_CALL: i64 = 1_000_000_000_000;

/// References need not be checked one by one: all of them are to the app.
const PREPARE: &str = "SET session_replication_role = replica; SET synchronous_commit = off";
const RESET: &str = "RESET session_replication_role; RESET synchronous_commit";

/// Calls of one leg, a minute apart.
const CALLS: &str = "INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, direction, from_number, to_number, status,
        outcome, dialpad_user_id, contact_name, started_at, connected_at, ended_at, duration_ms, version, created_at, updated_at)
    SELECT id, $1, $4 - n, id, 'inbound', '+1415' || 2000000 + n % $3, '+14155550101', 'ended', 'answered', 1 + n % 100,
        'Contact ' || n, at, at, at, 60000, 3, at, at
    FROM (SELECT n, (substr($1::uuid::text, 25, 8) || '-' || substr($1::uuid::text, 33, 4) || '-7000-8000-'
                     || lpad(to_hex($4 - n), 12, '0'))::uuid AS id,
                 now() - n * interval '1 minute' AS at FROM generate_series(1, $2::bigint) AS n) AS made";
const MESSAGES: &str = "INSERT INTO messages (app_id, dialpad_message_id, direction, from_number, to_number, text, created_at)
    SELECT $1, n, 'inbound', '+1415' || 2000000 + n % $3, '+14155550101', 'A message of some length, number ' || n,
        now() - n * interval '10 minutes' FROM generate_series(1, $2::bigint) AS n";
const VOICEMAILS: &str =
    "INSERT INTO voicemails (app_id, dialpad_call_id, dialpad_user_id, from_number, to_number, created_at)
    SELECT $1, n, 1 + n % 100, '+1415' || 2000000 + n % $3, '+14155550101', now() - n * interval '100 minutes'
    FROM generate_series(1, $2::bigint) AS n";
const MAPPINGS: &str = "INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id)
    SELECT $1, n, 'crm-' || n FROM generate_series(1, 100) AS n";

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) app: App,
    pub(super) calls: usize,
}

impl History {
    /// Makes it, with so many calls; a tenth as many messages, and a hundredth as many voicemails.
    pub(super) async fn make(
        client: &Client,
        database: &tokio_postgres::Client,
        calls: usize,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        let app = client.make_app("history").await?;
        let app_id = app.app_id.0;
        let count = i64::try_from(calls).unwrap_or(i64::MAX);
        database.batch_execute(PREPARE).await?;
        fill(database, app_id, count).await?;
        for _ in 0..OTHERS {
            let other = Uuid::now_v7();
            database.execute("INSERT INTO apps (id, name) VALUES ($1, 'another')", &[&other]).await?;
            fill(database, other, count / 1000).await?;
        }
        database.batch_execute(RESET).await?;
        for table in ["calls", "messages", "voicemails", "dialpad_user_mappings"] {
            database.batch_execute(&format!("VACUUM ANALYZE {table}")).await?;
        }
        let seconds = started.elapsed().as_secs_f64();
        console::progress(&format!("made {calls} calls of one app among {} in {seconds:.0} s", OTHERS + 1));
        Ok(Self { app, calls })
    }

    /// Dialpad's id of one of the calls; 0 is the newest.
    pub(super) fn call(number: usize) -> i64 {
        NEWEST_CALL - 1 - i64::try_from(number).unwrap_or_default()
    }

    /// A number that called.
    pub(super) fn number(number: usize) -> String {
        format!("+1415{}", 2_000_000 + i64::try_from(number).unwrap_or_default() % NUMBERS)
    }
}

async fn fill(database: &tokio_postgres::Client, app_id: Uuid, calls: i64) -> Result<(), Error> {
    database.execute(CALLS, &[&app_id, &calls, &NUMBERS, &NEWEST_CALL]).await?;
    database.execute(MESSAGES, &[&app_id, &(calls / 10), &NUMBERS]).await?;
    database.execute(VOICEMAILS, &[&app_id, &(calls / 100), &NUMBERS]).await?;
    database.execute(MAPPINGS, &[&app_id]).await?;
    Ok(())
}
