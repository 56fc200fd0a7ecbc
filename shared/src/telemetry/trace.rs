//! The trace that a delivery belongs to, from the webhook to the frames it causes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Longest id that is taken over; X-Ray's own have 35 characters.
const MAX_LEN: usize = 64;

/// X-Ray's id of a trace, `1-5e9f0c65-1de4d666d4dd26aced652b6c`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceId(String);

/// A text holds no id of a trace.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("find the id of a trace")]
pub struct NoTrace;

impl TraceId {
    /// As it is logged and stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TraceId {
    type Err = NoTrace;

    /// Reads the header `x-amzn-trace-id` (`Root=1-…;Parent=…;Sampled=1`), or the id alone. It comes from outside and ends
    /// in the log, so only what an id is made of is taken over.
    fn from_str(text: &str) -> Result<Self, NoTrace> {
        let root = text.split(';').find_map(|part| part.trim().strip_prefix("Root="));
        let id = root.unwrap_or(text);
        let is_id = (1..=MAX_LEN).contains(&id.len())
            && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        if is_id { Ok(Self(id.to_owned())) } else { Err(NoTrace) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_header_is_the_id() {
        let id = "1-5e9f0c65-1de4d666d4dd26aced652b6c";
        for text in [
            id.to_owned(),
            format!("Root={id}"),
            format!("Self=1-67891234-abcdef012345678912345678; Root={id};Parent=53995c3f42cd8ad8;Sampled=1"),
        ] {
            assert_eq!(text.parse::<TraceId>().unwrap().as_str(), id, "{text}");
        }
    }

    #[test]
    fn what_is_no_id_is_not_taken_over() {
        for text in ["", "Root=", "Root=+14155550101", "Parent=53995c3f;Sampled=1", &"a".repeat(65)] {
            assert!(text.parse::<TraceId>().is_err(), "{text}");
        }
    }
}
