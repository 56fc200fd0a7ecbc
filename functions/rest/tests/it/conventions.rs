//! What all routes have in common.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;
use shared::testing::ManualClock;

use crate::server::{Reply, SECRET, Server, send, service};

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn post(path: &str, content_type: Option<&str>, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path).header("authorization", format!("Bearer {SECRET}"));
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.body(body.into()).unwrap()
}

async fn make_app(server: &Server, content_type: Option<&str>, body: impl Into<Body>) -> Reply {
    server.send(post("/internal/apps", content_type, body)).await
}

#[tokio::test]
async fn the_server_says_that_it_runs() {
    let reply = Server::new().await.send(get("/")).await;
    assert_eq!(reply.body, br#"{"message":"CTI Server is running"}"#);
    assert_eq!(reply.header("content-type"), "application/json");
}

#[tokio::test]
async fn health_tells_of_the_database_and_of_what_waits() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server
        .sql(&format!(
            "INSERT INTO webhook_events (app_id, event_type, payload, received_at)
             VALUES ('{}', 'ringing', '{{}}', '2026-05-28T20:26:30Z')",
            app.id
        ))
        .await;
    let health = server.send(get("/health")).await.expect(200);
    assert_eq!((&health["status"], &health["database"]["ok"]), (&json!("healthy"), &json!(true)));
    assert_eq!(health["queue"], json!({"pending": 1, "oldest_pending_seconds": 10}));
}

#[tokio::test]
async fn while_the_database_is_away_the_answer_is_503_and_says_when_to_come_back() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("postgres://someone:hunter2@127.0.0.1:{port}/postgres");
    let router = service(&url, &ManualClock::default(), &[]);

    let health = send(&router, get("/health")).await;
    assert_eq!(health.header("retry-after"), "1");
    assert_eq!(health.expect(503)["database"]["ok"], json!(false));

    let listed = Request::get("/internal/apps").header("authorization", format!("Bearer {SECRET}"));
    let reply = send(&router, listed.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.refusal(503).0, "database_unavailable");
    assert_eq!(reply.header("retry-after"), "1");
    assert!(!String::from_utf8(reply.body).unwrap().contains("hunter2"));

    // A key with a typo needs no database.
    let typo = Request::get("/api/calls").header("x-app-api-key", "app_x").body(Body::empty()).unwrap();
    assert_eq!(send(&router, typo).await.refusal(401).0, "unauthorized");
}

#[tokio::test]
async fn a_database_that_goes_away_and_comes_back_is_asked_again() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server.get(&app, "/api/calls").await.expect(200);
    let others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let cut = format!("SELECT count(pg_terminate_backend(pid, 5000)) {others}");
    assert!(server.count(&cut).await > 0);
    for _ in 0..2 {
        server.get(&app, "/api/calls").await.expect(200);
    }
}

#[tokio::test]
async fn a_request_id_is_sent_back_or_made() {
    let server = Server::new().await;
    let with = |id: &str| Request::get("/").header("x-request-id", id).body(Body::empty()).unwrap();
    assert_eq!(server.send(with("order-17")).await.header("x-request-id"), "order-17");
    for unfit in ["two words", &"x".repeat(129)] {
        let id = server.send(with(unfit)).await.header("x-request-id").to_owned();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");
    }
    assert!(!server.send(get("/nowhere")).await.header("x-request-id").is_empty());
}

