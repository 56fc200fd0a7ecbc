//! YAML to JSON, with `CloudFormation`'s short tags written out.

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

use super::Error;

/// Loads a template as JSON in which `!Sub x` has become `{"Fn::Sub": x}`.
pub(super) fn load(text: &str) -> Result<Value, Error> {
    convert(serde_yaml_ng::from_str(text)?)
}

fn convert(yaml: Yaml) -> Result<Value, Error> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => serde_json::to_value(number).unwrap_or(Value::Null),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(convert).collect::<Result<_, _>>()?),
        Yaml::Mapping(mapping) => {
            let mut object = Map::new();
            for (key, value) in mapping {
                object.insert(key_text(key)?, convert(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let argument = convert(tagged.value)?;
            match name {
                "Ref" | "Condition" => json!({ name: argument }),
                "GetAtt" => json!({ "Fn::GetAtt": split_attribute(argument) }),
                _ => json!({ format!("Fn::{name}"): argument }),
            }
        }
    })
}

/// A key of a mapping is text, though YAML reads an unquoted `404` as a number.
fn key_text(key: Yaml) -> Result<String, Error> {
    match convert(key)? {
        Value::String(text) => Ok(text),
        other @ (Value::Number(_) | Value::Bool(_)) => Ok(other.to_string()),
        other @ (Value::Null | Value::Array(_) | Value::Object(_)) => {
            Err(Error::Shape { at: "a mapping".to_owned(), problem: format!("{other} is no key") })
        }
    }
}

/// `!GetAtt Queue.Arn` is `{"Fn::GetAtt": ["Queue", "Arn"]}`.
fn split_attribute(argument: Value) -> Value {
    match argument.as_str().and_then(|text| text.split_once('.')) {
        Some((resource, attribute)) => json!([resource, attribute]),
        None => argument,
    }
}
