-- Indexes for what clients ask most, and when the sockets of an inactive app were closed.

-- Calls that ring, talk or are on hold, whatever the size of the history.
CREATE INDEX IF NOT EXISTS calls_in_progress_idx
    ON calls (app_id, parent_call_id) WHERE status IN ('ringing', 'active', 'held');
-- Who called from here before.
CREATE INDEX IF NOT EXISTS calls_from_number_idx ON calls (app_id, from_number, created_at DESC);
CREATE INDEX IF NOT EXISTS calls_to_number_idx ON calls (app_id, to_number, created_at DESC);
CREATE INDEX IF NOT EXISTS calls_user_idx ON calls (app_id, dialpad_user_id, connected_at DESC);
CREATE INDEX IF NOT EXISTS voicemails_from_number_idx ON voicemails (app_id, from_number);
-- Lists for operators, newest first.
CREATE INDEX IF NOT EXISTS webhook_events_newest_idx ON webhook_events (app_id, received_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS dialpad_user_mappings_newest_idx
    ON dialpad_user_mappings (app_id, created_at DESC, id DESC);

-- Null while there may be open sockets: the sweep closes them once the app is inactive.
ALTER TABLE apps ADD COLUMN IF NOT EXISTS sockets_closed_at timestamptz;
