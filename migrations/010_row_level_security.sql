-- The second wall between tenants. Functions never work as the login: each transaction takes one of three roles, and
-- Postgres itself refuses the rows and the actions that the role is not for.
--
--   cti_rest    an app, by its API key: reads its own rows, changes what a CRM may change
--   cti_app     we ourselves, for one app: an operator's request, a delivery, the fold
--   cti_system  we ourselves, before the app is known or over all of them: key look-ups, sweeps, figures
--
-- The first two see one app: the transaction's setting cti.app_id. Without it they see nothing. Row-level security is
-- enabled and not forced, so that the owner (the login, and with it psql and pg_dump) sees everything.

-- Roles belong to the cluster: another database of it may have made them, or be making them at this moment.
DO $$
DECLARE
    needed text;
    usable text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOREACH needed IN ARRAY ARRAY['cti_rest', 'cti_app', 'cti_system'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = needed) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', needed);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'the login % may not create roles', current_user
                        USING ERRCODE = 'insufficient_privilege', HINT = format(
                            'Let an administrator run: CREATE ROLE cti_rest NOLOGIN; CREATE ROLE cti_app NOLOGIN; '
                            'CREATE ROLE cti_system NOLOGIN; GRANT cti_rest, cti_app, cti_system TO %I; '
                            'then run the migrations again.', current_user);
            END;
        END IF;
        IF NOT pg_has_role(current_user, needed, usable) THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', needed, current_user);
            EXCEPTION
                WHEN unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'the login % may not take the role %', current_user, needed
                        USING ERRCODE = 'insufficient_privilege', HINT = format(
                            'Let an administrator run: GRANT cti_rest, cti_app, cti_system TO %I; '
                            'then run the migrations again.', current_user);
            END;
        END IF;
        IF NOT has_schema_privilege(needed, current_schema(), 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), needed);
        END IF;
    END LOOP;
END
$$;

-- Puts a table behind the wall. A sub-select is evaluated once a statement, not once a row. After a transaction that set
-- it the setting is an empty string, not null.
CREATE OR REPLACE FUNCTION protect_tenant_table(protected regclass, app_column name DEFAULT 'app_id') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    of_the_app text := format('%I = (SELECT nullif(current_setting(''cti.app_id'', true), '''')::uuid)', app_column);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protected);
    EXECUTE format('DROP POLICY IF EXISTS one_app ON %s', protected);
    EXECUTE format('CREATE POLICY one_app ON %s TO cti_rest, cti_app USING (%s) WITH CHECK (%s)',
                   protected, of_the_app, of_the_app);
    EXECUTE format('DROP POLICY IF EXISTS all_apps ON %s', protected);
    EXECUTE format('CREATE POLICY all_apps ON %s TO cti_system USING (true) WITH CHECK (true)', protected);
END
$$;
REVOKE EXECUTE ON FUNCTION protect_tenant_table(regclass, name) FROM PUBLIC;

SELECT protect_tenant_table('apps', 'id');
SELECT protect_tenant_table('api_keys');
SELECT protect_tenant_table('api_key_audit_log');
SELECT protect_tenant_table('audit_log');
SELECT protect_tenant_table('webhook_events');
SELECT protect_tenant_table('app_streams');
SELECT protect_tenant_table('calls');
SELECT protect_tenant_table('call_links');
SELECT protect_tenant_table('voicemails');
SELECT protect_tenant_table('messages');
SELECT protect_tenant_table('agents');
SELECT protect_tenant_table('dialpad_user_mappings');
SELECT protect_tenant_table('client_events');
SELECT protect_tenant_table('ws_tickets');

-- An app by its key. Neither keys nor secrets nor what a delivery said.
GRANT SELECT (id, name, is_active) ON apps TO cti_rest;
GRANT SELECT (id, app_id, event_type, call_id, message_id, event_timestamp, received_at) ON webhook_events TO cti_rest;
GRANT SELECT ON app_streams, calls, voicemails, messages, agents, dialpad_user_mappings, client_events TO cti_rest;
GRANT UPDATE (status, transcript, recording_url, updated_at, deleted_at) ON voicemails TO cti_rest;
GRANT INSERT ON audit_log, ws_tickets TO cti_rest;

-- We for one app.
GRANT SELECT, UPDATE ON apps TO cti_app;
GRANT SELECT, INSERT, UPDATE ON api_keys, webhook_events, app_streams, calls, call_links, voicemails, messages, agents,
    client_events TO cti_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON dialpad_user_mappings TO cti_app;
GRANT SELECT, INSERT ON api_key_audit_log, audit_log TO cti_app;

-- We over all apps: make one, find keys and tickets, close sockets, count, and delete what is over.
GRANT SELECT ON apps, api_keys, api_key_audit_log, audit_log, webhook_events, app_streams, calls, call_links, voicemails,
    messages, agents, dialpad_user_mappings, client_events, ws_tickets TO cti_system;
GRANT INSERT ON apps, api_keys, api_key_audit_log, audit_log, app_streams TO cti_system;
GRANT UPDATE ON apps, api_keys, client_events, ws_tickets TO cti_system;
GRANT DELETE ON webhook_events, client_events, ws_tickets TO cti_system;

-- What was done is never undone: not even by the owner, who would first have to switch this off in so many words.
CREATE OR REPLACE FUNCTION refuse_change_of_audit() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

DROP TRIGGER IF EXISTS api_key_audit_log_append_only ON api_key_audit_log;
CREATE TRIGGER api_key_audit_log_append_only BEFORE UPDATE OR DELETE ON api_key_audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit();
DROP TRIGGER IF EXISTS api_key_audit_log_not_truncated ON api_key_audit_log;
CREATE TRIGGER api_key_audit_log_not_truncated BEFORE TRUNCATE ON api_key_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
DROP TRIGGER IF EXISTS audit_log_append_only ON audit_log;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit();
DROP TRIGGER IF EXISTS audit_log_not_truncated ON audit_log;
CREATE TRIGGER audit_log_not_truncated BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