#[tokio::test]
async fn an_unknown_path_is_404_and_the_short_form_of_the_guide_is_put_right() {
    let server = Server::new().await;
    for path in ["/nowhere", "/api", "/api/calls/", "/internal/", "/%00", "/webhooks/dialpad"] {
        assert_eq!(server.send(get(path)).await.refusal(404).0, "no_route", "{path}");
    }
    let reply = server.send(post("/internal/users/map", None, "{}")).await;
    assert_eq!(reply.refusal(404).0, "no_route");
    let problem = reply.json();
    assert!(problem["detail"].as_str().unwrap().contains("/internal/apps/{app_id}/users/map"), "{problem}");
    assert_eq!(problem["instance"], "/internal/users/map");
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_methods_there_are() {
    let server = Server::new().await;
    for (method, path, allowed) in [
        (Method::DELETE, "/", "GET, HEAD, OPTIONS"),
        (Method::PUT, "/internal/apps", "POST, GET, HEAD, OPTIONS"),
        (Method::GET, "/internal/apps/x/api-key", "POST, OPTIONS"),
        (Method::TRACE, "/health", "GET, HEAD, OPTIONS"),
    ] {
        let reply =
            server.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.refusal(405).0, "method_not_allowed", "{path}");
        let sorted = |text: &str| {
            let mut methods: Vec<_> = text.split(", ").map(str::to_owned).collect();
            methods.sort();
            methods
        };
        assert_eq!(sorted(reply.header("allow")), sorted(allowed), "{path}");
    }
}

#[tokio::test]
async fn options_and_head_are_answered_everywhere() {
    let server = Server::with(&[("CORS_ALLOWED_ORIGINS", "https://crm.example")]).await;
    for path in ["/", "/api/calls", "/internal/apps"] {
        let reply = server
            .send(Request::builder().method(Method::OPTIONS).uri(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(reply.status, 204, "{path}");
        assert!(reply.header("allow").contains("GET") && reply.header("allow").contains("OPTIONS"), "{path}");
    }
    let head = server.send(Request::head("/").body(Body::empty()).unwrap()).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), "35");
    let refused = server.send(Request::head("/api/calls").body(Body::empty()).unwrap()).await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (401, 0));
}

#[tokio::test]
async fn browsers_of_configured_origins_may_call_the_api_but_never_internal() {
    let server = Server::with(&[("CORS_ALLOWED_ORIGINS", "https://crm.example")]).await;
    let preflight = |path: &str, origin: &str| {
        Request::builder()
            .method(Method::OPTIONS)
            .uri(path)
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "x-app-api-key")
            .body(Body::empty())
            .unwrap()
    };
    let allowed = server.send(preflight("/api/calls", "https://crm.example")).await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://crm.example");
    assert!(allowed.header("access-control-allow-headers").contains("x-app-api-key"));
    for (path, origin) in [("/api/calls", "https://evil.example"), ("/internal/apps", "https://crm.example")]
    {
        let reply = server.send(preflight(path, origin)).await;
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
    // A refusal is readable in the browser too.
    let refused =
        Request::get("/api/calls").header("origin", "https://crm.example").body(Body::empty()).unwrap();
    let refused = server.send(refused).await;
    assert_eq!(refused.refusal(401).0, "unauthorized");
    assert_eq!(refused.header("access-control-allow-origin"), "https://crm.example");

    let any = Server::with(&[("CORS_ALLOWED_ORIGINS", "*")]).await;
    assert_eq!(
        any.send(preflight("/api/calls", "https://a.example")).await.header("access-control-allow-origin"),
        "*"
    );
    assert_eq!(
        any.send(preflight("/internal/apps", "https://a.example"))
            .await
            .header("access-control-allow-origin"),
        ""
    );
    let none = Server::new().await;
    assert_eq!(
        none.send(preflight("/api/calls", "https://a.example")).await.header("access-control-allow-origin"),
        ""
    );
}

#[tokio::test]
async fn a_body_that_is_not_json_is_400() {
    let server = Server::new().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "{",
        "",
        "name=x",
        "{\"name\":\"\\ud800\"}",
        "{\"name\":\"\u{1}\"}",
        "{\"name\":1e999}",
        deep.as_str(),
    ] {
        let reply = make_app(&server, Some("application/json"), body.to_owned()).await;
        assert!(["malformed_json", "body_missing"].contains(&reply.refusal(400).0.as_str()));
    }
    let reply = make_app(&server, Some("application/json"), b"{\"name\":\"\xff\"}".to_vec()).await;
    assert_eq!(reply.refusal(400).0, "malformed_json");
}

