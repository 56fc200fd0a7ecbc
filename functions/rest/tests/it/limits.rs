//! Limits: how many requests a credential may make within a minute.

use axum::{
    body::Body,
    http::{Method, Request},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::server::{Reply, Server};

fn standing(reply: &Reply) -> [&str; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(|name| reply.header(name))
}

#[tokio::test]
async fn a_key_has_its_number_of_requests_a_minute_and_every_answer_says_what_is_left() {
    let server = Server::with(&[("API_REQUESTS_PER_MINUTE", "3")]).await;
    let (app, other) = (server.app("Acme").await, server.app("Other").await);
    // 20:26:40: the minute has 20 seconds left.
    assert_eq!(standing(&server.get(&app, "/api/calls").await), ["3", "2", "20"]);
    assert_eq!(standing(&server.get(&app, "/api/calls/1").await), ["3", "1", "20"]);
    assert_eq!(standing(&server.get(&app, "/api/calls?limit=x").await), ["3", "0", "20"]);
    let refused = server.get(&app, "/api/calls").await;
    assert_eq!(refused.refusal(429).0, "too_many_requests");
    assert_eq!((standing(&refused), refused.header("retry-after")), (["3", "0", "20"], "20"));
    // Nobody else is affected, and nobody else can use it up.
    assert_eq!(standing(&server.get(&other, "/api/calls").await), ["3", "2", "20"]);

    server.clock.advance(TimeDelta::seconds(20));
    assert_eq!(standing(&server.get(&app, "/api/calls").await), ["3", "2", "60"]);
}

#[tokio::test]
async fn operators_share_one_limit() {
    let server = Server::with(&[("INTERNAL_REQUESTS_PER_MINUTE", "2")]).await;
    server.app("Acme").await;
    assert_eq!(standing(&server.operator_get("/internal/apps").await), ["2", "0", "20"]);
    let refused = server.operator(Method::POST, "/internal/apps", Some(json!({"name": "Late"}))).await;
    assert_eq!(refused.refusal(429).0, "too_many_requests");
    assert_eq!(server.count("SELECT count(*) FROM apps").await, 1);
    // A wrong secret is refused as such, and uses nothing up.
    let wrong = Request::get("/internal/apps").header("authorization", "Bearer wrong");
    let wrong = server.send(wrong.body(Body::empty()).unwrap()).await;
    assert_eq!((wrong.refusal(401).0.as_str(), standing(&wrong)), ("unauthorized", ["", "", ""]));
}

#[tokio::test]
async fn who_knows_only_the_public_part_of_a_key_uses_nothing_of_its_limit() {
    let server = Server::with(&[("API_REQUESTS_PER_MINUTE", "2")]).await;
    let app = server.app("Acme").await;
    // Another secret under the same id, stored as another app's key would be: right in form, wrong in fact.
    server.sql("UPDATE api_keys SET key_hash = sha256(key_hash)").await;
    for _ in 0..5 {
        let reply = server.get(&app, "/api/calls").await;
        assert_eq!((reply.refusal(401).0.as_str(), standing(&reply)), ("unauthorized", ["", "", ""]));
    }
    assert_eq!(server.count("SELECT count(*) FROM rate_limits").await, 0);
}

#[tokio::test]
async fn a_limit_of_zero_is_none_and_counts_nothing() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    assert_eq!(standing(&server.get(&app, "/api/calls").await), ["", "", ""]);
    assert_eq!(server.count("SELECT count(*) FROM rate_limits").await, 0);
}

#[tokio::test]
async fn requests_at_once_are_all_counted() {
    let server = Server::with(&[("API_REQUESTS_PER_MINUTE", "10")]).await;
    let app = server.app("Acme").await;
    let asks = (0..30).map(|_| server.get(&app, "/api/voicemails/unread-count"));
    let replies = futures_util::future::join_all(asks).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 10);
    assert_eq!(replies.iter().filter(|reply| reply.status == 429).count(), 20);
}

#[tokio::test]
async fn a_key_that_is_shown_is_looked_up_counted_and_noted_in_one_statement() {
    let server = Server::with(&[("API_REQUESTS_PER_MINUTE", "10")]).await;
    let app = server.app("Acme").await;
    server.get(&app, "/api/voicemails/unread-count").await.expect(200);
    assert_eq!(server.count("SELECT sum(requests) FROM rate_limits").await, 1);
    assert_eq!(server.count("SELECT count(*) FROM api_keys WHERE last_used_at IS NOT NULL").await, 1);
    // Nothing of a counter is written to the log of the database.
    let kind = "SELECT count(*) FROM pg_class WHERE relname = 'rate_limits' AND relpersistence = 'u'";
    assert_eq!(server.count(kind).await, 1);
}
