//! The WebSocket API: the handshake, events, routes, answers.

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use axum::body::Body;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::edge_stack::{Plan, failed, refusal, status};

#[tokio::test]
async fn the_handshake_waits_for_connect() {
    let (plan, gate) = Plan::new().gated_route("$connect");
    let stack = plan.echo().start().await;
    let mut connecting = Box::pin(stack.connect());
    tokio::select! {
        _ = &mut connecting => panic!("$connect has not answered"),
        _ = stack.event("$connect") => {}
    }
    assert!(connecting.as_mut().now_or_never().is_none());
    gate.notify_one();
    let mut client = connecting.await;
    client.say("hello").await;
    assert_eq!(client.hear().await, "hello");
}

#[tokio::test]
async fn a_refused_handshake_has_the_functions_status_and_no_body() {
    for code in [400, 401, 403, 429, 503] {
        let answer = json!({ "statusCode": code, "body": "the reason" });
        let stack = Plan::new().route("$connect", false, move |_event| Ok(answer.clone())).start().await;
        assert_eq!(refusal(&stack, "/ws").await, code);
        assert_eq!(stack.edge.open_connections(), 0);
        assert_eq!(stack.untaken(), ["$connect"], "no $disconnect for a connection that never was");
    }
}

#[tokio::test]
async fn a_connect_function_that_fails_refuses_with_502() {
    let stack = Plan::new().route("$connect", false, |_event| Err(failed())).start().await;
    assert_eq!(refusal(&stack, "/ws").await, 502);
    for malformed in [Value::Null, json!({}), json!("ok"), json!({ "statusCode": 100 })] {
        let stack = Plan::new().route("$connect", false, move |_event| Ok(malformed.clone())).start().await;
        assert_eq!(refusal(&stack, "/ws").await, 502);
    }
}

#[tokio::test]
async fn a_connect_function_that_takes_too_long_refuses_with_504() {
    let stack = Plan::new()
        .slow_route("$connect", false, |_event| std::future::pending())
        .limits(|limits| limits.integration_timeout = Duration::from_millis(50))
        .start()
        .await;
    assert_eq!(refusal(&stack, "/ws").await, 504);
}

#[tokio::test]
async fn without_a_connect_route_everyone_may_connect() {
    let stack = Plan::new().without("$connect").echo().start().await;
    let mut client = stack.connect().await;
    client.say("hello").await;
    assert_eq!(client.hear().await, "hello");
}

#[tokio::test]
async fn only_the_stage_takes_websockets() {
    let stack = Plan::new().http("ANY /{proxy+}", |_event| Ok(status(200))).start().await;
    assert_eq!(refusal(&stack, "/").await, 403);
    assert_eq!(refusal(&stack, "/other").await, 403);
    assert_eq!(stack.get("/ws").await.status, 200, "a plain request goes to the HTTP API");
    assert!(stack.try_connect("/ws/", &[]).await.is_ok());
}

#[tokio::test]
async fn a_malformed_handshake_is_a_bad_request() {
    let stack = Plan::new().start().await;
    let complete = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for missing in ["connection", "sec-websocket-version", "sec-websocket-key"] {
        let headers: Vec<_> = complete.into_iter().filter(|(name, _value)| *name != missing).collect();
        assert_eq!(stack.send("GET", "/ws", &headers, Body::empty()).await.status, 400, "without {missing}");
    }
    assert_eq!(stack.send("POST", "/ws", &complete, Body::empty()).await.status, 400);
    assert_eq!(stack.untaken(), [""; 0]);
}

#[tokio::test]
async fn a_subprotocol_is_echoed_only_when_connect_returns_it() {
    let offered = [("sec-websocket-protocol", "cti.v1")];
    let stack = Plan::new().start().await;
    // The client library itself refuses an offer that is not taken up.
    assert!(matches!(stack.try_connect("/ws", &offered).await, Err(Error::Protocol(_))));

    let answer = json!({ "statusCode": 200, "headers": { "Sec-WebSocket-Protocol": "cti.v1" } });
    let stack = Plan::new().route("$connect", false, move |_event| Ok(answer.clone())).start().await;
    let (_client, response) = stack.try_connect("/ws", &offered).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "cti.v1");
}

