-- Voicemails, the users of Dialpad and of the CRM, and the audit trail of API keys.

CREATE TABLE IF NOT EXISTS voicemails (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    -- The leg on which the message was left.
    dialpad_call_id bigint,
    -- Null for a message left to a group.
    dialpad_user_id bigint,
    group_name text,
    from_number text,
    to_number text,
    contact_name text,
    recording_url text,
    transcript text,
    duration_ms double precision,
    status text NOT NULL DEFAULT 'unread',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- A deleted voicemail stays gone when its transcript comes later.
    deleted_at timestamptz,
    CONSTRAINT voicemails_dialpad_call_id_key UNIQUE (app_id, dialpad_call_id),
    CONSTRAINT voicemails_status CHECK (status IN ('unread', 'read', 'archived'))
);
CREATE INDEX IF NOT EXISTS voicemails_newest_idx
    ON voicemails (app_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS voicemails_user_idx
    ON voicemails (app_id, dialpad_user_id, created_at DESC) WHERE deleted_at IS NULL;

CREATE TABLE IF NOT EXISTS dialpad_user_mappings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    dialpad_user_id bigint NOT NULL,
    crm_user_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dialpad_user_mappings_dialpad_user_id_key UNIQUE (app_id, dialpad_user_id),
    CONSTRAINT dialpad_user_mappings_dialpad_user_id_positive CHECK (dialpad_user_id > 0),
    CONSTRAINT dialpad_user_mappings_crm_user_id_length CHECK (char_length(crm_user_id) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS dialpad_user_mappings_crm_idx
    ON dialpad_user_mappings (app_id, crm_user_id, updated_at DESC);

CREATE TABLE IF NOT EXISTS api_key_audit_log (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    action text NOT NULL,
    -- First 8 and last 4 characters of the key before and after.
    old_key_hint text,
    new_key_hint text,
    actor text NOT NULL DEFAULT 'operator',
    request_id text,
    performed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT api_key_audit_log_action CHECK (action IN ('created', 'rotated', 'revoked'))
);
CREATE INDEX IF NOT EXISTS api_key_audit_log_newest_idx ON api_key_audit_log (app_id, performed_at DESC, id DESC);

-- When a key was last made or rotated.
ALTER TABLE apps ADD COLUMN IF NOT EXISTS api_key_rotated_at timestamptz;
