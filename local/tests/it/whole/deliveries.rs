//! What the webhook answers, and what is kept of it.

use axum::http::Method;
use serde_json::{Value, json};
use shared::{config::Secret, dialpad::jws};

use super::{
    company::operate,
    server::{Stage, server},
};

async fn post(path: &str, body: impl Into<axum::body::Bytes>) -> (u16, Value) {
    let answer = server()
        .client()
        .send(Method::POST, path, &[("content-type", "application/jwt")], body)
        .await
        .unwrap();
    (answer.status.as_u16(), answer.body["code"].clone())
}

#[tokio::test]
async fn forged_deliveries_are_refused_and_not_kept() {
    let stage = Stage::new("forged").await;
    let path = format!("/webhooks/dialpad/{}", stage.app.app_id);
    let payload = r#"{"call_id":1,"state":"ringing","event_timestamp":1}"#;
    assert_eq!(post(&path, jws::sign(payload, &Secret::new("wrong"))).await, (401, json!("bad_signature")));
    // {"alg":"none"} and an empty signature.
    assert_eq!(post(&path, "eyJhbGciOiJub25lIn0.e30.").await, (401, json!("bad_signature")));
    assert_eq!(post(&path, payload).await, (401, json!("signature_required")));
    assert_eq!(post(&path, "").await, (401, json!("signature_required")));
    assert_eq!(post(&path, "not a token").await, (401, json!("bad_signature")));
    let unknown = format!("/webhooks/dialpad/{}", uuid::Uuid::nil());
    assert_eq!(post(&unknown, payload).await, (404, json!("app_not_found")));
    assert_eq!(post("/webhooks/dialpad/not-a-uuid", payload).await, (404, json!("app_not_found")));
    assert_eq!(post("/webhooks/dialpad", payload).await, (404, json!("app_required")));
    let kept = kept(&stage).await;
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn what_is_signed_but_no_object_is_refused_and_2_mib_are_too_much() {
    let stage = Stage::new("no object").await;
    let path = format!("/webhooks/dialpad/{}", stage.app.app_id);
    for payload in ["[]", "null", "7", "\"text\"", "", "{", "{\"a\":}"] {
        let body = jws::sign(payload, &stage.app.webhook_secret);
        assert_eq!(post(&path, body).await, (400, json!("not_an_object")), "{payload}");
    }
    assert_eq!(post(&path, vec![b'x'; 2 * 1024 * 1024]).await, (413, json!("too_large")));
    assert_eq!(kept(&stage).await, 0);
}

#[tokio::test]
async fn odd_payloads_are_answered_200_and_nothing_of_them_is_lost() {
    let mut stage = Stage::new("odd").await;
    let deep = format!(
        r#"{{"call_id":5,"state":"ringing","event_timestamp":5,"x":{}{}}}"#,
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let odd = [
        r#"{"call_id":"9007199254740993","state":"ringing","event_timestamp":"1772470801068","direction":"inbound"}"#,
        r#"{"call_id":2,"state":"a state of the future","event_timestamp":2}"#,
        r#"{"call_id":3,"state":"ringing","event_timestamp":3,"contact":{"name":"nul \u0000 lone \ud800 end"}}"#,
        r#"{"call_id":4,"state":"ringing","event_timestamp":4,"talk_time":1e400}"#,
        deep.as_str(),
        r#"{"something":"else"}"#,
        r#"{"call_id":99999999999999999999,"state":"ringing","event_timestamp":6}"#,
        "{}",
    ];
    let path = format!("/webhooks/dialpad/{}", stage.app.app_id);
    for payload in odd {
        let body = jws::sign(payload, &stage.app.webhook_secret);
        assert_eq!(post(&path, body).await, (200, Value::Null), "{payload:.80}");
    }
    assert_eq!(kept(&stage).await, 8);
    let frames = stage.frames().await;
    let big = frames
        .iter()
        .find(|frame| frame["call_id"] == "9007199254740993")
        .expect("an id above 2^53 survives");
    assert_eq!(big["event"], "call.ring");
    let nul = frames.iter().find(|frame| frame["call_id"] == "3").unwrap();
    assert_eq!(nul["contact_name"], r"nul \u0000 lone \ud800 end");
}

#[tokio::test]
async fn the_same_delivery_twice_is_kept_once() {
    let mut stage = Stage::new("twice").await;
    let payload = json!({"call_id": 1, "state": "ringing", "event_timestamp": 1, "direction": "inbound"});
    for _ in 0..3 {
        stage.deliver(&payload).await;
    }
    assert_eq!(kept(&stage).await, 1);
    assert_eq!(stage.frames().await.len(), 1);
}

#[tokio::test]
async fn a_delivery_that_contradicts_an_earlier_one_is_kept_aside_and_told_to_nobody() {
    let mut stage = Stage::new("contradicting").await;
    let text = |number: &str, more: &str| {
        format!(
            r#"{{"call_id":1,"state":"ringing","event_timestamp":1772470800000,"direction":"inbound",
                "external_number":"{number}","target":{{"id":7,"type":"user"}}{more}}}"#
        )
    };
    let (first, other) = (text("+14155550101", ""), text("+14155550102", ""));
    let in_another_order = r#"{"target":{"type":"user","id":7},"external_number":"+14155550101","direction":"inbound",
        "event_timestamp":1772470800000,"state":"ringing","call_id":1}"#;
    // What jsonb cannot hold is compared as text.
    let deep = text("+14155550101", &format!(r#","x":{}{}"#, "[".repeat(20_000), "]".repeat(20_000)));
    let path = format!("/webhooks/dialpad/{}", stage.app.app_id);
    for payload in [&first, &first, in_another_order, &other, &deep, &other, &deep, &first] {
        let body = jws::sign(payload, &stage.app.webhook_secret);
        assert_eq!(post(&path, body).await, (200, Value::Null), "{payload:.80}");
    }
    // The same again of another call, the other one first.
    let elsewhere = |payload: &str| {
        jws::sign(&payload.replace("\"call_id\":1", "\"call_id\":2"), &stage.app.webhook_secret)
    };
    for payload in [&other, &first] {
        assert_eq!(post(&path, elsewhere(payload)).await, (200, Value::Null));
    }

    let frames = stage.frames().await;
    let told: Vec<_> = frames.iter().map(|frame| (&frame["call_id"], &frame["from_number"])).collect();
    let expected = [(json!("1"), json!("+14155550101")), (json!("2"), json!("+14155550102"))];
    assert_eq!(told, expected.iter().map(|(id, number)| (id, number)).collect::<Vec<_>>());
    for (call_id, number) in expected {
        let call_id = call_id.as_str().unwrap();
        assert_eq!(stage.get(&format!("/api/calls/{call_id}")).await["data"]["from_number"], number);
        let timeline = stage.get(&format!("/api/calls/{call_id}/timeline")).await;
        assert_eq!(timeline["data"].as_array().unwrap().len(), 1, "{timeline}");
    }

    assert_eq!(kept(&stage).await, 5);
    let list = async |stage: &Stage, state: &str| {
        let path = format!("webhook-events?state={state}");
        operate(stage, Method::GET, &path, None).await.body["data"].as_array().unwrap().clone()
    };
    let (applied, aside) = (list(&stage, "processed").await, list(&stage, "conflicting").await);
    assert_eq!((applied.len(), aside.len()), (2, 3), "{aside:?}");
    for (aside, other) in [(&aside[0], &applied[0]), (&aside[1], &applied[1]), (&aside[2], &applied[1])] {
        assert_eq!(
            (&aside["conflicts_with"], &aside["dialpad_call_id"]),
            (&other["id"], &other["dialpad_call_id"])
        );
        assert!(aside["processed_at"].is_string() && other["conflicts_with"].is_null(), "{aside} {other}");
    }
    let diagnosis = operate(&stage, Method::GET, "diagnostics", None).await.body;
    let check = &diagnosis["checks"][4];
    assert_eq!(check["verdict"], "warning", "{diagnosis}");
    assert!(check["detail"].as_str().unwrap().starts_with("3 deliveries are kept aside"), "{check}");
    assert!(check["command"].as_str().unwrap().contains("state=conflicting"), "{check}");

    // Whoever has it tried again changes nothing, nor does who has the one that was applied tried again.
    for delivery in [&aside[0], &applied[0]] {
        let replay = format!("webhook-events/{}/replay", delivery["id"].as_str().unwrap());
        assert_eq!(operate(&stage, Method::POST, &replay, None).await.status.as_u16(), 202);
    }
    stage.settled().await;
    assert_eq!(list(&stage, "conflicting").await.len(), 3);
    assert_eq!(stage.get("/api/events?after=0").await["data"].as_array().unwrap().len(), 2);
}

async fn kept(stage: &Stage) -> i64 {
    let app_id = stage.app.app_id.0;
    let sql = "SELECT count(*) FROM webhook_events WHERE app_id = $1";
    server().database().await.query_one(sql, &[&app_id]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_rotated_secret_loses_no_delivery() {
    let mut stage = Stage::new("rotation").await;
    let deliver = async |stage: &Stage, call_id: i64| {
        stage.deliver(&json!({"call_id": call_id, "state": "ringing", "event_timestamp": call_id})).await;
    };
    deliver(&stage, 1).await;
    let path = format!("/internal/apps/{}/webhook-secret", stage.app.app_id);
    let rotated = stage.client.send(Method::POST, &path, &[], "").await.unwrap();
    assert_eq!(rotated.status.as_u16(), 200, "{}", rotated.body);
    deliver(&stage, 2).await;
    stage.app.webhook_secret = Secret::new(rotated.body["webhook_secret"].as_str().unwrap());
    deliver(&stage, 3).await;
    assert_eq!(stage.frames().await.len(), 3);
}

#[tokio::test]
async fn a_signed_delivery_is_taken_whatever_its_type_says() {
    let stage = Stage::new("types").await;
    let path = format!("/webhooks/dialpad/{}", stage.app.app_id);
    let types = ["application/jwt; charset=utf-8", "application/JWT", "text/plain", "application/json", ""];
    for (call_id, kind) in types.into_iter().enumerate() {
        let payload = json!({"call_id": call_id, "state": "ringing", "event_timestamp": 1}).to_string();
        let body = jws::sign(&payload, &stage.app.webhook_secret);
        let header = [("content-type", kind)];
        let headers = if kind.is_empty() { &header[..0] } else { &header[..] };
        let answer = stage.client.send(Method::POST, &path, headers, body).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{kind}: {}", answer.body);
    }
    assert_eq!(kept(&stage).await, 5);
}

#[tokio::test]
async fn a_long_transcript_is_kept_whole() {
    let stage = Stage::new("long").await;
    let transcript = "a word ".repeat(80_000);
    let payload = json!({"call_id": 1, "state": "transcription", "event_timestamp": 1, "transcription_text": transcript});
    stage.deliver(&payload).await;
    let app_id = stage.app.app_id.0;
    let sql = "SELECT payload->>'transcription_text' FROM webhook_events WHERE app_id = $1";
    let stored: String = server().database().await.query_one(sql, &[&app_id]).await.unwrap().get(0);
    assert_eq!(stored, transcript);
}
