//! The second wall: what Postgres itself lets each role see and do.

use std::process::Command;

use chrono::{DateTime, Utc};
use shared::{
    config::Secret,
    domain::ids::{AppId, new_id},
    postgres::Server,
    store::{Settings, Store, apps, audit, page::Request},
    testing::{Database, server_options},
};
use tokio_postgres::{Client, NoTls, error::SqlState};

/// Tables with `app_id` that are not tenants' data, with the reason. There is none.
const EXCEPTIONS: [&str; 0] = [];

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

/// Two apps with a row in every table that has an `app_id`.
async fn two_apps(database: &Database) -> (Client, AppId, AppId) {
    let owner = database.client().await;
    let both = [AppId(new_id()), AppId(new_id())];
    for app_id in both {
        apps::insert(&owner, app_id, "one of two", &Secret::new("secret"), None, now()).await.unwrap();
        let id = app_id.0;
        owner
            .batch_execute(&format!(
                "INSERT INTO api_keys (id, app_id, key_id, key_hash, key_hint)
                     VALUES ('{id}', '{id}', '{id}', decode(repeat('00', 32), 'hex'), 'hint');
                 INSERT INTO ws_tickets (ticket_hash, app_id, api_key_id, expires_at)
                     VALUES (sha256('{id}'), '{id}', '{id}', now());
                 INSERT INTO api_key_audit_log (app_id, action) VALUES ('{id}', 'created');
                 INSERT INTO audit_log (app_id, action) VALUES ('{id}', 'app.created');
                 INSERT INTO webhook_events (app_id, event_type, payload) VALUES ('{id}', 'ringing', '{{}}');
                 INSERT INTO calls (app_id, dialpad_call_id, parent_call_id, status, version)
                     VALUES ('{id}', 1, '{id}', 'ended', 1);
                 INSERT INTO call_links VALUES ('{id}', 1, 1);
                 INSERT INTO voicemails (app_id, dialpad_call_id, dialpad_user_id) VALUES ('{id}', 1, 7);
                 INSERT INTO messages (app_id, dialpad_message_id) VALUES ('{id}', 1);
                 INSERT INTO agents (app_id, dialpad_user_id, since) VALUES ('{id}', 7, now());
                 INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id) VALUES ('{id}', 7, 'crm');
                 INSERT INTO client_events (app_id, seq, id, frame) VALUES ('{id}', 1, '{id}', '{{}}');
                 INSERT INTO refused_handshakes (app_id, reason) VALUES ('{id}', 'quoted_key');
                 INSERT INTO erasures (app_id, number_hash) VALUES ('{id}', sha256('1'));
                 INSERT INTO dialpad_connections (app_id, kind, status) VALUES ('{id}', 'oauth', 'connected');
                 INSERT INTO dialpad_authorizations (token_hash, app_id, kind, expires_at)
                     VALUES (sha256('{id}'), '{id}', 'link', now());
                 INSERT INTO dialpad_webhooks (app_id, webhook_id, hook_url) VALUES ('{id}', 1, 'https://cti.example');
                 INSERT INTO call_requests (id, app_id, dialpad_user_id, status, body_hash)
                     VALUES ('{id}', '{id}', 7, 'requested', '');"
            ))
            .await
            .unwrap();
    }
    (owner, both[0], both[1])
}

fn store(database: &Database) -> Store {
    Store::new(&Settings::new(database.url())).unwrap()
}

/// Tables that hold tenants' data, each with the column that says whose.
async fn tenant_tables(client: &Client) -> Vec<(String, String)> {
    let sql = "SELECT c.relname::text, a.attname::text FROM pg_class c
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
                AND (a.attname = 'app_id' OR (c.relname = 'apps' AND a.attname = 'id'))
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1)))
        .filter(|(name, _): &(String, String)| !EXCEPTIONS.contains(&name.as_str()))
        .collect()
}

