//! What comes over a socket is what `/asyncapi.json` says: every frame, live and replayed, and every answer.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use jsonschema::Validator;
use local::simulate::Scenario;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};

use super::server::{Stage, server};

/// The document of the socket, and what checks each of its messages.
struct Document {
    whole: Value,
    validators: BTreeMap<String, Validator>,
}

impl Document {
    async fn served() -> Self {
        let answer = server().client().send(Method::GET, "/asyncapi.json", &[], "").await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        let whole = answer.body;
        let messages = whole["components"]["messages"].as_object().unwrap();
        let validators = messages.keys().map(|name| (name.clone(), validator(&whole, name))).collect();
        Self { whole, validators }
    }

    /// The messages that an operation sends.
    fn sent_by(&self, operation: &str) -> BTreeSet<String> {
        let messages = self.whole["operations"][operation]["messages"].as_array().unwrap();
        let name = |message: &Value| message["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        messages.iter().map(name).collect()
    }

    /// Holds a frame to the message of its name; gives the name.
    fn check(&self, frame: &Value) -> String {
        let name = frame["event"].as_str().unwrap_or_else(|| panic!("no event: {frame}"));
        let validator = self.validators.get(name).unwrap_or_else(|| panic!("{name} is not documented"));
        let wrong: Vec<String> = validator.iter_errors(frame).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?} in {frame}");
        // A schema lets other members pass, since clients ignore what they do not know; we may not forget to write them down.
        let mut documented = BTreeSet::new();
        self.members(&self.whole["components"]["messages"][name]["payload"], &mut documented);
        for member in frame.as_object().unwrap().keys() {
            assert!(documented.contains(member.as_str()), "{name} has the undocumented member {member}");
        }
        name.to_owned()
    }

    /// The members that a schema describes, wherever it says so.
    fn members<'a>(&'a self, schema: &'a Value, found: &mut BTreeSet<&'a str>) {
        found.extend(
            schema["properties"].as_object().into_iter().flat_map(|all| all.keys()).map(String::as_str),
        );
        if let Some(reference) = schema["$ref"].as_str() {
            self.members(self.whole.pointer(reference.trim_start_matches('#')).unwrap(), found);
        }
        for parts in ["allOf", "oneOf", "anyOf"] {
            schema[parts].as_array().into_iter().flatten().for_each(|part| self.members(part, found));
        }
    }
}

fn validator(document: &Value, message: &str) -> Validator {
    let mut schema = document.clone();
    // In draft 7 what stands beside a reference is ignored, so the reference is alone in a part.
    schema["allOf"] = json!([{ "$ref": format!("#/components/messages/{message}/payload") }]);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[tokio::test]
async fn every_frame_that_comes_fits_the_served_document() {
    let document = Document::served().await;
    let mut stage = Stage::new("documented frames").await;
    for payload in Scenario::Mixed.payloads(SystemClock.now()) {
        stage.deliver(&payload).await;
    }
    stage.settled().await;

    stage.socket.say(&json!({"action": "ping", "after": 0})).await.unwrap();
    let (mut live, mut count) = (BTreeMap::new(), None);
    while count.is_none_or(|count| live.len() < count) {
        let frame = stage.frame().await;
        if document.check(&frame) == "pong" {
            count = usize::try_from(frame["count"].as_i64().unwrap()).ok();
        } else {
            live.insert(frame["seq"].as_i64().unwrap(), frame);
        }
    }
    let names: BTreeSet<String> =
        live.values().map(|frame| frame["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, document.sent_by("sendEvents"), "every event came");

    let (mut replayed, mut after, mut has_more) = (Vec::new(), json!(0), true);
    while has_more {
        stage.socket.say(&json!({"action": "resume", "after": after})).await.unwrap();
        let frame = stage.frame().await;
        assert_eq!(document.check(&frame), "replay");
        frame["events"].as_array().unwrap().iter().for_each(|event| drop(document.check(event)));
        replayed.extend(frame["events"].as_array().unwrap().clone());
        (after, has_more) = (frame["seq"].clone(), frame["has_more"] == true);
    }
    assert_eq!(replayed, live.into_values().collect::<Vec<_>>(), "a replay is what came live");

    for message in [json!({"action": "dance"}), json!({"action": "resume"}), json!("text")] {
        stage.socket.say(&message).await.unwrap();
        assert_eq!(document.check(&stage.frame().await), "error", "{message}");
    }
    let path = format!("/internal/apps/{}/api-key/revoke", stage.app.app_id);
    let revoked = stage.client.send(Method::POST, &path, &[], "").await.unwrap();
    assert_eq!(revoked.status.as_u16(), 200, "{}", revoked.body);
    let name = document.check(&stage.frame().await);
    assert_eq!(BTreeSet::from([name]), document.sent_by("sendNotices"));
}

#[tokio::test]
async fn a_frame_off_its_schema_is_noticed() {
    let document = Document::served().await;
    let example = document.whole["components"]["messages"]["pong"]["examples"][0]["payload"].clone();
    assert_eq!(document.check(&example), "pong");
    for (member, value) in [("seq", json!("nine")), ("unheard_of", json!(1)), ("event", json!("pang"))] {
        let mut frame = example.clone();
        frame[member] = value;
        let check = std::panic::AssertUnwindSafe(|| document.check(&frame));
        assert!(std::panic::catch_unwind(check).is_err(), "{frame}");
    }
}
