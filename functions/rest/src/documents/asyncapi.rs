//! The `AsyncAPI` document of the socket, generated from the types that write and read its frames.

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    json_schema,
};
use serde_json::{Map, Value, json};
use shared::domain::{
    client_event::{EventName, Subject},
    frame::{AgentFrame, CallFrame, MessageFrame, VoicemailFrame},
    socket::{Notice, Reply, Request},
};

use super::examples;

/// The rules for clients stand in `docs/clients.md`, once.
const CLIENTS: &str = include_str!("../../../../docs/clients.md");

/// Any frame of the event log.
struct Event;

impl JsonSchema for Event {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let frames: Vec<Schema> = [Subject::Call, Subject::Voicemail, Subject::Message, Subject::Agent]
            .into_iter()
            .map(|subject| {
                let names: Vec<Value> =
                    EventName::ALL.into_iter().filter(|name| name.subject() == subject).map(word).collect();
                json_schema!({"allOf": [frame(generator, subject)], "properties": {"event": {"enum": names}}})
            })
            .collect();
        json_schema!({"description": "Any frame of the event log.", "oneOf": frames})
    }
}

/// The frame that tells of a subject.
fn frame(generator: &mut SchemaGenerator, subject: Subject) -> Schema {
    match subject {
        Subject::Call => generator.subschema_for::<CallFrame<'_>>(),
        Subject::Voicemail => generator.subschema_for::<VoicemailFrame<'_>>(),
        Subject::Message => generator.subschema_for::<MessageFrame<'_>>(),
        Subject::Agent => generator.subschema_for::<AgentFrame<'_>>(),
    }
}

fn word(name: EventName) -> Value {
    // A variant without fields is a text.
    serde_json::to_value(name).unwrap_or_default()
}

/// A message of the document, and the schemas it refers to.
#[derive(Default)]
struct Parts {
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Parts {
    fn add(&mut self, name: &str, kind: &str, summary: &str, payload: &Value) {
        let examples: Vec<Value> =
            examples::of(name).into_iter().map(|payload| json!({"payload": payload})).collect();
        let message = json!({
            "name": name, "title": name, "summary": summary, "contentType": "application/json",
            "tags": [{"name": kind}], "payload": payload, "examples": examples,
        });
        self.messages.insert(name.to_owned(), message);
    }

    /// Adds a message for each variant of an enum that is written with its name in `tag`; gives the names.
    fn add_variants<T: JsonSchema>(&mut self, contract: Contract, tag: &str, kind: &str) -> Vec<String> {
        let mut generator = generator(contract);
        generator.subschema_for::<T>();
        let mut definitions = generator.take_definitions(true);
        let whole = definitions.remove(T::schema_name().as_ref()).unwrap_or_default();
        self.schemas.extend(definitions);
        let variants = whole.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut names = Vec::new();
        for mut variant in variants {
            let name = variant["properties"][tag]["const"].as_str().unwrap_or_default().to_owned();
            let summary = text(&variant, "description");
            if let Some(members) = variant.as_object_mut() {
                members.remove("description");
            }
            self.add(&name, kind, &summary, &variant);
            names.push(name);
        }
        names
    }

    /// Adds a message for each event; gives the names.
    fn add_events(&mut self) -> Vec<String> {
        let mut generator = generator(Contract::Serialize);
        let subjects = EventName::ALL.map(|name| (name, frame(&mut generator, name.subject())));
        let definitions = generator.take_definitions(true);
        let described = definitions["EventName"]["oneOf"].as_array().cloned().unwrap_or_default();
        self.schemas.extend(definitions);
        let mut names = Vec::new();
        for (event, frame) in subjects {
            let name = word(event);
            let summary = described.iter().find(|known| known["const"] == name);
            let summary = summary.map(|known| text(known, "description")).unwrap_or_default();
            let payload = json!({"allOf": [frame], "properties": {"event": {"const": name}}});
            let name = name.as_str().unwrap_or_default().to_owned();
            self.add(&name, "event", &summary, &payload);
            names.push(name);
        }
        names
    }
}

fn generator(contract: Contract) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft07();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings.contract = contract;
    settings.into_generator()
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

/// The document, but for where the socket is.
pub(super) fn document() -> Value {
    let mut parts = Parts::default();
    let events = parts.add_events();
    let notices = parts.add_variants::<Notice>(Contract::Serialize, "event", "notice");
    let replies = parts.add_variants::<Reply<Event>>(Contract::Serialize, "event", "reply");
    let requests = parts.add_variants::<Request>(Contract::Deserialize, "action", "request");
    let in_channel = |name: &String| json!({"$ref": format!("#/channels/socket/messages/{name}")});
    let channel_messages: Map<String, Value> = parts
        .messages
        .keys()
        .map(|name| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")})))
        .collect();
    let channel = json!({"$ref": "#/channels/socket"});
    let mut operations = json!({
        "sendEvents": {
            "action": "send", "channel": channel, "summary": "Events as they happen, to whoever may see them.",
            "messages": events.iter().map(in_channel).collect::<Vec<_>>(),
        },
        "sendNotices": {
            "action": "send", "channel": channel, "summary": "What a client is told before its socket is closed.",
            "messages": notices.iter().map(in_channel).collect::<Vec<_>>(),
        },
    });
    for request in &requests {
        operations[format!("receive{}", capitalised(request))] = json!({
            "action": "receive", "channel": channel,
            "summary": text(&parts.messages[request], "summary"),
            "messages": [in_channel(request)],
            "reply": {"channel": channel, "messages": replies.iter().map(in_channel).filter(
                |reply| answers(request, reply["$ref"].as_str().unwrap_or_default())).collect::<Vec<_>>()},
        });
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "CTI server, the socket", "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Every event of an app within a second. How a client misses none:\n\n{}", rules().join("\n")),
        },
        "defaultContentType": "application/json",
        "servers": {},
        "channels": {"socket": {
            "address": null,
            "title": "The socket",
            "description": "Frames are JSON objects, at most 24 KiB to a client and 32 KiB for a replay. A refused handshake \
                answers 400 (user_id cannot be one), 401 (no credential, or no good one), 403 (the app is inactive, or the \
                ticket is another user's) or 503 (try again).",
            "messages": channel_messages,
            "bindings": {"ws": handshake()},
        }},
        "operations": operations,
        "components": {
            "messages": parts.messages,
            "schemas": parts.schemas,
            "securitySchemes": {
                "app_key": {"type": "httpApiKey", "name": "x-app-api-key", "in": "header",
                    "description": "A backend: the API key of an app."},
                "app_key_in_url": {"type": "httpApiKey", "name": "api_key", "in": "query",
                    "description": "The same for tools without headers; a deployment may switch it off."},
                "ticket": {"type": "httpApiKey", "name": "ticket", "in": "query",
                    "description": "A browser: from POST /api/ws-tickets, good for one socket within a minute."},
            },
        },
    })
}

