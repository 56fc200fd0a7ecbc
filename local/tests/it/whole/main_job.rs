//! A Dialpad webhook becomes a frame on a CRM's socket, and rows.

use axum::http::Method;
use serde_json::json;

use super::server::{PATIENCE, Stage, eventually, server};
use local::simulate::Scenario;
use shared::clock::{Clock as _, SystemClock};

fn payloads(scenario: Scenario) -> Vec<serde_json::Value> {
    scenario.payloads(SystemClock.now())
}

#[tokio::test]
async fn the_health_check_answers_exactly_what_the_guide_says() {
    let answer = server().client().send(Method::GET, "/", &[], "").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body), (200, json!({"message": "CTI Server is running"})));
}

#[tokio::test]
async fn a_call_rings_is_answered_and_ends_on_the_socket_and_in_the_rows() {
    let mut stage = Stage::new("answered").await;
    for payload in payloads(Scenario::InboundAnswered) {
        stage.deliver(&payload).await;
        stage.settled().await;
    }
    let frames = stage.frames().await;
    let events: Vec<_> = frames.iter().map(|frame| frame["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["call.ring", "call.started", "call.held", "call.resumed", "call.ended"]);
    let seqs: Vec<_> = frames.iter().map(|frame| frame["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let versions: Vec<_> = frames.iter().map(|frame| frame["version"].as_i64().unwrap()).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let ended = &frames[4];
    assert_eq!(
        (&ended["outcome"], &ended["status"], &ended["duration_seconds"], &ended["direction"]),
        (&json!("answered"), &json!("ended"), &json!(95), &json!("inbound"))
    );

    let calls = stage.get("/api/calls").await;
    let call = &calls["data"][0];
    assert_eq!(call["id"], ended["call"]);
    assert_eq!(
        (&call["status"], &call["outcome"], &call["version"]),
        (&json!("ended"), &json!("answered"), &ended["version"])
    );
    assert_eq!(calls["event_cursor"], 5);
    let again = stage.get(&format!("/api/calls/{}", call["dialpad_call_id"].as_str().unwrap())).await;
    assert_eq!(again["data"]["id"], call["id"]);
}

#[tokio::test]
async fn a_message_that_is_left_becomes_a_voicemail() {
    let mut stage = Stage::new("voicemail").await;
    for payload in payloads(Scenario::Voicemail) {
        stage.deliver(&payload).await;
    }
    let frames = stage.frames().await;
    let received: Vec<_> = frames.iter().filter(|frame| frame["event"] == "voicemail.received").collect();
    assert_eq!(received.len(), 1);
    let voicemails = stage.get("/api/voicemails").await;
    let voicemail = &voicemails["data"][0];
    assert_eq!(voicemail["id"], received[0]["voicemail_id"]);
    assert_eq!(voicemail["duration_seconds"], 21);
    assert!(voicemail["transcript"].as_str().unwrap().starts_with("Hi"));
    let calls = stage.get("/api/calls").await;
    assert_eq!(
        (&calls["data"][0]["status"], &calls["data"][0]["is_voicemail"]),
        (&json!("voicemail"), &json!(true))
    );
}

#[tokio::test]
async fn a_row_that_a_person_inserts_is_processed_too() {
    let mut stage = Stage::new("by hand").await;
    let database = server().database().await;
    let app_id = stage.app.app_id.0;
    database
        .execute(
            "INSERT INTO webhook_events (app_id, event_type, payload)
             VALUES ($1, 'call.ring', '{\"call_id\": 77, \"direction\": \"inbound\", \"external_number\": \"+14155550150\"}')",
            &[&app_id],
        )
        .await
        .unwrap();
    let frame = stage.frame().await;
    assert_eq!((&frame["event"], &frame["call_id"]), (&json!("call.ring"), &json!("77")));
    stage.settled().await;
}

#[tokio::test]
async fn repeats_in_any_order_end_in_the_same_rows_and_ring_once() {
    let payloads = payloads(Scenario::Voicemail);
    let mut in_order = Stage::new("in order").await;
    for payload in &payloads {
        in_order.deliver(payload).await;
    }
    let frames = in_order.frames().await;
    let wanted = rows(&in_order).await;
    for (rotation, turned) in [(1, true), (2, false), (4, true)] {
        let mut stage = Stage::new("shuffled").await;
        let mut order = payloads.clone();
        order.rotate_left(rotation);
        if turned {
            order.reverse();
        }
        for payload in order.iter().chain(&payloads) {
            stage.deliver(payload).await;
        }
        let shuffled = stage.frames().await;
        assert_eq!(rows(&stage).await, wanted, "rotated by {rotation}");
        for event in ["call.ring", "call.ended", "voicemail.received"] {
            let count =
                |frames: &[serde_json::Value]| frames.iter().filter(|frame| frame["event"] == event).count();
            assert!(count(&shuffled) <= count(&frames), "{event}, rotated by {rotation}");
        }
    }
}

/// The rows, less what differs from app to app and from moment to moment.
async fn rows(stage: &Stage) -> serde_json::Value {
    let (mut calls, mut voicemails) = (stage.get("/api/calls").await, stage.get("/api/voicemails").await);
    for row in [&mut calls, &mut voicemails].into_iter().flat_map(|list| list["data"].as_array_mut().unwrap())
    {
        let row = row.as_object_mut().unwrap();
        row.retain(|name, _| {
            !["id", "app_id", "call_id", "parent_call_id", "created_at", "updated_at"]
                .contains(&name.as_str())
        });
    }
    json!([calls["data"], voicemails["data"]])
}

#[tokio::test]
async fn a_burst_of_calls_is_delivered_whole_and_numbered_without_a_gap() {
    let mut stage = Stage::new("burst").await;
    let now = SystemClock.now();
    let calls = (0..40).flat_map(|n| Scenario::Outbound.payloads(now + chrono::TimeDelta::milliseconds(n)));
    let deliveries: Vec<_> = calls.collect();
    futures_util::future::join_all(deliveries.iter().map(|payload| stage.deliver(payload))).await;
    let frames = stage.frames().await;
    let seqs: Vec<_> = frames.iter().map(|frame| frame["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=i64::try_from(seqs.len()).unwrap()).collect::<Vec<_>>());
    let ended = frames.iter().filter(|frame| frame["event"] == "call.ended").count();
    assert_eq!(ended, 40);
}

#[tokio::test]
async fn a_user_sees_what_is_for_that_user_and_what_is_for_nobody() {
    let mut stage = Stage::new("two tiers").await;
    let mapping = json!({"dialpad_user_id": "5600000000000001", "crm_user_id": "ada"}).to_string();
    let path = format!("/internal/apps/{}/users/map", stage.app.app_id);
    let mapped = stage
        .client
        .send(Method::POST, &path, &[("content-type", "application/json")], mapping)
        .await
        .unwrap();
    assert!(mapped.status.is_success(), "{}", mapped.body);
    let connect = async |user: &str| {
        stage.client.connect(&format!("api_key={}&user_id={user}", stage.app.api_key)).await.unwrap()
    };
    let (mut ada, mut ben) = (connect("ada").await, connect("ben").await);

    let for_ada = &payloads(Scenario::InboundMissed)[0];
    stage.deliver(for_ada).await;
    let frame = ada.next(PATIENCE).await.unwrap();
    assert_eq!((&frame["event"], &frame["target_crm_user"]), (&json!("call.ring"), &json!("ada")));
    assert_eq!(stage.frame().await["id"], frame["id"]);

    let mut for_nobody = payloads(Scenario::InboundMissed)[0].clone();
    for_nobody["call_id"] = json!(4711);
    for_nobody["target"]["id"] = json!(99);
    stage.deliver(&for_nobody).await;
    // The first that Ben sees is the second.
    assert_eq!(ben.next(PATIENCE).await.unwrap()["call_id"], "4711");
    assert_eq!(ada.next(PATIENCE).await.unwrap()["call_id"], "4711");
}

#[tokio::test]
async fn a_closed_socket_is_forgotten_and_a_new_one_resumes() {
    let mut stage = Stage::new("resume").await;
    let payloads = payloads(Scenario::InboundAnswered);
    stage.deliver(&payloads[0]).await;
    let first = stage.frame().await;
    let client = stage.client.clone();
    let key = stage.app.api_key.clone();
    std::mem::replace(&mut stage.socket, client.connect(&format!("api_key={key}")).await.unwrap())
        .close()
        .await
        .unwrap();
    for payload in &payloads[1..] {
        stage.deliver(payload).await;
    }
    stage.settled().await;
    let mut again = client.connect(&format!("api_key={key}")).await.unwrap();
    again.say(&json!({"action": "resume", "after": first["seq"]})).await.unwrap();
    let replay = loop {
        let frame = again.next(PATIENCE).await.unwrap();
        if frame["event"] == "replay" {
            break frame;
        }
    };
    assert_eq!(
        (&replay["recovered"], &replay["has_more"], &replay["seq"]),
        (&json!(true), &json!(false), &json!(5))
    );
    let events: Vec<_> =
        replay["events"].as_array().unwrap().iter().map(|frame| frame["event"].clone()).collect();
    assert_eq!(events, ["call.started", "call.held", "call.resumed", "call.ended"]);
}

#[tokio::test]
async fn an_inactive_app_is_stored_and_not_pushed() {
    let mut stage = Stage::new("inactive").await;
    let database = server().database().await;
    let app_id = stage.app.app_id.0;
    // The sweep, which may run at any moment, would close the socket.
    let off = "UPDATE apps SET is_active = false, sockets_closed_at = now() WHERE id = $1";
    database.execute(off, &[&app_id]).await.unwrap();
    stage.deliver(&payloads(Scenario::Outbound)[0]).await;
    stage.settled().await;
    eventually("the events count as handed over", async || {
        let sql = "SELECT count(*) FROM client_events WHERE app_id = $1 AND handed_over_at IS NOT NULL";
        database.query_one(sql, &[&app_id]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    stage.socket.say(&json!({"action": "ping"})).await.unwrap();
    assert_eq!(stage.frame().await["event"], "pong");
}
