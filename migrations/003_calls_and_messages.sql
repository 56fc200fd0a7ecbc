-- Calls (one row a leg), the ids that join legs into one conversation, and text messages.

CREATE TABLE IF NOT EXISTS calls (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    -- Dialpad's call_id: it names a leg.
    dialpad_call_id bigint NOT NULL,
    -- The leg of the conversation that started first; a call with one leg is its own parent.
    parent_call_id uuid NOT NULL,
    direction text,
    from_number text,
    to_number text,
    status text NOT NULL,
    outcome text,
    dialpad_user_id bigint,
    -- Name of the group (office, department, call centre) the leg belongs to, null on a user's leg.
    group_name text,
    contact_name text,
    started_at timestamptz,
    connected_at timestamptz,
    ended_at timestamptz,
    -- Talk time as Dialpad measured it, in milliseconds.
    duration_ms double precision,
    recording_url text,
    is_voicemail boolean NOT NULL DEFAULT false,
    custom_data text,
    -- How many of Dialpad's events the conversation rests on: it only grows.
    version bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT calls_dialpad_call_id_key UNIQUE (app_id, dialpad_call_id),
    CONSTRAINT calls_direction CHECK (direction IN ('inbound', 'outbound')),
    CONSTRAINT calls_status CHECK (status IN ('queued', 'ringing', 'active', 'held', 'ended', 'missed', 'voicemail', 'rejected')),
    CONSTRAINT calls_outcome CHECK (outcome IN ('answered', 'answered_elsewhere', 'missed', 'voicemail', 'abandoned', 'no_answer', 'blocked', 'transferred'))
);
-- Lists show conversations, newest first; the id breaks ties so that a cursor never skips.
CREATE INDEX IF NOT EXISTS calls_newest_idx
    ON calls (app_id, created_at DESC, id DESC) WHERE parent_call_id = id;
CREATE INDEX IF NOT EXISTS calls_parent_idx ON calls (app_id, parent_call_id);

-- Every leg id Dialpad mentioned, and the conversation it belongs to. Legs refer to one another by four different
-- members, and may be mentioned before they are seen.
CREATE TABLE IF NOT EXISTS call_links (
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    dialpad_call_id bigint NOT NULL,
    conversation bigint NOT NULL,
    PRIMARY KEY (app_id, dialpad_call_id)
);
CREATE INDEX IF NOT EXISTS call_links_conversation_idx ON call_links (app_id, conversation);

CREATE TABLE IF NOT EXISTS messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id uuid NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    dialpad_message_id bigint NOT NULL,
    direction text,
    from_number text,
    to_number text,
    text text,
    mms_url text,
    status text,
    dialpad_user_id bigint,
    sent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT messages_dialpad_message_id_key UNIQUE (app_id, dialpad_message_id),
    CONSTRAINT messages_direction CHECK (direction IN ('inbound', 'outbound'))
);
CREATE INDEX IF NOT EXISTS messages_newest_idx ON messages (app_id, created_at DESC, id DESC);
