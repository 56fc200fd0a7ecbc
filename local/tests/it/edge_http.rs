//! The HTTP API: events, routes, answers, limits.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use axum::body::Body;
use local::edge::Limits;
use local::lambda::InvokeError;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::edge_stack::{Plan, Stack, failed, soon, status};

/// A stack whose one route takes everything and answers 200.
async fn open_stack() -> Stack {
    Plan::new().http("$default", |_event| Ok(status(200))).start().await
}

#[tokio::test]
async fn an_event_has_payload_format_2_0() {
    let stack = Plan::new().http("POST /calls/{id}", |_event| Ok(status(200))).start().await;
    let headers = [
        ("host", "api.example.com:4000"),
        ("content-type", "application/json"),
        ("user-agent", "test/1.0"),
        ("X-Many", "one"),
        ("x-many", "two"),
        ("cookie", "a=1; b=2"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    stack
        .send("POST", "/calls/a%20b?tag=x&tag=y%26z&name=J%C3%BCrgen+M&empty=", &headers, r#"{"a":1}"#)
        .await;

    let event = stack.event("POST /calls/{id}").await;
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "POST /calls/{id}");
    assert_eq!(event["rawPath"], "/calls/a b");
    assert_eq!(event["rawQueryString"], "tag=x&tag=y%26z&name=J%C3%BCrgen+M&empty=");
    assert_eq!(event["queryStringParameters"], json!({ "tag": "x,y&z", "name": "Jürgen M", "empty": "" }));
    assert_eq!(event["pathParameters"], json!({ "id": "a b" }));
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(event["body"], r#"{"a":1}"#);
    assert_eq!(event["isBase64Encoded"], false);
    assert_eq!(event.get("stageVariables"), None);

    let headers = &event["headers"];
    assert_eq!(headers["x-many"], "one,two");
    assert_eq!(headers["content-length"], "7");
    assert_eq!(headers["x-forwarded-for"], "203.0.113.9, 127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-port"], "4000");
    assert_eq!(headers.get("cookie"), None);

    let context = &event["requestContext"];
    assert_eq!(context["domainName"], "api.example.com:4000");
    assert_eq!(context["domainPrefix"], "api");
    assert_eq!(context["stage"], "$default");
    assert_eq!(context["routeKey"], "POST /calls/{id}");
    let http = json!({
        "method": "POST", "path": "/calls/a b", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test/1.0",
    });
    assert_eq!(context["http"], http);
    let now = stack.clock.now();
    let age_millis = now.timestamp_millis() - context["timeEpoch"].as_i64().unwrap();
    assert!((0..10_000).contains(&age_millis));
    assert!(context["time"].as_str().unwrap().ends_with(" +0000"));

    serde_json::from_value::<ApiGatewayV2httpRequest>(event).unwrap();
}

#[tokio::test]
async fn what_a_request_does_not_have_is_absent() {
    let stack = open_stack().await;
    stack.get("/").await;
    let event = stack.event("$default").await;
    for absent in ["body", "cookies", "queryStringParameters", "pathParameters", "stageVariables"] {
        assert_eq!(event.get(absent), None, "{absent}");
    }
    assert_eq!(event["headers"]["content-length"], "0");
    assert_eq!(event["rawQueryString"], "");
    serde_json::from_value::<ApiGatewayV2httpRequest>(event).unwrap();
}

#[tokio::test]
async fn only_text_types_arrive_as_text() {
    let stack = open_stack().await;
    let text = [
        "application/json",
        "Application/JSON; charset=utf-8",
        "text/plain",
        "text/csv",
        "application/xml",
        "application/javascript",
    ];
    for content_type in text {
        stack.send("POST", "/", &[("content-type", content_type)], "hi").await;
        let event = stack.event("$default").await;
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!("hi"), &json!(false)),
            "{content_type}"
        );
    }
    let binary = [
        "application/jwt",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "image/png",
        "multipart/form-data; boundary=x",
    ];
    for content_type in binary {
        stack.send("POST", "/", &[("content-type", content_type)], "hi").await;
        let event = stack.event("$default").await;
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!("aGk="), &json!(true)),
            "{content_type}"
        );
    }
    stack.send("POST", "/", &[], "hi").await;
    assert_eq!(stack.event("$default").await["body"], "aGk=", "without a type");
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_survive_a_text_type() {
    let stack = open_stack().await;
    stack.send("POST", "/", &[("content-type", "application/json")], &b"{\xff}"[..]).await;
    let event = stack.event("$default").await;
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("e/99"), &json!(true)));
}

