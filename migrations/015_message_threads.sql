-- Messages between the same two numbers are one thread, whoever wrote.

ALTER TABLE messages ADD COLUMN IF NOT EXISTS thread_id uuid GENERATED ALWAYS AS (
    CASE WHEN from_number IS NOT NULL AND to_number IS NOT NULL THEN
        md5(least(from_number COLLATE "C", to_number) || ' ' || greatest(from_number COLLATE "C", to_number))::uuid
    END) STORED;
CREATE INDEX IF NOT EXISTS messages_thread_idx ON messages (app_id, thread_id, created_at DESC, id DESC);
