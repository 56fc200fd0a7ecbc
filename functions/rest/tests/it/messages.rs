//! Text messages and agents.

use serde_json::{Value, json};

use crate::server::{App, Server};

async fn prepared(server: &Server) -> App {
    let app = server.app("Acme").await;
    server
        .sql(&format!(
            "INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id) VALUES ('{app}', 701, 'crm_bob');
             INSERT INTO messages (app_id, dialpad_message_id, direction, from_number, to_number, text, status,
                 delivery_result, mms, mms_url, dialpad_user_id, group_name, contact_name, sent_at, created_at, updated_at)
             VALUES ('{app}', 1, 'inbound', '+14155550160', '+14155550110', NULL, 'pending', NULL, true,
                     'https://e.com/a.jpg', NULL, 'Desk', 'Robin', '2026-05-01Z', '2026-05-01Z', '2026-05-01Z'),
                    ('{app}', 2, 'outbound', '+14155550110', '+14155550160', 'Hi', 'undelivered',
                     'invalid_destination', false, NULL, 701, NULL, NULL, '2026-05-02Z', '2026-05-02Z', '2026-05-02Z');
             INSERT INTO agents (app_id, dialpad_user_id, name, status, reason, availability, call_center_ids, since,
                 created_at, updated_at)
             VALUES ('{app}', 9007199254740993, 'Ada', 'available', NULL, 'open', '{{5,6}}', '2026-05-01Z',
                     '2026-05-01Z', '2026-05-01Z'),
                    ('{app}', 701, 'Bob', 'unavailable', 'Lunch', NULL, '{{}}', '2026-05-02Z', '2026-05-02Z', '2026-05-03Z')",
            app = app.id
        ))
        .await;
    app
}

fn all<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list["data"].as_array().unwrap().iter().map(|row| row[member].as_str().unwrap()).collect()
}

#[tokio::test]
async fn messages_are_found_by_status_and_time() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    for (query, expected) in [
        ("", vec!["2", "1"]),
        ("?status=undelivered", vec!["2"]),
        ("?status=whatever", vec![]),
        ("?sent_after=2026-05-02T00:00:00Z", vec!["2"]),
        ("?sent_before=2026-05-02T00:00:00Z", vec!["1"]),
        ("?number=%2B14155550160&direction=inbound", vec!["1"]),
    ] {
        let list = server.get(&app, &format!("/api/messages{query}")).await.expect(200);
        assert_eq!(all(&list, "dialpad_message_id"), expected, "{query}");
    }
    let refused = server.get(&app, "/api/messages?sent_after=today&status=%00").await.refusal(422).1;
    assert_eq!(refused, ["status", "sent_after"]);
}

#[tokio::test]
async fn messages_between_two_numbers_are_one_thread_whoever_wrote() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    server
        .sql(&format!(
            "INSERT INTO messages (app_id, dialpad_message_id, from_number, to_number)
             VALUES ('{app}', 3, '+14155550160', '+14155550199'), ('{app}', 4, '+14155550160', NULL)",
            app = app.id
        ))
        .await;
    let thread_of = async |message: &str| {
        server.get(&app, &format!("/api/messages/{message}")).await.expect(200)["data"]["thread_id"].clone()
    };
    let thread = thread_of("1").await;
    let list =
        server.get(&app, &format!("/api/messages?thread_id={}", thread.as_str().unwrap())).await.expect(200);
    assert_eq!(all(&list, "dialpad_message_id"), ["2", "1"]);
    assert_ne!(thread_of("3").await, thread);
    assert_eq!(thread_of("4").await, Value::Null);
    assert_eq!(server.get(&app, "/api/messages?thread_id=1").await.refusal(422).1, ["thread_id"]);
}

#[tokio::test]
async fn a_message_shows_all_that_is_known_of_it() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let message = server.get(&app, "/api/messages/1").await.expect(200)["data"].clone();
    let expected = json!({"id": message["id"], "dialpad_message_id": "1",
        "thread_id": message["thread_id"], "direction": "inbound",
        "from_number": "+14155550160", "to_number": "+14155550110", "text": null, "mms": true,
        "mms_url": "https://e.com/a.jpg", "status": "pending", "delivery_result": null, "dialpad_user_id": null,
        "crm_user_id": null, "group": "Desk", "contact_name": "Robin", "sent_at": "2026-05-01T00:00:00.000Z",
        "created_at": "2026-05-01T00:00:00.000Z", "updated_at": "2026-05-01T00:00:00.000Z"});
    assert_eq!(message, expected);
    let other = server.get(&app, "/api/messages/2").await.expect(200)["data"].clone();
    assert_eq!(
        (&other["delivery_result"], &other["crm_user_id"]),
        (&json!("invalid_destination"), &json!("crm_bob"))
    );
}

#[tokio::test]
async fn agents_are_listed_page_by_page_and_by_what_they_do() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    for (query, expected) in [
        ("", vec!["701", "9007199254740993"]),
        ("?status=available", vec!["9007199254740993"]),
        ("?dialpad_user_id=701", vec!["701"]),
        ("?crm_user_id=crm_bob", vec!["701"]),
        ("?call_center_id=6", vec!["9007199254740993"]),
        ("?call_center_id=7", vec![]),
        ("?limit=1&offset=1", vec!["9007199254740993"]),
    ] {
        let list = server.get(&app, &format!("/api/agents{query}")).await.expect(200);
        assert_eq!(all(&list, "dialpad_user_id"), expected, "{query}");
    }
    let first = server.get(&app, "/api/agents?limit=1&include=total").await.expect(200);
    let expected = json!({"id": first["data"][0]["id"], "dialpad_user_id": "701", "crm_user_id": "crm_bob", "name": "Bob",
        "status": "unavailable", "reason": "Lunch", "availability": null, "call_center_ids": [],
        "since": "2026-05-02T00:00:00.000Z", "created_at": "2026-05-02T00:00:00.000Z",
        "updated_at": "2026-05-03T00:00:00.000Z"});
    assert_eq!((&first["data"][0], &first["pagination"]["total"]), (&expected, &json!(2)));
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let second = server.get(&app, &format!("/api/agents?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!(all(&second, "name"), ["Ada"]);
    assert_eq!(second["pagination"]["has_more"], false);
}

#[tokio::test]
async fn nobody_sees_the_agents_of_another_app() {
    let server = Server::new().await;
    prepared(&server).await;
    let other = server.app("Other").await;
    assert_eq!(server.get(&other, "/api/agents").await.expect(200)["data"], json!([]));
    let nobody = App { id: other.id, key: String::new() };
    assert_eq!(server.get(&nobody, "/api/agents").await.refusal(401).0, "unauthorized");
    assert_eq!(server.get(&other, "/api/agents?state=busy").await.refusal(422).1, ["state"]);
}
