//! A value that fits a schema, for examples.

use serde_json::{Map, Value, json};

/// How deep an example goes; a schema may refer to itself.
const DEPTH: usize = 8;

/// A value that fits `schema`; references lead into `document`.
pub(super) fn of(schema: &Value, document: &Value) -> Value {
    sample(schema, document, DEPTH)
}

fn sample(schema: &Value, document: &Value, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    for known in ["example", "const", "default"] {
        if let Some(value) = schema.get(known) {
            return value.clone();
        }
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(target) = resolve(schema, document) {
        return sample(target, document, depth - 1);
    }
    for several in ["oneOf", "anyOf"] {
        let options = schema[several].as_array();
        if let Some(option) = options.and_then(|all| all.iter().find(|option| option["type"] != "null")) {
            return sample(option, document, depth - 1);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let members = parts.iter().map(|part| sample(part, document, depth - 1));
        let mut whole = Map::new();
        for part in members {
            if let Value::Object(members) = part {
                whole.extend(members);
            }
        }
        return Value::Object(whole);
    }
    match kind(schema) {
        "object" => {
            let properties = schema["properties"].as_object();
            let members = properties.into_iter().flatten();
            members.map(|(name, member)| (name.clone(), of_member(name, member, document, depth))).collect()
        }
        "array" => json!([sample(&schema["items"], document, depth - 1)]),
        "string" => text(schema).into(),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        _ => Value::Null,
    }
}

/// A member whose name tells more than its schema.
fn of_member(name: &str, schema: &Value, document: &Value, depth: usize) -> Value {
    let is_plain_text =
        kind(schema) == "string" && schema.get("enum").is_none() && schema.get("example").is_none();
    let text = match name {
        _ if !is_plain_text || schema.get("format").is_some() => return sample(schema, document, depth - 1),
        "from_number" | "number" => "+14155550160",
        "to_number" => "+14155550100",
        "contact_name" => "Ann Example",
        "crm_user_id" => "user_abc",
        "dialpad_user_id" => "5600000000000001",
        "dialpad_call_id" => "6300000000000001",
        "api_key" => "app_…",
        "webhook_url" => "https://cti.example/webhooks/dialpad/019ab2c3-d4e5-7000-8000-000000000001",
        "recording_url" => "https://dialpad.example/recording/1",
        "url" => "wss://cti.example/ws?ticket=…",
        _ => return sample(schema, document, depth - 1),
    };
    text.into()
}

fn text(schema: &Value) -> &'static str {
    match schema["format"].as_str().unwrap_or_default() {
        "uuid" => "019ab2c3-d4e5-7000-8000-000000000001",
        "date-time" => "2026-05-28T20:26:40.000Z",
        "uri" => "https://cti.example",
        _ => "text",
    }
}

/// What a schema refers to, if it does.
pub(super) fn resolve<'a>(schema: &Value, document: &'a Value) -> Option<&'a Value> {
    let pointer = schema.get("$ref")?.as_str()?.trim_start_matches('#');
    document.pointer(pointer)
}

/// The type of a schema; of several, the first that is not null.
pub(super) fn kind(schema: &Value) -> &str {
    let is_kind = |kind: &&str| *kind != "null";
    let kinds = &schema["type"];
    let several = kinds.as_array().into_iter().flatten().filter_map(Value::as_str);
    several.chain(kinds.as_str()).find(is_kind).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_to_what_they_name_and_circles_end() {
        let document = json!({"schemas": {"Node": {"type": "object", "properties": {
            "id": {"type": "string", "format": "uuid"},
            "next": {"oneOf": [{"type": "null"}, {"$ref": "#/schemas/Node"}]},
        }}}});
        let value = of(&json!({"$ref": "#/schemas/Node"}), &document);
        assert_eq!(value["id"], "019ab2c3-d4e5-7000-8000-000000000001");
        assert!(value["next"]["next"].is_object());
    }

    #[test]
    fn what_a_schema_says_itself_comes_first() {
        let document = Value::Null;
        assert_eq!(of(&json!({"type": "string", "example": "ringing"}), &document), "ringing");
        assert_eq!(of(&json!({"type": ["string", "null"], "enum": ["a", null]}), &document), "a");
        assert_eq!(of(&json!({"type": ["null", "integer"], "minimum": 5}), &document), 5);
        assert_eq!(of(&json!({"type": "array", "items": {"type": "boolean"}}), &document), json!([true]));
    }
}
