-- Tenants and their credentials.
--
-- Every file here is plain SQL, safe to run again, and runs with `psql "$DATABASE_URL" < file` in order of its number.

CREATE TABLE IF NOT EXISTS apps (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    -- HS256 secret of the app's Dialpad webhook; the previous one is accepted until it expires.
    webhook_secret text,
    previous_webhook_secret text,
    previous_webhook_secret_expires_at timestamptz,
    -- Whether deliveries without a signature are accepted (off: nothing authenticates them).
    allow_unsigned_webhooks boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT apps_name_length CHECK (char_length(name) BETWEEN 1 AND 200)
);

-- A key is app_<key id>_<secret><checksum>. The id finds the row, the SHA-256 of the whole key proves it.
CREATE TABLE IF NOT EXISTS api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    key_id text NOT NULL,
    key_hash bytea NOT NULL,
    -- First 8 and last 4 characters of the key: enough to recognise it, not to use it.
    key_hint text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Set when a rotation left a grace period.
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_key_id_key UNIQUE (key_id),
    CONSTRAINT api_keys_key_hash_length CHECK (octet_length(key_hash) = 32)
);
CREATE INDEX IF NOT EXISTS api_keys_app_id_idx ON api_keys (app_id, created_at DESC);