async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn every_table_with_an_app_id_is_behind_the_wall() {
    let database = Database::new().await;
    let client = database.client().await;
    let tables = tenant_tables(&client).await;
    assert!(tables.len() >= 14, "{tables:?}");
    for (table, column) in tables {
        let enabled: (bool, bool) = {
            let sql =
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = $1::text::regclass";
            let row = client.query_one(sql, &[&table]).await.unwrap();
            (row.get(0), row.get(1))
        };
        assert_eq!(
            enabled,
            (true, false),
            "{table}: SELECT protect_tenant_table('{table}') in its migration"
        );
        let sql = "SELECT (SELECT string_agg(role, ',' ORDER BY role) FROM unnest(roles) AS role), cmd, qual, with_check FROM pg_policies
                   WHERE tablename = $1 ORDER BY 1";
        let mut policies: Vec<[String; 4]> = Vec::new();
        for row in client.query(sql, &[&table]).await.unwrap() {
            policies.push([row.get(0), row.get(1), row.get(2), row.get(3)]);
        }
        let own = format!(
            "({column} = ( SELECT (NULLIF(current_setting('cti.app_id'::text, true), ''::text))::uuid AS \"nullif\"))"
        );
        let expected = [
            ["cti_app,cti_rest", "ALL", &own, &own].map(str::to_owned),
            ["cti_system", "ALL", "true", "true"].map(str::to_owned),
        ];
        assert_eq!(policies, expected, "{table}");
    }
}

#[tokio::test]
async fn a_transaction_without_an_app_sees_no_row_and_one_of_an_app_sees_its_own() {
    let database = Database::new().await;
    let (owner, ours, _) = two_apps(&database).await;
    let mut seen = 0;
    for (table, column) in tenant_tables(&owner).await {
        assert_eq!(count(&owner, &format!("SELECT count({column}) FROM {table}")).await, 2, "{table}");
        let may_read = async |role: &str| {
            let sql = format!("SELECT has_column_privilege('{role}', '{table}', '{column}', 'SELECT')");
            owner.query_one(&sql, &[]).await.unwrap().get::<_, bool>(0)
        };
        for role in ["cti_rest", "cti_app"] {
            if !may_read(role).await {
                continue;
            }
            let session = database.client().await;
            let count = async |set: &str| {
                session.batch_execute(&format!("BEGIN; SET LOCAL ROLE {role}; {set}")).await.unwrap();
                let seen = count(&session, &format!("SELECT count({column}) FROM {table}")).await;
                session.batch_execute("COMMIT").await.unwrap();
                seen
            };
            assert_eq!(count("").await, 0, "{role} sees {table} before any app was set");
            assert_eq!(count(&format!("SET LOCAL cti.app_id = '{ours}'")).await, 1, "{role} and {table}");
            assert_eq!(count("").await, 0, "{role} sees {table} after an app was set");
            seen += 1;
        }
        if !may_read("cti_system").await {
            continue;
        }
        let sql = format!("SET ROLE cti_system; SELECT count({column}) FROM {table}");
        let all = owner.simple_query(&sql).await.unwrap();
        assert!(all.iter().any(|message| matches!(message,
            tokio_postgres::SimpleQueryMessage::Row(row) if row.get(0) == Some("2"))));
        owner.batch_execute("RESET ROLE").await.unwrap();
    }
    assert!(seen >= 20, "{seen}");
}

