-- Calls that a CRM asked for: what was asked, how Dialpad took it, and the key that keeps a repeat from dialling twice.

CREATE TABLE IF NOT EXISTS call_requests (
    id uuid PRIMARY KEY,
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    -- Whose application dials.
    dialpad_user_id bigint NOT NULL,
    -- Null when it was erased, as the next.
    to_number text,
    -- What Dialpad was given, and gives back with the call's events: it has the id of this row in it.
    custom_data text,
    -- in_flight; requested: Dialpad took it; failed: it surely did not; unknown: nobody knows.
    status text NOT NULL,
    -- The client's Idempotency-Key, until it may be used anew, and SHA-256 of what was asked with it.
    idempotency_key text,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT call_requests_idempotency_key_key UNIQUE (app_id, idempotency_key),
    CONSTRAINT call_requests_idempotency_key_length CHECK (char_length(idempotency_key) BETWEEN 1 AND 255),
    CONSTRAINT call_requests_status CHECK (status IN ('in_flight', 'requested', 'failed', 'unknown'))
);
CREATE INDEX IF NOT EXISTS call_requests_user_idx ON call_requests (app_id, dialpad_user_id, created_at DESC);
CREATE INDEX IF NOT EXISTS calls_custom_data_idx ON calls (app_id, md5(custom_data)) WHERE custom_data IS NOT NULL;

SELECT protect_tenant_table('call_requests');
GRANT SELECT, INSERT, UPDATE ON call_requests TO cti_rest;
GRANT SELECT, UPDATE ON call_requests TO cti_app;
GRANT SELECT ON call_requests TO cti_system;
