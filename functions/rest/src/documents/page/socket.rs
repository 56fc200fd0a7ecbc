//! The socket: how to connect, what to say, and what comes.

use maud::{Markup, html};
use serde_json::Value;

use super::{client_rules, fields::fields, json, prose};
use crate::documents::sample::resolve;

/// Messages of one kind.
pub(super) struct Kind<'a> {
    title: &'static str,
    pub(super) messages: Vec<Message<'a>>,
}

/// One message.
pub(super) struct Message<'a> {
    pub(super) name: &'a str,
    value: &'a Value,
}

/// The messages of a document, by kind.
pub(super) fn messages(document: &Value) -> Vec<Kind<'_>> {
    let kinds = [
        ("request", "What a client says"),
        ("reply", "What it is answered"),
        ("event", "Events"),
        ("notice", "Before a socket is closed"),
    ];
    let all = document["components"]["messages"].as_object();
    let of_kind = |tag: &str| {
        let all = all.into_iter().flatten().filter(|(_, value)| value["tags"][0]["name"] == tag);
        all.map(|(name, value)| Message { name, value }).collect()
    };
    kinds.into_iter().map(|(tag, title)| Kind { title, messages: of_kind(tag) }).collect()
}

/// All of it.
pub(super) fn section(document: &Value, kinds: &[Kind<'_>]) -> Markup {
    let channel = &document["channels"]["socket"];
    let binding = &channel["bindings"]["ws"];
    html! {
        section id="socket" {
            h2 { "The socket" }
            p { (prose(channel["description"].as_str().unwrap_or_default())) }
            h3 { "Connecting" }
            p { "The query of the handshake:" }
            (fields(&binding["query"], document, "socket-"))
            p { "Its headers:" }
            (fields(&binding["headers"], document, "socket-"))
            pre tabindex="0" { code { "npx wscat -c \"$CTI_WS?api_key=$API_KEY&user_id=user_abc\"\n> {\"action\":\"resume\",\"after\":0}" } }
            (client_rules())
            @for kind in kinds {
                section {
                    h3 { (kind.title) }
                    @for message in &kind.messages { (message.article(document)) }
                }
            }
        }
    }
}

impl Message<'_> {
    fn article(&self, document: &Value) -> Markup {
        let payload = &self.value["payload"];
        let part = payload["allOf"].get(0).and_then(|part| resolve(part, document));
        let examples = self.value["examples"].as_array();
        html! {
            article id={ "message-" (self.name) } {
                h4 { code { (self.name) } }
                p { (prose(self.value["summary"].as_str().unwrap_or_default())) }
                @for example in examples.into_iter().flatten() { (json(&example["payload"])) }
                details {
                    summary { "Fields" }
                    @if let Some(part) = part { (fields(part, document, "socket-")) }
                    @else { (fields(payload, document, "socket-")) }
                }
            }
        }
    }
}
