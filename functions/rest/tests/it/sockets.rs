//! Who is connected.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use axum::{Router, body::Body, http::Request, routing::post};
use chrono::TimeDelta;
use local::{
    aws::dynamodb::DynamoDb,
    template::{Surroundings, Template},
    urls::PublicUrls,
};
use rest::{Deps, router};
use serde_json::json;
use shared::{
    clock::{Clock as _, SystemClock},
    domain::ids::AppId,
    registry::{Connection, Registry},
    store::{Settings, Store},
    testing::aws_config,
};

use crate::server::{SECRET, Server, config, send};

/// The template's table, behind a real socket.
async fn registry() -> Registry {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let surroundings = Surroundings {
        urls: PublicUrls { http: endpoint.clone(), ws: endpoint.clone(), aws: endpoint.clone() },
        region: "us-east-1".to_owned(),
        parameters: BTreeMap::new(),
        overrides: BTreeMap::from([("DATABASE_URL".to_owned(), String::new())]),
    };
    let template = Template::read(&file, &surroundings).unwrap();
    let table = template.tables.first().unwrap().name.clone();
    let dynamodb = Arc::new(DynamoDb::start(&template.tables).unwrap());
    let forward = async move |request: Request<Body>| dynamodb.forward(request).await;
    tokio::spawn(async { axum::serve(listener, Router::new().route("/", post(forward))).await });
    Registry::new(&aws_config(&endpoint).await, &table)
}

fn stats() -> Request<Body> {
    let request = Request::get("/internal/monitoring/websocket/stats");
    request.header("authorization", format!("Bearer {SECRET}")).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn sockets_are_counted_by_app_and_user() {
    let server = Server::new().await;
    let (one, two) = (server.app("One").await, server.app("Two").await);
    let registry = registry().await;
    // The table deletes what has expired by the machine's clock.
    let now = SystemClock.now();
    let hours_ago = now - TimeDelta::hours(3);
    let rows = [
        (&one, None, now),
        (&one, Some("ann"), now),
        (&one, Some("ann"), now),
        (&two, Some("bob"), now),
        (&two, None, hours_ago),
    ];
    for (number, (app, user, opened_at)) in rows.into_iter().enumerate() {
        let connection = Connection {
            id: format!("connection-{number}"),
            app_id: AppId(app.id),
            crm_user_id: user.map(str::to_owned),
            key_id: "key".to_owned(),
            opened_at,
        };
        registry.insert(&connection).await.unwrap();
    }
    let config = config(server.database.url(), &[]);
    let store = Store::new(&Settings::new(server.database.url())).unwrap();
    let router = router(Deps {
        store,
        registry: Some(registry),
        dialpad: None,
        clock: Arc::new(SystemClock),
        config,
        metrics: Arc::default(),
    });
    let stats = send(&router, stats()).await.expect(200);
    let of = |app: &crate::server::App, name: &str, connections: u32, users: u32| json!({"app_id": app.id, "app_name": name, "connections": connections, "users": users});
    let apps = [of(&one, "One", 3, 1), of(&two, "Two", 1, 1)];
    assert_eq!(stats, json!({"success": true, "total_connections": 4, "apps": apps}));
}

/// `$disconnect` is at best effort, and DynamoDB deletes an expired row when it likes, up to days later.
#[tokio::test]
async fn a_row_that_nobody_removed_is_no_socket_once_its_time_is_over() {
    let registry = registry().await;
    let opened_at = SystemClock.now();
    let app_id = AppId(uuid::Uuid::new_v4());
    for (id, user) in [("of the app", None), ("of ann", Some("ann"))] {
        let crm_user_id = user.map(str::to_owned);
        let (id, key_id) = (id.to_owned(), "key".to_owned());
        registry.insert(&Connection { id, app_id, crm_user_id, key_id, opened_at }).await.unwrap();
    }
    // API Gateway closes every socket after two hours.
    for (age, sockets) in [(TimeDelta::minutes(119), 1), (TimeDelta::hours(3), 0)] {
        let now = opened_at + age;
        assert_eq!(registry.of_app(app_id, now).await.unwrap().len(), 2 * sockets, "{age}");
        assert_eq!(registry.of_user(app_id, Some("ann"), now).await.unwrap().len(), sockets, "{age}");
        assert_eq!(registry.of_user(app_id, None, now).await.unwrap().len(), sockets, "{age}");
        assert_eq!(registry.all(now).await.unwrap().len(), 2 * sockets, "{age}");
    }
}

#[tokio::test]
async fn without_a_table_the_answer_is_503() {
    let server = Server::new().await;
    let reply = server.send(stats()).await;
    assert_eq!(reply.refusal(503).0, "registry_unavailable");
}
