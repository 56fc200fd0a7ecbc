//! The processor's batch as SQL alone: the same statements, rows and transactions, for pgbench.
//!
//! It stands beside the processor because both are a client that sends a batch's statements in one transaction. What pgbench
//! leaves out is what the processor does itself: reading JSON, folding, writing frames, and the message to the push queue.

use uuid::Uuid;

use super::seed::Seed;
use crate::bench::{Error, stage::Stage};

/// A backlog for pgbench.
#[derive(Debug, Clone, Copy)]
pub(in crate::bench::rows) struct Floor {
    /// As many apps as clients: each works on its own.
    pub(in crate::bench::rows) apps: usize,
    /// In each app.
    pub(in crate::bench::rows) events: usize,
    /// In one transaction.
    pub(in crate::bench::rows) batch: usize,
}

impl Floor {
    /// Makes the events. They are due at the end of all times, so that no processor takes them.
    pub(in crate::bench::rows) async fn prepare(&self, stage: &mut Stage) -> Result<Vec<Uuid>, Error> {
        let apps = stage.new_apps(self.apps).await?;
        let seed = Seed { apps: self.apps, events: self.events, unreadable_every: None };
        seed.fill(&stage.database, &apps, "'infinity'").await?;
        Ok(apps)
    }

    /// One transaction.
    pub(in crate::bench::rows) fn script(&self, apps: &[Uuid]) -> String {
        let apps: Vec<String> = apps.iter().map(|app| format!("'{app}'")).collect();
        let app = format!("(ARRAY[{}]::uuid[])[:client_id + 1]", apps.join(", "));
        SCRIPT.replace("{app}", &app).replace("{batch}", &self.batch.to_string())
    }
}

const SCRIPT: &str = r"BEGIN;
SELECT s.last_seq, s.app_id::text AS app FROM app_streams s JOIN apps a ON a.id = s.app_id
    WHERE s.app_id = {app} FOR UPDATE OF s SKIP LOCKED \gset
SELECT count(*) AS found, array_agg(id)::text AS ids, array_agg(DISTINCT (payload->>'call_id')::bigint)::text AS calls,
       string_agg(payload::text, '') AS payloads
    FROM (SELECT id, event_type, payload, received_at, attempts FROM webhook_events
          WHERE app_id = :app::uuid AND processed_at IS NULL AND dead_at IS NULL AND due_at <= 'infinity'
          ORDER BY received_at, id LIMIT {batch}) AS due \gset
SELECT dialpad_call_id, conversation FROM call_links WHERE app_id = :app::uuid AND conversation IN (
    SELECT conversation FROM call_links WHERE app_id = :app::uuid AND dialpad_call_id = ANY (:calls::bigint[]));
SELECT event_type, payload::text AS payload, received_at FROM webhook_events
    WHERE app_id = :app::uuid AND call_id = ANY (:calls::bigint[]) AND processed_at IS NOT NULL
    UNION ALL
    SELECT event_type, payload::text, received_at FROM webhook_events
    WHERE app_id = :app::uuid AND message_id = ANY ('{}'::bigint[]) AND processed_at IS NOT NULL;
SELECT 'call' AS kind, dialpad_call_id AS dialpad_id, id, NULL AS crm_user_id FROM calls
    WHERE app_id = :app::uuid AND dialpad_call_id = ANY (:calls::bigint[])
    UNION ALL
    SELECT 'voicemail', dialpad_call_id, id, NULL FROM voicemails
    WHERE app_id = :app::uuid AND dialpad_call_id = ANY (:calls::bigint[])
    UNION ALL
    SELECT 'message', dialpad_message_id, id, NULL FROM messages
    WHERE app_id = :app::uuid AND dialpad_message_id = ANY ('{}'::bigint[])
    UNION ALL
    SELECT 'user', dialpad_user_id, NULL, crm_user_id FROM dialpad_user_mappings
    WHERE app_id = :app::uuid AND dialpad_user_id = ANY ('{5600000000000001}'::bigint[]);
\startpipeline
INSERT INTO call_links (app_id, dialpad_call_id, conversation)
    SELECT :app::uuid, call, call FROM unnest(:calls::bigint[]) AS c (call)
    ON CONFLICT (app_id, dialpad_call_id) DO UPDATE SET conversation = excluded.conversation;
INSERT INTO calls (app_id, id, parent_call_id, version, dialpad_call_id, direction, from_number, to_number, status,
        dialpad_user_id, contact_name, started_at, created_at, updated_at)
    SELECT :app::uuid, id, id, 3, call, 'inbound', '+14155550150', '+14155550101', 'ringing', 5600000000000001,
           'Jo Client', now(), now(), now()
    FROM (SELECT gen_random_uuid() AS id, call FROM unnest(:calls::bigint[]) AS u (call)) AS c
    ON CONFLICT (app_id, dialpad_call_id) DO UPDATE SET version = excluded.version, status = excluded.status,
        started_at = excluded.started_at, updated_at = excluded.updated_at;
WITH head AS (UPDATE app_streams SET last_seq = :last_seq::bigint + :found::bigint WHERE app_id = :app::uuid)
    INSERT INTO client_events (app_id, seq, id, audience, frame, created_at)
    SELECT :app::uuid, :last_seq::bigint + n, gen_random_uuid(), NULL, repeat('x', 480), now()
    FROM generate_series(1, :found::bigint) AS n;
UPDATE webhook_events e SET processed_at = now(), call_id = (e.payload->>'call_id')::bigint, event_timestamp = now()
    FROM unnest(:ids::uuid[]) AS f (id) WHERE e.app_id = :app::uuid AND e.id = f.id;
COMMIT;
\endpipeline
UPDATE client_events SET handed_over_at = now()
    WHERE app_id = :app::uuid AND seq > :last_seq::bigint AND handed_over_at IS NULL;
SELECT EXISTS (SELECT FROM webhook_events
    WHERE app_id = :app::uuid AND processed_at IS NULL AND dead_at IS NULL AND due_at <= 'infinity') AS pending;
";
