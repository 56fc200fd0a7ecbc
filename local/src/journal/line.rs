//! One line of the journal, before it is written for somebody.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use shared::clock::{Clock as _, SystemClock};
use tracing::Level;

/// What the edge has said already when a function says it: it stands there with the whole duration.
const TOLD_BY_THE_EDGE: [(&str, &str); 3] =
    [("Rest", "answered"), ("WebSocket", "opened"), ("WebSocket", "disconnected")];

/// A line of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When it was shown.
    pub(super) at: DateTime<Utc>,
    pub(super) level: Level,
    /// What it is about, as it stands in front: `Call`, `WebSocket`, `HTTP`.
    pub(super) component: String,
    /// Whether the one who logged it named the component.
    is_component_named: bool,
    /// What happened, if it is not all in the fields.
    pub(super) message: String,
    /// The rest, by name.
    pub(super) fields: Map<String, Value>,
}

impl Line {
    /// A line of these fields; `component` and `message` among them are taken out.
    pub(crate) fn new(level: Level, otherwise: &str, mut fields: Map<String, Value>) -> Self {
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let component = text("component");
        let message = text("message").unwrap_or_default();
        Self {
            at: SystemClock.now(),
            level,
            is_component_named: component.is_some(),
            component: component.unwrap_or_else(|| otherwise.to_owned()),
            message,
            fields,
        }
    }

    /// A line of text that a function printed past its log: a panic, for example.
    pub(crate) fn printed(level: Level, function: &str, text: &str) -> Self {
        let fields = Map::from_iter([("message".to_owned(), Value::from(text))]);
        Self::new(level, &capitalised(function), fields)
    }

    /// A line that a function logged as JSON; nothing if the text is no such line.
    pub(crate) fn logged(function: &str, text: &str) -> Option<Self> {
        let Ok(Value::Object(mut record)) = serde_json::from_str(text) else { return None };
        let level = record.get("level")?.as_str()?.parse().ok()?;
        for of_every_line in ["level", "timestamp", "span"] {
            record.remove(of_every_line);
        }
        Some(Self::new(level, &capitalised(function), record))
    }

    /// Whether it tells of something that happened to the product: whoever logs that names a component.
    pub(super) fn is_news(&self) -> bool {
        self.level <= Level::INFO
            && self.is_component_named
            && !TOLD_BY_THE_EDGE.contains(&(self.component.as_str(), self.message.as_str()))
    }
}

fn capitalised(function: &str) -> String {
    let mut letters = function.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_log_line_is_taken_apart() {
        let text = r#"{"timestamp":"2026-11-22T20:00:00Z","level":"INFO","message":"rotated","component":"APIKey","app_id":"a","span":{"name":"x"}}"#;
        let line = Line::logged("rest", text).unwrap();
        assert_eq!((line.component.as_str(), line.message.as_str()), ("APIKey", "rotated"));
        assert_eq!(Value::Object(line.fields.clone()), serde_json::json!({ "app_id": "a" }));
        assert!(line.is_news());
    }

    #[test]
    fn a_line_without_a_component_is_the_functions_and_no_news() {
        let line = Line::logged("rest", r#"{"level":"INFO","message":"ready"}"#).unwrap();
        assert_eq!(line.component, "Rest");
        assert!(!line.is_news());
    }

    #[test]
    fn what_the_edge_tells_is_not_told_again_but_why_we_close_a_socket_is() {
        let is_news = |function: &str, message: &str| {
            let text = format!(r#"{{"level":"INFO","message":"{message}","component":"WebSocket"}}"#);
            Line::logged(function, &text).unwrap().is_news()
        };
        assert!(!is_news("websocket", "opened") && !is_news("websocket", "disconnected"));
        assert!(is_news("broadcaster", "closed"));
    }

    #[test]
    fn other_text_is_no_log_line() {
        for text in
            ["thread 'main' panicked", "{}", r#"{"level":"LOUD"}"#, r#"{"_aws":{},"Applied":1}"#, "[1]"]
        {
            assert_eq!(Line::logged("rest", text), None, "{text}");
        }
    }
}
