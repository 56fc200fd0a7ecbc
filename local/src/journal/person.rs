//! A line for a person: time, component, what happened, how long it took.

use std::fmt::Write as _;

use chrono::Local;
use serde_json::Value;
use tracing::Level;

use super::Line;

/// What only a machine needs.
const UNSEEN: [&str; 3] = ["request_id", "trace_id", "duration_ms"];

/// The columns of the component with its brackets, and of what happened.
const COMPONENT: usize = 14;
const HAPPENING: usize = 40;

/// From here on a duration is worth a look.
const SLOW_MILLISECONDS: f64 = 1_000.0;

/// The colours, by their numbers (ECMA-48, 8.3.117).
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BLUE: &str = "34";
const MAGENTA: &str = "35";
const CYAN: &str = "36";

/// Text that is coloured where it may be.
struct Painter(bool);

impl Painter {
    fn paint(&self, colour: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The line as text.
pub(super) fn render(line: &Line, has_colours: bool) -> String {
    let painter = Painter(has_colours);
    let time = line.at.with_timezone(&Local).format("%H:%M:%S%.3f").to_string();
    let component = format!("{:COMPONENT$}", format!("[{}]", line.component));
    let mut text = format!("{} {} ", painter.paint(DIM, &time), painter.paint(colour_of(line), &component));
    match line.level {
        Level::ERROR => text.push_str(&painter.paint(RED, "error ")),
        Level::WARN => text.push_str(&painter.paint(YELLOW, "warning ")),
        _ => {}
    }
    text.push_str(&happening(line, &painter));
    if let Some(milliseconds) = line.fields.get("duration_ms").and_then(Value::as_f64) {
        let colour = if milliseconds < SLOW_MILLISECONDS { DIM } else { YELLOW };
        let _ = write!(text, "  {}", painter.paint(colour, &duration(milliseconds)));
    }
    text
}

/// What happened, to whom.
fn happening(line: &Line, painter: &Painter) -> String {
    let field = |name: &str| line.fields.get(name).map(plain);
    let (head, told) = match (field("method"), field("path"), field("queue"), field("function")) {
        (Some(method), Some(path), _, _) => (format!("{method} {path}"), ["method", "path", "status"]),
        (_, _, Some(queue), Some(function)) => (format!("{queue} -> {function}"), ["queue", "function", ""]),
        _ => (line.message.clone(), ["", "", ""]),
    };
    let mut text = head;
    let status = line.fields.get("status").and_then(Value::as_u64).filter(|_| told.contains(&"status"));
    if let Some(status) = status {
        let colour = match status {
            ..400 => GREEN,
            400..500 => YELLOW,
            _ => RED,
        };
        text = format!("{text:HAPPENING$} {}", painter.paint(colour, &status.to_string()));
    }
    for (name, value) in &line.fields {
        if UNSEEN.contains(&name.as_str()) || told.contains(&name.as_str()) || value.is_null() {
            continue;
        }
        let _ = write!(text, "  {}{}", painter.paint(DIM, &format!("{name}=")), short(value));
    }
    text
}

/// A value without the quotes that JSON gives it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as short as it can be told from others: the end of a UUID, whose beginning is only the time; and text that
/// does not end this line.
fn short(value: &Value) -> String {
    let text = plain(value);
    match uuid::Uuid::parse_str(&text) {
        Ok(_) if text.len() == 36 => format!("…{}", &text[28..]),
        _ if text.contains(char::is_whitespace) => format!("{text:?}"),
        _ => text,
    }
}

fn duration(milliseconds: f64) -> String {
    if milliseconds < 10.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}

fn colour_of(line: &Line) -> &'static str {
    match (line.level, line.component.as_str()) {
        (Level::ERROR, _) => RED,
        (Level::WARN, _) => YELLOW,
        (_, "HTTP") => CYAN,
        (_, "WebSocket" | "Push") => MAGENTA,
        (_, "APIKey" | "App" | "UserMapping") => BLUE,
        (_, "Call" | "Voicemail" | "Message" | "Agent") => GREEN,
        _ => DIM,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(level: Level, fields: Value) -> String {
        let Value::Object(fields) = fields else { unreachable!() };
        let text = render(&Line::new(level, "Local", fields), false);
        // The time is the machine's.
        text["00:00:00.000 ".len()..].to_owned()
    }

    #[test]
    fn a_request_has_its_status_in_a_column() {
        let request = json!({
            "component": "HTTP", "method": "GET", "path": "/api/calls", "status": 200, "duration_ms": 3.21,
        });
        assert_eq!(
            line(Level::INFO, request),
            "[HTTP]         GET /api/calls                           200  3.2 ms"
        );
    }

    #[test]
    fn an_event_has_its_fields_and_shortened_ids() {
        let event = json!({
            "component": "Call", "message": "applied", "request_id": "r", "call_id": "4711",
            "app_id": "0193a1b2-0000-7000-8000-00001a2b3c4d", "reason": "two words",
        });
        assert_eq!(
            line(Level::INFO, event),
            "[Call]         applied  app_id=…1a2b3c4d  call_id=4711  reason=\"two words\""
        );
    }

    #[test]
    fn a_delivery_of_a_queue_names_both_ends() {
        let delivery = json!({
            "component": "Queue", "queue": "EventQueue", "function": "processor", "messages": 2, "duration_ms": 12.6,
        });
        assert_eq!(line(Level::INFO, delivery), "[Queue]        EventQueue -> processor  messages=2  13 ms");
    }

    #[test]
    fn what_went_wrong_says_so_without_colours_too() {
        assert_eq!(line(Level::WARN, json!({ "message": "x" })), "[Local]        warning x");
        assert_eq!(line(Level::ERROR, json!({ "message": "x" })), "[Local]        error x");
    }

    #[test]
    fn colours_are_used_only_where_they_may_be() {
        let line = Line::new(Level::INFO, "Local", serde_json::Map::new());
        assert!(render(&line, true).contains('\u{1b}'));
        assert!(!render(&line, false).contains('\u{1b}'));
    }
}
