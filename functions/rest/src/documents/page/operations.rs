//! The operations of the HTTP API, by topic.

use maud::{Markup, html};
use serde_json::Value;

use super::{
    fields::{fields, type_of},
    json, prose,
};
use crate::documents::sample;

const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

/// Operations that belong together.
pub(super) struct Topic<'a> {
    pub(super) name: &'a str,
    description: &'a str,
    pub(super) operations: Vec<Operation<'a>>,
}

/// One method of one path.
pub(super) struct Operation<'a> {
    pub(super) id: &'a str,
    pub(super) method: &'static str,
    path: &'a str,
    value: &'a Value,
}

/// The topics of a document, with the operations of each.
pub(super) fn topics(document: &Value) -> Vec<Topic<'_>> {
    let all: Vec<(&str, Operation<'_>)> = document["paths"]
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(path, item)| METHODS.iter().map(move |method| (path, *method, &item[*method])))
        .filter(|(_, _, value)| value.is_object())
        .map(|(path, method, value)| {
            let id = value["operationId"].as_str().unwrap_or_default();
            (value["tags"][0].as_str().unwrap_or_default(), Operation { id, method, path, value })
        })
        .collect();
    let mut topics: Vec<Topic<'_>> = document["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| Topic {
            name: tag["name"].as_str().unwrap_or_default(),
            description: tag["description"].as_str().unwrap_or_default(),
            operations: Vec::new(),
        })
        .collect();
    for (tag, operation) in all {
        if let Some(topic) = topics.iter_mut().find(|topic| topic.name == tag) {
            topic.operations.push(operation);
        } else {
            topics.push(Topic { name: tag, description: "", operations: vec![operation] });
        }
    }
    topics
}

impl Topic<'_> {
    /// What links to it say.
    pub(super) fn anchor(&self) -> String {
        format!("topic-{}", self.name.to_lowercase().replace(' ', "-"))
    }

    /// All of it.
    pub(super) fn section(&self, document: &Value) -> Markup {
        html! {
            section id=(self.anchor()) {
                h2 { (self.name) }
                p { (prose(self.description)) }
                @for operation in &self.operations { (operation.article(document)) }
            }
        }
    }
}

impl Operation<'_> {
    /// The path as the table of contents has room for.
    pub(super) fn short_path(&self) -> &str {
        self.path.strip_prefix("/internal/apps/{app_id}").filter(|rest| !rest.is_empty()).unwrap_or(self.path)
    }

    fn article(&self, document: &Value) -> Markup {
        let parameters = self.value["parameters"].as_array().cloned().unwrap_or_default();
        let body = self.value.get("requestBody");
        html! {
            article id=(self.id) {
                h3 { span class={ "method " (self.method) } { (self.method) } " " code { (self.path) } }
                @if let Some(summary) = self.value["summary"].as_str() { p { (prose(summary)) } }
                @if let Some(description) = self.value["description"].as_str() { p { (prose(description)) } }
                p class="credential" { "Credential: " (self.credential()) }
                @if !parameters.is_empty() {
                    h4 { "Parameters" }
                    div class="table" tabindex="0" { table {
                        thead { tr { th scope="col" { "Name" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                        tbody { @for parameter in &parameters { (row(parameter)) } }
                    } }
                }
                @if let Some(body) = body { (request_body(body, document)) }
                h4 { "Example" }
                pre tabindex="0" { code { (self.command(document)) } }
                (self.answers(document))
            }
        }
    }

    fn credential(&self) -> Markup {
        let security = self.value["security"].to_string();
        html! {
            @if security.contains("app_key") { "the app's API key" }
            @else if security.contains("operator") { "the operator's secret" }
            @else { "none" }
        }
    }

    /// The request as a command for a shell.
    fn command(&self, document: &Value) -> String {
        let path =
            self.path.replace("{app_id}", "$APP_ID").replace('{', "$").replace('}', "").replace("$id", "$ID");
        let mut command = String::from("curl");
        if self.method != "get" {
            command.push_str(" -X ");
            command.push_str(&self.method.to_uppercase());
        }
        let query: Vec<String> = self.value["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query" && parameter["required"] == true)
            .map(|parameter| format!("{}=%2B14155550160", parameter["name"].as_str().unwrap_or_default()))
            .collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        command.push_str(" \"$CTI");
        command.push_str(&path);
        command.push_str(&query);
        command.push('"');
        let security = self.value["security"].to_string();
        if security.contains("app_key") {
            command.push_str(" \\\n  -H \"x-app-api-key: $API_KEY\"");
        } else if security.contains("operator") {
            command.push_str(" \\\n  -H \"authorization: Bearer $INTERNAL_API_SECRET\"");
        }
        if let Some(schema) = body_schema(&self.value["requestBody"]) {
            let body = sample::of(schema, document);
            command.push_str(" \\\n  -H 'content-type: application/json' \\\n  -d '");
            command.push_str(&body.to_string());
            command.push('\'');
        }
        command
    }

    fn answers(&self, document: &Value) -> Markup {
        let responses = self.value["responses"].as_object();
        let success = responses.into_iter().flatten().find(|(status, _)| status.starts_with('2'));
        let example = success.and_then(|(status, response)| Some((status, body_schema(response)?)));
        html! {
            h4 { "Answers" }
            div class="table" tabindex="0" { table {
                thead { tr { th scope="col" { "Status" } th scope="col" { "When" } th scope="col" { "Body" } } }
                tbody { @for (status, response) in responses.into_iter().flatten() { tr {
                    th scope="row" { code { (status) } }
                    td { (prose(response["description"].as_str().unwrap_or_default())) }
                    td { @if let Some(schema) = body_schema(response) { (type_of(schema, "")) } }
                } } }
            } }
            @if let Some((status, schema)) = example.filter(|(_, schema)| schema["type"] != "string") {
                details {
                    summary { "Example of an answer " (status) }
                    (json(&sample::of(schema, document)))
                }
            }
        }
    }
}

fn row(parameter: &Value) -> Markup {
    html! { tr {
        th scope="row" {
            code { (parameter["name"].as_str().unwrap_or_default()) }
            @if parameter["required"] != true { " " span class="optional" { "optional" } }
        }
        td { (parameter["in"].as_str().unwrap_or_default()) }
        td { (type_of(&parameter["schema"], "")) }
        td {
            (prose(parameter["description"].as_str().unwrap_or_default()))
            (bounds(&parameter["schema"]))
        }
    } }
}

fn bounds(schema: &Value) -> Markup {
    let words: Vec<&str> =
        schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    html! {
        @if !words.is_empty() { " One of " @for (index, word) in words.iter().enumerate() {
            @if index > 0 { ", " } code { (word) }
        } "." }
        @if let (Some(least), Some(most)) = (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
            " From " (least) " to " (most) "."
        }
    }
}

fn request_body(body: &Value, document: &Value) -> Markup {
    let schema = body_schema(body).unwrap_or(&Value::Null);
    let named = schema["oneOf"].as_array().and_then(|all| all.iter().find(|option| option["type"] != "null"));
    let named = named.unwrap_or(schema);
    html! {
        h4 { "Body" }
        p { (type_of(named, "")) ". " (prose(body["description"].as_str().unwrap_or_default())) }
        (fields(sample::resolve(named, document).unwrap_or(named), document, ""))
    }
}

/// The schema of what a body or a response holds.
fn body_schema(holder: &Value) -> Option<&Value> {
    holder["content"].as_object()?.values().next()?.get("schema")
}
