//! Two tenants of one running server: deliveries, the fold, sockets and tickets keep them apart.

use axum::http::Method;
use local::client::App;
use serde_json::{Value, json};

use super::server::{Stage, server};

/// The same call and user of Dialpad in whatever app; only the number tells them apart.
fn event(state: &str, at: i64, number: &str) -> Value {
    json!({
        "state": state, "call_id": 4711, "direction": "inbound", "external_number": number,
        "internal_number": "+14155550160", "target": {"type": "user", "id": 5},
        "event_timestamp": 1_772_470_800_000_i64 + at
    })
}

const OURS: &str = "+14155550101";
const THEIRS: &str = "+14155550102";

#[tokio::test]
async fn the_same_ids_of_dialpad_in_two_apps_are_two_calls_and_each_socket_sees_its_own() {
    let (mut ours, mut theirs) = (Stage::new("ours").await, Stage::new("theirs").await);
    let headers = [("x-app-api-key", ours.app.api_key.as_str())];
    let ticket = ours.client.send(Method::POST, "/api/ws-tickets", &headers, "").await.unwrap();
    let ticket = format!("ticket={}", ticket.body["ticket"].as_str().unwrap());
    let by_ticket = ours.client.connect(&ticket).await.unwrap();
    let by_ticket = Stage { client: server().client(), app: ours.app.clone(), socket: by_ticket };

    for (state, at) in [("ringing", 0), ("connected", 4_000), ("hangup", 9_000)] {
        theirs.deliver(&event(state, at, THEIRS)).await;
        if state == "ringing" {
            ours.deliver(&event(state, at, OURS)).await;
        }
    }
    theirs.settled().await;
    let mut by_ticket = by_ticket;
    for (stage, own, other, events) in
        [(&mut ours, OURS, THEIRS, 1), (&mut by_ticket, OURS, THEIRS, 1), (&mut theirs, THEIRS, OURS, 3)]
    {
        let mut frames = stage.frames().await;
        stage.socket.say(&json!({"action": "resume", "after": 0})).await.unwrap();
        let replay = stage.frame().await;
        assert_eq!(replay["recovered"], true);
        frames.extend(replay["events"].as_array().unwrap().clone());
        assert_eq!(frames.len(), 2 * events, "{frames:?}");
        for frame in &frames {
            assert_eq!(frame["app_id"], json!(stage.app.app_id));
            assert!(frame.to_string().contains(own) && !frame.to_string().contains(other), "{frame}");
        }
        let calls = stage.get("/api/calls?include=total").await;
        assert_eq!(
            (&calls["pagination"]["total"], &calls["data"][0]["from_number"]),
            (&json!(1), &json!(own))
        );
    }
}

#[tokio::test]
async fn a_delivery_that_another_app_signed_is_refused_and_not_kept() {
    let (ours, theirs) = (Stage::new("forger").await, Stage::new("forged").await);
    let forged = App { webhook_secret: ours.app.webhook_secret.clone(), ..theirs.app.clone() };
    let answer = ours.client.deliver(&forged, &event("ringing", 0, OURS)).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (401, &json!("bad_signature")));
    let app_id = theirs.app.app_id.0;
    let kept = "SELECT count(*) FROM webhook_events WHERE app_id = $1";
    let kept: i64 = server().database().await.query_one(kept, &[&app_id]).await.unwrap().get(0);
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn what_a_payload_says_of_apps_and_webhooks_changes_none() {
    let (ours, theirs) = (Stage::new("claims").await, Stage::new("claimed").await);
    let settings = async || {
        let apps = "SELECT string_agg(to_jsonb(a)::text, ' ' ORDER BY id) FROM apps a WHERE id = ANY ($1)";
        let ids = [&ours, &theirs].map(|stage| stage.app.app_id.0).to_vec();
        server().database().await.query_one(apps, &[&ids]).await.unwrap().get::<_, String>(0)
    };
    let before = settings().await;
    let mut payload = event("ringing", 0, OURS);
    for (member, value) in [
        ("app_id", json!(theirs.app.app_id)),
        ("organization_id", json!(theirs.app.app_id)),
        ("webhook_id", json!("1")),
        ("hook_url", json!("https://elsewhere.example")),
        ("secret", json!("known to all")),
    ] {
        payload[member] = value;
    }
    ours.deliver(&payload).await;
    ours.settled().await;
    assert_eq!(settings().await, before);
    assert_eq!(ours.get("/api/calls").await["data"].as_array().unwrap().len(), 1);
    assert_eq!(theirs.get("/api/calls").await["data"], json!([]));
}

#[tokio::test]
async fn the_same_message_of_dialpad_in_two_apps_keeps_two_texts() {
    let (ours, theirs) = (Stage::new("our words").await, Stage::new("their words").await);
    let message = |text: &str| {
        json!({"id": 4712, "text": text, "direction": "inbound", "from_number": OURS, "to_number": ["+14155550160"],
               "created_date": 1_772_470_800_000_i64, "message_status": "pending", "target": {"type": "user", "id": 5}})
    };
    for (stage, text) in [(&ours, "ours"), (&theirs, "theirs")] {
        stage.deliver(&message(text)).await;
        stage.settled().await;
    }
    for (stage, text) in [(&ours, "ours"), (&theirs, "theirs")] {
        let messages = stage.get("/api/messages").await;
        assert_eq!(
            (&messages["data"][0]["text"], messages["data"].as_array().unwrap().len()),
            (&json!(text), 1)
        );
    }
}
