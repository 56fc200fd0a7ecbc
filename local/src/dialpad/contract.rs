//! Dialpad's published document, and whether a request is in it.

use std::collections::HashMap;

use axum::http::{header, request::Parts};
use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::Asked;

/// The document, cut by `.ci/cut_dialpad_spec.py` to what this project asks.
const PUBLISHED: &str = include_str!("openapi.json");

/// What RFC 6749 demands of the exchange of a code, and the document leaves out.
const ALSO_ALLOWED: &str = "redirect_uri";

/// Parameters of a request, by name.
pub(super) type Parameters = Vec<(String, String)>;

/// An operation of the document.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// Its name there.
    pub(super) id: String,
    /// Its path, with `{id}`.
    pub(super) path: String,
}

/// The document.
pub(super) struct Contract {
    document: Value,
    bodies: HashMap<String, Validator>,
}

impl Contract {
    /// The published one.
    #[expect(clippy::expect_used, reason = "the file is part of this program, and a test reads it")]
    pub(super) fn published() -> Self {
        let document: Value = serde_json::from_str(PUBLISHED).expect("openapi.json is JSON");
        let mut bodies = HashMap::new();
        for operation in
            document["paths"].as_object().into_iter().flatten().flat_map(|(_, item)| operations(item))
        {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if let (Some(id), false) = (operation["operationId"].as_str(), schema.is_null()) {
                let schema = strict(schema, &document["components"]["schemas"]);
                bodies.insert(
                    id.to_owned(),
                    jsonschema::validator_for(&schema).expect("its schemas are schemas"),
                );
            }
        }
        Self { document, bodies }
    }

    /// Reads a request; a text says what of it Dialpad does not document.
    pub(super) fn read(&self, head: &Parts, body: &[u8]) -> Result<Asked, String> {
        let (path, item, mut parameters) = self.find(head.uri.path()).ok_or("There is no such path.")?;
        let operation = item
            .get(head.method.as_str().to_ascii_lowercase())
            .ok_or_else(|| format!("{path} does not know {}.", head.method))?;
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let query = head.uri.query().unwrap_or_default();
        for (name, value) in serde_urlencoded::from_str::<Vec<(String, String)>>(query)
            .map_err(|error| format!("{id}: the query cannot be read: {error}"))?
        {
            parameters.push((name, value));
        }
        check_parameters(&id, operation, &parameters)?;
        let body = self.read_body(&id, head, body)?;
        let bearer = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        Ok(Asked { operation: Operation { id, path: path.to_owned() }, parameters, body, bearer })
    }

    fn find(&self, path: &str) -> Option<(&str, &Value, Parameters)> {
        self.document["paths"].as_object()?.iter().find_map(|(template, item)| {
            let (wanted, given) = (template.split('/'), path.split('/'));
            let mut parameters = Vec::new();
            if template.split('/').count() != path.split('/').count() {
                return None;
            }
            for (wanted, given) in wanted.zip(given) {
                match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => {
                        let value = percent_decode_str(given).decode_utf8_lossy().into_owned();
                        parameters.push((name.to_owned(), value));
                    }
                    None if wanted == given => {}
                    None => return None,
                }
            }
            Some((template.as_str(), item, parameters))
        })
    }

    fn read_body(&self, id: &str, head: &Parts, body: &[u8]) -> Result<Value, String> {
        let Some(validator) = self.bodies.get(id) else {
            return if body.is_empty() { Ok(Value::Null) } else { Err(format!("{id}: takes no body.")) };
        };
        let is_json = head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        if !is_json {
            return Err(format!("{id}: the body is not said to be JSON."));
        }
        let body: Value =
            serde_json::from_slice(body).map_err(|error| format!("{id}: the body is no JSON: {error}"))?;
        validator
            .validate(&body)
            .map_err(|error| format!("{id}: {} at {}", error.kind().keyword(), error.instance_path()))?;
        Ok(body)
    }
}

fn operations(item: &Value) -> impl Iterator<Item = &Value> {
    item.as_object().into_iter().flatten().map(|(_, operation)| operation)
}

