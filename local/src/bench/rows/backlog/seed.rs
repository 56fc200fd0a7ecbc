//! Waiting events, made in the database.

use tokio_postgres::Client;
use uuid::Uuid;

use crate::bench::Error;

/// Inbound calls with three events each, in the order in which they happened; `n` counts them. Every so many-th cannot be
/// read.
const FILL: &str = "INSERT INTO webhook_events (id, app_id, event_type, payload, dedupe_key, received_at, due_at)
    SELECT (substr(app, 25, 8) || '-' || substr(app, 33, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, state,
        CASE WHEN $3::bigint > 0 AND n % $3 = 0 THEN to_jsonb('unreadable'::text)
        ELSE jsonb_build_object('call_id', 5000000000000000 + n / 3, 'state', state, 'direction', 'inbound',
            'date_started', 1772470800000 + n / 3, 'event_timestamp', 1772470800000 + n / 3 + n % 3 * 4000,
            'date_connected', CASE WHEN n % 3 > 0 THEN 1772470804000 + n / 3 END,
            'date_ended', CASE WHEN n % 3 = 2 THEN 1772470808000 + n / 3 END,
            'duration', CASE WHEN n % 3 = 2 THEN 4000 END, 'total_duration', CASE WHEN n % 3 = 2 THEN 8000 END,
            'external_number', '+1415555' || lpad((n / 3 % 10000)::text, 4, '0'), 'internal_number', '+14155550101',
            'contact', jsonb_build_object('id', n / 3, 'type', 'local', 'name', 'Jo Client'),
            'target', jsonb_build_object('id', 5600000000000001, 'type', 'user', 'name', 'Ada Sample', 'phone', '+14155550101'),
            'routing_breadcrumbs', '[]'::jsonb, 'labels', '[]'::jsonb, 'recording_details', '[]'::jsonb,
            'is_transferred', false) END,
        sha256(convert_to(app || n, 'UTF8')), now() + n * interval '1 microsecond', ";
const FROM: &str =
    " FROM (SELECT n, $1::uuid::text AS app, (ARRAY['ringing', 'connected', 'hangup'])[1 + n % 3] AS state
          FROM generate_series(0, $2::bigint - 1) AS n) AS made";

/// How many waiting events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed {
    pub(super) apps: usize,
    /// In each app.
    pub(super) events: usize,
    pub(super) unreadable_every: Option<usize>,
}

impl Seed {
    /// Makes them, all at once. They are due at `due`, an expression of SQL.
    pub(super) async fn fill(&self, database: &Client, apps: &[Uuid], due: &str) -> Result<(), Error> {
        let events = i64::try_from(self.events).unwrap_or_default();
        let every = i64::try_from(self.unreadable_every.unwrap_or_default()).unwrap_or_default();
        database.batch_execute("BEGIN").await?;
        for app in apps {
            database.execute(&format!("{FILL}{due}{FROM}"), &[app, &events, &every]).await?;
        }
        database.batch_execute("COMMIT").await?;
        Ok(())
    }

    /// How many cannot be read, in all of so many apps.
    pub(super) fn unreadable(&self, apps: usize) -> usize {
        self.unreadable_every.map_or(0, |every| apps * self.events.div_ceil(every))
    }
}