#[tokio::test]
async fn a_connect_event_carries_headers_and_query() {
    let stack = Plan::new().start().await;
    let headers =
        [("x-app-api-key", "app_1"), ("user-agent", "test/1.0"), ("x-many", "one"), ("x-many", "two")];
    stack.try_connect("/ws?user_id=a%20b&user_id=c", &headers).await.unwrap();
    let event = stack.event("$connect").await;
    assert_eq!(event["headers"]["x-app-api-key"], "app_1");
    assert_eq!(event["headers"]["x-many"], "two");
    assert_eq!(event["multiValueHeaders"]["x-many"], json!(["one", "two"]));
    assert_eq!(event["headers"]["x-forwarded-for"], "127.0.0.1");
    assert!(event["headers"]["x-amzn-trace-id"].as_str().unwrap().starts_with("Root=1-"));
    assert_eq!(event["queryStringParameters"], json!({ "user_id": "c" }));
    assert_eq!(event["multiValueQueryStringParameters"], json!({ "user_id": ["a b", "c"] }));
    assert_eq!(event["isBase64Encoded"], false);
    assert_eq!(event.get("body"), None);

    let context = &event["requestContext"];
    for (field, value) in [
        ("routeKey", json!("$connect")),
        ("eventType", json!("CONNECT")),
        ("messageDirection", json!("IN")),
        ("stage", json!("ws")),
        ("apiId", json!("WebSocketApi")),
        ("domainName", json!(stack.address.to_string())),
        ("identity", json!({ "sourceIp": "127.0.0.1", "userAgent": "test/1.0" })),
    ] {
        assert_eq!(context[field], value, "{field}");
    }
    let now = stack.clock.now().timestamp_millis();
    for field in ["connectedAt", "requestTimeEpoch"] {
        assert!((now - 10_000..=now).contains(&context[field].as_i64().unwrap()), "{field}");
    }
    for field in ["requestId", "extendedRequestId", "connectionId"] {
        assert_eq!(context[field].as_str().unwrap().len(), 16, "{field}");
    }
    assert!(context["requestTime"].as_str().unwrap().ends_with(" +0000"));
    assert_eq!(context.get("messageId"), None);
    let parsed: ApiGatewayWebsocketProxyRequest = serde_json::from_value(event).unwrap();
    assert_eq!(parsed.query_string_parameters.first("user_id"), Some("c"));
}

#[tokio::test]
async fn a_connection_id_must_be_percent_encoded_and_never_repeats() {
    let stack = Plan::new().start().await;
    let (_first, one) = stack.connect_with_id().await;
    let (_second, other) = stack.connect_with_id().await;
    assert_ne!(one, other);
    assert!(one.len() == 16 && one.ends_with('='), "{one}");
}

