-- The event log: what CRM clients were sent, in order. It is the outbox, the source of replays and of GET /api/events.

CREATE TABLE IF NOT EXISTS client_events (
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    -- Without a gap within an app.
    seq bigint NOT NULL,
    id uuid NOT NULL,
    -- The CRM user the event is for besides the app's own connections; null: everybody.
    audience text,
    -- The frame exactly as it is sent.
    frame text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When it was handed to the push queue.
    handed_over_at timestamptz,
    PRIMARY KEY (app_id, seq),
    CONSTRAINT client_events_frame_size CHECK (octet_length(frame) <= 24576)
);
CREATE INDEX IF NOT EXISTS client_events_outbox_idx ON client_events (app_id, seq) WHERE handed_over_at IS NULL;
CREATE INDEX IF NOT EXISTS client_events_retention_idx ON client_events (created_at);

-- Administrative changes of an app other than its keys: mappings, voicemail deletions, secrets, replays.
CREATE TABLE IF NOT EXISTS audit_log (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    action text NOT NULL,
    -- What was changed, by id; never a phone number, a transcript or a secret.
    detail jsonb NOT NULL DEFAULT '{}',
    actor text NOT NULL DEFAULT 'operator',
    request_id text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS audit_log_newest_idx ON audit_log (app_id, created_at DESC, id DESC);
