-- Why sockets of an app were refused: one row an app and reason, so that nobody can fill the table.

-- Unlogged: after a crash of the server the diagnosis of an app begins anew, which is cheaper than writing each down for good.
CREATE UNLOGGED TABLE IF NOT EXISTS refused_handshakes (
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    -- A stable word, `quoted_key` for example; never what was presented.
    reason text NOT NULL,
    -- Since the last day without one.
    refusals bigint NOT NULL DEFAULT 1,
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, reason)
) WITH (fillfactor = 50);
SELECT protect_tenant_table('refused_handshakes');
GRANT SELECT ON refused_handshakes TO cti_app;
GRANT SELECT, INSERT, UPDATE ON refused_handshakes TO cti_system;