/// Where the socket is, as a server of the document.
pub(super) fn server(url: &str) -> Value {
    let (protocol, rest) = url.split_once("://").unwrap_or(("wss", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let credential = |name: &str| json!({"$ref": format!("#/components/securitySchemes/{name}")});
    json!({
        "host": host, "pathname": format!("/{path}"), "protocol": protocol,
        "security": [credential("app_key"), credential("app_key_in_url"), credential("ticket")],
    })
}

/// What a handshake may carry.
fn handshake() -> Value {
    let word = |description: &str| json!({"type": "string", "description": description});
    json!({
        "method": "GET", "bindingVersion": "0.1.0",
        "query": {"type": "object", "properties": {
            "ticket": word("A ticket of POST /api/ws-tickets."),
            "api_key": word("The app's key, for tools that cannot send a header."),
            "user_id": word("The CRM user whose socket it is; without it the socket sees everything of the app."),
        }},
        "headers": {"type": "object", "properties": {
            "x-app-api-key": word("The app's key."),
            "sec-websocket-protocol": word("`cti.v1, ticket.<ticket>`: keeps a ticket out of the URL."),
        }},
    })
}

/// Whether a reply may answer a request: its own, or an error.
fn answers(request: &str, reply: &str) -> bool {
    let own = match request {
        "ping" => "/pong",
        "resume" => "/replay",
        _ => "",
    };
    reply.ends_with("/error") || (!own.is_empty() && reply.ends_with(own))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The rules for clients, numbered, one a line.
pub(super) fn rules() -> Vec<String> {
    let section = CLIENTS.split("\n## The rules\n").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut rules: Vec<String> = Vec::new();
    for line in section.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        match rules.last_mut() {
            Some(rule) if line.starts_with(' ') => {
                rule.push(' ');
                rule.push_str(line.trim_start());
            }
            Some(_) | None => rules.push(line.to_owned()),
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_that_can_be_written_has_a_message() {
        let document = document();
        let known = document["components"]["schemas"]["EventName"]["oneOf"].as_array().unwrap();
        assert_eq!(known.len(), EventName::ALL.len(), "EventName::ALL lacks a name");
        for event in known {
            let name = event["const"].as_str().unwrap();
            let message = &document["components"]["messages"][name];
            assert_eq!(message["payload"]["properties"]["event"]["const"], name);
            assert!(!message["summary"].as_str().unwrap().is_empty(), "{name} says nothing");
        }
    }

    #[test]
    fn every_message_belongs_to_an_operation_and_has_an_example() {
        let document = document();
        let operations = document["operations"].to_string();
        for (name, message) in document["components"]["messages"].as_object().unwrap() {
            assert!(operations.contains(&format!("#/channels/socket/messages/{name}\"")), "{name}");
            assert!(!message["examples"].as_array().unwrap().is_empty(), "{name} has no example");
        }
    }

    #[test]
    fn the_rules_are_all_of_the_page_for_clients() {
        let rules = rules();
        assert!(rules.len() > 5, "{rules:?}");
        assert!(rules.iter().zip(1..).all(|(rule, number)| rule.starts_with(&format!("{number}. "))));
    }

    #[test]
    fn a_server_is_split_as_the_document_wants_it() {
        let server = server("wss://cti.example/prod");
        assert_eq!((&server["host"], &server["pathname"]), (&json!("cti.example"), &json!("/prod")));
        assert_eq!(server["protocol"], "wss");
    }
}
