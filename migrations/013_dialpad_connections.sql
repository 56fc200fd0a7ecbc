-- Companies that are connected, how they came to be, and what was provisioned there.

-- One row an app: the company it is connected with.
CREATE TABLE IF NOT EXISTS dialpad_connections (
    app_id uuid PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
    -- How access was granted: by a person (oauth), or by an API key that an administrator made.
    kind text NOT NULL,
    -- connected; broken when Dialpad does not accept the tokens any more; disconnected.
    status text NOT NULL,
    -- The tokens, encrypted by the function that alone can read them. Null when disconnected.
    sealed_tokens text,
    -- Grows with every exchange of the tokens: who waits for a new pair sees that it is there.
    generation bigint NOT NULL DEFAULT 1,
    -- When the access token expires; null: never.
    expires_at timestamptz,
    -- Until when somebody is exchanging the tokens. Dialpad gives a new refresh token each time, so one at a time.
    refreshing_until timestamptz,
    -- Until when somebody is making webhook and subscriptions: two at once would make two of each.
    provisioning_until timestamptz,
    company_id bigint,
    company_name text,
    office_id bigint,
    -- The person who granted access.
    dialpad_user_id bigint,
    connected_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dialpad_connections_kind CHECK (kind IN ('oauth', 'api_key')),
    CONSTRAINT dialpad_connections_status CHECK (status IN ('connected', 'broken', 'disconnected'))
);
CREATE INDEX IF NOT EXISTS dialpad_connections_company_idx ON dialpad_connections (company_id);

-- Links that operators give out, and the state of each person who follows one. Both live ten minutes.
CREATE TABLE IF NOT EXISTS dialpad_authorizations (
    -- SHA-256 of the random text in the link (kind link) or of OAuth's state (kind state).
    token_hash bytea PRIMARY KEY,
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    kind text NOT NULL,
    -- Of a state: the PKCE verifier, encrypted, and where Dialpad sends the person back to.
    sealed_verifier text,
    redirect_uri text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    -- A state is used once.
    used_at timestamptz,
    CONSTRAINT dialpad_authorizations_token_hash_length CHECK (octet_length(token_hash) = 32),
    CONSTRAINT dialpad_authorizations_kind CHECK (kind IN ('link', 'state'))
);
CREATE INDEX IF NOT EXISTS dialpad_authorizations_expires_at_idx ON dialpad_authorizations (expires_at);

-- One row an app: the webhook that was made for it.
CREATE TABLE IF NOT EXISTS dialpad_webhooks (
    app_id uuid PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
    webhook_id bigint NOT NULL,
    hook_url text NOT NULL,
    -- The office whose events are delivered; null: the whole company's.
    office_id bigint,
    -- Whether Dialpad signs with the app's current secret. False between a rotation here and the one there.
    has_current_secret boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

SELECT protect_tenant_table('dialpad_connections');
SELECT protect_tenant_table('dialpad_authorizations');
SELECT protect_tenant_table('dialpad_webhooks');

-- We for one app.
GRANT SELECT, INSERT, UPDATE ON dialpad_connections TO cti_app;
GRANT SELECT, INSERT ON dialpad_authorizations TO cti_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON dialpad_webhooks TO cti_app;

-- Whoever comes back from Dialpad brings a state, and the state tells the app.
GRANT SELECT, UPDATE, DELETE ON dialpad_authorizations TO cti_system;
GRANT SELECT ON dialpad_connections TO cti_system;
