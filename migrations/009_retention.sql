-- Finds deliveries that may be deleted: processed, and of neither a call nor a message.

CREATE INDEX IF NOT EXISTS webhook_events_retention_idx
    ON webhook_events (processed_at) WHERE processed_at IS NOT NULL AND call_id IS NULL AND message_id IS NULL;
