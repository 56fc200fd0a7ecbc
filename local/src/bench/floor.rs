//! The INSERT of a delivery, without anything around it.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_postgres::{Client, Statement, types::Type};
use uuid::Uuid;

use super::Error;

/// The columns, types, keys and references of `webhook_events`, so that it is the same work for the database.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS bench_floor (LIKE webhook_events INCLUDING ALL);
    ALTER TABLE bench_floor DROP CONSTRAINT IF EXISTS bench_floor_app;
    ALTER TABLE bench_floor ADD CONSTRAINT bench_floor_app FOREIGN KEY (app_id) REFERENCES apps (id)";

/// What `inbox.accept` says, to that table.
const INSERT: &str =
    "INSERT INTO bench_floor (id, app_id, event_type, payload, dedupe_key, received_at, due_at)
    VALUES ($1, $2, $3, $4::jsonb, $5, now(), now()) ON CONFLICT (app_id, dedupe_key) DO NOTHING";
const TYPES: [Type; 5] = [Type::UUID, Type::UUID, Type::TEXT, Type::TEXT, Type::BYTEA];

/// The INSERT, unnamed as the webhook sends it, and prepared.
pub(super) struct Insert {
    app_id: Uuid,
    prepared: Statement,
}

impl Insert {
    pub(super) async fn new(database: &Client, app_id: Uuid) -> Result<Self, Error> {
        database.batch_execute(TABLE).await?;
        Ok(Self { app_id, prepared: database.prepare_typed(INSERT, &TYPES).await? })
    }

    /// Parsed and planned anew, in one round trip.
    pub(super) async fn unnamed(&self, database: &Client, payload: &Value) -> Result<Duration, Error> {
        let (id, text) = (Uuid::now_v7(), payload.to_string());
        let key = [id.as_bytes().as_slice(), id.as_bytes()].concat();
        let [uuid, app, word, json, bytes] = TYPES;
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 5] =
            [(&id, uuid), (&self.app_id, app), (&"ringing", word), (&text, json), (&key, bytes)];
        let start = Instant::now();
        database.execute_typed(INSERT, &parameters).await?;
        Ok(start.elapsed())
    }

    /// Parsed beforehand: what a pooler in transaction mode would not allow.
    pub(super) async fn prepared(&self, database: &Client, payload: &Value) -> Result<Duration, Error> {
        let (id, text) = (Uuid::now_v7(), payload.to_string());
        let key = [id.as_bytes().as_slice(), id.as_bytes()].concat();
        let start = Instant::now();
        database.execute(&self.prepared, &[&id, &self.app_id, &"ringing", &text, &key]).await?;
        Ok(start.elapsed())
    }

    /// The same for pgbench.
    pub(super) fn script(&self, payload: &Value) -> String {
        let (app_id, text) = (self.app_id, payload.to_string().replace('\'', "''"));
        format!(
            "INSERT INTO bench_floor (id, app_id, event_type, payload, dedupe_key, received_at, due_at)
             VALUES (gen_random_uuid(), '{app_id}', 'ringing', '{}'::jsonb, sha256(uuid_send(gen_random_uuid())), now(), now())
             ON CONFLICT (app_id, dedupe_key) DO NOTHING;\n",
            // A word right after a colon would be a variable of pgbench.
            text.replace("\":", "\": ")
        )
    }
}
