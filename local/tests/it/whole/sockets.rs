//! Handshakes that are refused, and odd messages.

use chrono::TimeDelta;
use serde_json::json;
use shared::{
    clock::{Clock as _, SystemClock},
    registry::{Connection, Registry},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, client::IntoClientRequest as _},
};

use super::server::{PATIENCE, Server, Stage, eventually, server};

async fn refused(query: &str, header: Option<&str>) -> u16 {
    refused_by(server(), query, header).await
}

async fn refused_by(server: &Server, query: &str, header: Option<&str>) -> u16 {
    let url = format!("{}/ws?{query}", server.edge().replacen("http", "ws", 1));
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
    let typo = format!("{}{}", &key[..key.len() - 1], if key.ends_with('x') { 'y' } else { 'x' });
    assert_eq!(refused("", None).await, 401);
    assert_eq!(refused("api_key=", None).await, 401);
    assert_eq!(refused(&format!("api_key={typo}"), None).await, 401);
    assert_eq!(refused(&format!("api_key=%22{key}%22"), None).await, 401);
    assert_eq!(refused(&format!("api_key={}", "x".repeat(3000)), None).await, 401);
    assert_eq!(refused("", Some(&typo)).await, 401);
    assert_eq!(refused(&format!("api_key={key}&user_id=-"), None).await, 400);

    let app_id = stage.app.app_id.0;
    let database = server().database().await;
    let stored = "SELECT encode(key_hash, 'hex') FROM api_keys WHERE app_id = $1";
    let stored: String = database.query_one(stored, &[&app_id]).await.unwrap().get(0);
    for stolen in [stored.clone(), format!("{}_{stored}", &key[..16])] {
        assert_eq!(refused("", Some(&stolen)).await, 401, "what is stored of a key is no key");
    }

    let path = format!("/internal/apps/{app_id}/diagnostics");
    let answer = stage.client.send(axum::http::Method::GET, &path, &[], "").await.unwrap();
    let detail = answer.body["checks"][0]["detail"].as_str().unwrap();
    for told in ["1 x user_id", "1 x quoted_key", "3 x malformed_key"] {
        assert!(detail.contains(told), "{told} is not in {detail}");
    }

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
async fn a_deployment_that_takes_no_key_in_the_url_takes_it_in_a_header_and_tickets() {
    let server = Server::start(&["--parameter", "AllowApiKeyInUrl=false"]);
    let client = server.client();
    let app = client.make_app("no key in the url").await.unwrap();
    let key = app.api_key.as_str();
    assert_eq!(refused_by(&server, &format!("api_key={key}"), None).await, 401);
    let path = format!("/internal/apps/{}/diagnostics", app.app_id);
    let diagnosis = client.send(axum::http::Method::GET, &path, &[], "").await.unwrap().body;
    assert!(diagnosis["checks"][0]["detail"].as_str().unwrap().contains("1 x key_in_url"), "{diagnosis}");
    let command = diagnosis["checks"][0]["command"].as_str().unwrap();
    assert!(command.contains("/api/ws-tickets'"), "{command}");

    let mut request =
        format!("{}/ws", server.edge().replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("x-app-api-key", key.parse().unwrap());
    connect_async(request).await.unwrap();
    let headers = [("x-app-api-key", key)];
    let ticket = client.send(axum::http::Method::POST, "/api/ws-tickets", &headers, "").await.unwrap();
    let ticket = ticket.body["ticket"].as_str().unwrap().to_owned();
    client.connect(&format!("ticket={ticket}")).await.unwrap();
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

#[tokio::test]
async fn the_sockets_of_a_revoked_key_are_told_and_closed() {
    let mut stage = Stage::new("revoked").await;
    let path = format!("/internal/apps/{}/api-key/revoke", stage.app.app_id);
    let answer = stage.client.send(axum::http::Method::POST, &path, &[], "").await.unwrap();
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    assert_eq!(stage.frame().await, json!({"event": "connection.closing", "reason": "key_revoked"}));
    assert!(stage.socket.next(PATIENCE).await.is_err(), "the socket is closed");
    assert_eq!(refused(&format!("api_key={}", stage.app.api_key), None).await, 401);
}

#[tokio::test]
async fn a_rotation_closes_the_sockets_of_the_old_key_and_leaves_those_of_the_new_one() {
    let mut stage = Stage::new("rotated").await;
    let path = format!("/internal/apps/{}/api-key", stage.app.app_id);
    let answer = stage.client.send(axum::http::Method::POST, &path, &[], "").await.unwrap();
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    let query = format!("api_key={}", answer.body["api_key"].as_str().unwrap());
    let mut of_the_new_key = stage.client.connect(&query).await.unwrap();
    assert_eq!(stage.frame().await, json!({"event": "connection.closing", "reason": "key_revoked"}));
    assert!(stage.socket.next(PATIENCE).await.is_err(), "the socket is closed");
    of_the_new_key.say(&json!({"action": "ping"})).await.unwrap();
    assert_eq!(of_the_new_key.next(PATIENCE).await.unwrap()["event"], "pong");
}

#[tokio::test]
async fn a_ticket_opens_one_socket_of_its_user() {
    let stage = Stage::new("tickets").await;
    let key = stage.app.api_key.clone();
    let ticket = async || {
        let headers = [("x-app-api-key", key.as_str()), ("content-type", "application/json")];
        let body = json!({"crm_user_id": "ada"}).to_string();
        let answer =
            stage.client.send(axum::http::Method::POST, "/api/ws-tickets", &headers, body).await.unwrap();
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.body);
        answer.body["ticket"].as_str().unwrap().to_owned()
    };
    let good = ticket().await;
    let of_another = format!("ticket={}&user_id=ben", ticket().await);
    assert_eq!(refused(&of_another, None).await, 403);

    let url = format!("{}/ws", server().edge().replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", format!("cti.v1, ticket.{good}").parse().unwrap());
    let (_socket, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "cti.v1");
    assert_eq!(refused(&format!("ticket={good}"), None).await, 401, "a ticket is good for one socket");

    let (one, other) = {
        let query = format!("ticket={}", ticket().await);
        futures_util::future::join(stage.client.connect(&query), stage.client.connect(&query)).await
    };
    assert!(one.is_ok() != other.is_ok(), "of two who try at once, one gets it");
}

#[tokio::test]
async fn the_sockets_of_an_app_that_is_switched_off_are_closed_each_time() {
    let mut stage = Stage::new("switched off").await;
    let path = format!("/internal/apps/{}", stage.app.app_id);
    let switch = async |is_active: bool| {
        let headers = [("content-type", "application/json")];
        let body = json!({ "is_active": is_active }).to_string();
        let client = server().client();
        let answer = client.send(axum::http::Method::PATCH, &path, &headers, body).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    };
    for _ in 0..2 {
        switch(false).await;
        assert_eq!(stage.frame().await, json!({"event": "connection.closing", "reason": "app_inactive"}));
        switch(true).await;
        stage.socket = stage.client.connect(&format!("api_key={}", stage.app.api_key)).await.unwrap();
    }
}

#[tokio::test]
async fn a_socket_that_is_being_opened_is_not_forgotten_by_a_post_that_comes_too_early() {
    let mut stage = Stage::new("opening").await;
    let app_id = stage.app.app_id;
    let registry = Registry::new(&shared::testing::aws_config(server().aws()).await, "ConnectionsTable");
    // Sockets that are not open: for these the edge answers 410, as it does until `$connect` has answered.
    let register = async |id: &str, age: TimeDelta| {
        let connection = Connection {
            id: format!("{id}-{app_id}"),
            app_id,
            crm_user_id: None,
            key_id: "none".to_owned(),
            opened_at: SystemClock.now() - age,
        };
        registry.insert(&connection).await.unwrap();
        connection.id
    };
    let young = register("young", TimeDelta::zero()).await;
    for (number, name) in ["old", "older"].into_iter().enumerate() {
        let old = register(name, TimeDelta::minutes(1)).await;
        stage
            .deliver(&json!({"call_id": number + 1, "state": "ringing", "event_timestamp": number + 1}))
            .await;
        stage.frame().await;
        eventually("a socket that is gone is forgotten", async || {
            registry.find(&old).await.unwrap().is_none()
        })
        .await;
    }
    assert!(registry.find(&young).await.unwrap().is_some());
}