#[tokio::test]
async fn a_body_of_another_type_is_415_and_one_without_a_type_is_json() {
    let server = Server::new().await;
    for content_type in
        ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "json"]
    {
        let reply = make_app(&server, Some(content_type), r#"{"name":"x"}"#).await;
        assert_eq!(reply.refusal(415).0, "unsupported_media_type", "{content_type}");
    }
    for content_type in [None, Some("application/json; charset=utf-8"), Some("APPLICATION/JSON")] {
        make_app(&server, content_type, r#"{"name":"x"}"#).await.expect(201);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let server = Server::new().await;
    let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    assert_eq!(make_app(&server, Some("application/json"), body).await.refusal(413).0, "body_too_large");
}

#[tokio::test]
async fn wrong_fields_are_422_and_named() {
    let server = Server::new().await;
    let long = "x".repeat(10_000);
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({"name": ""}), "/name"),
        (json!({"name": " \t "}), "/name"),
        (json!({"name": null}), "/name"),
        (json!({"name": 7}), "/name"),
        (json!({"name": long}), "/name"),
        (json!({"name": "a\u{0}b"}), "/name"),
        (json!({"name": "a", "nmae": "b"}), "/nmae"),
        (json!([]), ""),
        (json!("text"), ""),
        (json!(null), ""),
    ] {
        let reply = make_app(&server, None, body.to_string()).await;
        let (code, pointers) = reply.refusal(422);
        assert_eq!((code.as_str(), pointers), ("invalid", vec![pointer.to_owned()]), "{body}");
    }
}

#[tokio::test]
async fn unknown_parameters_are_422_on_every_route() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    for path in [
        "/?x=1",
        "/health?x=1",
        "/api/calls?x=1",
        "/api/calls/active?status=ringing",
        "/api/events?cursor=1",
        "/api/voicemails?x=1",
        "/api/voicemails/unread-count?x=1",
    ] {
        assert_eq!(server.get(&app, path).await.refusal(422).0, "invalid", "{path}");
    }
    for path in ["", "/api-key/status", "/api-key/audit", "/audit", "/voicemails", "/users/mappings"] {
        let reply = server.operator_get(&format!("/internal/apps/{}{path}?limt=5", app.id)).await;
        assert_eq!(reply.refusal(422).1, ["limt"], "{path}");
    }
    let path = format!("/internal/apps/{}/api-key?grace_seconds=5", app.id);
    let rotated = server.operator(Method::POST, &path, None).await;
    assert_eq!(rotated.refusal(422).1, ["grace_seconds"]);
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_404() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let base = format!("/internal/apps/{}", app.id);
    for path in [
        "/internal/apps/not-a-uuid".to_owned(),
        "/internal/apps/550e8400.../voicemails".to_owned(),
        format!("{base}/voicemails/uuid"),
        format!("{base}/users/mappings/dialpad/abc"),
        format!("{base}/users/mappings/dialpad/99999999999999999999"),
        format!("{base}/users/mappings/crm/a%00b"),
        format!("{base}/users/mappings/crm/%ff"),
    ] {
        assert_eq!(server.operator_get(&path).await.refusal(404).0, "not_found", "{path}");
    }
    for path in ["/api/calls/99999999999999999999", "/api/calls/x%00", "/api/voicemails/123"] {
        assert_eq!(server.get(&app, path).await.refusal(404).0, "not_found", "{path}");
    }
}

#[tokio::test]
async fn the_function_reads_an_event_of_the_http_api() {
    let server = Server::new().await;
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/internal/apps", "rawQueryString": "",
        "headers": {"host": "cti.example", "x-forwarded-proto": "https", "authorization": format!("Bearer {SECRET}")},
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": "cti.example", "domainPrefix": "cti",
            "http": {"method": "POST", "path": "/internal/apps", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "curl"},
            "requestId": "id", "routeKey": "$default", "stage": "$default", "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64
        },
        // {"name":"Acme"}: a body without a type comes in base64.
        "body": "eyJuYW1lIjoiQWNtZSJ9", "isBase64Encoded": true
    });
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let response = rest::handle(server.router.clone(), request).await.unwrap();
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with("/internal/apps/"), "{location}");
    server.operator_get(&location).await.expect(200);
}
