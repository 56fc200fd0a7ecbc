//! Two tenants: neither sees nor changes anything of the other, whatever ids it knows.
//!
//! The matrix goes through every operation of the generated document with the other tenant's ids. A path parameter that it
//! does not know fails it, so a new route cannot be forgotten.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    server::{App, Reply, Server},
    walk::{Operation, operations, send},
};

/// Stands in every text of the other tenant's rows.
const MARK: &str = "theirs-7f3a";
/// The other tenant's Dialpad user, number, and rows.
const USER: &str = "700";
const NUMBER: &str = "+14155550173";
const CALL: &str = "00000000-0000-7000-8000-0000000000c1";
const VOICEMAIL: &str = "00000000-0000-7000-8000-0000000000d1";
const MESSAGE: &str = "00000000-0000-7000-8000-0000000000e1";
const MAPPING: &str = "00000000-0000-7000-8000-0000000000f1";
const CALL_REQUEST: &str = "00000000-0000-7000-8000-0000000000b1";
const DELIVERY: &str = "00000000-0000-7000-8000-0000000000a1";

/// A row of theirs in every table that a route reads.
async fn fill(server: &Server, app: &App) {
    let id = app.id;
    server
        .sql(&format!(
            "INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, status, version, from_number, dialpad_user_id,
                 contact_name, recording_url, started_at, connected_at)
                 VALUES ('{CALL}', '{id}', 91, '{CALL}', 'active', 1, '{NUMBER}', {USER}, '{MARK}', 'https://{MARK}', now(), now());
             INSERT INTO voicemails (id, app_id, dialpad_call_id, dialpad_user_id, from_number, contact_name, transcript)
                 VALUES ('{VOICEMAIL}', '{id}', 91, {USER}, '{NUMBER}', '{MARK}', '{MARK}');
             INSERT INTO messages (id, app_id, dialpad_message_id, from_number, text, dialpad_user_id, contact_name)
                 VALUES ('{MESSAGE}', '{id}', 92, '{NUMBER}', '{MARK}', {USER}, '{MARK}');
             INSERT INTO agents (app_id, dialpad_user_id, since, name, status) VALUES ('{id}', {USER}, now(), '{MARK}', 'available');
             INSERT INTO dialpad_user_mappings (id, app_id, dialpad_user_id, crm_user_id)
                 VALUES ('{MAPPING}', '{id}', {USER}, '{MARK}');
             INSERT INTO webhook_events (id, app_id, event_type, payload, call_id, last_error, dead_at)
                 VALUES ('{DELIVERY}', '{id}', '{MARK}', '{{\"is\":\"{MARK}\"}}', 91, '{MARK}', now());
             INSERT INTO call_requests (id, app_id, dialpad_user_id, to_number, status, body_hash)
                 VALUES ('{CALL_REQUEST}', '{id}', {USER}, '{NUMBER}', 'requested', '');
             INSERT INTO client_events (app_id, seq, id, audience, frame) VALUES ('{id}', 1, gen_random_uuid(), '{MARK}', '{{\"is\":\"{MARK}\"}}');
             INSERT INTO audit_log (app_id, action, actor) VALUES ('{id}', '{MARK}', '{MARK}');
             INSERT INTO api_key_audit_log (app_id, action, actor) VALUES ('{id}', 'revoked', '{MARK}');
             UPDATE app_streams SET last_seq = 1 WHERE app_id = '{id}';"
        ))
        .await;
}

/// The ids of the other tenant that a path parameter may stand for.
fn foreign(operation: &Operation, parameter: &str) -> Vec<&'static str> {
    match (parameter, operation.path.split('/').nth(2).unwrap_or_default()) {
        ("id", "calls") => vec![CALL, "91"],
        ("id", "call-requests") => vec![CALL_REQUEST],
        ("id", "messages") => vec![MESSAGE, "92"],
        ("id", "voicemails") | ("voicemail_id", _) => vec![VOICEMAIL],
        ("mapping_id", _) => vec![MAPPING],
        ("event_id", _) => vec![DELIVERY],
        ("dialpad_user_id", _) => vec![USER],
        ("crm_user_id", _) => vec![MARK],
        (unknown, _) => panic!("{}: which of the other tenant's ids may be {{{unknown}}}?", operation.path),
    }
}

/// The paths of an operation for this app, with the ids of the other tenant's rows.
fn paths(operation: &Operation, app: Uuid) -> Vec<String> {
    let mut paths = vec![operation.path.clone()];
    for parameter in operation.path_parameters() {
        let app = app.to_string();
        let ids = if parameter == "app_id" { vec![app.as_str()] } else { foreign(operation, parameter) };
        paths = paths
            .iter()
            .flat_map(|path| {
                ids.iter().map(|id| path.replace(&format!("{{{parameter}}}"), id)).collect::<Vec<_>>()
            })
            .collect();
    }
    paths
}

/// What a filter may be asked for to come by the other tenant's rows.
fn filters(operation: &Operation) -> Vec<String> {
    let value = |name: &str| match name {
        "dialpad_user_id" => Some(USER),
        "crm_user_id" | "action" => Some(MARK),
        "number" | "from" => Some("%2B14155550173"),
        "after" => Some("0"),
        "include" => Some("total"),
        _ => None,
    };
    let required = if operation.name == "lookup" { "number" } else { "" };
    let mut filters: Vec<String> =
        operation.query.iter().filter_map(|name| Some(format!("?{name}={}", value(name)?))).collect();
    if required.is_empty() {
        filters.push(String::new());
    }
    filters
}

