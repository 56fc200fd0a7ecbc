-- An erasure goes step by step, and may need more than one request.

-- Where it stopped, if it did not come to its end.
ALTER TABLE erasures ADD COLUMN IF NOT EXISTS place jsonb;

-- Deliveries of neither a call nor a message, in their order: an erasure reads those of its app. It has no entries for what
-- waits, so it costs the intake nothing.
CREATE INDEX IF NOT EXISTS webhook_events_unrelated_idx ON webhook_events (app_id, received_at, id)
    WHERE processed_at IS NOT NULL AND call_id IS NULL AND message_id IS NULL;
