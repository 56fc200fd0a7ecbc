//! Handshakes that are refused, and odd messages.

use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, client::IntoClientRequest as _},
};

use super::server::{PATIENCE, Stage, server};

async fn refused(query: &str, header: Option<&str>) -> u16 {
    let url = format!("{}/ws?{query}", server().edge().replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    if let Some(key) = header {
        request.headers_mut().insert("x-app-api-key", key.parse().unwrap());
    }
    match connect_async(request).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{query}: {other:?}"),
    }
}

#[tokio::test]
async fn bad_credentials_are_refused_at_the_handshake() {
    let stage = Stage::new("handshake").await;
    let key = stage.app.api_key.as_str();
    let typo = format!("{}x", &key[..key.len() - 1]);
    assert_eq!(refused("", None).await, 401);
    assert_eq!(refused("api_key=", None).await, 401);
    assert_eq!(refused(&format!("api_key={typo}"), None).await, 401);
    assert_eq!(refused(&format!("api_key=%22{key}%22"), None).await, 401);
    assert_eq!(refused(&format!("api_key={}", "x".repeat(3000)), None).await, 401);
    assert_eq!(refused("", Some(&typo)).await, 401);
    assert_eq!(refused(&format!("api_key={key}&user_id=-"), None).await, 400);

    let app_id: uuid::Uuid = stage.app.app_id.parse().unwrap();
    let database = server().database().await;
    database.execute("UPDATE apps SET is_active = false WHERE id = $1", &[&app_id]).await.unwrap();
    assert_eq!(refused(&format!("api_key={key}"), None).await, 403);
}

#[tokio::test]
async fn the_key_may_come_in_a_header() {
    let stage = Stage::new("header").await;
    let mut request =
        format!("{}/ws", server().edge().replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("x-app-api-key", stage.app.api_key.parse().unwrap());
    connect_async(request).await.unwrap();
}

#[tokio::test]
async fn malformed_messages_are_answered_and_the_socket_stays() {
    let mut stage = Stage::new("malformed").await;
    for (message, code) in [
        (json!("text"), "malformed"),
        (json!({"action": "dance"}), "unknown_action"),
        (json!({"action": "resume", "after": -5}), "malformed"),
        (json!({"action": "resume"}), "malformed"),
    ] {
        stage.socket.say(&message).await.unwrap();
        let frame = stage.socket.next(PATIENCE).await.unwrap();
        assert_eq!((&frame["event"], &frame["code"]), (&json!("error"), &json!(code)), "{message}");
    }
    stage.socket.say(&json!({"action": "ping", "after": 0})).await.unwrap();
    assert_eq!(stage.frame().await, json!({"event": "pong", "seq": 0, "count": 0}));
}
