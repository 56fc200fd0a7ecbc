-- What the planner needs so that a read costs what it gives, however large the tables and however new the tenant.

-- A number on either side of a voicemail or a message: what a CRM asks when a call comes in. Each side needs an index of
-- its own, or the whole table is read.
CREATE INDEX IF NOT EXISTS voicemails_to_number_idx ON voicemails (app_id, to_number);
CREATE INDEX IF NOT EXISTS messages_from_number_idx ON messages (app_id, from_number, created_at DESC);
CREATE INDEX IF NOT EXISTS messages_to_number_idx ON messages (app_id, to_number, created_at DESC);

-- The first leg of a conversation. That two columns are equal is taken to be rare, whatever the rows say; of a column there
-- are statistics.
ALTER TABLE calls ADD COLUMN IF NOT EXISTS is_first_leg boolean GENERATED ALWAYS AS (parent_call_id = id) STORED;
CREATE INDEX IF NOT EXISTS calls_first_legs_idx ON calls (app_id, created_at DESC, id DESC) WHERE is_first_leg;
DROP INDEX IF EXISTS calls_newest_idx;

-- By default the statistics list up to a hundred tenants. Where that is all of them, one that has come since seems to have no
-- rows: then any index that begins with the tenant seems as good as the right one, and a look-up reads all that the tenant
-- has. With ten listed, the others are taken to be average. And statistics are made anew after one row in a hundred.
DO $$
DECLARE
    growing text;
BEGIN
    FOREACH growing IN ARRAY ARRAY['webhook_events', 'calls', 'call_links', 'voicemails', 'messages', 'client_events'] LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN app_id SET STATISTICS 10', growing);
        EXECUTE format('ALTER TABLE %I SET (autovacuum_analyze_scale_factor = 0.01)', growing);
    END LOOP;
END
$$;