#[tokio::test]
async fn a_request_without_a_route_is_not_found() {
    let stack = Plan::new().http("GET /here", |_event| Ok(status(200))).start().await;
    assert_eq!(stack.get("/here").await.status, 200);
    for (method, path) in [("GET", "/there"), ("POST", "/here"), ("GET", "/here/")] {
        let reply = stack.send(method, path, &[], Body::empty()).await;
        assert_eq!((reply.status, reply.json()), (404, json!({ "message": "Not Found" })), "{method} {path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert!(reply.header("apigw-requestid").is_some());
    }
}

#[tokio::test]
async fn the_most_specific_route_wins() {
    let keys = ["$default", "ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1"];
    let plan =
        keys.into_iter().fold(Plan::new(), |plan, key| plan.http(key, |event| Ok(event["routeKey"].clone())));
    let stack = plan.start().await;
    for (method, path, key) in [
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
        ("POST", "/test/5", "ANY /{proxy+}"),
        ("GET", "/", "$default"),
    ] {
        assert_eq!(stack.send(method, path, &[], Body::empty()).await.json(), key, "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let stack = open_stack().await;
    let limit = 10 * 1024 * 1024;
    assert_eq!(stack.send("POST", "/", &[], vec![b'a'; limit]).await.status, 200);
    let reply = stack.send("POST", "/", &[], vec![b'a'; limit + 1]).await;
    assert_eq!((reply.status, reply.json()), (413, json!({ "message": "Request Entity Too Large" })));
}

#[tokio::test]
async fn lambdas_own_limit_is_told_apart_by_direction() {
    // What Lambda says of an event above 6 MB, and of an answer.
    for (error_type, status) in [("RequestTooLarge", 413), ("Function.ResponseSizeTooLarge", 500)] {
        let too_large = InvokeError::Failed { error_type: error_type.to_owned(), message: String::new() };
        let stack = Plan::new().http("$default", move |_event| Err(too_large.clone())).start().await;
        assert_eq!(stack.get("/").await.status, status, "{error_type}");
    }
}

#[test]
fn an_integration_may_take_29_seconds_and_a_body_may_have_10_megabytes() {
    let limits = Limits::default();
    assert_eq!((limits.integration_timeout.as_secs(), limits.body_bytes), (29, 10 * 1024 * 1024));
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_service_unavailable() {
    let stack = Plan::new()
        .slow_http("$default", |_event| std::future::pending())
        .limits(|limits| limits.integration_timeout = Duration::from_millis(50))
        .start()
        .await;
    let reply = stack.get("/").await;
    assert_eq!((reply.status, reply.json()), (503, json!({ "message": "Service Unavailable" })));
}

#[tokio::test]
async fn the_template_may_shorten_what_an_integration_may_take() {
    let stack = Plan::new()
        .slow_http("GET /slow", |_event| std::future::pending())
        .slow_http("GET /slower", |_event| async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(json!({ "statusCode": 200 }))
        })
        .timeout("GET /slow", Duration::from_millis(50))
        .start()
        .await;
    assert_eq!(stack.get("/slow").await.status, 503);
    assert_eq!(stack.get("/slower").await.status, 200);
}

#[tokio::test]
async fn a_function_that_fails_is_an_internal_server_error() {
    let malformed = [
        json!({ "statusCode": "two hundred" }),
        json!({ "statusCode": 99 }),
        json!({ "statusCode": 200, "body": { "an": "object" } }),
        json!({ "statusCode": 200, "body": "%%%", "isBase64Encoded": true }),
        json!({ "statusCode": 200, "headers": { "bad name": "x" } }),
        json!({ "statusCode": 200, "headers": { "x": "line\nbreak" } }),
        json!({ "statusCode": 200, "cookies": "a=1" }),
    ];
    let mut plan = Plan::new().http("GET /fails", |_event| Err(failed()));
    for (index, answer) in malformed.iter().cloned().enumerate() {
        plan = plan.http(&format!("GET /malformed/{index}"), move |_event| Ok(answer.clone()));
    }
    let stack = plan.start().await;
    let paths = (0..malformed.len()).map(|index| format!("/malformed/{index}")).chain(["/fails".to_owned()]);
    for path in paths {
        let reply = stack.get(&path).await;
        assert_eq!(
            (reply.status, reply.json()),
            (500, json!({ "message": "Internal Server Error" })),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_answer_sets_status_headers_cookies_and_body() {
    let answer = json!({
        "statusCode": 201,
        "headers": { "Content-Type": "application/problem+json", "x-number": 7, "connection": "close" },
        "multiValueHeaders": { "x-many": ["one", "two"] },
        "cookies": ["a=1; HttpOnly", "b=2"],
        "body": "aMO8",
        "isBase64Encoded": true,
    });
    let stack = Plan::new().http("$default", move |_event| Ok(answer.clone())).start().await;
    let reply = stack.get("/").await;
    assert_eq!((reply.status, &reply.body[..]), (201, "hü".as_bytes()));
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(reply.header("x-number"), Some("7"));
    assert_eq!(reply.header("x-many"), None, "format 2.0 has no multiValueHeaders");
    let cookies: Vec<_> = reply.head.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; HttpOnly", "b=2"]);
}

#[tokio::test]
async fn an_answer_without_a_status_is_a_200_with_that_json() {
    for answer in [json!({ "a": 1 }), json!([1, 2]), json!("text"), Value::Null] {
        let expected = answer.clone();
        let stack = Plan::new().http("$default", move |_event| Ok(answer.clone())).start().await;
        let reply = stack.get("/").await;
        assert_eq!((reply.status, reply.json()), (200, expected));
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn a_trace_id_is_made_or_passed_on() {
    let stack = open_stack().await;
    stack.get("/").await;
    let made = stack.event("$default").await["headers"]["x-amzn-trace-id"].as_str().unwrap().to_owned();
    assert!(made.starts_with("Root=1-") && made.len() == 40, "{made}");

    let own = "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c;Sampled=1";
    stack.send("GET", "/", &[("x-amzn-trace-id", own)], Body::empty()).await;
    assert_eq!(stack.event("$default").await["headers"]["x-amzn-trace-id"], own);
}

#[tokio::test]
async fn the_request_id_is_in_the_event_and_in_the_response() {
    let stack = open_stack().await;
    let reply = stack.get("/").await;
    let event = stack.event("$default").await;
    assert_eq!(event["requestContext"]["requestId"], reply.header("apigw-requestid").unwrap());
}

#[tokio::test]
async fn head_and_options_reach_the_function() {
    let stack = Plan::new()
        .http("ANY /{proxy+}", |_event| Ok(json!({ "statusCode": 200, "body": "hello" })))
        .start()
        .await;
    let head = stack.send("HEAD", "/a", &[], Body::empty()).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(stack.event("ANY /{proxy+}").await["requestContext"]["http"]["method"], "HEAD");
    let options = stack.send("OPTIONS", "/a", &[], Body::empty()).await;
    assert_eq!((options.status, &options.body[..]), (200, &b"hello"[..]));
    assert_eq!(options.header("content-type"), Some("text/plain; charset=utf-8"), "none was given");
    assert_eq!(stack.event("ANY /{proxy+}").await["requestContext"]["http"]["method"], "OPTIONS");
}

#[tokio::test]
async fn a_path_is_decoded_and_ends_at_a_decoded_question_mark() {
    let stack = open_stack().await;
    stack.get("/a%2Fb%3Fc=d?e=f").await;
    let event = stack.event("$default").await;
    assert_eq!((&event["rawPath"], &event["rawQueryString"]), (&json!("/a/b"), &json!("e=f")));
    assert_eq!(stack.get("/%ff").await.status, 400);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_function() {
    let (gate, finished) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (open, done) = (Arc::clone(&gate), Arc::clone(&finished));
    let slow = move |_event| {
        let (open, done) = (Arc::clone(&open), Arc::clone(&done));
        async move {
            open.notified().await;
            done.notify_one();
            Ok(status(200))
        }
    };
    let stack = Plan::new().slow_http("$default", slow).start().await;
    tokio::select! {
        _ = stack.get("/") => panic!("the function has not answered"),
        _ = stack.event("$default") => {}
    }
    gate.notify_one();
    soon("the end of the function", finished.notified()).await;
}

#[tokio::test]
async fn a_query_value_of_10_000_characters_arrives_whole() {
    let stack = open_stack().await;
    let long = "x".repeat(10_000);
    assert_eq!(stack.get(&format!("/?q={long}")).await.status, 200);
    assert_eq!(stack.event("$default").await["queryStringParameters"]["q"], long);
}

#[tokio::test]
async fn a_slow_function_does_not_delay_another() {
    let stack = Plan::new()
        .slow_http("GET /slow", |_event| std::future::pending())
        .http("GET /fast", |_event| Ok(status(200)))
        .start()
        .await;
    let slow = futures_util::future::join_all((0..100).map(|_| stack.get("/slow")));
    tokio::select! {
        _ = slow => panic!("the slow function never answers"),
        reply = stack.get("/fast") => assert_eq!(reply.status, 200),
    }
}
