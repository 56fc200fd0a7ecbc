-- What was erased, and what the figures are read from.

-- The numbers that an app was asked to forget, as hashes: a delivery about something earlier that brings one again is
-- stored without it.
CREATE TABLE IF NOT EXISTS erasures (
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    number_hash bytea NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, number_hash)
);
SELECT protect_tenant_table('erasures');
GRANT SELECT, INSERT, UPDATE ON erasures TO cti_app;
GRANT SELECT ON erasures TO cti_system;

-- The figures of the monitoring endpoint: without these they read the whole table.
CREATE INDEX IF NOT EXISTS webhook_events_dead_idx ON webhook_events (app_id) WHERE dead_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS webhook_events_processed_idx ON webhook_events
    USING brin (processed_at) WITH (pages_per_range = 32, autosummarize = on);
