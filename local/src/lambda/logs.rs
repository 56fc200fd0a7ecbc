//! What the functions print, line by line, with the function's name before it.

use std::io::Write;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// What to do with lines that name no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmarked {
    /// They are log lines: shown when everything is.
    Hidden,
    /// They are panics and the like: always shown.
    Shown,
}

/// Prints the output of a process until it ends. With `verbose` all of it, else warnings and errors.
pub(super) async fn follow(name: String, output: impl AsyncRead + Unpin, verbose: bool, unmarked: Unmarked) {
    let mut lines = BufReader::new(output).split(b'\n');
    let mut is_shown = unmarked == Unmarked::Shown;
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line);
        // A line without a level continues the one before it.
        if let Some(is_serious) = is_serious(&line) {
            is_shown = is_serious;
        }
        if verbose || is_shown {
            let _ = writeln!(std::io::stderr().lock(), "[{name}] {}", line.trim_end());
        }
    }
}

/// Whether the line's level is warning or error; `None` when it names no level.
fn is_serious(line: &str) -> Option<bool> {
    if line.starts_with('{') {
        let record: serde_json::Value = serde_json::from_str(line).ok()?;
        let level = record.get("level")?.as_str()?;
        return Some(matches!(level.to_ascii_uppercase().as_str(), "WARN" | "ERROR"));
    }
    // `2026-11-22T16:00:00Z  WARN webhook: …`, with or without the time and with or without colours.
    line.split_whitespace().take(2).find_map(|word| {
        let word = word.trim_start_matches(|c: char| !c.is_ascii_uppercase());
        let level: String = word.chars().take_while(char::is_ascii_uppercase).collect();
        match level.as_str() {
            "WARN" | "ERROR" => Some(true),
            "INFO" | "DEBUG" | "TRACE" => Some(false),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::is_serious;

    #[test]
    fn the_level_is_found_in_text_and_in_json() {
        assert_eq!(is_serious(" WARN retrying"), Some(true));
        assert_eq!(is_serious("2026-11-22T16:00:00.000Z  INFO webhook: ready"), Some(false));
        assert_eq!(is_serious("\u{1b}[31mERROR\u{1b}[0m broken"), Some(true));
        assert_eq!(is_serious(r#"{"level":"ERROR","fields":{}}"#), Some(true));
        assert_eq!(is_serious("    0: std::backtrace"), None);
    }
}
