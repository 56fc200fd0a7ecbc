//! The screen-pop query, messages, and tickets for sockets.

use axum::http::Method;
use serde_json::{Value, json};
use shared::{
    auth::Ticket,
    store::{Settings, Store, tickets},
};

use crate::server::{App, Server};

const NUMBER: &str = "+14155550160";

async fn prepared(server: &Server) -> App {
    let app = server.app("Acme").await;
    server.calls(&app, 1, 7).await;
    server
        .sql(&format!(
            "UPDATE calls SET from_number = '{NUMBER}', dialpad_user_id = 700, connected_at = started_at,
                 contact_name = 'Old name';
             UPDATE calls SET from_number = '+493012345', to_number = '{NUMBER}', dialpad_user_id = 701
             WHERE dialpad_call_id = 6;
             UPDATE calls SET from_number = '+493012345', dialpad_user_id = 702 WHERE dialpad_call_id = 7;
             INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id) VALUES ('{app}', 701, 'crm_bob');
             INSERT INTO voicemails (app_id, dialpad_call_id, from_number, contact_name, transcript, created_at)
             VALUES ('{app}', 1, '{NUMBER}', 'Ann', 'Hello', '2026-05-02Z'), ('{app}', 7, '+493012345', 'Bob', 'No', now());
             INSERT INTO messages (app_id, dialpad_message_id, direction, from_number, to_number, text, dialpad_user_id,
                 sent_at, created_at)
             VALUES ('{app}', 9007199254740993, 'inbound', '{NUMBER}', '+14155550100', 'Hi', 701, '2026-05-01Z', '2026-05-01Z'),
                    ('{app}', 2, 'outbound', '+14155550100', '+493012345', 'Yo', 700, NULL, '2026-05-02Z')",
            app = app.id
        ))
        .await;
    app
}

fn ids<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|row| row[member].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_number_tells_who_called_and_who_spoke_with_them() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let known =
        server.get(&app, "/api/lookup?number=+1%20(415)%20555-0160").await.expect(200)["data"].clone();
    assert_eq!((&known["number"], &known["contact_name"]), (&json!(NUMBER), &json!("Ann")));
    assert_eq!(ids(&known["calls"], "dialpad_call_id"), ["6", "5", "4", "3", "2"]);
    assert_eq!(ids(&known["voicemails"], "transcript"), ["Hello"]);
    assert_eq!(ids(&known["messages"], "text"), ["Hi"]);
    assert_eq!(
        known["owner"],
        json!({"dialpad_user_id": "701", "crm_user_id": "crm_bob", "connected_at": "2026-05-01T00:00:06.000Z"})
    );
    let nobody = server.get(&app, "/api/lookup?number=12345").await.expect(200);
    let expected = json!({"number": "12345", "contact_name": null, "owner": null, "calls": [], "voicemails": [],
        "messages": []});
    assert_eq!(nobody["data"], expected);
    for query in ["", "?number=", "?number=%00"] {
        assert_eq!(
            server.get(&app, &format!("/api/lookup{query}")).await.refusal(422).1,
            ["number"],
            "{query}"
        );
    }
    let other = server.app("Other").await;
    let theirs = server.get(&other, &format!("/api/lookup?number=%2B{}", &NUMBER[1..])).await.expect(200);
    assert_eq!((&theirs["data"]["calls"], &theirs["data"]["owner"]), (&json!([]), &json!(null)));
}

#[tokio::test]
async fn a_national_number_needs_the_apps_default_region() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let paths = ["/api/lookup?number=", "/api/calls?number=", "/api/calls?from=", "/api/messages?number="];
    for path in paths {
        let reply = server.get(&app, &format!("{path}(415)%20555-0160")).await;
        assert_eq!(reply.refusal(422).1, [path.rsplit('?').next().unwrap().trim_end_matches('=')], "{path}");
        let detail = reply.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("default_region") && detail.contains("%2B"), "{detail}");
        server.get(&app, &format!("{path}12345")).await.expect(200);
    }

    let own = format!("/internal/apps/{}", app.id);
    let change = |region: Value| Some(json!({ "default_region": region }));
    for wrong in [json!("ZZ"), json!("UK"), json!(1), json!("")] {
        let reply = server.operator(Method::PATCH, &own, change(wrong)).await;
        assert_eq!(reply.refusal(422).1, ["/default_region"]);
    }
    let shown = server.operator(Method::PATCH, &own, change(json!("us"))).await.expect(200);
    assert_eq!(shown["data"]["default_region"], "US");
    for path in paths {
        let found = server.get(&app, &format!("{path}(415)%20555-0160")).await.expect(200);
        assert!(found["data"].to_string().contains(NUMBER), "{path}: {found}");
    }
    let audit = server.operator_get(&format!("{own}/audit?action=app.changed")).await.expect(200);
    assert_eq!(audit["data"][0]["detail"], json!({"default_region": "US"}));

    let renamed = server.operator(Method::PATCH, &own, Some(json!({"name": "Acme 2"}))).await.expect(200);
    assert_eq!(renamed["data"]["default_region"], "US");
    let cleared = server.operator(Method::PATCH, &own, change(json!(null))).await.expect(200);
    assert_eq!(cleared["data"]["default_region"], json!(null));
    let made = Some(json!({"name": "Berlin", "default_region": "DE"}));
    let made = server.operator(Method::POST, "/internal/apps", made).await.expect(201);
    let shown = server.operator_get(&format!("/internal/apps/{}", made["app_id"].as_str().unwrap())).await;
    assert_eq!(shown.expect(200)["data"]["default_region"], "DE");
}

