//! How a log line is written.

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::Env;

/// Begins to log to standard output. In the cloud, where Lambda says so, a line is one flat JSON object: Lambda filters by
/// its `level`, and CloudWatch finds its members. Elsewhere it is text for a person.
pub fn start(env: &Env) {
    let level = env.optional("AWS_LAMBDA_LOG_LEVEL").or_else(|| env.optional("RUST_LOG")).unwrap_or("info");
    let filter = EnvFilter::try_new(level.to_ascii_lowercase()).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt().with_target(false).with_env_filter(filter);
    let is_json =
        env.optional("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    // Only a second start in one process can fail, and then the first one's settings stay.
    let _ = if is_json {
        lines.json().flatten_event(true).with_span_list(false).try_init()
    } else {
        lines.without_time().try_init()
    };
}
