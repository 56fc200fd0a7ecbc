//! Two tenants: neither sees nor changes anything of the other, whatever ids it knows.

use axum::http::Method;
use serde_json::{Value, json};

use crate::server::Server;

#[tokio::test]
async fn the_ids_of_another_tenant_find_nothing() {
    let server = Server::new().await;
    let (ours, theirs) = (server.app("Ours").await, server.app("Theirs").await);
    server.calls(&theirs, 1, 1).await;
    server
        .sql(&format!(
            "INSERT INTO voicemails (id, app_id, dialpad_call_id, dialpad_user_id) VALUES
                 ('00000000-0000-7000-8000-000000000001', '{app}', 1, 700);
             INSERT INTO client_events (app_id, seq, id, frame) VALUES ('{app}', 1, gen_random_uuid(), '{{}}');
             UPDATE app_streams SET last_seq = 1 WHERE app_id = '{app}'",
            app = theirs.id
        ))
        .await;
    let mapped = server
        .operator(
            Method::POST,
            &format!("/internal/apps/{}/users/map", theirs.id),
            Some(json!({"dialpad_user_id": 700, "crm_user_id": "theirs"})),
        )
        .await
        .expect(201);
    let call =
        server.get(&theirs, "/api/calls").await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let voicemail = "00000000-0000-7000-8000-000000000001";
    let mapping = mapped["data"]["id"].as_str().unwrap();

    for path in ["/api/calls", "/api/calls/active", "/api/voicemails", "/api/events"] {
        assert_eq!(server.get(&ours, path).await.expect(200)["data"], json!([]), "{path}");
    }
    assert_eq!(server.get(&ours, "/api/voicemails/unread-count").await.expect(200)["data"]["unread"], 0);
    for path in
        [format!("/api/calls/{call}"), "/api/calls/1".to_owned(), format!("/api/voicemails/{voicemail}")]
    {
        assert_eq!(server.get(&ours, &path).await.refusal(404).0, "not_found", "{path}");
    }
    let path = format!("/api/voicemails/{voicemail}");
    assert_eq!(server.call(&ours, Method::DELETE, &path, None).await.refusal(404).0, "not_found");
    let read = Some(json!({"status": "read"}));
    assert_eq!(server.call(&ours, Method::PATCH, &path, read).await.refusal(404).0, "not_found");

    // An operator who names the wrong app.
    let base = format!("/internal/apps/{}", ours.id);
    for path in ["voicemails", "users/mappings"] {
        assert_eq!(
            server.operator_get(&format!("{base}/{path}")).await.expect(200)["data"],
            json!([]),
            "{path}"
        );
    }
    for (method, path) in [
        (Method::GET, format!("{base}/voicemails/{voicemail}")),
        (Method::DELETE, format!("{base}/voicemails/{voicemail}")),
        (Method::GET, format!("{base}/users/mappings/dialpad/700")),
        (Method::DELETE, format!("{base}/users/mappings/dialpad/700")),
        (Method::GET, format!("{base}/users/mappings/crm/theirs")),
        (Method::DELETE, format!("{base}/users/mappings/{mapping}")),
    ] {
        assert_eq!(server.operator(method, &path, None).await.refusal(404).0, "not_found", "{path}");
    }

    // Nothing of theirs has changed.
    let voicemail = server.get(&theirs, &path).await.expect(200);
    assert_eq!(
        (&voicemail["data"]["status"], &voicemail["data"]["crm_user_id"]),
        (&json!("unread"), &json!("theirs"))
    );
}

#[tokio::test]
async fn the_same_ids_of_dialpad_live_side_by_side() {
    let server = Server::new().await;
    let (ours, theirs) = (server.app("Ours").await, server.app("Theirs").await);
    for (app, crm_user) in [(&ours, "ours"), (&theirs, "theirs")] {
        server.calls(app, 1, 1).await;
        let path = format!("/internal/apps/{}/users/map", app.id);
        let body = json!({"dialpad_user_id": 700, "crm_user_id": crm_user});
        server.operator(Method::POST, &path, Some(body)).await.expect(201);
    }
    server.sql("UPDATE calls SET dialpad_user_id = 700").await;
    for (app, crm_user) in [(&ours, "ours"), (&theirs, "theirs")] {
        let call: Value = server.get(app, "/api/calls/1").await.expect(200);
        assert_eq!(call["data"]["crm_user_id"], crm_user);
        let found = server.get(app, &format!("/api/calls?crm_user_id={crm_user}")).await.expect(200);
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
    }
    let not_ours = server.get(&ours, "/api/calls?crm_user_id=theirs").await.expect(200);
    assert_eq!(not_ours["data"], json!([]));
}

#[tokio::test]
async fn a_revocation_or_rotation_touches_no_other_tenant() {
    let server = Server::new().await;
    let (ours, theirs) = (server.app("Ours").await, server.app("Theirs").await);
    for action in ["api-key", "api-key/revoke"] {
        server
            .operator(Method::POST, &format!("/internal/apps/{}/{action}", ours.id), None)
            .await
            .expect(200);
        server.get(&theirs, "/api/calls").await.expect(200);
    }
    let audit = server.operator_get(&format!("/internal/apps/{}/api-key/audit", theirs.id)).await.expect(200);
    assert_eq!(audit["audit_log"].as_array().unwrap().len(), 1);
}
