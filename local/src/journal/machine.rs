//! A line for a machine: one JSON object.

use chrono::SecondsFormat;
use serde_json::{Map, Value};

use super::Line;

/// The line as JSON. The names of the fields are those of the functions' own log.
pub(super) fn render(line: &Line) -> String {
    let mut object = Map::from_iter([
        ("time".to_owned(), Value::from(line.at.to_rfc3339_opts(SecondsFormat::Millis, true))),
        ("level".to_owned(), Value::from(line.level.as_str())),
        ("component".to_owned(), Value::from(line.component.as_str())),
    ]);
    if !line.message.is_empty() {
        object.insert("message".to_owned(), Value::from(line.message.as_str()));
    }
    for (name, value) in &line.fields {
        object.entry(name).or_insert_with(|| value.clone());
    }
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracing::Level;

    use super::*;

    #[test]
    fn a_line_is_one_object_and_its_fields_replace_nothing() {
        let Value::Object(fields) =
            json!({"component": "Call", "message": "applied", "level": "loud", "call_id": "1"})
        else {
            unreachable!()
        };
        let mut object: Value =
            serde_json::from_str(&render(&Line::new(Level::INFO, "Local", fields))).unwrap();
        assert!(object["time"].take().as_str().unwrap().ends_with('Z'));
        let expected = json!({
            "time": null, "level": "INFO", "component": "Call", "message": "applied", "call_id": "1",
        });
        assert_eq!(object, expected);
    }
}
