//! Dialpad's limits, and how it says that one is reached.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use axum::{http::HeaderValue, response::Response};
use tokio::time::Instant;

/// Requests of a company in a second, over all operations.
const PER_SECOND: usize = 20;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// What was asked lately.
#[derive(Default)]
pub(super) struct Limits {
    windows: HashMap<(i64, String), VecDeque<Instant>>,
}

impl Limits {
    /// Counts a request of a company. Beyond a limit it gives the seconds after which to come again.
    pub(super) fn count(&mut self, company: i64, operation: &str, user: &str) -> Option<u64> {
        let per_minute = match operation {
            // This one is a user's.
            "users.initiate_call" => (5, format!("{operation} {user}")),
            "call.get_call_info" => (10, operation.to_owned()),
            "webhooks.create" => (100, operation.to_owned()),
            _ => (1200, operation.to_owned()),
        };
        let all = (PER_SECOND, "all".to_owned());
        let now = Instant::now();
        let windows = [(all, SECOND), (per_minute, MINUTE)];
        for ((most, name), span) in &windows {
            let window = self.windows.entry((company, name.clone())).or_default();
            while window.front().is_some_and(|first| now - *first >= *span) {
                window.pop_front();
            }
            if window.len() >= *most {
                let wait = window.front().map_or(*span, |first| span.saturating_sub(now - *first));
                return Some(wait.as_secs() + 1);
            }
        }
        for ((_, name), _) in windows {
            self.windows.entry((company, name)).or_default().push_back(now);
        }
        None
    }
}

/// Says when to come again.
pub(super) fn with_retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_eleventh_look_at_a_call_within_a_minute_is_one_too_many() {
        let mut limits = Limits::default();
        for _ in 0..10 {
            assert_eq!(limits.count(1, "call.get_call_info", ""), None);
        }
        assert_eq!(limits.count(1, "call.get_call_info", ""), Some(61));
        assert_eq!(limits.count(2, "call.get_call_info", ""), None);
        tokio::time::advance(MINUTE).await;
        assert_eq!(limits.count(1, "call.get_call_info", ""), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_company_asks_twenty_times_a_second_and_each_user_dials_five_times_a_minute() {
        let mut limits = Limits::default();
        for user in ["1", "2", "3", "4"] {
            for _ in 0..5 {
                assert_eq!(limits.count(1, "users.initiate_call", user), None);
            }
        }
        assert_eq!(limits.count(1, "company.get", ""), Some(2));
        tokio::time::advance(SECOND).await;
        assert_eq!(limits.count(1, "users.initiate_call", "1"), Some(60));
        assert_eq!(limits.count(1, "users.initiate_call", "5"), None);
    }
}