#[tokio::test]
async fn the_store_cannot_reach_another_app_whatever_a_statement_says() {
    let database = Database::new().await;
    let (owner, ours, theirs) = two_apps(&database).await;
    let store = store(&database);
    for by_key in [true, false] {
        let tx = if by_key { store.tenant(ours).await } else { store.app(ours).await }.unwrap();
        // A statement that forgets the app, and one that names the wrong one.
        assert_eq!(count(&tx, "SELECT count(*) FROM calls").await, 1);
        assert_eq!(count(&tx, &format!("SELECT count(*) FROM calls WHERE app_id = '{theirs}'")).await, 0);
        let changed = tx.execute("UPDATE voicemails SET status = 'read'", &[]).await.unwrap();
        assert_eq!(changed, 1);
        let foreign = format!("INSERT INTO audit_log (app_id, action) VALUES ('{theirs}', 'forged')");
        let refused = tx.execute(&foreign, &[]).await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    }
    assert_eq!(
        count(&owner, "SELECT count(*) FROM voicemails WHERE status = 'read'").await,
        0,
        "rolled back"
    );
    assert_eq!(count(&owner, "SELECT count(*) FROM audit_log WHERE action = 'forged'").await, 0);
}

#[tokio::test]
async fn an_api_key_reaches_no_secret_and_no_administration() {
    let database = Database::new().await;
    let (_, ours, _) = two_apps(&database).await;
    let store = store(&database);
    for refused in [
        "SELECT webhook_secret FROM apps",
        "SELECT * FROM api_keys",
        "SELECT payload FROM webhook_events",
        "SELECT * FROM api_key_audit_log",
        "SELECT * FROM audit_log",
        "SELECT * FROM ws_tickets",
        "UPDATE apps SET is_active = true",
        "UPDATE voicemails SET app_id = app_id",
        "DELETE FROM voicemails",
        "DELETE FROM dialpad_user_mappings",
        "INSERT INTO calls (app_id) VALUES (gen_random_uuid())",
        "CREATE TABLE mine (id int)",
    ] {
        let tx = store.tenant(ours).await.unwrap();
        let error = tx.batch_execute(refused).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{refused}");
    }
}

#[tokio::test]
async fn what_is_committed_stays_and_what_is_dropped_does_not() {
    let database = Database::new().await;
    let (owner, ours, _) = two_apps(&database).await;
    let store = store(&database);
    let note = async |action: &str| {
        let tx = store.app(ours).await.unwrap();
        audit::record(&*tx, ours, action, &(), "r", now()).await.unwrap();
        tx
    };
    drop(note("dropped").await);
    note("committed").await.commit().await.unwrap();
    let tx = store.app(ours).await.unwrap();
    tx.commit_with(audit::record(&*tx, ours, "with", &(), "r", now())).await.unwrap();
    drop(tx);
    // The pool has one connection, so this comes after all that was sent on it.
    let tx = store.app(ours).await.unwrap();
    let trail = audit::list(&*tx, ours, None, &Request::newest(50)).await.unwrap().unwrap();
    let mut actions: Vec<_> = trail.rows.into_iter().map(|(_, entry)| entry.action).collect();
    actions.sort();
    assert_eq!(actions, ["api_key.created", "app.created", "committed", "with"]);
    assert_eq!(count(&owner, "SELECT count(*) FROM audit_log WHERE action = 'dropped'").await, 0);
}

#[tokio::test]
async fn nobody_changes_what_was_audited() {
    let database = Database::new().await;
    let (owner, ours, _) = two_apps(&database).await;
    for role in ["cti_rest", "cti_app", "cti_system", "none"] {
        for table in ["audit_log", "api_key_audit_log"] {
            for change in [
                format!("UPDATE {table} SET actor = 'somebody else'"),
                format!("DELETE FROM {table}"),
                format!("TRUNCATE {table}"),
                format!("DELETE FROM apps WHERE id = '{ours}'"),
            ] {
                let sql = format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL cti.app_id = '{ours}'; {change}");
                let refused = owner.batch_execute(&sql).await.unwrap_err();
                assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{role}: {change}");
                owner.batch_execute("ROLLBACK").await.unwrap();
            }
        }
    }
    // An app that left no trace can go; it takes its rows along.
    owner.execute("INSERT INTO apps (id, name) VALUES (gen_random_uuid(), 'by hand')", &[]).await.unwrap();
    assert_eq!(owner.execute("DELETE FROM apps WHERE name = 'by hand'", &[]).await.unwrap(), 1);
}