#[tokio::test]
async fn messages_are_listed_filtered_and_shown() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    for (query, expected) in [
        ("", vec!["2", "9007199254740993"]),
        ("?direction=inbound", vec!["9007199254740993"]),
        ("?from=%2B14155550100", vec!["2"]),
        ("?to=%2B14155550100", vec!["9007199254740993"]),
        ("?number=%2B14155550160", vec!["9007199254740993"]),
        ("?dialpad_user_id=700", vec!["2"]),
        ("?crm_user_id=crm_bob", vec!["9007199254740993"]),
        ("?limit=1&offset=1", vec!["9007199254740993"]),
    ] {
        let list = server.get(&app, &format!("/api/messages{query}")).await.expect(200);
        assert_eq!(ids(&list["data"], "dialpad_message_id"), expected, "{query}");
    }
    let message = server.get(&app, "/api/messages/9007199254740993").await.expect(200);
    assert_eq!(
        (&message["data"]["crm_user_id"], &message["data"]["sent_at"]),
        (&json!("crm_bob"), &json!("2026-05-01T00:00:00.000Z"))
    );
    let own = message["data"]["id"].as_str().unwrap();
    assert_eq!(server.get(&app, &format!("/api/messages/{own}")).await.expect(200), message);
    let other = server.app("Other").await;
    for id in [own, "9007199254740993"] {
        assert_eq!(server.get(&other, &format!("/api/messages/{id}")).await.refusal(404).0, "not_found");
    }
    assert_eq!(server.get(&other, "/api/messages").await.expect(200)["data"], json!([]));
    assert_eq!(server.get(&app, "/api/messages/nonsense").await.refusal(404).0, "not_found");
    assert_eq!(server.get(&app, "/api/messages?direction=up").await.refusal(422).1, ["direction"]);
}

#[tokio::test]
async fn a_ticket_opens_one_socket_of_the_app_and_the_user_it_is_for() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let body = Some(json!({"crm_user_id": "crm_ann", "after": 41}));
    let issued = server.call(&app, Method::POST, "/api/ws-tickets", body).await.expect(201);
    let ticket = issued["ticket"].as_str().unwrap();
    assert_eq!(
        (&issued["expires_in"], &issued["resume"]),
        (&json!(60), &json!({"action": "resume", "after": 41}))
    );
    assert_eq!(issued["url"], format!("wss://cti.example/ws?ticket={ticket}"));

    let store = Store::new(&Settings::new(server.database.url())).unwrap();
    let db = store.system().await.unwrap();
    let hash = Ticket::parse(ticket).unwrap().hash();
    let now = shared::clock::Clock::now(&server.clock);
    let redeemed = tickets::redeem(&*db, &hash, now).await.unwrap().unwrap();
    assert_eq!((redeemed.app_id.0, redeemed.crm_user_id.as_deref()), (app.id, Some("crm_ann")));
    assert!(tickets::redeem(&*db, &hash, now).await.unwrap().is_none());

    let late = server.call(&app, Method::POST, "/api/ws-tickets", None).await.expect(201);
    assert!(late.get("resume").is_none());
    let hash = Ticket::parse(late["ticket"].as_str().unwrap()).unwrap().hash();
    assert!(tickets::redeem(&*db, &hash, now + chrono::TimeDelta::seconds(60)).await.unwrap().is_none());

    for (body, wrong) in [
        (json!({"crm_user_id": ""}), "/crm_user_id"),
        (json!({"after": -1}), "/after"),
        (json!({"user": "a"}), "/user"),
    ] {
        let reply = server.call(&app, Method::POST, "/api/ws-tickets", Some(body)).await;
        assert_eq!(reply.refusal(422).1, [wrong]);
    }
    let nobody = App { id: app.id, key: String::new() };
    assert_eq!(
        server.call(&nobody, Method::POST, "/api/ws-tickets", None).await.refusal(401).0,
        "unauthorized"
    );
}
