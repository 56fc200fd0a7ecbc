//! The generated document.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::server::Server;

async fn document() -> Value {
    let server = Server::new().await;
    server.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.expect(200)
}

/// Fails where a reference leads nowhere.
pub(crate) fn follow_references(document: &Value) {
    fn check(value: &Value, document: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| check(item, document)),
            Value::Object(members) => members.values().for_each(|member| check(member, document)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    check(document, document);
}

#[tokio::test]
async fn it_is_openapi_3_1_and_lists_every_route() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut routes: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        routes.extend(
            item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    assert!(!routes.iter().any(|route| route.contains('*')), "{routes:?}");
    for route in [
        "GET /",
        "GET /health",
        "GET /api/calls",
        "GET /api/calls/active",
        "GET /api/calls/{id}",
        "GET /api/events",
        "GET /api/voicemails",
        "PATCH /api/voicemails/{id}",
        "POST /internal/apps",
        "POST /internal/apps/{app_id}/api-key",
        "POST /internal/apps/{app_id}/users/map",
        "POST /internal/apps/{app_id}/users/batch-map",
    ] {
        assert!(routes.iter().any(|known| known == route), "{route} is missing from {routes:?}");
    }
}

#[tokio::test]
async fn every_reference_in_it_leads_somewhere() {
    follow_references(&document().await);
}

#[tokio::test]
async fn every_operation_names_its_credential_its_refusals_and_itself() {
    let document = document().await;
    let mut names = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("422") && responses.contains_key("503"), "{method} {path}");
            let credential = if path.starts_with("/internal") || path.starts_with("/auth/dialpad/disconnect")
            {
                json!([{"operator": []}])
            } else if path.starts_with("/api") {
                json!([{"app_key": []}])
            } else {
                json!(null)
            };
            assert_eq!(operation["security"], credential, "{method} {path}");
            assert_eq!(responses.contains_key("401"), !credential.is_null(), "{method} {path}");
            assert_eq!(responses.contains_key("404"), path.contains('{'), "{method} {path}");
            assert_eq!(
                responses.contains_key("415"),
                operation.get("requestBody").is_some(),
                "{method} {path}"
            );
            names.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "operation ids must differ: {names:?}");
}

#[tokio::test]
async fn the_words_of_enums_come_from_the_domain() {
    let document = document().await;
    let status = &document["components"]["schemas"]["Call"]["properties"]["status"]["enum"];
    assert_eq!(
        status,
        &json!(["queued", "ringing", "active", "held", "ended", "missed", "voicemail", "rejected"])
    );
    let parameters = document["paths"]["/api/calls"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    for name in [
        "status",
        "direction",
        "from",
        "to",
        "number",
        "dialpad_user_id",
        "crm_user_id",
        "started_after",
        "started_before",
        "updated_after",
        "has_recording",
        "has_voicemail",
        "limit",
        "cursor",
        "offset",
        "include",
    ] {
        assert!(names.contains(&name), "{name} is missing");
    }
    assert!(parameters.iter().all(|parameter| parameter["required"] == json!(false)), "{parameters:?}");
}

#[tokio::test]
async fn a_parameter_says_whether_it_is_required_what_it_is_and_what_it_may_be() {
    let document = document().await;
    let parameter = |path: &str, name: &str| {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        parameters.iter().find(|parameter| parameter["name"] == name).unwrap()
    };
    let number = parameter("/api/lookup", "number");
    assert_eq!(number["required"], json!(true));
    assert!(number["description"].as_str().unwrap().starts_with("Written in any way"), "{number}");
    let cursor = parameter("/api/calls", "cursor");
    assert!(cursor["description"].as_str().unwrap().contains("next_cursor"), "{cursor}");
    assert!(cursor["schema"]["pattern"].is_string(), "{cursor}");
    // Every text is held to what the database can hold.
    assert_eq!(parameter("/api/messages", "status")["schema"]["pattern"], json!(r"^[^\x00]*$"));
}