#[tokio::test]
async fn the_owner_sees_everything_with_psql_and_in_a_dump() {
    let database = Database::new().await;
    let (owner, ours, theirs) = two_apps(&database).await;
    // The guide's own statements.
    let by_day = "SELECT sum(n)::bigint FROM (SELECT DATE(created_at) AS day, count(*) AS n FROM voicemails
                  GROUP BY DATE(created_at)) AS days";
    let by_type = "SELECT count(*) FROM webhook_events WHERE event_type = 'ringing'";
    assert_eq!((count(&owner, by_day).await, count(&owner, by_type).await), (2, 2));
    // What pg_dump sets: a policy that would hide a row from it is an error.
    owner.batch_execute("SET row_security = off").await.unwrap();
    for (table, column) in tenant_tables(&owner).await {
        assert_eq!(count(&owner, &format!("SELECT count({column}) FROM {table}")).await, 2, "{table}");
    }
    if let Some(pg_dump) = database.server().program("pg_dump") {
        let output =
            Command::new(pg_dump).args(["--data-only", "--inserts", database.url()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let dump = String::from_utf8(output.stdout).unwrap();
        for (table, _) in tenant_tables(&owner).await {
            let rows = dump.lines().filter(|line| line.starts_with(&format!("INSERT INTO public.{table} ")));
            let rows: Vec<_> = rows.collect();
            let of = |app: AppId| rows.iter().any(|row| row.contains(&app.to_string()));
            assert!(of(ours) && of(theirs), "{table} is not whole in the dump");
        }
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn a_login_that_may_make_roles_needs_no_superuser_and_one_that_may_not_is_told_what_to_do() {
    // A cluster of its own: roles belong to the cluster, and this one must not have them yet.
    let server = Server::start(server_options()).unwrap();
    let admin = connect(&server.url("postgres")).await;
    for sql in [
        "CREATE ROLE plain LOGIN",
        "CREATE ROLE master LOGIN CREATEROLE",
        "CREATE DATABASE of_plain OWNER plain",
        "CREATE DATABASE of_master OWNER master",
        "CREATE DATABASE of_master_too OWNER master",
    ] {
        admin.batch_execute(sql).await.unwrap();
    }
    let url = |database: &str, login: &str| server.url(database).replace("postgres@", &format!("{login}@"));

    let refused = shared::migrate::apply(&url("of_plain", "plain")).await.unwrap_err();
    let refused = shared::telemetry::Chain(&refused).to_string();
    assert!(refused.contains("the login plain may not create roles"), "{refused}");
    assert!(refused.contains("GRANT cti_rest, cti_app, cti_system TO plain"), "{refused}");

    // Two databases of one cluster at once.
    let (first, second) = (url("of_master", "master"), url("of_master_too", "master"));
    tokio::try_join!(shared::migrate::apply(&first), shared::migrate::apply(&second)).unwrap();
    for url in [&first, &second] {
        let store = Store::new(&Settings::new(url)).unwrap();
        let id = AppId(new_id());
        let tx = store.system().await.unwrap();
        tx.commit_with(apps::insert(&*tx, id, "Acme", &Secret::new("secret"), None, now())).await.unwrap();
        drop(tx);
        let tx = store.tenant(id).await.unwrap();
        assert_eq!(count(&tx, "SELECT count(id) FROM apps").await, 1);
    }

    // The roles are there now, but another login may not take them before it is given them.
    let refused = shared::migrate::apply(&url("of_plain", "plain")).await.unwrap_err();
    let refused = shared::telemetry::Chain(&refused).to_string();
    assert!(refused.contains("GRANT cti_rest, cti_app, cti_system TO plain"), "{refused}");
    admin.batch_execute("GRANT cti_rest, cti_app, cti_system TO plain").await.unwrap();
    shared::migrate::apply(&url("of_plain", "plain")).await.unwrap();
}
