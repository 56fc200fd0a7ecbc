//! Apps, and the operator's credential.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;

use crate::server::{SECRET, Server};

#[tokio::test]
async fn an_app_is_made_with_a_key_and_a_webhook_secret_that_are_shown_once() {
    let server = Server::new().await;
    let reply = server.operator(Method::POST, "/internal/apps", Some(json!({"name": "  Acme  "}))).await;
    let location = reply.header("location").to_owned();
    let made = reply.expect(201);
    let id = made["app_id"].as_str().unwrap();
    assert_eq!((&made["success"], &made["app_name"]), (&json!(true), &json!("Acme")));
    assert_eq!(made["webhook_url"], format!("https://cti.example/webhooks/dialpad/{id}"));
    assert_eq!(made["webhook_secret"].as_str().unwrap().len(), 64);
    assert!(made["api_key"].as_str().unwrap().starts_with("app_"));
    assert_eq!(made["created_at"], "2026-05-28T20:26:40.000Z");

    assert_eq!(location, format!("/internal/apps/{id}"));
    let shown = server.operator_get(&location).await.expect(200);
    assert_eq!(shown["data"]["app_name"], "Acme");
    assert_eq!(shown["data"]["api_key_rotated_at"], "2026-05-28T20:26:40.000Z");
    let text = shown.to_string();
    assert!(
        !text.contains(made["webhook_secret"].as_str().unwrap()) && !text.contains("api_key\":"),
        "{text}"
    );

    let rows = format!("SELECT count(*) FROM api_key_audit_log WHERE app_id = '{id}' AND action = 'created'");
    assert_eq!(server.count(&rows).await, 1);
    assert_eq!(server.count(&format!("SELECT count(*) FROM app_streams WHERE app_id = '{id}'")).await, 1);
}

#[tokio::test]
async fn only_an_operator_gets_in() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let with = |name: &str, value: &str| {
        Request::get("/internal/apps").header(name, value).body(Body::empty()).unwrap()
    };
    let wrong = [
        ("authorization", "Bearer wrong".to_owned()),
        ("authorization", format!("Basic {SECRET}")),
        ("authorization", SECRET.to_owned()),
        ("authorization", "Bearer ".to_owned()),
        ("x-app-api-key", app.key.clone()),
    ];
    for (name, value) in wrong {
        let reply = server.send(with(name, &value)).await;
        assert_eq!(reply.refusal(401).0, "unauthorized", "{name}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }
    server.send(with("authorization", &format!("bearer {SECRET}"))).await.expect(200);
}

#[tokio::test]
async fn without_a_secret_internal_is_closed_unless_it_is_opened() {
    let list = || Request::get("/internal/apps").body(Body::empty()).unwrap();
    let closed = Server::with(&[("INTERNAL_API_SECRET", "")]).await;
    let reply = closed.send(list()).await;
    assert_eq!(reply.refusal(503).0, "internal_closed");
    assert!(!reply.header("retry-after").is_empty());
    let open = Server::with(&[("INTERNAL_API_SECRET", ""), ("ALLOW_OPEN_INTERNAL", "true")]).await;
    open.send(list()).await.expect(200);
    let both = Server::with(&[("ALLOW_OPEN_INTERNAL", "true")]).await;
    assert_eq!(both.send(list()).await.refusal(401).0, "unauthorized");
}

#[tokio::test]
async fn an_app_is_renamed_and_switched_off_and_every_change_is_audited() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let path = format!("/internal/apps/{}", app.id);
    let change = async |body| server.operator(Method::PATCH, &path, Some(body)).await;

    let off = change(json!({"name": "Acme Ltd", "is_active": false})).await.expect(200);
    assert_eq!((&off["data"]["app_name"], &off["data"]["is_active"]), (&json!("Acme Ltd"), &json!(false)));
    assert_eq!(server.get(&app, "/api/calls").await.refusal(403).0, "app_inactive");
    change(json!({"is_active": false})).await.expect(200);
    change(json!({"is_active": true})).await.expect(200);
    server.get(&app, "/api/calls").await.expect(200);

    assert_eq!(change(json!({"is_active": null})).await.refusal(422).1, ["/is_active"]);
    assert_eq!(change(json!({"webhook_secret": "x"})).await.refusal(422).1, ["/webhook_secret"]);
    let unknown = format!("/internal/apps/{}", uuid::Uuid::now_v7());
    assert_eq!(server.operator(Method::PATCH, &unknown, Some(json!({}))).await.refusal(404).0, "not_found");

    let audit = server.operator_get(&format!("{path}/audit")).await.expect(200);
    let entries = audit["data"].as_array().unwrap();
    let of = |action: &str| entries.iter().filter(|entry| entry["action"] == action).count();
    assert_eq!((of("app.changed"), of("app.created"), of("api_key.created"), entries.len()), (2, 1, 1, 4));
    let changes = server.operator_get(&format!("{path}/audit?action=app.changed")).await.expect(200);
    assert_eq!(changes["data"].as_array().unwrap().len(), 2);
    assert!(changes["data"][0]["request_id"].as_str().is_some_and(|id| !id.is_empty()));
}

#[tokio::test]
async fn apps_are_listed() {
    let server = Server::new().await;
    for name in ["One", "Two", "Three"] {
        server.app(name).await;
        server.clock.advance(chrono::TimeDelta::seconds(1));
    }
    let list = server.operator_get("/internal/apps?limit=2&include=total").await.expect(200);
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|app| app["app_name"].clone()).collect();
    assert_eq!(names, ["Three", "Two"]);
    assert_eq!((&list["pagination"]["total"], &list["pagination"]["has_more"]), (&json!(3), &json!(true)));
}