fn check_parameters(id: &str, operation: &Value, given: &[(String, String)]) -> Result<(), String> {
    let known = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    for parameter in known {
        let name = parameter["name"].as_str().unwrap_or_default();
        if parameter["required"] == true && !given.iter().any(|(own, _)| own == name) {
            return Err(format!("{id}: {name} is missing."));
        }
    }
    for (name, value) in given {
        let parameter = known.iter().find(|parameter| parameter["name"] == name.as_str());
        let schema = &parameter.ok_or_else(|| format!("{id}: there is no parameter {name}."))?["schema"];
        let fits = match (schema["type"].as_str(), schema["enum"].as_array()) {
            (Some("integer"), _) => value.parse::<i64>().is_ok(),
            (_, Some(words)) => words.iter().any(|word| word == value.as_str()),
            _ => true,
        };
        if !fits {
            return Err(format!("{id}: {name} is none of what it may be."));
        }
    }
    Ok(())
}

/// A schema of `OpenAPI` 3.0 as one of JSON Schema, with references put in, and without room for members that it does not
/// name.
fn strict(schema: &Value, schemas: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    if let Some(name) = members.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return strict(&schemas[name], schemas);
    }
    let mut result: Map<String, Value> = Map::new();
    for (name, member) in members {
        let member = match (name.as_str(), member) {
            ("nullable" | "format", _) => continue,
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, schema)| (name.clone(), strict(schema, schemas)))
                .collect::<Map<_, _>>()
                .into(),
            ("oneOf" | "anyOf" | "allOf", Value::Array(parts)) => {
                parts.iter().map(|part| strict(part, schemas)).collect()
            }
            ("items", item) => strict(item, schemas),
            (_, member) => member.clone(),
        };
        result.insert(name.clone(), member);
    }
    if let Some(Value::Object(properties)) = result.get_mut("properties") {
        if properties.contains_key("code_verifier") {
            properties.insert(ALSO_ALLOWED.to_owned(), json!({ "type": "string" }));
        }
        result.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    Value::Object(result)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn read(method: &str, path: &str, body: &str) -> Result<Asked, String> {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let (head, ()) = request.body(()).unwrap().into_parts();
        Contract::published().read(&head, body.as_bytes())
    }

    #[test]
    fn what_dialpad_documents_is_taken() {
        let asked =
            read("POST", "/api/v2/subscriptions/sms", r#"{"direction":"all","endpoint_id":7}"#).unwrap();
        assert_eq!(asked.operation.id, "webhook_sms_event_subscription.create");
        assert_eq!(read("PATCH", "/api/v2/webhooks/12", r#"{"secret":"x"}"#).unwrap().id(), 12);
        assert_eq!(read("GET", "/api/v2/webhooks?cursor=a", "").unwrap().parameter("cursor"), "a");
    }

    #[test]
    fn what_it_does_not_document_is_named() {
        for (method, path, body, words) in [
            ("POST", "/api/v2/webhooks", "{}", "required"),
            ("POST", "/api/v2/webhooks", r#"{"hook_url":"x","webhook_id":1}"#, "additionalProperties"),
            ("POST", "/api/v2/webhooks", r#"{"hook_url":7}"#, "type at /hook_url"),
            ("POST", "/api/v2/subscriptions/call", r#"{"call_states":["held"]}"#, "enum at /call_states/0"),
            ("POST", "/api/v2/subscriptions/call", r#"{"webhook_id":1}"#, "additionalProperties"),
            ("POST", "/api/v2/subscriptions/sms", r#"{"endpoint_id":1}"#, "required"),
            ("GET", "/api/v2/webhooks?limit=5", "", "no parameter limit"),
            ("GET", "/api/v2/call/abc", "", "id is none of what it may be"),
            ("PUT", "/api/v2/webhooks/1", "", "does not know PUT"),
            ("GET", "/api/v2/call/1/hold", "", "no such path"),
            ("POST", "/oauth2/token", r#"{"grant_type":"password"}"#, "oneOf"),
        ] {
            let refused = read(method, path, body).err().unwrap_or_default();
            assert!(refused.contains(words), "{method} {path} {body}: {refused}");
        }
    }
}
