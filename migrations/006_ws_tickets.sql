-- Tickets with which browsers open sockets, and which keys' sockets were closed.

CREATE TABLE IF NOT EXISTS ws_tickets (
    -- SHA-256 of the ticket.
    ticket_hash bytea PRIMARY KEY,
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    -- The key that asked for it: when that dies, the ticket and its socket do.
    api_key_id uuid NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    -- The CRM user whose socket it opens; null: an app socket.
    crm_user_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT ws_tickets_ticket_hash_length CHECK (octet_length(ticket_hash) = 32),
    CONSTRAINT ws_tickets_crm_user_id_length CHECK (char_length(crm_user_id) BETWEEN 1 AND 255)
);
CREATE INDEX IF NOT EXISTS ws_tickets_expires_at_idx ON ws_tickets (expires_at);

-- When the sockets of a dead key were closed; null: there may be some.
ALTER TABLE api_keys ADD COLUMN IF NOT EXISTS sockets_closed_at timestamptz;
CREATE INDEX IF NOT EXISTS api_keys_open_sockets_idx
    ON api_keys (id) WHERE sockets_closed_at IS NULL AND (revoked_at IS NOT NULL OR expires_at IS NOT NULL);
