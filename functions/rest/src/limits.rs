//! How many requests a credential may make within a minute, and the headers that say so.
//!
//! The headers are the three that clients know from earlier drafts of the IETF's and from other servers; the present draft
//! (`RateLimit` and `RateLimit-Policy`) still changes, and few read it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};

use crate::error::{Error, Result};

/// Requests that fit into a minute.
pub(crate) const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// Requests that are left of them.
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// Seconds until the next minute.
pub(crate) const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Where a credential stands within its minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    limit: u32,
    requests: u32,
    reset: u32,
}

impl Standing {
    /// After this many requests within the minute of `now`, the present one included.
    pub(crate) fn new(limit: u32, requests: i32, now: DateTime<Utc>) -> Self {
        let second = u32::try_from(now.timestamp().rem_euclid(60)).unwrap_or(0);
        Self { limit, requests: u32::try_from(requests).unwrap_or(0), reset: 60 - second }
    }

    /// Refuses the request that is one too many.
    pub(crate) fn check(self) -> Result<()> {
        if self.requests > self.limit { Err(Error::TooManyRequests { reset: self.reset }) } else { Ok(()) }
    }

    /// Says it in an answer.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.limit.saturating_sub(self.requests)));
        headers.insert(RESET, HeaderValue::from(self.reset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_request_of_a_limit_passes_and_the_next_does_not() {
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let mut headers = HeaderMap::new();
        for (requests, remaining) in [(1, "2"), (3, "0"), (4, "0")] {
            let standing = Standing::new(3, requests, now);
            assert_eq!(standing.check().is_ok(), requests <= 3);
            standing.write(&mut headers);
            assert_eq!(
                (&headers[LIMIT], &headers[REMAINING], &headers[RESET]),
                (
                    &HeaderValue::from_static("3"),
                    &HeaderValue::from_static(remaining),
                    &HeaderValue::from_static("20"),
                )
            );
        }
    }
}
