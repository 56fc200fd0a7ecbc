//! The document of the socket, and the page for people.

use std::collections::{BTreeSet, HashSet};

use axum::{body::Body, http::Request};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::{
    document::follow_references,
    server::{Reply, Server},
};

async fn get(path: &str) -> Reply {
    Server::new().await.send(Request::get(path).body(Body::empty()).unwrap()).await
}

/// What checks the payloads of a message.
fn validator(document: &Value, message: &str) -> Validator {
    let mut schema = document.clone();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["$ref"] = json!(format!("#/components/messages/{message}/payload"));
    // In draft 7 what stands beside a reference is ignored, so the reference is alone in a part.
    let reference = schema.as_object_mut().unwrap().remove("$ref").unwrap();
    schema["allOf"] = json!([{ "$ref": reference }]);
    jsonschema::validator_for(&schema).unwrap()
}

#[tokio::test]
async fn asyncapi_says_where_the_socket_is_and_leads_everywhere_it_points_to() {
    let document = get("/asyncapi.json").await.expect(200);
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_eq!(document["servers"]["socket"]["host"], "cti.example");
    assert_eq!(document["servers"]["socket"]["protocol"], "wss");
    follow_references(&document);
}

#[tokio::test]
async fn the_examples_of_the_socket_fit_their_schemas_and_nothing_else_does() {
    let document = get("/asyncapi.json").await.expect(200);
    let messages = document["components"]["messages"].as_object().unwrap();
    let expected: HashSet<&str> = [
        "ping",
        "resume",
        "pong",
        "replay",
        "error",
        "connection.closing",
        "call.ring",
        "call.queued",
        "call.started",
        "call.held",
        "call.resumed",
        "call.parked",
        "call.ended",
        "call.updated",
        "call.recording",
        "voicemail.received",
        "voicemail.updated",
        "message.received",
        "message.sent",
        "message.status",
        "agent.status",
    ]
    .into();
    assert_eq!(messages.keys().map(String::as_str).collect::<HashSet<_>>(), expected);
    let examples: Vec<(&str, &Value)> = messages
        .iter()
        .flat_map(|(name, message)| {
            let examples = message["examples"].as_array().unwrap();
            examples.iter().map(move |example| (name.as_str(), &example["payload"]))
        })
        .collect();
    for name in messages.keys() {
        let schema = validator(&document, name);
        for (of, example) in &examples {
            assert_eq!(schema.is_valid(example), of == name, "{of} as {name}: {example}");
        }
    }
}

#[tokio::test]
async fn the_page_shows_every_operation_message_and_type_and_loads_nothing() {
    let server = Server::new().await;
    let fetch = async |path: &str| server.send(Request::get(path).body(Body::empty()).unwrap()).await;
    let (openapi, asyncapi) =
        (fetch("/openapi.json").await.expect(200), fetch("/asyncapi.json").await.expect(200));
    let page = fetch("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let html = String::from_utf8(page.body.clone()).unwrap();
    for foreign in ["<script", "http://", "src=", "<link", "@import", "url(", " style=", " onclick"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    let anchors: Vec<&str> =
        html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let distinct: BTreeSet<&str> = anchors.iter().copied().collect();
    assert_eq!(anchors.len(), distinct.len(), "an anchor stands twice");
    for link in html.split(" href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(distinct.contains(link), "#{link} leads nowhere");
    }
    for (path, item) in openapi["paths"].as_object().unwrap() {
        assert!(html.contains(path.as_str()), "{path}");
        for operation in item.as_object().unwrap().values() {
            assert!(distinct.contains(operation["operationId"].as_str().unwrap()), "{operation}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                assert!(html.contains(&format!("<code>{name}</code>")), "{name}");
            }
        }
    }
    for name in asyncapi["components"]["messages"].as_object().unwrap().keys() {
        assert!(distinct.contains(format!("message-{name}").as_str()), "{name}");
    }
    for name in openapi["components"]["schemas"].as_object().unwrap().keys() {
        assert!(distinct.contains(format!("type-{name}").as_str()), "{name}");
    }
}
