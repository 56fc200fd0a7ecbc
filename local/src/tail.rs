//! `tail`: follows an app's events as a careful client does, and prints them.

use std::{fmt::Write as _, time::Duration};

use axum::http::StatusCode;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::{
    client::{self, Client, Socket},
    console,
    follow::{Follower, follow},
};

/// How often it is asked whether anything was missed.
const PING: Duration = Duration::from_secs(30);
/// How long to wait before connecting again, the first time; twice as long each time after.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What to follow.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The app's API key
    #[arg(long, value_name = "KEY")]
    api_key: String,
    /// See what this CRM user sees
    #[arg(long, value_name = "CRM USER", alias = "user-id")]
    user: Option<String>,
    /// Begin after this event: 0 begins with the oldest that is kept. Without it, only what comes from now on
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
    /// Print each frame as it came, one JSON object a line
    #[arg(long)]
    json: bool,
    /// The port of the running server
    #[arg(long, default_value_t = 4000, conflicts_with = "url")]
    port: u16,
    /// The running server, where it is not on this machine's port
    #[arg(long)]
    url: Option<String>,
}

/// Why nothing is followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server lets nobody in with this key.
    #[error("the server refuses this connection ({status}): {advice}")]
    Refused {
        /// The handshake's status.
        status: StatusCode,
        /// What to do.
        advice: &'static str,
    },
    /// There is no server.
    #[error(
        "nothing answers at {0}: start the server with `cargo run -p local`, or name another with --port or --url"
    )]
    NoServer(String, #[source] client::Error),
    /// It did not go on.
    #[error("follow the app")]
    Client(#[from] client::Error),
}

/// Follows until Ctrl-C, over as many connections as it takes. Only the first must succeed.
pub async fn run(arguments: Arguments) -> Result<(), Error> {
    let url = arguments.url.clone().unwrap_or_else(|| format!("http://localhost:{}", arguments.port));
    let client = Client::new(&url, None)?;
    let user = arguments.user.as_deref().map(|user| utf8_percent_encode(user, NON_ALPHANUMERIC).to_string());
    let user = user.map(|user| format!("&user_id={user}")).unwrap_or_default();
    let query = format!("api_key={}{user}", utf8_percent_encode(&arguments.api_key, NON_ALPHANUMERIC));
    let mut socket = client.connect(&query).await.map_err(|error| refused(error, &url))?;
    let after = match arguments.after {
        Some(after) => after,
        None => head(&mut socket).await?,
    };
    console::progress(&format!("following {url} after event {after}; Ctrl-C ends it"));

    let mut follower = Follower::after(after);
    let outcome = tokio::select! {
        outcome = for_ever(&client, &query, socket, &mut follower, arguments.json) => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    console::progress(&format!("to go on from here: --after {}", follower.cursor()));
    outcome.map_err(|error| refused(error, &url))
}

/// Follows over one connection after the other; ends when the server will not have this client any more.
async fn for_ever(
    client: &Client,
    query: &str,
    mut socket: Socket,
    follower: &mut Follower,
    is_json: bool,
) -> Result<(), client::Error> {
    loop {
        let error = follow(&mut socket, follower, PING, |new| show(new, is_json)).await;
        console::progress(&format!("{error}; connecting again, from event {} on", follower.cursor()));
        let mut pause = FIRST_PAUSE;
        socket = loop {
            tokio::time::sleep(pause).await;
            match client.connect(query).await {
                Ok(socket) => break socket,
                Err(error) if error.handshake_status().is_some_and(|status| status.is_client_error()) => {
                    return Err(error);
                }
                Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        };
        console::progress("connected again");
    }
}

/// The end of the log, before anything is followed.
async fn head(socket: &mut Socket) -> Result<i64, client::Error> {
    socket.say(&serde_json::json!({ "action": "ping" })).await?;
    loop {
        let frame = socket.next(PING).await?;
        if frame["event"] == "pong" {
            return Ok(frame["seq"].as_i64().unwrap_or(0));
        }
    }
}

fn show(new: Option<&Value>, is_json: bool) {
    match new {
        Some(event) => console::line(&written(event, is_json)),
        None => console::progress(
            "the log no longer reaches back so far (recovered: false): load the lists again; following from its end",
        ),
    }
}

/// A frame as it came, or what a person looks for in it.
fn written(frame: &Value, is_json: bool) -> String {
    if is_json {
        return frame.to_string();
    }
    let text = |name: &str| match &frame[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Some(other.to_string())
        }
    };
    let mut line =
        format!("#{:<6} {:<18}", text("seq").unwrap_or_default(), text("event").unwrap_or_default());
    if let (Some(from), Some(to)) = (text("from_number"), text("to_number")) {
        let _ = write!(line, " {from} -> {to}");
    }
    for name in ["direction", "status", "outcome", "contact_name", "target_crm_user", "duration_seconds"] {
        if let Some(value) = text(name) {
            let _ = write!(line, "  {name}={value}");
        }
    }
    line
}

fn refused(error: client::Error, url: &str) -> Error {
    let Some(status) = error.handshake_status() else {
        let is_socket = matches!(error, client::Error::Socket(_));
        return if is_socket { Error::NoServer(url.to_owned(), error) } else { Error::Client(error) };
    };
    let advice = match status {
        StatusCode::UNAUTHORIZED => {
            "the key is not valid (any more); make one with POST /internal/apps/{app_id}/api-key"
        }
        StatusCode::FORBIDDEN => {
            "the app is switched off; PATCH /internal/apps/{app_id} {\"is_active\":true}"
        }
        StatusCode::SERVICE_UNAVAILABLE => "the database cannot be reached; try again",
        _ => "see what the server shows",
    };
    Error::Refused { status, advice }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_frame_is_written_for_a_person_or_as_it_came() {
        let frame = json!({
            "event": "call.ring", "seq": 12, "from_number": "+14155550150", "to_number": "+14155550101",
            "direction": "inbound", "status": "ringing", "outcome": null,
        });
        let line =
            "#12     call.ring          +14155550150 -> +14155550101  direction=inbound  status=ringing";
        assert_eq!(written(&frame, false), line);
        assert_eq!(written(&frame, true), frame.to_string());
    }
}
