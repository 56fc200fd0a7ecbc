//! User mappings.

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::server::{App, Reply, Server};

impl Server {
    async fn map(&self, app: &App, body: Value) -> Reply {
        self.operator(Method::POST, &format!("/internal/apps/{}/users/map", app.id), Some(body)).await
    }

    async fn batch(&self, app: &App, mappings: Value) -> Reply {
        let path = format!("/internal/apps/{}/users/batch-map", app.id);
        self.operator(Method::POST, &path, Some(json!({ "mappings": mappings }))).await
    }

    async fn mapping_audit(&self, app: &App) -> Vec<(String, Value)> {
        let audit = self.operator_get(&format!("/internal/apps/{}/audit", app.id)).await.expect(200);
        let entries = audit["data"].as_array().unwrap().iter();
        entries
            .map(|entry| (entry["action"].as_str().unwrap().to_owned(), entry["detail"].clone()))
            .filter(|(action, _)| action.starts_with("mapping."))
            .collect()
    }
}

#[tokio::test]
async fn a_mapping_is_created_changed_or_left_as_it_is() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let reply = server.map(&app, json!({"dialpad_user_id": 987_654, "crm_user_id": "user_abc"})).await;
    let location = reply.header("location").to_owned();
    let created = reply.expect(201);
    assert_eq!((&created["success"], &created["message"]), (&json!(true), &json!("User mapping created")));
    assert_eq!(created["data"]["dialpad_user_id"], "987654");
    assert_eq!(
        (&created["data"]["crm_user_id"], &created["data"]["app_id"]),
        (&json!("user_abc"), &json!(app.id))
    );
    assert_eq!(server.operator_get(&location).await.expect(200)["data"], created["data"]);

    server.clock.advance(TimeDelta::seconds(1));
    let same =
        server.map(&app, json!({"dialpad_user_id": "987654", "crm_user_id": "user_abc"})).await.expect(200);
    assert_eq!((&same["message"], &same["data"]), (&json!("User mapping unchanged"), &created["data"]));
    let changed =
        server.map(&app, json!({"dialpad_user_id": "987654", "crm_user_id": "user_def"})).await.expect(200);
    assert_eq!(changed["message"], "User mapping updated");
    assert_eq!(
        (&changed["data"]["id"], &changed["data"]["crm_user_id"]),
        (&created["data"]["id"], &json!("user_def"))
    );
    assert_eq!(changed["data"]["updated_at"], "2026-05-28T20:26:41.000Z");

    let expected = [
        (
            "mapping.updated".to_owned(),
            json!({"dialpad_user_id": "987654", "crm_user_id": "user_def", "previous_crm_user_id": "user_abc"}),
        ),
        ("mapping.created".to_owned(), json!({"dialpad_user_id": "987654", "crm_user_id": "user_abc"})),
    ];
    assert_eq!(server.mapping_audit(&app).await, expected);
}

#[tokio::test]
async fn wrong_mappings_are_422_and_named() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    for (body, wrong) in [
        (json!({"crm_user_id": "a"}), "/dialpad_user_id"),
        (json!({"dialpad_user_id": 1}), "/crm_user_id"),
        (json!({"dialpad_user_id": 0, "crm_user_id": "a"}), "/dialpad_user_id"),
        (json!({"dialpad_user_id": "x", "crm_user_id": "a"}), "/dialpad_user_id"),
        (json!({"dialpad_user_id": 1.5, "crm_user_id": "a"}), "/dialpad_user_id"),
        (json!({"dialpad_user_id": "9223372036854775808", "crm_user_id": "a"}), "/dialpad_user_id"),
        (json!({"dialpad_user_id": u64::MAX, "crm_user_id": "a"}), "/dialpad_user_id"),
        (json!({"dialpad_user_id": 1, "crm_user_id": ""}), "/crm_user_id"),
        (json!({"dialpad_user_id": 1, "crm_user_id": 5}), "/crm_user_id"),
        (json!({"dialpad_user_id": 1, "crm_user_id": {}}), "/crm_user_id"),
        (json!({"dialpad_user_id": 1, "crm_user_id": "a\u{0}"}), "/crm_user_id"),
        (json!({"dialpad_user_id": 1, "crm_user_id": "x".repeat(10_000)}), "/crm_user_id"),
        (json!({"dialpad_user_id": 1, "crm_user_id": "a", "role": "agent"}), "/role"),
    ] {
        assert_eq!(server.map(&app, body.clone()).await.refusal(422).1, [wrong], "{body}");
    }
    let largest = json!({"dialpad_user_id": i64::MAX, "crm_user_id": "ü".repeat(255)});
    assert_eq!(server.map(&app, largest).await.expect(201)["data"]["dialpad_user_id"], "9223372036854775807");
    let stranger = App { id: uuid::Uuid::now_v7(), key: String::new() };
    assert_eq!(
        server.map(&stranger, json!({"dialpad_user_id": 1, "crm_user_id": "a"})).await.refusal(404).0,
        "not_found"
    );
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_and_counts() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server.map(&app, json!({"dialpad_user_id": 1, "crm_user_id": "a"})).await.expect(201);
    server.map(&app, json!({"dialpad_user_id": 2, "crm_user_id": "b"})).await.expect(201);
    let done = server
        .batch(
            &app,
            json!([{"dialpad_user_id": 1, "crm_user_id": "a"}, {"dialpad_user_id": "2", "crm_user_id": "z"},
            {"dialpad_user_id": 3, "crm_user_id": "c"}, {"dialpad_user_id": 4, "crm_user_id": "c"}]),
        )
        .await
        .expect(200);
    assert_eq!(
        done,
        json!({"success": true, "message": "Batch mapped 4 users", "count": 4, "created": 2, "updated": 1, "unchanged": 1})
    );
    assert_eq!(server.mapping_audit(&app).await.len(), 5);

    let refused = server
        .batch(
            &app,
            json!([{"dialpad_user_id": 9, "crm_user_id": "x"}, {"dialpad_user_id": "x", "crm_user_id": "y"},
            {"dialpad_user_id": 10}, {"dialpad_user_id": "9", "crm_user_id": "w"}, 7]),
        )
        .await;
    let expected = [
        "/mappings/1/dialpad_user_id",
        "/mappings/2/crm_user_id",
        "/mappings/3/dialpad_user_id",
        "/mappings/4",
    ];
    assert_eq!(refused.refusal(422).1, expected);
    assert_eq!(server.count("SELECT count(*) FROM dialpad_user_mappings").await, 4);
    assert_eq!(server.batch(&app, json!([])).await.expect(200)["count"], 0);
    assert_eq!(server.batch(&app, json!({})).await.refusal(422).1, ["/mappings"]);
}

