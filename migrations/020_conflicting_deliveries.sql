-- Deliveries that say something else than an earlier one of which they should be a copy.

-- SHA-256 of a delivery's text as it came. What comes again under the same dedupe_key is compared with it. Null: it is not
-- known, or what it was of has been erased; then whatever comes under that key counts as a copy.
ALTER TABLE webhook_events ADD COLUMN IF NOT EXISTS payload_hash bytea;

-- Of a delivery that was kept aside: the earlier one whose key it came under. It is never applied. Once it was looked at,
-- processed_at is set, and call_id and message_id stay null, so that nothing is folded from it and it goes as those do that
-- belong to neither. Its own dedupe_key is a hash over the key that it came under and its payload_hash.
ALTER TABLE webhook_events ADD COLUMN IF NOT EXISTS conflicts_with uuid;
CREATE INDEX IF NOT EXISTS webhook_events_conflicting_idx
    ON webhook_events (app_id, conflicts_with) WHERE conflicts_with IS NOT NULL;
