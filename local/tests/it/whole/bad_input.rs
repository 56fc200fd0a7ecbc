//! Clients that misbehave hurt themselves only.

use std::time::Duration;

use axum::http::Method;
use local::simulate::Scenario;
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::server::{Stage, server};

/// Asks for an upgrade by hand, and waits for nothing.
async fn upgrading(query: &str) -> TcpStream {
    let authority = server().edge().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&authority).await.unwrap();
    let request = format!(
        "GET /ws{query} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Performs the upgrade by hand and gives the raw stream.
async fn raw_socket(key: &str) -> TcpStream {
    let mut stream = upgrading(&format!("?api_key={key}")).await;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    stream
}

#[tokio::test]
async fn a_reset_and_a_client_that_never_reads_leave_the_others_alone() {
    let mut stage = Stage::new("misbehaving").await;
    let reset = raw_socket(&stage.app.api_key).await;
    reset.set_zero_linger().unwrap();
    drop(reset);
    let _never_read = raw_socket(&stage.app.api_key).await;
    for payload in Scenario::InboundAnswered.payloads(SystemClock.now()) {
        stage.deliver(&payload).await;
    }
    assert_eq!(stage.frames().await.len(), 5);
}

#[tokio::test]
async fn resets_before_an_answer_leave_the_server_as_it_is() {
    let mut stage = Stage::new("resets").await;
    for _ in 0..20 {
        let reset = upgrading("").await;
        reset.set_zero_linger().unwrap();
        drop(reset);
    }
    stage.socket.say(&json!({"action": "ping"})).await.unwrap();
    assert_eq!(stage.frame().await["event"], "pong");
    drop(raw_socket(&stage.app.api_key).await);
}

#[tokio::test]
async fn long_query_values_are_answered() {
    let stage = Stage::new("long").await;
    let path = format!("/api/calls?number={}", "9".repeat(3_000));
    let answer =
        stage.client.send(Method::GET, &path, &[("x-app-api-key", &stage.app.api_key)], "").await.unwrap();
    assert!([200, 422].contains(&answer.status.as_u16()), "{}", answer.status);
    let path = format!("/api/calls?number={}", "9".repeat(10_000));
    let answer =
        stage.client.send(Method::GET, &path, &[("x-app-api-key", &stage.app.api_key)], "").await.unwrap();
    assert!([200, 422].contains(&answer.status.as_u16()), "{}", answer.status);
}

#[tokio::test]
async fn a_frame_that_is_too_large_closes_only_its_socket() {
    let mut stage = Stage::new("too large").await;
    let mut large = stage.client.connect(&format!("api_key={}", stage.app.api_key)).await.unwrap();
    large.say(&json!({"action": "x".repeat(200_000)})).await.unwrap();
    assert!(large.next(Duration::from_secs(10)).await.is_err());
    stage.socket.say(&json!({"action": "ping"})).await.unwrap();
    assert_eq!(stage.frame().await["event"], "pong");
}
