-- Text messages as they are folded, and what call-centre agents are doing.

-- Filled when the event is processed: the text message it belongs to.
ALTER TABLE webhook_events ADD COLUMN IF NOT EXISTS message_id bigint;
-- The stored events of a message: the fold's input.
CREATE INDEX IF NOT EXISTS webhook_events_message_idx
    ON webhook_events (app_id, message_id) WHERE message_id IS NOT NULL;

ALTER TABLE messages ADD COLUMN IF NOT EXISTS mms boolean NOT NULL DEFAULT false;
-- Why it got no further, in Dialpad's words.
ALTER TABLE messages ADD COLUMN IF NOT EXISTS delivery_result text;
-- Name of the group (office, department, call centre) whose number it is, null where it is a user's.
ALTER TABLE messages ADD COLUMN IF NOT EXISTS group_name text;
ALTER TABLE messages ADD COLUMN IF NOT EXISTS contact_name text;

-- One row a call-centre agent: the newest that Dialpad said.
CREATE TABLE IF NOT EXISTS agents (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    dialpad_user_id bigint NOT NULL,
    name text,
    -- available, unavailable, occupied, wrapup, busy, or what Dialpad may add.
    status text,
    reason text,
    availability text,
    call_center_ids text[] NOT NULL DEFAULT '{}',
    -- Dialpad's time of it: what is older changes nothing.
    since timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, dialpad_user_id)
);
