//! What the functions tell about themselves: log lines, metrics, and the trace that joins them.
//!
//! A log line is one JSON object. Beside its time, level and message it has `component`, one of [`COMPONENTS`], and what
//! it is about: `request_id`, `app_id`, `event_id`, `call_id`, `trace_id`, as far as they are known. It never has a phone
//! number, a name, a text, a secret, a key, a query string or a payload.

#[cfg(feature = "telemetry")]
mod lines;
pub mod metrics;
mod trace;

use std::{error::Error, fmt};

#[cfg(feature = "telemetry")]
pub use lines::start;
pub use metrics::{Metric, Metrics};
pub use trace::TraceId;

/// What a log line may name as its `component`, and what it is then about.
pub const COMPONENTS: [(&str, &str); 16] = [
    ("Webhook", "a delivery: stored, repeated, spilled or rejected"),
    ("Processor", "work on stored deliveries: applied, put off, given up"),
    ("Call", "a call, as clients are told of it"),
    ("Voicemail", "a voicemail: made, changed, deleted"),
    ("Message", "a text message, as clients are told of it"),
    ("Agent", "an agent, as clients are told of it"),
    ("Push", "what is sent to sockets"),
    (
        "WebSocket",
        "a socket: opened, refused, resumed, closed by us with the `reason` (`key_revoked`, `app_inactive`, `throttled`, `gone`), disconnected; and tickets",
    ),
    ("APIKey", "a key or a secret: made, rotated, revoked"),
    ("App", "an app: made, changed; its deliveries replayed"),
    ("UserMapping", "which user of Dialpad is which in the CRM"),
    ("Dialpad", "what is asked of Dialpad"),
    ("Retention", "what is deleted when its time is over, or erased"),
    ("Rest", "a request of the REST API"),
    ("Migrator", "the schema"),
    ("Database", "a session with the database"),
];

/// An error with its causes, one after the other. `Display` of our errors never repeats the cause, so whoever logs
/// walks the chain.
pub struct Chain<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::{COMPONENTS, Metric};

    const PAGE: &str = include_str!("../../docs/observability.md");

    /// The text of each source file of the functions and of this crate.
    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }

    /// The arguments of each call of a macro that writes a log line.
    fn lines(text: &str) -> impl Iterator<Item = &str> {
        ["info!(", "warn!(", "error!("]
            .into_iter()
            .flat_map(move |name| text.match_indices(name).map(move |(at, _)| &text[at + name.len()..]))
            .map(|rest| &rest[..rest.find(");").unwrap_or(rest.len())])
    }

    #[test]
    fn every_log_line_names_a_component_that_is_listed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut found = Vec::new();
        sources(&root.join("shared/src"), &mut found);
        for function in fs::read_dir(root.join("functions")).unwrap() {
            sources(&function.unwrap().path().join("src"), &mut found);
        }
        let listed: BTreeSet<&str> = COMPONENTS.iter().map(|(name, _)| *name).collect();
        let mut used = BTreeSet::new();
        for (path, text) in &found {
            if path.ends_with("telemetry.rs") {
                continue;
            }
            for line in lines(text) {
                let name = line.split_once("component = \"").and_then(|(_, rest)| rest.split('"').next());
                let name = name.unwrap_or_else(|| panic!("{path}: a line names no component: {line}"));
                assert!(listed.contains(name), "{path}: {name} is no component");
                used.insert(name);
            }
        }
        assert!(used.len() > 10, "{used:?}");
    }

    #[test]
    fn the_page_lists_every_component_and_just_these_metrics() {
        let rows: Vec<Vec<&str>> = PAGE
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .map(|line| {
                line.trim_end_matches('|').split('|').map(|cell| cell.trim_matches(['`', ' '])).collect()
            })
            .collect();
        let components: Vec<_> = rows.iter().filter(|row| row.len() == 2).collect();
        for (name, about) in COMPONENTS {
            assert!(components.iter().any(|row| row[..] == [name, about]), "{name} is not on the page");
        }
        let metrics: Vec<_> = rows.iter().filter(|row| row.len() == 4).map(|row| row[..3].to_vec()).collect();
        let wanted = Metric::ALL
            .map(|metric| vec![metric.name(), metric.unit(), metric.dimension().unwrap_or_default()]);
        assert_eq!(metrics, wanted);
    }
}
