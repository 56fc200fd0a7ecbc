-- How often a credential was used within the current minute.

-- Unlogged: after a crash of the server everybody begins anew, which is cheaper than writing each request down for good.
CREATE UNLOGGED TABLE IF NOT EXISTS rate_limits (
    -- The row of an API key; the nil UUID stands for the operators' secret.
    credential_id uuid PRIMARY KEY,
    minute timestamptz NOT NULL,
    requests integer NOT NULL
) WITH (fillfactor = 50);

-- Counters belong to credentials and not to apps, and are counted while the app is still being looked up.
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limits TO cti_system;