/// Every row of an app, as text.
async fn rows(server: &Server, app: Uuid) -> Vec<String> {
    let client = server.database.client().await;
    let tables = "SELECT c.relname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                  WHERE a.attname = 'app_id' AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1";
    let mut all = Vec::new();
    for table in client.query(tables, &[]).await.unwrap() {
        let table: &str = table.get(0);
        // Asking is a use of one's key.
        let sql = format!(
            "SELECT '{table} ' || (to_jsonb(t) - 'last_used_at')::text FROM {table} t WHERE app_id = $1 ORDER BY 1"
        );
        all.extend(client.query(&sql, &[&app]).await.unwrap().iter().map(|row| row.get::<_, String>(0)));
    }
    all
}

/// Whether an answer says anything of theirs; a refusal repeats the path that was asked for, which is the asker's own.
fn says(reply: &Reply) -> bool {
    match serde_json::from_slice::<Value>(&reply.body) {
        Ok(Value::Object(mut answer)) => {
            answer.remove("instance");
            Value::Object(answer).to_string().contains(MARK)
        }
        Ok(_) | Err(_) => String::from_utf8_lossy(&reply.body).contains(MARK),
    }
}

#[tokio::test]
async fn no_route_shows_or_changes_a_row_of_the_other_tenant() {
    let server = Server::new().await;
    let (ours, theirs) = (server.app("Ours").await, server.app("Theirs").await);
    fill(&server, &theirs).await;
    let before = rows(&server, theirs.id).await;
    assert!(before.iter().filter(|row| row.contains(MARK)).count() >= 9, "{before:#?}");

    let (mut asked, mut named) = (0, 0);
    for operation in operations(&server).await {
        let names_a_row = operation.path_parameters().iter().any(|parameter| *parameter != "app_id");
        for path in paths(&operation, ours.id) {
            for filter in filters(&operation) {
                let reply = send(&server, &operation, &ours, &format!("{path}{filter}")).await;
                let told = String::from_utf8_lossy(&reply.body).into_owned();
                let what = format!("{} {path}{filter}: {} {told}", operation.method, reply.status);
                assert!(!says(&reply), "{what}");
                if names_a_row {
                    assert_eq!(reply.refusal(404).0, "not_found", "{what}");
                    named += 1;
                } else {
                    let status = reply.status.as_u16();
                    // Of a link that nobody made, and of a Dialpad that nobody connected.
                    let may_be = [404, 409, 502, 503].contains(&status) || path.starts_with("/auth/");
                    assert!(reply.status.is_success() || may_be, "{what}");
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 60 && named > 12, "{asked} {named}");
    assert_eq!(rows(&server, theirs.id).await, before, "a row of theirs was changed");
}

#[tokio::test]
async fn the_same_walk_by_its_owner_finds_what_the_other_did_not() {
    let server = Server::new().await;
    let theirs = server.app("Theirs").await;
    fill(&server, &theirs).await;
    let mut found = Vec::new();
    let is_read =
        |operation: &Operation| operation.method == Method::GET && !operation.path.starts_with("/auth/");
    for operation in operations(&server).await.into_iter().filter(is_read) {
        for path in paths(&operation, theirs.id) {
            let mut shown = false;
            for filter in filters(&operation) {
                let reply = send(&server, &operation, &theirs, &format!("{path}{filter}")).await;
                assert_ne!(reply.status, 404, "{path}{filter}");
                shown |= says(&reply);
            }
            if shown {
                found.push(operation.name.clone());
            }
        }
    }
    for name in [
        "list_calls",
        "show_call",
        "list_active_calls",
        "list_call_timeline",
        "lookup",
        "list_messages",
        "show_message",
        "list_agents",
        "list_events",
        "list_voicemails",
        "show_voicemail",
        "list_voicemails_of_app",
        "show_voicemail_of_app",
        "list_mappings",
        "show_mapping_of_dialpad_user",
        "show_mappings_of_crm_user",
        "list_webhook_events",
        "list_audit",
        "list_api_key_audit",
    ] {
        assert!(found.iter().any(|shown| shown == name), "{name} does not show its owner's row; {found:?}");
    }
}

#[tokio::test]
async fn the_same_ids_of_dialpad_live_side_by_side() {
    let server = Server::new().await;
    let (ours, theirs) = (server.app("Ours").await, server.app("Theirs").await);
    for (app, crm_user) in [(&ours, "ours"), (&theirs, "theirs")] {
        server.calls(app, 1, 1).await;
        let path = format!("/internal/apps/{}/users/map", app.id);
        let body = json!({"dialpad_user_id": 700, "crm_user_id": crm_user});
        server.operator(Method::POST, &path, Some(body)).await.expect(201);
    }
    server.sql("UPDATE calls SET dialpad_user_id = 700").await;
    for (app, crm_user) in [(&ours, "ours"), (&theirs, "theirs")] {
        let call: Value = server.get(app, "/api/calls/1").await.expect(200);
        assert_eq!(call["data"]["crm_user_id"], crm_user);
        let found = server.get(app, &format!("/api/calls?crm_user_id={crm_user}")).await.expect(200);
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
    }
    let not_ours = server.get(&ours, "/api/calls?crm_user_id=theirs").await.expect(200);
    assert_eq!(not_ours["data"], json!([]));
}

#[tokio::test]
async fn a_revocation_or_rotation_touches_no_other_tenant() {
    let server = Server::new().await;
    let (ours, theirs) = (server.app("Ours").await, server.app("Theirs").await);
    for action in ["api-key", "api-key/revoke"] {
        server
            .operator(Method::POST, &format!("/internal/apps/{}/{action}", ours.id), None)
            .await
            .expect(200);
        server.get(&theirs, "/api/calls").await.expect(200);
    }
    let audit = server.operator_get(&format!("/internal/apps/{}/api-key/audit", theirs.id)).await.expect(200);
    assert_eq!(audit["audit_log"].as_array().unwrap().len(), 1);
}
