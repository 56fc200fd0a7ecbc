-- Deliveries as they came, and the order in which an app's events are worked off.

CREATE TABLE IF NOT EXISTS webhook_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    -- Dialpad's call state, else the family of the event (message, agent_status, …).
    event_type text NOT NULL,
    -- The delivery's claims. U+0000 and lone surrogates stand in it with their backslash doubled, since jsonb
    -- cannot hold them; what jsonb cannot hold at all stands in it as one JSON string.
    payload jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    -- SHA-256 over family, Dialpad id, state and event_timestamp; null for rows inserted by hand.
    dedupe_key bytea,
    -- Filled when the event is processed: the leg it belongs to, and Dialpad's time of it.
    call_id bigint,
    event_timestamp timestamptz,
    -- Retries: how often it failed, when it is due again, and why it failed last.
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    last_error text,
    -- Set when it can never succeed: it is kept, visible and replayable.
    dead_at timestamptz,
    CONSTRAINT webhook_events_dedupe_key_key UNIQUE (app_id, dedupe_key),
    CONSTRAINT webhook_events_not_both_done_and_dead CHECK (processed_at IS NULL OR dead_at IS NULL)
);

-- What is still to be done, in order of arrival.
CREATE INDEX IF NOT EXISTS webhook_events_pending_idx
    ON webhook_events (app_id, received_at, id) WHERE processed_at IS NULL AND dead_at IS NULL;
-- The stored events of a leg: the fold's input and the call's timeline.
CREATE INDEX IF NOT EXISTS webhook_events_call_idx
    ON webhook_events (app_id, call_id) WHERE call_id IS NOT NULL;

-- One row an app: the lock under which its events are processed, and the last number of its event log.
CREATE TABLE IF NOT EXISTS app_streams (
    app_id uuid PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
    last_seq bigint NOT NULL DEFAULT 0
);
INSERT INTO app_streams (app_id) SELECT id FROM apps ON CONFLICT DO NOTHING;
