//! `tail`: follows an app's events as a careful client does, and prints them.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::{
    client::{self, Client},
    console,
    follow::{Follower, follow},
};

/// How often it is asked whether anything was missed.
const PING: Duration = Duration::from_secs(30);
/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_secs(1);

/// What to follow.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The app's API key
    #[arg(long)]
    api_key: String,
    /// See what this CRM user sees
    #[arg(long)]
    user_id: Option<String>,
    /// Begin after this event; 0 begins with the oldest that is kept
    #[arg(long, default_value_t = 0)]
    after: i64,
    /// The running server
    #[arg(long, default_value = "http://localhost:4000")]
    url: String,
}

/// Follows until it is stopped, over as many connections as it takes. Only the first must succeed.
pub async fn run(arguments: Arguments) -> Result<(), client::Error> {
    let client = Client::new(&arguments.url, None)?;
    let user = arguments.user_id.map(|user| format!("&user_id={user}")).unwrap_or_default();
    let query = format!("api_key={}{user}", arguments.api_key);
    let mut follower = Follower::after(arguments.after);
    let mut socket = client.connect(&query).await?;
    loop {
        let error = follow(&mut socket, &mut follower, PING, print).await;
        console::progress(&format!("{error}; connecting again, after event {}", follower.cursor()));
        socket = loop {
            tokio::time::sleep(PAUSE).await;
            if let Ok(socket) = client.connect(&query).await {
                break socket;
            }
        };
    }
}

fn print(new: Option<&Value>) {
    match new {
        Some(event) => console::line(&event.to_string()),
        None => console::progress("the log no longer reaches back so far; following from its end"),
    }
}
