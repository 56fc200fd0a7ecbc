//! Tables of fields: what an object has, of which type, and what it means.

use maud::{Markup, html};
use serde_json::Value;

use super::prose;
use crate::documents::sample::{kind, resolve};

/// Every named type of a document.
pub(super) fn types(document: &Value, prefix: &str) -> Markup {
    let schemas = document["components"]["schemas"].as_object();
    html! {
        @for (name, schema) in schemas.into_iter().flatten() {
            section class="type" id={ "type-" (prefix) (name) } {
                h3 { (name) }
                @if let Some(description) = schema["description"].as_str() { p { (prose(description)) } }
                (fields(schema, document, prefix))
            }
        }
    }
}

/// The fields of an object, or the words of an enum.
pub(super) fn fields(schema: &Value, document: &Value, prefix: &str) -> Markup {
    let rows = members(schema, document);
    let words = words(schema);
    html! {
        @if !rows.is_empty() {
            div class="table" tabindex="0" { table {
                thead { tr { th scope="col" { "Field" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                tbody { @for (name, member, is_required) in rows { tr {
                    th scope="row" { code { (name) } @if !is_required { " " span class="optional" { "optional" } } }
                    td { (type_of(member, prefix)) }
                    td { (meaning(member)) }
                } } }
            } }
        } @else if !words.is_empty() {
            div class="table" tabindex="0" { table { tbody { @for (word, description) in words { tr {
                th scope="row" { code { (word) } }
                td { (prose(&description)) }
            } } } } }
        } @else {
            p { (type_of(schema, prefix)) }
        }
    }
}

/// The members of an object, those of its parts included.
fn members<'a>(schema: &'a Value, document: &'a Value) -> Vec<(&'a str, &'a Value, bool)> {
    let mut rows: Vec<(&str, &Value, bool)> = Vec::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        rows.extend(members(resolve(part, document).unwrap_or(part), document));
    }
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|required| required == name));
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        rows.retain(|(known, _, _)| known != name);
        rows.push((name, member, is_required(name)));
    }
    rows
}

/// The words of an enum, with what each means where that is known.
fn words(schema: &Value) -> Vec<(String, String)> {
    let written = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let known = schema["enum"].as_array().into_iter().flatten().map(|word| (written(word), String::new()));
    let described = schema["oneOf"].as_array().into_iter().flatten().filter_map(|option| {
        let description = option["description"].as_str().unwrap_or_default().to_owned();
        Some((written(option.get("const")?), description))
    });
    known.chain(described).collect()
}

fn meaning(member: &Value) -> Markup {
    let listed: Vec<String> = words(member).into_iter().map(|(word, _)| word).collect();
    let bound = |name: &str| member[name].as_i64();
    html! {
        (prose(member["description"].as_str().unwrap_or_default()))
        @if !listed.is_empty() { " One of " @for (index, word) in listed.iter().enumerate() {
            @if index > 0 { ", " } code { (word) }
        } "." }
        @match (bound("minimum"), bound("maximum")) {
            (Some(least), Some(most)) => { " From " (least) " to " (most) "." }
            (Some(least), None) => { " At least " (least) "." }
            (None, Some(most)) => { " At most " (most) "." }
            (None, None) => {}
        }
        @if let Some(most) = bound("maxLength") { " At most " (most) " characters." }
        @if let Some(most) = bound("maxItems") { " At most " (most) " elements." }
    }
}

/// A type in words; a named one is a link.
pub(super) fn type_of(schema: &Value, prefix: &str) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return html! { a href={ "#type-" (prefix) (name) } { (name) } };
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(options) = schema[several].as_array().filter(|options| !options.is_empty()) {
            if options.iter().all(|option| option.get("const").is_some()) {
                return html! { "string" };
            }
            return html! { @for (index, option) in options.iter().enumerate() {
                @if index > 0 { @if several == "allOf" { " with " } @else { " or " } }
                (type_of(option, prefix))
            } };
        }
    }
    let is_nullable = schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"));
    let name = match (kind(schema), schema["format"].as_str()) {
        ("string", Some("date-time")) => "time",
        ("string", Some("uuid")) => "UUID",
        ("", _) => "any",
        (kind, _) => kind,
    };
    html! {
        @if name == "array" { "list of " (type_of(&schema["items"], prefix)) } @else { (name) }
        @if is_nullable { " or null" }
    }
}