#[tokio::test]
async fn a_message_event_carries_the_body_and_no_headers() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    client.say(r#"{"action":"ping"}"#).await;
    let event = stack.event("$default").await;
    assert_eq!(event["body"], r#"{"action":"ping"}"#);
    assert_eq!(event["isBase64Encoded"], false);
    assert_eq!(event.get("headers"), None);
    let context = &event["requestContext"];
    assert_eq!(context["eventType"], "MESSAGE");
    assert_eq!(context["routeKey"], "$default");
    assert_eq!(context["connectionId"], id);
    assert_eq!(context["messageId"].as_str().unwrap().len(), 16);
    assert!(context["connectedAt"].is_i64() && context["requestTimeEpoch"].is_i64());
    serde_json::from_value::<ApiGatewayWebsocketProxyRequest>(event).unwrap();
}

#[tokio::test]
async fn a_json_member_selects_the_route_and_all_else_is_default() {
    let answer = |event: Value| Ok(json!({ "statusCode": 200, "body": event["requestContext"]["routeKey"] }));
    let stack = Plan::new().route("$default", true, answer).route("ping", true, answer).start().await;
    let mut client = stack.connect().await;
    for (text, key) in [
        (r#"{"action":"ping"}"#, "ping"),
        (r#"{"action":"pong"}"#, "$default"),
        (r#"{"action":7}"#, "$default"),
        (r#"{"other":"ping"}"#, "$default"),
        (r#"["ping"]"#, "$default"),
        (r#""ping""#, "$default"),
        ("ping", "$default"),
        ("", "$default"),
    ] {
        client.say(text).await;
        assert_eq!(client.hear().await, key, "{text}");
    }
}

#[tokio::test]
async fn a_client_cannot_name_the_gateways_own_routes() {
    let stack = Plan::new().echo().start().await;
    let (mut client, _id) = stack.connect_with_id().await;
    for name in ["$connect", "$disconnect", "$default"] {
        let text = json!({ "action": name }).to_string();
        client.say(&text).await;
        assert_eq!(client.hear().await, text);
    }
    assert_eq!(stack.untaken(), ["$default", "$default", "$default"]);
}

#[tokio::test]
async fn a_message_without_a_route_is_forbidden() {
    let stack = Plan::new().without("$default").start().await;
    let (mut client, id) = stack.connect_with_id().await;
    client.say("hello").await;
    let frame = client.hear_json().await;
    assert_eq!((&frame["message"], &frame["connectionId"]), (&json!("Forbidden"), &json!(id)));
    assert_eq!(frame["requestId"].as_str().unwrap().len(), 16);
}

#[tokio::test]
async fn an_answer_goes_back_only_by_a_route_response() {
    let answer = |_event| Ok(json!({ "statusCode": 200, "body": "answer" }));
    let stack = Plan::new().route("one-way", false, answer).route("two-way", true, answer).start().await;
    let mut client = stack.connect().await;
    client.say(r#"{"action":"one-way"}"#).await;
    client.say(r#"{"action":"two-way"}"#).await;
    assert_eq!(client.hear().await, "answer");
    assert_eq!(stack.untaken(), ["$connect", "one-way", "two-way"], "both ran, one answered");
}

#[tokio::test]
async fn an_answer_without_a_body_sends_nothing() {
    let answer = |event: Value| match event["body"].as_str() {
        Some("nothing") => Ok(status(200)),
        Some("null") => Ok(Value::Null),
        _ => Ok(json!({ "statusCode": 500, "body": "something" })),
    };
    let stack = Plan::new().route("$default", true, answer).start().await;
    let mut client = stack.connect().await;
    for text in ["nothing", "null", "more"] {
        client.say(text).await;
    }
    assert_eq!(client.hear().await, "something");
}

#[tokio::test]
async fn a_message_whose_function_fails_brings_an_error_frame_and_keeps_the_connection() {
    let answer = |event: Value| match event["body"].as_str() {
        Some("ok") => Ok(json!({ "statusCode": 200, "body": "fine" })),
        _ => Err(failed()),
    };
    let stack = Plan::new().route("$default", true, answer).route("one-way", false, answer).start().await;
    let (mut client, id) = stack.connect_with_id().await;
    for text in ["x", r#"{"action":"one-way"}"#] {
        client.say(text).await;
        let frame = client.hear_json().await;
        assert_eq!(
            (&frame["message"], &frame["connectionId"]),
            (&json!("Internal server error"), &json!(id))
        );
        assert_eq!(frame["requestId"].as_str().unwrap().len(), 16);
    }
    client.say("ok").await;
    assert_eq!(client.hear().await, "fine");
}

#[tokio::test]
async fn a_message_whose_function_takes_too_long_brings_an_error_frame() {
    let stack = Plan::new()
        .slow_route("$default", true, |_event| std::future::pending())
        .limits(|limits| limits.integration_timeout = Duration::from_millis(50))
        .start()
        .await;
    let mut client = stack.connect().await;
    client.say("x").await;
    assert_eq!(client.hear_json().await["message"], "Endpoint request timed out");
}

#[tokio::test]
async fn the_messages_of_a_connection_run_one_at_a_time_in_order() {
    // The first of two messages takes longest: in parallel, its answer would come second.
    let slower_first = |event: Value| async move {
        let number: u64 = event["body"].as_str().unwrap().parse().unwrap();
        tokio::time::sleep(Duration::from_millis(20 - number)).await;
        Ok(json!({ "statusCode": 200, "body": event["body"] }))
    };
    let stack = Plan::new().slow_route("$default", true, slower_first).start().await;
    let mut client = stack.connect().await;
    for number in 0..20 {
        client.say(&number.to_string()).await;
    }
    for number in 0..20 {
        assert_eq!(client.hear().await, number.to_string());
    }
}

#[tokio::test]
async fn what_was_said_before_the_end_is_invoked_before_disconnect() {
    let stack = Plan::new().start().await;
    let mut client = stack.connect().await;
    for text in ["1", "2", "3"] {
        client.say(text).await;
    }
    client.socket.close(None).await.unwrap();
    stack.event("$disconnect").await;
    assert_eq!(stack.untaken(), ["$connect", "$default", "$default", "$default"]);
}

#[tokio::test]
async fn a_slow_message_does_not_delay_another_connection() {
    let answer = |event: Value| async move {
        if event["body"] == "slow" {
            std::future::pending::<()>().await;
        }
        Ok(json!({ "statusCode": 200, "body": event["body"] }))
    };
    let stack = Plan::new().slow_route("$default", true, answer).start().await;
    let (mut slow, mut fast) = (stack.connect().await, stack.connect().await);
    slow.say("slow").await;
    stack.event("$default").await;
    fast.say("fast").await;
    assert_eq!(fast.hear().await, "fast");
}

#[tokio::test]
async fn an_answer_above_128_kib_brings_an_error_frame() {
    let answer = |event: Value| {
        let length: usize = event["body"].as_str().unwrap().parse().unwrap();
        Ok(json!({ "statusCode": 200, "body": "a".repeat(length) }))
    };
    let stack = Plan::new().route("$default", true, answer).start().await;
    let mut client = stack.connect().await;
    client.say("131072").await;
    assert_eq!(client.hear().await.len(), 131_072);
    client.say("131073").await;
    assert_eq!(client.hear_json().await["message"], "Internal server error");
}
