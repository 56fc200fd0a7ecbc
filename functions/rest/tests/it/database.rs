//! The database as a function meets it: connections that die, and a schema that is not there yet.

use axum::http::Method;

use crate::server::{Server, service};

#[tokio::test]
async fn a_connection_that_died_while_the_function_was_frozen_costs_no_request() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    for _ in 0..3 {
        server.database.end_sessions();
        server.get(&app, "/api/calls").await.expect(200);
        server.database.end_sessions();
        server.operator_get("/internal/apps").await.expect(200);
        server.database.end_sessions();
        let path = format!("/internal/apps/{}/api-key/revoke", uuid::Uuid::nil());
        server.operator(Method::POST, &path, None).await.refusal(404);
    }
}

#[tokio::test]
async fn a_schema_that_is_too_old_is_refused_and_named_until_the_migrator_has_run() {
    let mut server = Server::new().await;
    let app = server.app("Acme").await;
    let owner = server.database.client().await;
    let newest = "WHERE version = (SELECT max(version) FROM schema_migrations)";
    owner
        .batch_execute(&format!("CREATE TABLE kept AS SELECT * FROM schema_migrations {newest}"))
        .await
        .unwrap();
    owner.batch_execute(&format!("DELETE FROM schema_migrations {newest}")).await.unwrap();
    server.get(&app, "/api/calls").await.expect(200); // A session that was there before goes on.

    server.router = service(server.database.url(), &server.clock, &[]); // A new instance of the function.
    for reply in [server.get(&app, "/api/calls").await, server.operator_get("/internal/apps").await] {
        assert_eq!(reply.refusal(503).0, "schema_too_old");
        assert_eq!(reply.header("retry-after"), "60");
    }
    owner.batch_execute("INSERT INTO schema_migrations SELECT * FROM kept").await.unwrap();
    server.get(&app, "/api/calls").await.expect(200);
}

#[tokio::test]
async fn of_a_schema_that_psql_made_the_missing_table_says_that_it_is_too_old() {
    let mut server = Server::new().await;
    let app = server.app("Acme").await;
    let owner = server.database.client().await;
    owner
        .batch_execute("DROP TABLE schema_migrations; ALTER TABLE voicemails RENAME TO later")
        .await
        .unwrap();
    server.router = service(server.database.url(), &server.clock, &[]);
    server.get(&app, "/api/calls").await.expect(200);
    assert_eq!(server.get(&app, "/api/voicemails").await.refusal(503).0, "schema_too_old");
}
