//! What the functions print, line by line, into the journal.

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tracing::Level;

use crate::journal::{Amount, Journal, Line};

/// What to do with lines that are no log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmarked {
    /// They are metrics and the like: shown when everything is.
    Hidden,
    /// They are panics and the like: always shown.
    Shown,
}

/// Shows the output of a process until it ends.
pub(super) async fn follow(
    function: String,
    output: impl AsyncRead + Unpin,
    journal: Journal,
    unmarked: Unmarked,
) {
    let mut lines = BufReader::new(output).split(b'\n');
    while let Ok(Some(text)) = lines.next_segment().await {
        let text = String::from_utf8_lossy(&text);
        let text = text.trim_end();
        journal.keep_printed(&function, text);
        if let Some(line) = Line::logged(&function, text) {
            journal.show_logged(&line);
        } else if unmarked == Unmarked::Shown {
            journal.show(&Line::printed(Level::ERROR, &function, text));
        } else if journal.amount() == Amount::Everything {
            journal.show(&Line::printed(Level::INFO, &function, text));
        }
    }
}
