-- What Dialpad was asked for where it did not tell.

-- How an event came: delivered by Dialpad, or reconciled, which is made of what Dialpad answered.
ALTER TABLE webhook_events ADD COLUMN IF NOT EXISTS source text NOT NULL DEFAULT 'delivered';
-- Not valid, here and below: the rows that are there fit, and need not be read while everybody waits.
ALTER TABLE webhook_events DROP CONSTRAINT IF EXISTS webhook_events_source;
ALTER TABLE webhook_events ADD CONSTRAINT webhook_events_source CHECK (source IN ('delivered', 'reconciled')) NOT VALID;
GRANT SELECT (source) ON webhook_events TO cti_rest;

-- When Dialpad was asked for a leg that is not over, and before when it is not asked again.
ALTER TABLE calls ADD COLUMN IF NOT EXISTS asked_at timestamptz;
ALTER TABLE calls ADD COLUMN IF NOT EXISTS ask_again_at timestamptz;
ALTER TABLE calls DROP CONSTRAINT IF EXISTS calls_outcome;
ALTER TABLE calls ADD CONSTRAINT calls_outcome CHECK (outcome IN ('answered', 'answered_elsewhere', 'missed', 'voicemail',
    'abandoned', 'no_answer', 'blocked', 'transferred', 'unknown')) NOT VALID;

-- The legs that may have fallen silent, and those that were asked for within the last minute.
CREATE INDEX IF NOT EXISTS calls_live_idx ON calls (app_id) WHERE status IN ('queued', 'ringing', 'active', 'held');
CREATE INDEX IF NOT EXISTS calls_asked_at_idx ON calls (asked_at) WHERE asked_at IS NOT NULL;