#[tokio::test]
async fn a_batch_may_have_ten_thousand_mappings_and_no_more() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let long = "x".repeat(240);
    let batch = |count: u64| -> Value {
        (1..=count)
            .map(|user| json!({"dialpad_user_id": user, "crm_user_id": format!("{long}{user}")}))
            .collect()
    };
    let done = server.batch(&app, batch(10_000)).await.expect(200);
    assert_eq!((&done["created"], &done["count"]), (&json!(10_000), &json!(10_000)));
    assert_eq!(server.count("SELECT count(*) FROM audit_log WHERE action = 'mapping.created'").await, 10_000);
    assert_eq!(server.batch(&app, batch(10_000)).await.expect(200)["unchanged"], 10_000);
    assert_eq!(server.batch(&app, batch(10_001)).await.refusal(422).1, ["/mappings"]);
    let page = server
        .operator_get(&format!("/internal/apps/{}/users/mappings?limit=100&offset=9950", app.id))
        .await
        .expect(200);
    assert_eq!((page["data"].as_array().unwrap().len(), &page["pagination"]["total"]), (50, &json!(10_000)));
}

#[tokio::test]
async fn mappings_are_found_by_either_user_and_deleted_by_either_id() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    for (user, crm_user) in [(1, "a"), (2, "a/b c"), (3, "a/b c")] {
        server.map(&app, json!({"dialpad_user_id": user, "crm_user_id": crm_user})).await.expect(201);
        server.clock.advance(TimeDelta::seconds(1));
    }
    let base = format!("/internal/apps/{}/users/mappings", app.id);
    let both = server.operator_get(&format!("{base}/crm/a%2Fb%20c")).await.expect(200);
    assert_eq!((&both["data"]["dialpad_user_id"], both["all"].as_array().unwrap().len()), (&json!("3"), 2));
    let decoded = server.operator_get(&format!("{base}/crm/a/b%20c")).await.expect(200);
    assert_eq!(decoded, both);
    assert_eq!(server.operator_get(&format!("{base}/crm/nobody")).await.refusal(404).0, "not_found");
    assert_eq!(server.operator_get(&format!("{base}/dialpad/9")).await.refusal(404).0, "not_found");
    let first = server.operator_get(&format!("{base}/dialpad/1")).await.expect(200)["data"].clone();
    assert_eq!(first["crm_user_id"], "a");

    let by_id = format!("{base}/{}", first["id"].as_str().unwrap());
    let deleted = server.operator(Method::DELETE, &by_id, None).await.expect(200);
    assert_eq!(deleted, json!({"success": true, "message": "Mapping deleted"}));
    assert_eq!(server.operator(Method::DELETE, &by_id, None).await.refusal(404).0, "not_found");
    server.operator(Method::DELETE, &format!("{base}/dialpad/2"), None).await.expect(200);
    let left = server.operator_get(&base).await.expect(200);
    let users: Vec<_> =
        left["data"].as_array().unwrap().iter().map(|mapping| mapping["dialpad_user_id"].clone()).collect();
    assert_eq!(users, ["3"]);
    let deletions =
        server.mapping_audit(&app).await.into_iter().filter(|(action, _)| action == "mapping.deleted");
    assert_eq!(deletions.count(), 2);
}
