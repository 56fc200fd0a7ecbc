//! The page: a table of contents, the HTTP API by topic, the socket, and every type that they exchange.

mod fields;
mod operations;
mod socket;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use self::{fields::types, operations::Topic};
use super::asyncapi::rules;

const STYLE: &str = include_str!("style.css");

/// The page, and what a browser may load for it: nothing but its own style.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

/// Renders both documents.
pub(super) fn render(openapi: &Value, asyncapi: &Value) -> Page {
    let topics = operations::topics(openapi);
    let messages = socket::messages(asyncapi);
    let version = openapi["info"]["version"].as_str().unwrap_or_default();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "CTI server: the API" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#content" { "Skip to the content" }
                nav aria-label="Contents" { (contents(&topics, &messages)) }
                main id="content" {
                    h1 { "CTI server " small { (version) } }
                    (introduction())
                    @for topic in &topics { (topic.section(openapi)) }
                    (socket::section(asyncapi, &messages))
                    section id="types" {
                        h2 { "Types of the HTTP API" }
                        (types(openapi, ""))
                    }
                    section id="socket-types" {
                        h2 { "Types of the socket" }
                        (types(asyncapi, "socket-"))
                    }
                }
            }
        }
    };
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Page { html: markup.into_string(), policy }
}

fn contents(topics: &[Topic<'_>], messages: &[socket::Kind<'_>]) -> Markup {
    html! {
        p class="name" { a href="#content" { "CTI server" } }
        ul {
            li { a href="#conventions" { "Conventions" } }
            @for topic in topics {
                li {
                    a href={ "#" (topic.anchor()) } { (topic.name) }
                    ul { @for operation in &topic.operations {
                        li { a href={ "#" (operation.id) } {
                            span class={ "method " (operation.method) } { (operation.method) }
                            " " (operation.short_path())
                        } }
                    } }
                }
            }
            li {
                a href="#socket" { "The socket" }
                ul {
                    li { a href="#rules" { "Rules for clients" } }
                    @for kind in messages { @for message in &kind.messages {
                        li { a href={ "#message-" (message.name) } { (message.name) } }
                    } }
                }
            }
            li { a href="#types" { "Types" } }
        }
    }
}

fn introduction() -> Markup {
    html! {
        p class="lead" {
            "Calls, voicemails and text messages of Dialpad for CRMs: read over HTTP, followed over a WebSocket. "
            "For programs: " a href="/openapi.json" { "/openapi.json" } " (OpenAPI 3.1) and "
            a href="/asyncapi.json" { "/asyncapi.json" } " (AsyncAPI 3)."
        }
        section id="conventions" {
            h2 { "Conventions" }
            dl {
                dt { "Credentials" }
                dd {
                    "An app's backend sends its API key in the header " code { "x-app-api-key" } ". An operator sends "
                    code { "Authorization: Bearer $INTERNAL_API_SECRET" } ". A browser opens a socket with a ticket and never has the key."
                }
                dt { "Answers" }
                dd { "JSON with " code { "\"success\": true" } " and " code { "data" } ". Ids of Dialpad's are strings, since JavaScript does not hold 64-bit integers. Times are RFC 3339 in UTC." }
                dt { "Refusals" }
                dd {
                    "Problem documents (RFC 9457): program against " code { "code" } ", show " code { "detail" } ", and look into "
                    code { "errors" } " for the field or parameter that is wrong. An unknown parameter is refused, not ignored."
                }
                dt { "Lists" }
                dd { "Newest first. Follow " code { "pagination.next_cursor" } " with " code { "cursor" } " while " code { "has_more" } "; " code { "offset" } " skips rows and counts them." }
                dt { "Requests" }
                dd { "Each has an id: " code { "x-request-id" } " is taken from the request or made, sent back, and stands in the log." }
            }
        }
    }
}

/// A text in which code stands between backticks.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// JSON as people read it.
fn json(value: &Value) -> Markup {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    html! { pre tabindex="0" { code { (text) } } }
}

/// The rules for clients.
fn client_rules() -> Markup {
    html! {
        section id="rules" {
            h3 { "Rules for clients" }
            p { "A client that keeps to these ends with exactly the events it may see, whatever happens to its connection." }
            ol { @for rule in rules() {
                li { (prose(rule.split_once(". ").map_or(rule.as_str(), |(_, text)| text))) }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_documents_cannot_become_markup() {
        assert_eq!(prose("a `<b>` & c").into_string(), "a <code>&lt;b&gt;</code> &amp; c");
        let shown = json(&serde_json::json!({"a": "</code><script>"})).into_string();
        assert!(!shown.contains("<script>"), "{shown}");
    }
}
